"""What must hold of the evaluator in every journal, however unkind.

The first three hold it against the oracle and against itself; the rest say what no journal may ever do to a
follower, and use neither the oracle nor the page's finer rules.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.evaluate.fold import Fold
from nightbell.follow.limits import Bounds
from nightbell.journal.facts import DoorOpened, FollowEnded, FollowSet, SensorStarted, SharerAdded
from nightbell.journal.group import Group
from nightbell.words.conditions import Condition
from tests.oracle.compare import batches, oracle_says, parting, product_says, single
from tests.oracle.oracle import Transition
from tests.oracle.scribe import regrouped
from tests.oracle.scripts import JOURNALS, play, random_moves

FEW: Final = settings(max_examples=40, deadline=None)
LIVE_MS: Final = 900_000
WORDS: Final = (0, 1023)


@FEW
@given(JOURNALS)
def test_the_product_says_what_the_page_says(groups: list[Group]) -> None:
    assert parting(oracle_says(groups), product_says([groups])) == ""


@pytest.mark.parametrize("seed", range(16))
def test_the_product_says_what_the_page_says_in_long_journals(seed: int) -> None:
    groups = play(random_moves(seed, 120), set_up=seed % 4 != 0)

    assert parting(oracle_says(groups), product_says([groups])) == ""


@FEW
@given(JOURNALS, st.integers(0, 2**32))
def test_neither_groups_nor_calls_nor_restarts_change_anything(groups: list[Group], seed: int) -> None:
    rng = Random(seed)
    at_once = product_says([groups])

    assert product_says(batches(groups, rng, largest=5)) == at_once
    assert product_says([regrouped(groups, rng)]) == at_once
    assert product_says([[group] for group in single(groups)]) == at_once
    assert with_restarts(groups, rng) == at_once


def with_restarts(groups: Sequence[Group], rng: Random) -> list[Transition]:
    """What is said by folds that each begin where the one before was written down."""
    said: list[Transition] = []
    fold = Fold()
    for batch in batches(groups, rng, largest=10):
        fold = Fold.load(fold.dump())
        said += product_says([batch], fold)
    return said


@FEW
@given(JOURNALS)
def test_the_same_journal_leaves_the_same_state_byte_for_byte(groups: list[Group]) -> None:
    once, again = Fold(), Fold()
    product_says([groups], once)
    product_says([[group] for group in single(groups)], again)

    assert list(once.dump()) == list(again.dump())
    assert list(Fold.load(once.dump()).dump()) == list(once.dump())


class Witness:
    """Follows a journal cause by cause, knows the least that must be known, and objects."""

    def __init__(self) -> None:
        self.fold = Fold()
        self.bounds: dict[int, Bounds] = {}
        self.sharer: dict[int, int] = {}
        self.told: set[int] = set()
        self.held: set[tuple[int, Condition]] = set()
        self.newest_ms: dict[int, int] = {}
        self.heard_ms: dict[int, int] = {}
        self.everywhere_ms = -1

    def sees(self, group: Group) -> None:
        """One cause: one fact, one reading or one tick."""
        said = [Transition(*row) for row in self.fold.fold([group]).tolist()]
        for fact in group.facts:
            if isinstance(fact, FollowSet):
                self.bounds[fact.follow], self.sharer[fact.follow] = fact.bounds, fact.sharer
                if fact.told and fact.follow not in self.told:
                    self.told.add(fact.follow)
                    self.hears(fact.sharer, fact.at_ms)
                elif not fact.told:
                    self.told.discard(fact.follow)
            elif isinstance(fact, FollowEnded):
                self.told.discard(fact.follow)
        self.takes(said)
        self.objects(group, said)

    def takes(self, said: Sequence[Transition]) -> None:
        """Conditions begin that did not hold, and end that did."""
        for transition in said:
            one = (transition.follow, Condition(transition.condition))
            assert (one in self.held) is not transition.began
            self.held ^= {one}
        assert {follow for follow, _ in self.held} <= self.told, "a follow that is not told has conditions"

    def hears(self, sharer: int, at_ms: int) -> None:
        """Something that may put off silence until some time after `at_ms`."""
        self.heard_ms[sharer] = max(at_ms, self.heard_ms.get(sharer, 0))

    def objects(self, group: Group, said: Sequence[Transition]) -> None:
        """Say what this cause must not have done."""
        if group.tick_ms:
            self.objects_to_tick(group.tick_ms, said)
        elif len(group.readings):
            sharer, measured, received, level, _, _ = group.readings.tolist()[0]
            self.objects_to_reading(sharer, measured, received, level, said)
        for fact in group.facts:
            match fact:
                case FollowSet() | FollowEnded():
                    assert {one.follow for one in said} <= {fact.follow}
                    assert {one.at_ms for one in said} <= {fact.at_ms}
                case SensorStarted():
                    self.hears(fact.sharer, fact.until_ms)
                    assert all(one.condition == Condition.NO_READINGS and not one.began for one in said)
                case DoorOpened():
                    self.everywhere_ms = fact.at_ms
                    assert not said
                case SharerAdded():
                    self.hears(fact.sharer, fact.at_ms)
                    assert not said
                case _:
                    assert not said

    def objects_to_tick(self, tick_ms: int, said: Sequence[Transition]) -> None:
        """Time ends nothing and begins silence only; and it does begin silence."""
        assert all(one.condition == Condition.NO_READINGS and one.began for one in said)
        assert all(one.at_ms == tick_ms for one in said)
        assert [one.follow for one in said] == sorted(one.follow for one in said)
        for follow in self.told:
            if (follow, Condition.NO_READINGS) not in self.held:
                heard_ms = max(self.heard_ms.get(self.sharer[follow], 0), self.everywhere_ms)
                assert tick_ms < heard_ms + self.bounds[follow].no_readings_after_ms, "silence was not told"

    def objects_to_reading(
        self, sharer: int, measured: int, received: int, level: int, said: Sequence[Transition]
    ) -> None:
        """A late reading does nothing; a live one that is the newest raises every low it is."""
        assert all((one.sharer, one.at_ms) == (sharer, received) for one in said)
        mine = [follow for follow in self.told if self.sharer[follow] == sharer]
        assert {one.follow for one in said} <= set(mine)
        if received - measured > LIVE_MS:
            assert not said, "a late reading did something"
        else:
            self.hears(sharer, measured)
            if measured > self.newest_ms.get(sharer, 0):
                for follow in mine:
                    self.objects_to_low(follow, level)
        for one in said:
            if not one.began:
                self.objects_to_end(one, level)
        self.newest_ms[sharer] = max(measured, self.newest_ms.get(sharer, 0))

    def objects_to_low(self, follow: int, level: int) -> None:
        """What is at or below the limit holds; LOW is below every limit."""
        bounds = self.bounds[follow]
        assert level > 0 or bounds.urgent_low_at_most >= 0
        for condition, limit in (
            (Condition.URGENT_LOW, bounds.urgent_low_at_most),
            (Condition.LOW, bounds.low_at_most),
        ):
            if level <= limit and bounds.on >> condition & 1:
                assert (follow, condition) in self.held, "a low was not told"

    def objects_to_end(self, ended: Transition, level: int) -> None:
        """A level condition ends only by a level that is clear; nothing fast or soon ends by LOW or HIGH."""
        bounds = self.bounds[ended.follow]
        condition = Condition(ended.condition)
        clear = {
            Condition.LOW: level >= bounds.low_clear,
            Condition.URGENT_LOW: level >= bounds.urgent_low_clear,
            Condition.HIGH: level <= bounds.high_clear,
            Condition.URGENT_HIGH: level <= bounds.urgent_high_clear,
        }
        assert clear.get(condition, condition is Condition.NO_READINGS or level not in WORDS)


@settings(max_examples=60, deadline=None)
@given(JOURNALS)
def test_no_journal_makes_the_bell_fail_silently(groups: list[Group]) -> None:
    witness = Witness()
    for group in single(groups):
        witness.sees(group)


@pytest.mark.parametrize("seed", range(100, 116))
def test_no_long_journal_makes_the_bell_fail_silently(seed: int) -> None:
    witness = Witness()
    for group in single(play(random_moves(seed, 120), set_up=seed % 4 != 0)):
        witness.sees(group)
