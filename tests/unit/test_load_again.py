"""When those who were refused come again: within bounds, spread, and not sooner than there is room."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.journal.measures import AGAIN_S_LEAST, AGAIN_S_MAX, Measures
from nightbell.load.again import Invited, drained_s, spread

lanes = st.sampled_from(sorted(AGAIN_S_MAX))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 50), st.integers(0, 300))
def test_every_wait_lies_within_its_bounds(count: int, least: int, more: int) -> None:
    assert least <= spread(count, least, least + more) <= least + more


@pytest.mark.parametrize("start", [0, 1, 1000, 123_456])
def test_those_refused_together_come_back_evenly_spread(start: int) -> None:
    waits = [spread(start + count, 5, 30) for count in range(2600)]

    for wait in range(5, 31):
        assert 80 <= waits.count(wait) <= 120


@settings(deadline=None)
@given(st.floats(0, 1e9), st.floats(0, 1e6))
def test_a_backlog_is_waited_for_within_bounds(backlog: float, spare_per_s: float) -> None:
    assert 5 <= drained_s(backlog, spare_per_s) <= 300


def test_without_spare_capacity_everybody_waits_longest() -> None:
    assert drained_s(1, 0) == 300
    assert drained_s(0, 0) == 5
    assert drained_s(60_000, 1_000) == 60


@settings(deadline=None)
@given(st.lists(st.tuples(lanes, st.integers(0, 300_000), st.integers(1, 512)), max_size=200))
def test_whatever_is_refused_is_told_a_time_within_the_bounds_of_its_lane(
    refusals: list[tuple[str, int, int]],
) -> None:
    measures = Measures()

    for at, (name, waiting, amount) in enumerate(refusals):
        seconds = measures.again_s(name, waiting, amount, now=100.0 + at / 10)

        assert AGAIN_S_LEAST[name] <= seconds <= AGAIN_S_MAX[name]


def test_a_million_phones_after_an_outage_are_spread_over_what_it_takes_to_serve_them() -> None:
    measures = Measures()
    for at in range(50):  # the backfill lane drains 5,000 readings a second
        measures.ended("backfill", 5_000, since=at, began=at + 0.9, now=at + 1.0)
    waits = [measures.again_s("backfill", 200_000, 6, now=60.0) for _ in range(200_000)]

    assert 4_500 <= measures.drain_per_s("backfill") <= 5_500
    assert min(waits[-10_000:]) >= 5
    assert max(waits[-10_000:]) >= 200  # 1,400,000 readings at 5,000 a second
    by_minute = [sum(1 for wait in waits[-10_000:] if wait // 60 == minute) for minute in range(4)]
    assert min(by_minute) > 1_000


def test_those_who_were_told_to_come_are_counted_until_they_have_come() -> None:
    invited = Invited(300)
    invited.add(6, now_s=1_000, wait_s=10)
    invited.add(4, now_s=1_001, wait_s=299)

    assert invited.outstanding(1_005) == 10
    assert invited.outstanding(1_011) == 4
    assert invited.outstanding(1_299) == 4
    assert invited.outstanding(1_301) == 0


def test_an_idle_lane_does_not_look_slow() -> None:
    measures = Measures()
    measures.ended("backfill", 100, since=0.0, began=0.0, now=0.01)
    before = measures.drain_per_s("backfill")

    measures.ended("backfill", 100, since=600.0, began=600.0, now=600.01)  # ten minutes later

    assert measures.drain_per_s("backfill") >= before


def test_live_waits_are_a_mean_of_one_look_and_a_stalled_commit_is_one_too() -> None:
    measures = Measures()
    measures.began(0.010, live=True)
    measures.began(0.030, live=True)
    measures.began(9.0, live=False)

    first = measures.taken(filled=0.1, oldest_wait_s=0.0)
    stalled = measures.taken(filled=0.1, oldest_wait_s=4.0)

    assert first.live_wait_ms == pytest.approx(20)
    assert stalled.live_wait_ms == pytest.approx(4_000)
    assert stalled.commit_ms is None
