"""The ladder of one sharer: who is told next, through what and when, until somebody answers.

The default for urgent low (blueprint, section 7): everybody's screens and push at once; after 1 min the apps
that insist, to whoever is on duty; after 2 min a text and a call to them; after 4 min to the second; after
6 min to everybody; that again every 5 min, three times; then every hour, and every screen stays red.
Emergency services are on no ladder: we tell people to call them.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from nightbell.words.conditions import Condition
from nightbell.words.tier import Tier

_MINUTE_MS: Final = 60_000

RUNGS_MAX: Final = 12
AFTER_MS_MAX: Final = 60 * _MINUTE_MS
"""No rung comes later than this: what waits an hour is no ladder."""

ROUND_MS_MIN: Final = 2 * _MINUTE_MS
ROUND_MS_MAX: Final = 30 * _MINUTE_MS
ROUNDS_MAX: Final = 12


class Whom(StrEnum):
    """Whom a rung tells, of those for whom the alarm rang."""

    DUTY = "duty"  # whoever is on duty; if it did not ring for them, the first in order
    SECOND = "second"  # the next in order after them
    EVERYBODY = "everybody"


class Rung(msgspec.Struct, frozen=True):
    """One step of a ladder.

    Attributes:
        after_ms: How long after the alarm rang.
        whom: Whom it tells.
        tier: Through what.
    """

    after_ms: int
    whom: Whom
    tier: Tier


class Ladder(msgspec.Struct, frozen=True):
    """How far and how fast alarms of one sharer climb.

    Attributes:
        climbs: Bit `1 << Condition` for each condition that climbs; urgent low always does.
        rungs: In time, at least one.
        round_ms: How often the last rung comes again.
        rounds: How many times.
        then_every_ms: How often everybody is nudged after that, until it is over.
    """

    climbs: int
    rungs: tuple[Rung, ...]
    round_ms: int
    rounds: int
    then_every_ms: int

    def does_climb(self, condition: int) -> bool:
        """Whether alarms of this condition climb."""
        return condition == Condition.URGENT_LOW or bool(self.climbs >> condition & 1)


DEFAULT: Final = Ladder(
    climbs=1 << Condition.URGENT_LOW,
    rungs=(
        Rung(1 * _MINUTE_MS, Whom.DUTY, Tier.INSIST),
        Rung(2 * _MINUTE_MS, Whom.DUTY, Tier.CALL),
        Rung(4 * _MINUTE_MS, Whom.SECOND, Tier.CALL),
        Rung(6 * _MINUTE_MS, Whom.EVERYBODY, Tier.CALL),
    ),
    round_ms=5 * _MINUTE_MS,
    rounds=3,
    then_every_ms=60 * _MINUTE_MS,
)


class Watch(msgspec.Struct, frozen=True):
    """Who watches over one sharer, and how alarms climb.

    Attributes:
        order: Follow numbers, first to last; whoever is not named comes after them, by number.
        duty: Follow number of who is on duty, -1 if nobody took it: then the first in order is.
        ladder: How alarms climb.
    """

    order: tuple[int, ...] = ()
    duty: int = -1
    ladder: Ladder = DEFAULT

    def in_order(self, follows: Iterable[int]) -> list[int]:
        """These follows, whoever is on duty first, then in order."""
        places = {follow: place for place, follow in enumerate(self.order)}
        last = len(places)
        return sorted(follows, key=lambda one: (one != self.duty, places.get(one, last), one))


ORDINARY: Final = Watch()
"""What stands for a sharer for whom nobody chose anything."""


def faults(ladder: Ladder) -> tuple[str, ...]:
    """What is wrong with a ladder, as keys of the catalogue under `follow.ladder_`; empty if nothing is."""
    found = []
    times = [rung.after_ms for rung in ladder.rungs]
    if not 1 <= len(times) <= RUNGS_MAX:
        found.append("rungs")
    if times != sorted(set(times)) or any(not 0 < at <= AFTER_MS_MAX for at in times):
        found.append("times")
    if not any(rung.whom is Whom.EVERYBODY for rung in ladder.rungs[-1:]):
        found.append("everybody")  # the last word goes to everybody, whoever sleeps
    if not ROUND_MS_MIN <= ladder.round_ms <= ROUND_MS_MAX or not 1 <= ladder.rounds <= ROUNDS_MAX:
        found.append("rounds")
    if not ladder.round_ms <= ladder.then_every_ms <= AFTER_MS_MAX:
        found.append("then")
    return tuple(found)
