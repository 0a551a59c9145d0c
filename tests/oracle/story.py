"""Short stories of Ana and Ben, told in minutes, for tests that work an edge of the page out by hand."""

from typing import Final

import msgspec

from nightbell.follow.limits import Bounds
from nightbell.journal.facts import AnyFact, DoorOpened, FollowEnded, SensorStarted, SharerAdded
from nightbell.words.conditions import Condition
from tests.oracle.compare import oracle_says, parting, product_says, single
from tests.oracle.oracle import Transition
from tests.oracle.scribe import IN_MGDL, Scribe, follow_set

START_MS: Final = 1_800_000_000_000
"""Minute 0 of every story."""

ANA: Final = 0
BEN: Final = 0
CLEO: Final = 1


def changed(bounds: Bounds, **fields: int) -> Bounds:
    """Bounds with some fields changed."""
    return msgspec.structs.replace(bounds, **fields)


class Story:
    """Ana shares from minute 0 and Ben follows her, unless the story says otherwise."""

    def __init__(self, bounds: Bounds = IN_MGDL, *, begun: bool = True) -> None:
        self.scribe = Scribe()
        self.bounds = bounds
        if begun:
            self.fact(SharerAdded(at_ms=ms(0), sharer=ANA))
            self.follows(0, bounds)

    def fact(self, fact: AnyFact) -> "Story":
        """Any fact."""
        self.scribe.fact(fact)
        return self

    def follows(self, minute: float, bounds: Bounds, *, who: int = BEN, told: bool = True) -> "Story":
        """A follow of Ana is made or changed."""
        return self.fact(follow_set(ms(minute), follow=who, sharer=ANA, bounds=bounds, told=told))

    def unfollows(self, minute: float) -> "Story":
        """Ben's follow ends."""
        return self.fact(FollowEnded(at_ms=ms(minute), follow=BEN, by="ben"))

    def sensor(self, minute: float, until: float) -> "Story":
        """Ana puts on a new sensor."""
        return self.fact(SensorStarted(at_ms=ms(minute), sharer=ANA, until_ms=ms(until), by="ana"))

    def door(self, minute: float) -> "Story":
        """The door was proven open."""
        return self.fact(DoorOpened(at_ms=ms(minute)))

    def reads(self, minute: float, level: int, *, measured: float | None = None) -> "Story":
        """A reading arrives at a minute, measured then or at another."""
        self.scribe.reading(ANA, ms(minute if measured is None else measured), ms(minute), level)
        return self

    def every_5(self, first: float, *levels: int) -> "Story":
        """Readings every five minutes."""
        for place, level in enumerate(levels):
            self.reads(first + 5 * place, level)
        return self

    def tick(self, minute: float) -> "Story":
        """A second comes."""
        self.scribe.tick(ms(minute))
        return self

    def says(self) -> list[str]:
        """What the oracle and the product both say, as `20 urgent_low began`; they must agree."""
        self.scribe.commit()
        expected = oracle_says(self.scribe.groups)
        for calls in ([self.scribe.groups], [[group] for group in single(self.scribe.groups)]):
            difference = parting(expected, product_says(calls))
            assert not difference, difference
        return [in_minutes(transition) for transition in expected]


def ms(minute: float) -> int:
    """Epoch ms of a minute of a story, to the millisecond."""
    return START_MS + round(minute * 60_000)


def in_minutes(transition: Transition) -> str:
    """A transition of a story; Ben's need no name."""
    minute = f"{(transition.at_ms - START_MS) / 60_000:g}"
    whom = "" if transition.follow == BEN else f" for {transition.follow}"
    return f"{minute} {Condition(transition.condition).word} {'began' if transition.began else 'ended'}{whom}"
