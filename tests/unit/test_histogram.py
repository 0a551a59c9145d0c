"""Durations in steps: many at once are the same as one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightbell.words.histogram import HUMAN_S, QUICK_S, Histogram


@given(st.lists(st.floats(-10, 10_000), max_size=50))
def test_many_at_once_count_like_one_by_one(durations_s: list[float]) -> None:
    together, apart = Histogram(HUMAN_S), Histogram(HUMAN_S)

    together.add(np.array(durations_s, np.float64))
    for one in durations_s:
        apart.add_one(one)

    assert list(together.upto()) == list(apart.upto())
    assert together.count == len(durations_s)
    assert np.isclose(together.sum_s, apart.sum_s)


def test_a_bound_belongs_to_the_step_below_it() -> None:
    histogram = Histogram((1.0, 2.0))

    histogram.add(np.array([1.0, 1.0001, 2.0, 3.0, -5.0]))

    assert list(histogram.upto()) == [(1.0, 2), (2.0, 4), (float("inf"), 5)]


def test_it_says_within_what_a_share_of_all_lies() -> None:
    histogram = Histogram(QUICK_S)
    assert histogram.within_s(0.5) == -1.0

    histogram.add(np.array([0.002] * 98 + [0.2, 99.0]))

    assert histogram.within_s(0.5) == 0.0025
    assert histogram.within_s(0.99) == 0.25
    assert histogram.within_s(1.0) == float("inf")
