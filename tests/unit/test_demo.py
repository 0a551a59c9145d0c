"""The demo family: plausible to look at, the same every time, and one low that is urgent at once."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nightbell.app.demo import (
    ACCIDENT_MIN,
    DAY_MS,
    FAMILY,
    FOLLOWER,
    MINUTE_MS,
    STEP_MS,
    first_live_ms,
    level_at,
    past,
    reading_at,
    trend_of,
)
from nightbell.words.trend import Trend

START_MS = 1_795_339_200_000
ANA = FAMILY[0]


def live(sharer_at: int, count: int) -> list[int]:
    """The levels of the first live readings of one of the family."""
    sharer = FAMILY[sharer_at]
    first = first_live_ms(sharer, START_MS)
    return [level_at(sharer, first + step * STEP_MS, START_MS) for step in range(count)]


def test_there_are_three_sharers_and_one_of_them_goes_low() -> None:
    assert len(FAMILY) == 3
    assert [sharer.goes_low for sharer in FAMILY] == [True, False, False]


def test_every_name_says_that_it_is_a_demo() -> None:
    assert all(name.startswith("Demo ") for name in [FOLLOWER, *(sharer.name for sharer in FAMILY)])


def test_an_urgent_low_comes_within_two_minutes_of_the_start_and_stays_for_three_readings() -> None:
    assert first_live_ms(ANA, START_MS) - START_MS < 2 * MINUTE_MS
    assert all(level <= 55 for level in live(0, 3))


def test_nobody_is_low_before_the_start() -> None:
    assert all(reading.level >= 70 for sharer in FAMILY for reading in past(sharer, START_MS, 0))


def test_the_low_one_recovers_and_the_others_are_never_low() -> None:
    assert min(live(0, 24)[8:]) >= 75
    assert min(live(1, 288) + live(2, 288)) >= ACCIDENT_MIN - 2


def test_a_day_of_history_is_whole_and_five_minutes_apart() -> None:
    for sharer in FAMILY:
        times = [reading.measured_ms for reading in past(sharer, START_MS, 0)]

        assert 286 <= len(times) <= 288
        assert {after - before for before, after in pairwise(times)} == {STEP_MS}
        assert times[0] >= START_MS - DAY_MS
        assert START_MS - STEP_MS < times[-1] <= START_MS


def test_a_restart_asks_only_for_what_is_missing() -> None:
    since = START_MS - 60 * MINUTE_MS

    assert 11 <= len(list(past(ANA, START_MS, since))) <= 12


def test_no_two_readings_of_a_day_are_further_apart_than_a_body_can_go() -> None:
    for sharer in FAMILY:
        levels = [reading.level for reading in past(sharer, START_MS, 0)]
        assert max(abs(after - before) for before, after in pairwise(levels)) <= 30


@given(at_ms=st.integers(0, 4_000_000_000_000), start_ms=st.integers(0, 4_000_000_000_000))
def test_a_level_is_what_a_sensor_can_show_and_the_same_every_time(at_ms: int, start_ms: int) -> None:
    for sharer in FAMILY:
        level = level_at(sharer, at_ms, start_ms)

        assert 40 <= level <= 400
        assert level == level_at(sharer, at_ms, start_ms)


def test_the_days_differ() -> None:
    today = [reading_at(ANA, START_MS - DAY_MS + step * STEP_MS, START_MS).level for step in range(200)]
    before = [reading_at(ANA, START_MS - 2 * DAY_MS + step * STEP_MS, START_MS).level for step in range(200)]

    assert today != before


def test_arrows_follow_the_rate() -> None:
    arrows = [trend_of(100, level) for level in (100, 104, 105, 110, 115, 95, 90, 85)]

    assert arrows == [
        Trend.FLAT,
        Trend.FLAT,
        Trend.FORTY_FIVE_UP,
        Trend.SINGLE_UP,
        Trend.DOUBLE_UP,
        Trend.FORTY_FIVE_DOWN,
        Trend.SINGLE_DOWN,
        Trend.DOUBLE_DOWN,
    ]
