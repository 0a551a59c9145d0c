"""Writes journals by hand: groups in order, cut where a test wants them cut."""

from collections.abc import Sequence
from random import Random
from typing import Final

import numpy as np

from nightbell.follow.limits import Bounds, Telling
from nightbell.journal.facts import AnyFact, FollowSet
from nightbell.journal.group import Group, no_readings
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.conditions import Condition

ALL_ON: Final = 0b1_1111_1111
NEVER_OFF: Final = 1 << Condition.URGENT_LOW | 1 << Condition.NO_READINGS

IN_MGDL: Final = Bounds(
    on=ALL_ON,
    urgent_low_at_most=55,
    urgent_low_clear=60,
    low_at_most=69,
    low_clear=75,
    high_at_least=251,
    high_clear=245,
    urgent_high_at_least=300,
    urgent_high_clear=295,
    falling_mgdl_per_5min=15,
    rising_mgdl_per_5min=15,
    no_readings_after_ms=20 * 60_000,
)
"""What somebody who reads mg/dL gets who chooses little."""

IN_MMOL: Final = Bounds(
    on=ALL_ON,
    urgent_low_at_most=56,
    urgent_low_clear=61,
    low_at_most=69,
    low_clear=76,
    high_at_least=181,
    high_clear=174,
    urgent_high_at_least=251,
    urgent_high_clear=244,
    falling_mgdl_per_5min=9,
    rising_mgdl_per_5min=18,
    no_readings_after_ms=30 * 60_000,
)
"""Somebody who reads mmol/L and wants to know early: 3.1, below 3.9, 10.1, 14.0."""

TIGHT: Final = Bounds(
    on=ALL_ON,
    urgent_low_at_most=80,
    urgent_low_clear=81,
    low_at_most=110,
    low_clear=112,
    high_at_least=130,
    high_clear=129,
    urgent_high_at_least=160,
    urgent_high_clear=150,
    falling_mgdl_per_5min=4,
    rising_mgdl_per_5min=4,
    no_readings_after_ms=15 * 60_000,
)
"""Limits nobody has, in the middle of the range: everything begins and ends all day long."""

TELLING: Final = (Telling(delay_ms=0, repeat_ms=300_000, hours=None),) * 9


def some_bounds(rng: Random) -> Bounds:
    """Bounds a person could choose, or nearly."""
    urgent_low = rng.choice((55, 56, rng.randint(50, 90)))
    low = rng.choice((69, urgent_low + rng.randint(1, 40)))
    high = max(rng.choice((181, 251, rng.randint(110, 300))), low + 20)
    urgent_high = high + rng.randint(1, 120)
    return Bounds(
        on=rng.choice((ALL_ON, ALL_ON, rng.randrange(512))) | NEVER_OFF,
        urgent_low_at_most=urgent_low,
        urgent_low_clear=urgent_low + rng.randint(1, 9),
        low_at_most=low,
        low_clear=low + rng.randint(1, 9),
        high_at_least=high,
        high_clear=high - rng.randint(1, 9),
        urgent_high_at_least=urgent_high,
        urgent_high_clear=urgent_high - rng.randint(1, 9),
        falling_mgdl_per_5min=rng.randint(3, 20),
        rising_mgdl_per_5min=rng.randint(3, 20),
        no_readings_after_ms=rng.randint(15, 60) * 60_000,
    )


def follow_set(at_ms: int, *, follow: int, sharer: int, bounds: Bounds, told: bool = True) -> FollowSet:
    """The fact that a follow was made or changed."""
    return FollowSet(
        at_ms=at_ms,
        follow=follow,
        sharer=sharer,
        follower="ben",
        told=told,
        bounds=bounds,
        telling=TELLING,
        zone="Europe/Lisbon",
        by="",
    )


def packed(readings: Sequence[Reading]) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """Readings as they lie in a group."""
    return np.array([tuple(reading) for reading in readings], READING_DTYPE)


class Scribe:
    """Collects what happens and commits it as groups."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self._facts: list[AnyFact] = []
        self._readings: list[Reading] = []
        self._at_ms = 0

    def fact(self, fact: AnyFact) -> None:
        """A fact; a group holds its facts before its readings, so what was read before is committed first."""
        if self._readings:
            self.commit()
        self._facts.append(fact)
        self._at_ms = fact.at_ms

    def reading(self, sharer: int, measured_ms: int, received_ms: int, level: int, source: int = 1) -> None:
        """A reading."""
        self._readings.append(Reading(sharer, measured_ms, received_ms, level, 0, source))
        self._at_ms = received_ms

    def tick(self, tick_ms: int) -> None:
        """A second has come: commits."""
        self._at_ms = tick_ms
        self._put(tick_ms)

    def commit(self) -> None:
        """Commit what was collected, if anything was."""
        if self._facts or self._readings:
            self._put(0)

    def _put(self, tick_ms: int) -> None:
        readings = packed(self._readings) if self._readings else no_readings()
        self.groups.append(
            Group(len(self.groups) + 1, self._at_ms, tuple(self._facts), readings, tick_ms),
        )
        self._facts, self._readings = [], []


def regrouped(groups: Sequence[Group], rng: Random) -> list[Group]:
    """The same journal in the same order, cut into other groups: some in pieces, some put together."""
    scribe = Scribe()
    for group in groups:
        for fact in group.facts:
            scribe.fact(fact)
            if rng.random() < 0.3:
                scribe.commit()
        for sharer, measured_ms, received_ms, level, _trend, source in group.readings.tolist():
            scribe.reading(sharer, measured_ms, received_ms, level, source)
            if rng.random() < 0.3:
                scribe.commit()
        if group.tick_ms:
            scribe.tick(group.tick_ms)
    scribe.commit()
    return scribe.groups
