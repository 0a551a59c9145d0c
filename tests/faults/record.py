"""The history of a run: JSON lines, one for each thing seen from outside. All that load and checker share.

A line is written at once and never changed. Times are this machine's, epoch milliseconds.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec


class House(msgspec.Struct, frozen=True, tag_field="what", tag="house"):
    """How the run began: the seed, and by how many people each sharer is followed with alarms."""

    seed: int
    followers: int


class Sent(msgspec.Struct, frozen=True, tag_field="what", tag="sent"):
    """A phone hands over one reading for the first time; `late` if it is of a backlog."""

    at_ms: int
    sharer: int
    measured_ms: int
    level: int
    late: bool


class Acked(msgspec.Struct, frozen=True, tag_field="what", tag="acked"):
    """It was told that this reading is kept."""

    at_ms: int
    sharer: int
    measured_ms: int
    level: int


class Heard(msgspec.Struct, frozen=True, tag_field="what", tag="heard"):
    """A screen was told something: `id` is the notification's; from a snapshot, `snapshot` is true."""

    at_ms: int
    id: str
    alarm: str
    sharer: int
    kind: str
    step: int
    snapshot: bool


class Shown(msgspec.Struct, frozen=True, tag_field="what", tag="shown"):
    """What a follower found in one sharer's last 24 hours at the end: pairs of second and level."""

    at_ms: int
    sharer: int
    points: tuple[tuple[int, int], ...]


class Struck(msgspec.Struct, frozen=True, tag_field="what", tag="struck"):
    """What was done to the platform, and how long it was away, milliseconds; -1 if it was not."""

    at_ms: int
    fault: str
    away_ms: int


class Harmed(msgspec.Struct, frozen=True, tag_field="what", tag="harmed"):
    """A part of the journal was damaged: the records that cannot be read without it, and their readings.

    Number 0 stands among them if a whole file cannot be read without it.
    """

    at_ms: int
    seqs: tuple[int, ...]
    readings: tuple[tuple[int, int, int], ...]


Line = House | Sent | Acked | Heard | Shown | Struck | Harmed

_DECODER: Final = msgspec.json.Decoder(Line)


def now_ms() -> int:
    """The time of day of this machine."""
    return time.time_ns() // 1_000_000


class Recorder:
    """Writes a history."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, line: Line) -> None:
        """One line, at once."""
        self._file.write(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """No more."""
        self._file.close()


def lines(path: Path) -> Iterator[Line]:
    """A history, from its beginning."""
    with path.open("rb") as file:
        for line in file:
            yield _DECODER.decode(line)
