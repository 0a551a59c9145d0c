"""What is taken of an upload, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.account.identity import Uploader
from nightbell.publish.admit import Admitted, RawReading, Reason, Refused, admit, judge, reading_key
from nightbell.publish.reading import Reading
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW, is_level
from nightbell.words.trend import Trend

NOW = 1_790_000_000_000
MIN = 60_000
DAY = 86_400_000
ODD_ARROWS: list[object] = [10, -1, "Sideways", None, True, 4.0, [], {}, "", "99", "²"]
ANA = Uploader(sharer=7, credential=3)


def take(*raw: RawReading, offset_ms: int = 0, known: tuple[int, ...] = ()) -> Admitted:
    judged, refused = judge(raw)
    return admit(judged, refused, uploader=ANA, offset_ms=offset_ms, received_ms=NOW, known=known)


def test_a_reading_in_time_is_live_and_keeps_its_value_time_arrow_and_source() -> None:
    admitted = take(RawReading(NOW - MIN, 112, "FortyFiveDown"))

    expected = Reading(7, NOW - MIN, NOW, 112, Trend.FORTY_FIVE_DOWN, 3)
    assert admitted == Admitted([expected], [], 0, [])


@pytest.mark.parametrize("level", range(20, 601))
def test_every_level_a_meter_can_show_is_taken(level: int) -> None:
    assert take(RawReading(NOW, level)).live[0].level == level


@pytest.mark.parametrize("level", [19, 601, 0, -5, 10**30, 19.99, 600.01, math.inf, -math.inf])
def test_a_number_outside_the_range_is_refused(level: float) -> None:
    assert take(RawReading(NOW, level)).refused == [Refused(0, Reason.OUT_OF_RANGE)]


@pytest.mark.parametrize("value", [math.nan, True, False, None, "", "112", [112], {"a": 1}, b"112", 1j])
def test_what_is_not_a_number_is_refused(value: object) -> None:
    assert take(RawReading(NOW, value)).refused == [Refused(0, Reason.NOT_A_NUMBER)]


@pytest.mark.parametrize(
    ("word", "level"), [("LOW", CENSORED_LOW), ("Low", CENSORED_LOW), ("HIGH", CENSORED_HIGH)]
)
def test_low_and_high_are_kept_as_words(word: str, level: int) -> None:
    assert take(RawReading(NOW, word)).live[0].level == level


@pytest.mark.parametrize("at", [None, True, 1.5, "2026", math.nan, [], {}])
def test_what_is_not_a_time_is_refused(at: object) -> None:
    assert take(RawReading(at, 100)).refused == [Refused(0, Reason.NOT_A_TIME)]


@pytest.mark.parametrize(
    ("age_ms", "lane"),
    [(-MIN, "live"), (0, "live"), (15 * MIN, "live"), (15 * MIN + 1, "backfill"), (30 * DAY, "backfill")],
)
def test_the_lane_follows_the_age(age_ms: int, lane: str) -> None:
    admitted = take(RawReading(NOW - age_ms, 100))

    assert [len(admitted.live), len(admitted.backfill)] == ([1, 0] if lane == "live" else [0, 1])


@pytest.mark.parametrize(
    ("age_ms", "reason"),
    [(-MIN - 1, Reason.IN_THE_FUTURE), (30 * DAY + 1, Reason.TOO_OLD), (-(10**30), Reason.IN_THE_FUTURE)],
)
def test_the_future_and_the_long_past_are_refused(age_ms: int, reason: Reason) -> None:
    assert take(RawReading(NOW - age_ms, 100)).refused == [Refused(0, reason)]


def test_the_lane_follows_the_corrected_age() -> None:
    admitted = take(RawReading(NOW - 40 * MIN, 50), offset_ms=40 * MIN)

    assert admitted.live == [Reading(7, NOW, NOW, 50, 0, 3)]


def test_a_bad_reading_is_refused_with_its_place_and_the_good_ones_are_kept() -> None:
    admitted = take(
        RawReading(NOW, 100), RawReading(NOW, "x"), RawReading(NOW - 20 * MIN, 90), RawReading("x", 80)
    )

    assert [len(admitted.live), len(admitted.backfill)] == [1, 1]
    assert admitted.refused == [Refused(1, Reason.NOT_A_NUMBER), Refused(3, Reason.NOT_A_TIME)]


def test_a_known_reading_is_a_duplicate_even_if_its_milliseconds_differ() -> None:
    second_ms = NOW // 1000 * 1000
    known = (reading_key(second_ms + 999, 100),)

    assert take(RawReading(second_ms, 100), known=known) == Admitted([], [], 1, [])


def test_another_value_at_the_same_second_is_kept() -> None:
    assert len(take(RawReading(NOW, 55), known=(reading_key(NOW, 100),)).live) == 1


def test_a_reading_twice_in_one_upload_is_kept_once() -> None:
    admitted = take(RawReading(NOW, 100), RawReading(NOW, 100), RawReading(NOW, 101))

    assert ([r.level for r in admitted.live], admitted.duplicates) == ([100, 101], 1)


@pytest.mark.parametrize(
    ("trend", "expected"),
    [
        ("Flat", Trend.FLAT),
        ("flat", Trend.FLAT),
        ("single up", Trend.SINGLE_UP),
        ("RATE_OUT_OF_RANGE", Trend.RATE_OUT_OF_RANGE),
        (Trend.DOUBLE_DOWN, Trend.DOUBLE_DOWN),
        (9, Trend.RATE_OUT_OF_RANGE),
        ("4", Trend.FLAT),
        *((odd, Trend.NONE) for odd in ODD_ARROWS),
    ],
)
def test_an_arrow_we_do_not_know_is_none_and_never_costs_the_reading(trend: object, expected: Trend) -> None:
    assert take(RawReading(NOW, 100, trend)).live[0].trend == expected


def test_a_dialect_can_say_why_a_reading_is_none() -> None:
    admitted = take(RawReading(NOW, Reason.SENSOR_ERROR), RawReading(Reason.NOT_A_TIME, 100))

    assert [refused.reason for refused in admitted.refused] == [Reason.SENSOR_ERROR, Reason.NOT_A_TIME]


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.sampled_from(["LOW", "HIGH", "Flat", *Reason]),
)
times = st.one_of(anything, st.integers(NOW - 40 * DAY, NOW + 2 * DAY))
glucoses = st.one_of(anything, st.integers(0, 700), st.floats(0, 700))


@given(
    raw=st.lists(st.builds(RawReading, times, glucoses, anything), max_size=20),
    offset_ms=st.integers(-DAY, DAY),
)
def test_whatever_is_sent_each_reading_is_admitted_a_duplicate_or_refused_once(
    raw: list[RawReading], offset_ms: int
) -> None:
    live, backfill, duplicates, refused = take(*raw, offset_ms=offset_ms)

    assert len(live) + len(backfill) + duplicates + len(refused) == len(raw)
    assert [r.place for r in refused] == sorted({r.place for r in refused})
    for reading in (*live, *backfill):
        assert is_level(reading.level)
        assert -MIN <= NOW - reading.measured_ms <= 30 * DAY
        assert type(reading.measured_ms) is int
        assert reading.trend in set(Trend)
    assert all(NOW - reading.measured_ms <= 15 * MIN for reading in live)
    assert all(NOW - reading.measured_ms > 15 * MIN for reading in backfill)


@given(good=st.integers(20, 600), bad=st.lists(st.builds(RawReading, anything, anything), max_size=10))
def test_no_bad_reading_ever_takes_a_good_one_with_it(good: int, bad: list[RawReading]) -> None:
    admitted = take(*bad, RawReading(NOW, good))

    assert any(r.level == good and r.measured_ms == NOW for r in admitted.live)
