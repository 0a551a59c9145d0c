"""Replays a recording through the real door as if it were measured now, faster than life if asked.

Every reading is sent with the time at which it is sent: a late one would not ring, and one from the future is
refused. So at speed N the readings lie 300/N seconds apart instead of 300, and that has a price that the
command says aloud. At a speed over 2 they are nearer than the 2.5 minutes within which the platform counts
one reading only. What lies at or beyond a limit still rings at once, for the lower of two near readings
always alarms; but arrows, forecasts, rates and the end of an alarm follow only what counts. Over 300,
readings would share a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from nightbell.adapters.files.recording import RecordingError, read_recording
from nightbell.app.publisher import Measured, Publisher
from nightbell.publish.reading import NEAR_MS
from nightbell.words.clock import Clock

SPEED_MIN: Final = 0.1
SPEED_MAX: Final = 300.0
"""Readings 5 min apart then follow each second; two in one second count as one."""

SPACING_MS: Final = 300_000
PLAIN_SPEED_MAX: Final = SPACING_MS / NEAR_MS
"""Up to this speed every reading counts as in life."""

GAP_S_MAX: Final = 3_600.0
"""A gap is waited for like any other time, but not longer than this: nobody replays a lost week."""


class UnusableRecordingError(Exception):
    """This file cannot be replayed; the text says why."""


class Loaded(NamedTuple):
    """A recording to replay.

    Attributes:
        readings: Oldest first, under their own times.
        unreadable: How many rows should have held a reading and did not.
        line: The first of these, 0 if there is none.
        why: What is wrong with it.
    """

    readings: list[Measured]
    unreadable: int
    line: int
    why: str


class Replayed(NamedTuple):
    """What became of a replay.

    Attributes:
        sent: Readings that the door acknowledged.
        refused: Readings that it refused, one by one, with a reason.
        low: How many of the sent were below 70 mg/dL, so that one knows whether an alarm was to be expected.
    """

    sent: int
    refused: int
    low: int


def load_recording(path: Path, zone: str) -> Loaded:
    """Read a recording; times without a zone are local to `zone`.

    Raises:
        UnusableRecordingError: It cannot be read, or is of no kind that we know.
    """
    try:
        recording = read_recording(path, zone)
    except RecordingError as error:
        raise UnusableRecordingError(str(error)) from None
    line, why = recording.named[0] if recording.named else (0, "")
    readings = [Measured(one.measured_ms, one.level) for one in recording.readings]
    return Loaded(readings, recording.unreadable, line, why)


def pauses_s(readings: Sequence[Measured], speed: float) -> list[float]:
    """How long to wait before each reading: nothing before the first."""
    if not readings:
        return []
    gaps = ((after.measured_ms - before.measured_ms) / 1000 / speed for before, after in pairwise(readings))
    return [0.0, *(min(gap, GAP_S_MAX) for gap in gaps)]


def lasts_s(readings: Sequence[Measured], speed: float) -> float:
    """How long the replay takes."""
    return sum(pauses_s(readings, speed))


async def replay(
    readings: Sequence[Measured],
    publisher: Publisher,
    *,
    speed: float,
    clock: Clock,
    advance: Callable[[Measured], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Replayed:
    """Send the readings one by one, in step with the clock; `advance` hears of each that was acknowledged.

    Raises:
        DoorRefusedError: The door refuses all that this key sends.
        DoorClosedError: It did not answer for long.
    """
    sent = refused = low = 0
    due_ms = float(clock.now_ms())
    for reading, pause_s in zip(readings, pauses_s(readings, speed), strict=True):
        due_ms += pause_s * 1000
        wait_ms = due_ms - clock.now_ms()
        if wait_ms > 0:
            await sleep(wait_ms / 1000)
        else:
            due_ms = float(clock.now_ms())  # the door is slower than this speed: fall behind, do not pile up
        answer = await publisher.publish([Measured(clock.now_ms(), reading.level)])
        sent += answer.accepted
        refused += len(answer.refused)
        low += reading.level < 70  # noqa: PLR2004 the low of blueprint, section 11
        advance(reading)
    return Replayed(sent, refused, low)
