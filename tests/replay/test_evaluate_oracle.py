"""The evaluator against the oracle on real recordings: a seeded sample here, all of them in `make bench`."""

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Final

import pytest

from nightbell.evaluate.fold import Fold
from nightbell.journal.group import Group
from nightbell.words.conditions import Condition
from tests.oracle.compare import assert_agrees, batches, oracle_says, parting, product_says, run_all
from tests.oracle.journals import RECORDINGS, all_recordings, days_of, journal_of
from tests.oracle.oracle import Transition
from tests.oracle.scribe import regrouped

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the recordings of ../shared/data/cgm are not beside this repository"
)

SEEDS: Final = (1, 2, 3, 4)
PEOPLE: Final = 6
DAYS: Final = 2


@cache
def sample(seed: int) -> Sequence[Group]:
    """Some days of some people, drawn from everybody, with all that goes wrong on the way."""
    rng = Random(seed)
    people = [days_of(person, rng, DAYS) for person in rng.sample(all_recordings(), PEOPLE)]
    return tuple(journal_of(people, seed=seed))


@cache
def expected(seed: int) -> Sequence[Transition]:
    """What the oracle says of a sample."""
    return tuple(oracle_says(sample(seed)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_product_says_what_the_oracle_says_on_recordings(seed: int) -> None:
    assert assert_agrees(sample(seed), seed) > 100


def test_the_sample_makes_every_condition_begin_and_end() -> None:
    seen = {(transition.condition, transition.began) for seed in SEEDS for transition in expected(seed)}

    assert seen == {(int(condition), began) for condition in Condition for began in (True, False)}


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_neither_the_groups_nor_the_calls_change_what_is_said_of_recordings(seed: int) -> None:
    rng = Random(seed)
    other = regrouped(sample(seed), rng)

    assert len(other) != len(sample(seed))
    assert parting(expected(seed), product_says([other])) == ""
    assert parting(expected(seed), product_says([[group] for group in sample(seed)])) == ""


@pytest.mark.parametrize("seed", SEEDS[2:])
def test_checkpoints_change_nothing_of_what_is_said_of_recordings(seed: int) -> None:
    rng = Random(seed)
    said: list[Transition] = []
    fold = Fold()
    for batch in batches(sample(seed), rng, largest=1_000):
        fold = Fold.load(fold.dump())
        said += product_says([batch], fold)

    assert parting(expected(seed), said) == ""


def test_the_comparison_of_everything_counts_what_it_compares() -> None:
    figures = run_all(people_max=12)

    assert figures["people"] == 12
    assert figures["readings"] > 2_000
    assert figures["agreeing"] == figures["transitions"] > 100
