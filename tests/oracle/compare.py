"""Holds the product against the oracle, and says where they first part."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate.fold import Fold
from nightbell.journal.group import Group, no_readings
from nightbell.words.conditions import Condition
from tests.oracle.journals import all_recordings, journal_of
from tests.oracle.oracle import Oracle, Transition

PEOPLE_EACH: Final = 64
BATCH: Final = 1_000


class Folding(Protocol):
    """What is compared: the product's fold, or one with a planted fault."""

    def dump(self) -> Iterable[bytes]:
        """The whole state."""
        ...

    def fold(self, groups: Sequence[Group]) -> NDArray[np.void]:
        """Take groups, give transitions."""
        ...


def oracle_says(groups: Sequence[Group]) -> list[Transition]:
    """The transitions of a journal, by the page."""
    return Oracle().feed_all(groups)


def batches(groups: Sequence[Group], rng: Random, largest: int = 200) -> Iterator[Sequence[Group]]:
    """The groups in runs of random length, some of none."""
    at = 0
    while at < len(groups):
        size = rng.choice((0, 1, 2, 3, rng.randint(1, largest)))
        yield groups[at : at + size]
        at += size


def product_says(calls: Iterable[Sequence[Group]], folding: Folding | None = None) -> list[Transition]:
    """The transitions the product gives, call by call."""
    fold = Fold() if folding is None else folding
    return [Transition(*row) for groups in calls for row in fold.fold(groups).tolist()]


def single(groups: Sequence[Group]) -> list[Group]:
    """The same journal with one fact, one reading or one tick in each group."""
    return [
        group._replace(facts=facts, readings=readings, tick_ms=tick_ms)
        for group in groups
        for facts, readings, tick_ms in (
            *(((fact,), no_readings(), 0) for fact in group.facts),
            *(((), group.readings[at : at + 1], 0) for at in range(len(group.readings))),
            *(((), no_readings(), group.tick_ms) for _ in range(1 if group.tick_ms else 0)),
        )
    ]


def parting(expected: Sequence[Transition], got: Sequence[Transition]) -> str:
    """Where two lists of transitions first part, in words; empty if nowhere."""
    for place, (one, other) in enumerate(zip(expected, got, strict=False)):
        if one != other:
            return f"transition {place}: the page says {said(one)}, the product says {said(other)}"
    if len(expected) > len(got):
        return (
            f"transition {len(got)}: the page says {said(expected[len(got)])}, the product says nothing more"
        )
    if len(got) > len(expected):
        return f"transition {len(expected)}: only the product says {said(got[len(expected)])}"
    return ""


def said(transition: Transition) -> str:
    """A transition in words."""
    word = "began" if transition.began else "ended"
    condition = Condition(transition.condition).word
    whom = f"follow {transition.follow} of sharer {transition.sharer}"
    return f"{condition} {word} for {whom} at {transition.at_ms}"


def assert_agrees(groups: Sequence[Group], seed: int) -> int:
    """Fail where the product parts from the page. Returns how many transitions there were."""
    expected = oracle_says(groups)
    got = product_says(batches(groups, Random(seed)))
    difference = parting(expected, got)
    assert not difference, f"seed {seed}: {difference}"
    return len(expected)


def run_all(
    *,
    people_max: int | None = None,
    tick_every_ms: int = 600_000,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> dict[str, int]:
    """Compare on every recording there is, whole, the shortest first: for `make bench`, some minutes.

    Args:
        people_max: Only so many people.
        tick_every_ms: Sparse ticks, for there are years of days; the sample in the tests has dense ones.
        seed: What goes wrong, and who follows with which limits.
        progress: Told how many groups of how many are done in the journal at work.

    Returns:
        `people`, `readings`, `groups` and `transitions` compared, and `agreeing`: how many of the transitions
        came before the first difference of their journal (all of them, if the product is right).
    """
    figures = dict.fromkeys(("people", "readings", "groups", "transitions", "agreeing"), 0)
    people = sorted(all_recordings(), key=lambda person: person.readings[-1][0])[:people_max]
    for first in range(0, len(people), PEOPLE_EACH):
        some = people[first : first + PEOPLE_EACH]
        groups = journal_of(some, seed=seed + first, tick_every_ms=tick_every_ms)
        oracle, fold = Oracle(), Fold()
        expected: list[Transition] = []
        got: list[Transition] = []
        for at in range(0, len(groups), BATCH):
            expected += oracle.feed_all(groups[at : at + BATCH])
            got += product_says([groups[at : at + BATCH]], fold)
            progress(min(at + BATCH, len(groups)), len(groups))
        apart = (place for place, (one, two) in enumerate(zip(expected, got, strict=False)) if one != two)
        figures["people"] += len(some)
        figures["readings"] += sum(len(group.readings) for group in groups)
        figures["groups"] += len(groups)
        figures["transitions"] += max(len(expected), len(got))
        figures["agreeing"] += next(apart, min(len(expected), len(got)))
    return figures
