"""Level, soon and rate conditions, worked out by hand from `docs/reference/conditions.md`."""

import pytest

from tests.oracle.scribe import ALL_ON, IN_MGDL, IN_MMOL, NEVER_OFF
from tests.oracle.story import Story, changed


def test_urgent_low_begins_at_its_limit_and_not_above_it() -> None:
    assert Story().reads(5, 56).says() == ["5 low began"]
    assert Story().reads(5, 55).says() == ["5 low began", "5 urgent_low began"]


def test_a_follower_who_reads_mmol_is_told_by_what_is_shown_to_them() -> None:
    story = Story(IN_MMOL)

    assert story.every_5(5, 70, 69, 57, 56).says() == ["10 low began", "20 urgent_low began"]


@pytest.mark.parametrize("limit", [20, 55, 600])
def test_low_is_below_every_limit_and_high_above(limit: int) -> None:
    lows = changed(IN_MGDL, urgent_low_at_most=limit, low_at_most=limit, high_at_least=601)
    highs = changed(IN_MGDL, urgent_high_at_least=limit, high_at_least=limit, low_at_most=10)

    assert Story(lows).reads(5, 0).says()[:2] == ["5 low began", "5 urgent_low began"]
    assert Story(highs).reads(5, 1023).says()[:2] == ["5 high began", "5 urgent_high began"]


def test_a_low_ends_only_at_the_second_clear_reading_in_a_row() -> None:
    story = Story().every_5(5, 69, 75, 74, 75, 75)

    assert story.says() == ["5 low began", "25 low ended"]


def test_a_high_ends_only_at_the_second_clear_reading_in_a_row() -> None:
    story = Story().every_5(5, 251, 245, 246, 245, 245)

    assert story.says() == ["5 high began", "25 high ended"]


def test_the_same_reading_sent_twice_is_not_a_second_clear_reading() -> None:
    story = Story().reads(5, 69).reads(10, 80).reads(10.01, 80, measured=10.005)

    assert story.says() == ["5 low began"]


def test_a_condition_that_is_off_never_begins() -> None:
    story = Story(changed(IN_MGDL, on=NEVER_OFF)).every_5(5, 110, 95, 80, 65, 50, 251, 300, 1023)

    assert story.says() == ["25 urgent_low began", "35 urgent_low ended"]


def test_the_lower_of_two_contradicting_readings_alarms() -> None:
    story = Story().reads(5, 120).reads(7, 55).reads(10, 120).reads(15, 120)

    assert story.says() == ["7 low began", "7 urgent_low began", "15 low ended", "15 urgent_low ended"]


def test_a_near_reading_neither_begins_a_high_nor_ends_a_low() -> None:
    assert Story().reads(5, 120).reads(7, 400).says() == []
    assert Story().reads(5, 60).reads(7, 90).reads(7.2, 91).says() == ["5 low began"]


def test_a_near_low_takes_the_mark_of_a_clear_reading_away() -> None:
    story = Story().every_5(5, 60, 80).reads(11, 74).reads(15, 80)

    assert story.says() == ["5 low began"]
    assert story.reads(20, 80).says() == ["5 low began", "20 low ended"]


def test_near_is_less_than_two_and_a_half_minutes() -> None:
    assert Story().reads(5, 120).reads(7.499, 251).says() == []
    assert Story().reads(5, 120).reads(7.5, 251).says() == ["7.5 high began"]


def test_a_late_reading_never_begins_anything() -> None:
    assert Story().reads(21, 40, measured=5.999).says() == []
    assert Story().reads(21, 40, measured=6).says() == ["21 low began", "21 urgent_low began"]


def test_a_live_reading_measured_before_the_newest_changes_nothing() -> None:
    assert Story().reads(15, 100).reads(16, 40, measured=10).says() == []


def test_the_forecast_begins_urgent_low_soon_where_the_damped_trend_says() -> None:
    """Slopes -4800, -6144, -6521, -6626; the fifth forecast is 68,000 - 11,748 = 56,252."""
    falling = (100, 92, 84, 76, 68)
    fast_off = ALL_ON & ~1

    below = Story(changed(IN_MGDL, on=fast_off, urgent_low_at_most=54)).every_5(5, *falling)
    at = Story(changed(IN_MGDL, on=fast_off, urgent_low_at_most=55)).every_5(5, *falling)

    assert below.says() == ["25 low began"]
    assert at.says() == ["25 low began", "25 urgent_low_soon began"]


def test_no_forecast_reaches_across_low_a_gap_or_a_late_reading() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1 << 2)
    falling = (104, 96, 88, 80)

    assert Story(bounds).every_5(5, *falling, 66).says() == ["25 urgent_low_soon began"]
    assert Story(bounds).every_5(5, *falling).reads(35.6, 62).says() == []
    assert Story(bounds).every_5(5, *falling).reads(22, 0).reads(25, 66).says() == ["22 urgent_low began"]
    assert Story(bounds).every_5(5, *falling).reads(37, 78, measured=21.5).reads(37, 60).says() == []


def test_urgent_low_soon_is_quiet_for_half_an_hour_after_urgent_low() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1 << 2)
    low_then_falling = Story(bounds).every_5(5, 55, 70, 80, 80, 75, 68, 61)

    assert low_then_falling.says() == [
        "5 urgent_low began",
        "15 urgent_low ended",
        "35 urgent_low_soon began",
    ]
    assert "30 urgent_low_soon began" not in low_then_falling.says()


def test_urgent_low_soon_ends_when_two_forecasts_are_far_enough() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1 << 2)
    story = Story(bounds).every_5(5, 104, 96, 88, 80, 66, 75)

    assert story.says() == ["25 urgent_low_soon began"]
    assert story.reads(35, 85).says() == ["25 urgent_low_soon began", "35 urgent_low_soon ended"]


def test_urgent_high_soon_mirrors_urgent_low_soon() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1 << 6)
    story = Story(bounds).every_5(5, 240, 255, 270, 285, 270, 262)

    assert story.says() == ["20 urgent_high_soon began", "30 urgent_high_soon ended"]


def test_two_points_never_decide_that_glucose_falls_fast() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1)

    assert Story(bounds).every_5(5, 100, 70).says() == []
    assert Story(bounds).reads(5, 100).reads(8, 85).reads(10.6, 75).says() == []
    assert Story(bounds).every_5(5, 100, 85, 70).says() == ["15 falling_fast began"]


def test_falling_fast_is_quiet_far_from_the_limit() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1)

    assert Story(bounds).every_5(5, 170, 155, 140).says() == []
    assert Story(bounds).every_5(5, 169, 154, 139).says() == ["15 falling_fast began"]


def test_falling_fast_ends_at_half_the_speed() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1)
    story = Story(bounds).every_5(5, 130, 115, 100, 100, 100)

    assert story.says() == ["15 falling_fast began", "25 falling_fast ended"]


def test_rising_fast_mirrors_falling_fast() -> None:
    bounds = changed(IN_MGDL, on=NEVER_OFF | 1 << 4)

    assert Story(bounds).every_5(5, 150, 165, 180).says() == []
    assert Story(bounds).every_5(5, 151, 166, 181, 181, 181).says() == [
        "15 rising_fast began",
        "25 rising_fast ended",
    ]
