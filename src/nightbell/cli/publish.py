"""`nightbell publish`: replay a recording through the real door, or file it into history."""

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from nightbell.app.control_words import (
    IMPORT_READINGS_MAX,
    Done,
    Health,
    Imported,
    ImportedReading,
    KeyAdd,
    KeyAdded,
    KeyRevoke,
    Nothing,
    People,
    PersonRow,
    ReadingsImport,
)
from nightbell.app.publisher import DoorClosedError, DoorRefusedError, Measured, Publisher
from nightbell.app.replay import (
    PLAIN_SPEED_MAX,
    SPEED_MAX,
    SPEED_MIN,
    Loaded,
    Replayed,
    UnusableRecordingError,
    load_recording,
    replay,
)
from nightbell.cli.asking import Platform
from nightbell.cli.speak import EXIT_USAGE, CommandError, Speaker, say
from nightbell.words.clock import SystemClock, from_ms
from nightbell.words.zones import zone_or_utc

KEY_LABEL: Final = "nightbell publish"


class ReplayResult(msgspec.Struct, frozen=True):
    """What `publish` says to a program."""

    sent: int
    refused: int
    low: int
    unreadable: int


class ImportResult(msgspec.Struct, frozen=True):
    """What `publish --import` says to a program."""

    filed: int
    refused: int
    expiring: int
    unreadable: int


def publish(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Replay or import a recording."""
    if not SPEED_MIN <= asked.speed <= SPEED_MAX:
        wrong = say("speed_wrong", least=f"{SPEED_MIN:g}", most=f"{SPEED_MAX:g}")
        raise CommandError(wrong, exit_code=EXIT_USAGE, code="usage")
    with Platform(asked.data) as platform:
        sharer = _sharer(platform, asked.sharer)
        recording = _recording(asked.file, asked.zone or sharer.zone)
        readings = _of_day(recording.readings, asked.day, asked.zone or sharer.zone)
        if not readings:
            raise CommandError(say("recording_empty", file=str(asked.file)))
        if recording.unreadable:
            speaker.note(
                say(
                    "recording_unreadable", count=recording.unreadable, line=recording.line, why=recording.why
                )
            )
        if asked.file_it:
            _import(platform, sharer, readings, recording, speaker)
            return
        url = asked.url or platform.ask("health", Nothing(), Health).url
    if asked.speed > PLAIN_SPEED_MAX:
        speaker.note(say("speed_price"))
    with _key(asked.data, sharer, asked.key) as secret:
        replayed = _replay(readings, url, secret, asked, speaker)
    speaker.result(
        ReplayResult(replayed.sent, replayed.refused, replayed.low, recording.unreadable),
        say("replayed", sent=replayed.sent, low=replayed.low, refused=replayed.refused),
    )


def _sharer(platform: Platform, name: str) -> PersonRow:
    for row in platform.ask("person.list", Nothing(), People).people:
        if row.name.casefold() == name.casefold():
            return row
    raise CommandError(say("no_such_person", name=name), code="not_found")


def _recording(path: Path, zone: str) -> Loaded:
    try:
        return load_recording(path, zone)
    except UnusableRecordingError as error:
        raise CommandError(say("recording_bad", file=str(path), why=str(error))) from None


def _of_day(readings: list[Measured], day: date | None, zone: str) -> list[Measured]:
    """The readings of one local day, or all."""
    if day is None:
        return readings
    local = zone_or_utc(zone)
    return [one for one in readings if from_ms(one.measured_ms).astimezone(local).date() == day]


def _import(
    platform: Platform, sharer: PersonRow, readings: list[Measured], recording: Loaded, speaker: Speaker
) -> None:
    filed = refused = expiring = 0
    with _bar(speaker, say("importing"), len(readings)) as (progress, bar):
        for begin in range(0, len(readings), IMPORT_READINGS_MAX):
            part = readings[begin : begin + IMPORT_READINGS_MAX]
            done = platform.ask(
                "readings.import",
                ReadingsImport(sharer.name, [ImportedReading(one.measured_ms, one.level) for one in part]),
                Imported,
            )
            filed, refused, expiring = filed + done.filed, refused + done.refused, expiring + done.expiring
            progress.advance(bar, len(part))
    speaker.result(
        ImportResult(filed, refused, expiring, recording.unreadable),
        say("imported", filed=filed, name=sharer.name, refused=refused),
        *([say("imported_expiring", count=expiring)] if expiring else []),
    )


@contextmanager
def _key(folder: Path, sharer: PersonRow, given: str) -> Iterator[str]:
    """The key that was given, or one made for this replay and revoked after it."""
    if given:
        yield given
        return
    with Platform(folder) as platform:
        added = platform.ask("key.add", KeyAdd(sharer.name, "publish", KEY_LABEL), KeyAdded)
    try:
        yield added.secret
    finally:
        with Platform(folder) as platform:
            platform.ask("key.revoke", KeyRevoke(added.key), Done)


@contextmanager
def _bar(speaker: Speaker, words: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    """A progress bar on standard error; nothing for programs and where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = speaker.aside.is_terminal and not speaker.as_json
    with Progress(*columns, console=speaker.aside, disable=not shown) as progress:
        yield progress, progress.add_task(words, total=total)


def _replay(
    readings: list[Measured], url: str, secret: str, asked: argparse.Namespace, speaker: Speaker
) -> Replayed:
    clock = SystemClock()

    async def run() -> Replayed:
        with _bar(speaker, say("publishing"), len(readings)) as (progress, bar):
            async with Publisher(url, secret, clock=clock, trust=asked.ca) as publisher:
                return await replay(
                    readings,
                    publisher,
                    speed=asked.speed,
                    clock=clock,
                    advance=lambda _: progress.advance(bar),
                )

    try:
        return asyncio.run(run())
    except DoorRefusedError as error:
        raise CommandError(say("door_refused", why=str(error))) from None
    except DoorClosedError as error:
        raise CommandError(say("door_closed", url=url, why=str(error)), code="door_closed") from None
