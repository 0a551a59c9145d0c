"""Journals made of real recordings, with everything that goes wrong between a sensor and a door.

The recordings lie in `../shared/data/cgm` beside the repository and never in it. Several people run in one
journal, their times moved to one beginning. Everything is drawn from a seed.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec

from nightbell.journal.facts import (
    AnyFact,
    ClockLearned,
    DoorOpened,
    FollowEnded,
    FollowSet,
    SensorStarted,
    SharerAdded,
    Snoozed,
)
from nightbell.journal.group import Group
from nightbell.publish.reading import Reading
from tests.oracle.scribe import IN_MGDL, IN_MMOL, TIGHT, Scribe, follow_set, some_bounds

RECORDINGS: Final = Path(__file__).parents[2].parent / "shared" / "data" / "cgm"
BEGIN_MS: Final = 1_780_000_000_123
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class Recording(NamedTuple):
    """One person's readings in order: (ms since the first, level)."""

    name: str
    readings: tuple[tuple[int, int], ...]


class Happening(NamedTuple):
    """Something the platform came to know, and when; None is a tick."""

    at_ms: int
    what: AnyFact | Reading | None


def level_of(glucose: float) -> int:
    """The level of a recorded value; what sensors do not reach is a word."""
    rounded = round(glucose)
    if rounded < 40:
        return 0
    return rounded if rounded <= 400 else 1023


@cache
def recordings_of(file: str) -> tuple[Recording, ...]:
    """All people of one file."""
    people: dict[str, list[tuple[int, int]]] = {}
    with gzip.open(RECORDINGS / file, "rt", encoding="utf-8", newline="") as opened:
        for subject, time_iso, glucose in list(csv.reader(opened))[1:]:
            measured = datetime.fromisoformat(time_iso).replace(tzinfo=UTC)
            people.setdefault(subject, []).append((int(measured.timestamp()), level_of(float(glucose))))
    return tuple(
        Recording(
            f"{file}:{subject}", tuple(((second - rows[0][0]) * 1_000, level) for second, level in rows)
        )
        for subject, rows in sorted(people.items())
    )


def all_recordings() -> list[Recording]:
    """Everybody."""
    return [person for file in sorted(RECORDINGS.glob("*.csv.gz")) for person in recordings_of(file.name)]


def days_of(recording: Recording, rng: Random, days: int) -> Recording:
    """A stretch of days that begins at one of its readings."""
    last = recording.readings[-1][0]
    begin = rng.randrange(max(1, last - days * DAY))
    kept = [(at - begin, level) for at, level in recording.readings if begin <= at < begin + days * DAY]
    return Recording(recording.name, tuple(kept))


def journal_of(people: Sequence[Recording], *, seed: int, tick_every_ms: int = 30_000) -> list[Group]:
    """The journal of some people, sharers 0, 1, 2 ..., each with two to four follows."""
    rng = Random(seed)
    length = max((person.readings[-1][0] for person in people if person.readings), default=0) + HOUR
    outages = list(stretches(rng, length, every=30 * HOUR, shortest=45_000, longest=40 * MINUTE))
    happenings: list[Happening] = []
    follows = 0
    for sharer, person in enumerate(people):
        happenings += readings_of(sharer, person, rng)
        count = rng.randint(2, 4)
        happenings += facts_of(sharer, range(follows, follows + count), length, rng)
        follows += count
    happenings = [
        Happening(at_ms=door_time(happening.at_ms - BEGIN_MS, outages) + BEGIN_MS, what=happening.what)
        for happening in happenings
    ]
    happenings += ticks(length, tick_every_ms, outages, rng)
    for _began, ended in outages:
        happenings.append(Happening(BEGIN_MS + ended, DoorOpened(at_ms=BEGIN_MS + ended)))
    for _ in range(length // (12 * HOUR)):
        at = BEGIN_MS + rng.randrange(length)
        happenings.append(Happening(at, DoorOpened(at_ms=at)))
    happenings.sort(key=lambda happening: happening.at_ms)
    return written(happenings, rng)


def stretches(
    rng: Random, length: int, *, every: int, shortest: int, longest: int
) -> Iterator[tuple[int, int]]:
    """Times at which something is down, without overlap."""
    at = rng.randrange(1, 2 * every)
    while at < length:
        ended = at + rng.randint(shortest, longest)
        yield at, ended
        at = ended + rng.randrange(1, 2 * every)


def door_time(at: int, outages: Sequence[tuple[int, int]]) -> int:
    """When our door takes what was sent at `at`: after the outage, if there is one."""
    for began, ended in outages:
        if began <= at < ended:
            return ended + (at - began) // 1_000
    return at


def ticks(length: int, every: int, outages: Sequence[tuple[int, int]], rng: Random) -> Iterator[Happening]:
    """Ticks, none while we are down."""
    for at in range(0, length, every):
        exact = at + rng.randrange(1_000)
        if door_time(exact, outages) == exact:
            yield Happening(BEGIN_MS + exact, None)


def readings_of(sharer: int, person: Recording, rng: Random) -> Iterator[Happening]:
    """A person's readings as they reach the door: late, twice, almost twice, contradicting, LOW, HIGH."""
    length = person.readings[-1][0] if person.readings else 0
    offline = list(stretches(rng, length + 1, every=20 * HOUR, shortest=10 * MINUTE, longest=100 * MINUTE))
    lost = list(stretches(rng, length + 1, every=40 * HOUR, shortest=9 * MINUTE, longest=90 * MINUTE))
    newest_first = rng.random() < 0.5
    for exact, recorded in person.readings:
        measured = exact + rng.randrange(1_000)
        level = rng.choice((0, 1023, 20, 39, 600)) if rng.random() < 0.003 else recorded
        if door_time(measured, lost) != measured:
            continue
        received = measured + rng.choice((0, -400, rng.randint(1_000, 20_000), rng.randint(0, 4 * MINUTE)))
        for began, ended in offline:
            if began <= measured < ended:
                place = ended - measured if newest_first else measured - began
                received = ended + place // 1_000
        yield sent(sharer, measured, received, level)
        chance = rng.random()
        if chance < 0.01:  # again, because the answer was lost
            yield sent(sharer, measured, received + rng.randint(0, 10 * MINUTE), level)
        elif chance < 0.02:  # a second device, or a meter
            moved = measured + rng.randint(-170_000, 170_000)
            yield sent(
                sharer, moved, max(received, moved), max(20, min(600, level + rng.randint(-40, 40))), 2
            )
        elif chance < 0.025:  # the same second, another value
            same = measured // 1_000 * 1_000 + rng.randrange(1_000)
            yield sent(sharer, same, received + rng.randint(0, 2_000), rng.randint(40, 120), 2)


def sent(sharer: int, measured: int, received: int, level: int, source: int = 1) -> Happening:
    """A reading on its way, both times from the beginning of the journal."""
    reading = Reading(sharer, BEGIN_MS + measured, BEGIN_MS + received, level, 0, source)
    return Happening(reading.received_ms, reading)


def facts_of(sharer: int, follows: range, length: int, rng: Random) -> Iterator[Happening]:
    """What people do meanwhile: follow, change limits, pause, resume, end, change the sensor."""
    if rng.random() < 0.9:
        yield Happening(BEGIN_MS, SharerAdded(at_ms=BEGIN_MS, sharer=sharer))
    for follow in follows:
        bounds = rng.choice((IN_MGDL, IN_MMOL, TIGHT, some_bounds(rng)))
        at = BEGIN_MS + rng.choice((0, 0, rng.randrange(max(1, length // 4))))
        told = rng.random() < 0.9
        yield Happening(at, follow_set(at, follow=follow, sharer=sharer, bounds=bounds, told=told))
        ends = at + rng.randint(length // 2, 4 * length)
        for at in sorted(BEGIN_MS + rng.randrange(length) for _ in range(1 + 2 * length // DAY)):
            if at < ends:
                chance = rng.random()
                told = chance > 0.2
                bounds = some_bounds(rng) if chance > 0.5 else bounds
                yield Happening(at, follow_set(at, follow=follow, sharer=sharer, bounds=bounds, told=told))
        if ends < BEGIN_MS + length:
            yield Happening(ends, FollowEnded(at_ms=ends, follow=follow, by="ben"))
        at = BEGIN_MS + rng.randrange(length)
        yield Happening(at, Snoozed(at_ms=at, follow=follow, family="low", until_ms=at + HOUR, by="ben"))
    for _ in range(1 + length // (3 * DAY)):
        at = BEGIN_MS + rng.randrange(length)
        until = at + rng.randint(-10, 120) * MINUTE
        yield Happening(at, SensorStarted(at_ms=at, sharer=sharer, until_ms=until, by="ana"))
        yield Happening(at, ClockLearned(at_ms=at, sharer=sharer, source=1, offset_ms=60_000))


def written(happenings: Sequence[Happening], rng: Random) -> list[Group]:
    """Happenings in order, committed as groups; everything carries the time at which the platform took it."""
    scribe = Scribe()
    ended: set[int] = set()
    for at_ms, what in happenings:
        if what is None:
            scribe.tick(at_ms)
        elif isinstance(what, Reading):
            scribe.reading(what.sharer, what.measured_ms, at_ms, what.level, what.source)
        elif not (isinstance(what, FollowSet) and what.follow in ended):
            scribe.fact(msgspec.structs.replace(what, at_ms=at_ms))
        if isinstance(what, FollowEnded):
            ended.add(what.follow)
        if rng.random() < 0.2:
            scribe.commit()
    scribe.commit()
    return scribe.groups
