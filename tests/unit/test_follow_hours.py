"""Hours on the follower's own wall clock: both nights when clocks change, and a journey."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.follow.hours import next_change_ms, within
from nightbell.follow.limits import Hours
from nightbell.words.clock import NEVER_MS, to_ms
from nightbell.words.zones import zone_info

LISBON: Final = "Europe/Lisbon"
NEW_YORK: Final = "America/New_York"
MINUTE_MS: Final = 60_000


def utc(text: str) -> int:
    """An instant, epoch ms."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC))


def minute(text: str) -> int:
    """`01:30` as a minute of the day."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def spans(hours: Hours, zone: str, begin: str, end: str) -> list[tuple[str, str]]:
    """From when to when people are told, found minute by minute, in UTC."""
    found: list[tuple[str, str]] = []
    at_ms, upto_ms = utc(begin), utc(end)
    since = None
    while at_ms <= upto_ms:
        told = within(hours, zone, at_ms) and at_ms < upto_ms
        if told and since is None:
            since = at_ms
        if not told and since is not None:
            found.append((_clock(since), _clock(at_ms)))
            since = None
        at_ms += MINUTE_MS
    return found


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M")


@pytest.mark.parametrize(
    ("begins", "ends", "told"),
    [
        ("22:00", "07:00", [("22:00", "06:00")]),  # nine hours by the clock, eight in truth
        ("00:30", "01:30", [("00:30", "01:00")]),  # ends inside the skipped hour: when the clock jumps
        ("01:30", "03:00", [("01:00", "02:00")]),  # begins inside it: when the clock jumps
        ("01:10", "01:50", []),  # these minutes do not exist tonight
        ("02:00", "03:00", [("01:00", "02:00")]),
    ],
)
def test_the_night_lisbon_skips_an_hour(begins: str, ends: str, told: list[tuple[str, str]]) -> None:
    # At 01:00 on 2026-03-29 the clock jumps to 02:00.
    hours = Hours(minute(begins), minute(ends))

    assert spans(hours, LISBON, "2026-03-28T20:00", "2026-03-29T12:00") == told


@pytest.mark.parametrize(
    ("begins", "ends", "told"),
    [
        ("22:00", "07:00", [("21:00", "07:00")]),  # ten hours in truth
        ("00:30", "01:30", [("23:30", "01:30")]),  # until the second 01:30
        ("01:30", "03:00", [("00:30", "03:00")]),  # from the first 01:30
        ("01:10", "01:50", [("00:10", "01:50")]),  # the repeated hour is told as a whole
        ("02:00", "03:00", [("02:00", "03:00")]),
    ],
)
def test_the_night_lisbon_repeats_an_hour(begins: str, ends: str, told: list[tuple[str, str]]) -> None:
    # At 02:00 summer time on 2026-10-25 the clock goes back to 01:00.
    hours = Hours(minute(begins), minute(ends))

    assert spans(hours, LISBON, "2026-10-24T20:00", "2026-10-25T12:00") == told


def test_the_two_nights_of_new_york() -> None:
    night = Hours(minute("01:30"), minute("02:30"))

    skipped = spans(night, NEW_YORK, "2026-03-08T00:00", "2026-03-08T18:00")
    repeated = spans(night, NEW_YORK, "2026-11-01T00:00", "2026-11-01T18:00")

    assert skipped == [("06:30", "07:00")]  # 02:00 becomes 03:00 at 07:00 UTC
    assert repeated == [("05:30", "07:30")]  # 01:00 to 02:00 happens twice


def test_a_journey_moves_the_hours_to_the_clock_of_the_place() -> None:
    night = Hours(minute("22:00"), minute("07:00"))
    at_ms = utc("2026-06-10T03:00")  # 04:00 in Lisbon, 23:00 in New York, 12:00 in Tokyo

    assert within(night, LISBON, at_ms)
    assert within(night, NEW_YORK, at_ms)
    assert not within(night, "Asia/Tokyo", at_ms)


def test_a_zone_changed_in_the_middle_of_the_night_counts_from_that_instant() -> None:
    night = Hours(minute("22:00"), minute("07:00"))
    at_ms = utc("2026-06-10T06:30")

    assert not within(night, LISBON, at_ms)  # 07:30
    assert within(night, NEW_YORK, at_ms)  # 02:30
    assert next_change_ms(night, NEW_YORK, at_ms) == utc("2026-06-10T11:00")


def test_days_are_those_on_which_the_hours_begin() -> None:
    friday_night = Hours(minute("22:00"), minute("07:00"), days=1 << 4)

    assert within(friday_night, "UTC", utc("2026-11-20T23:00"))  # a Friday
    assert within(friday_night, "UTC", utc("2026-11-21T06:59"))
    assert not within(friday_night, "UTC", utc("2026-11-21T07:00"))
    assert not within(friday_night, "UTC", utc("2026-11-21T23:00"))
    assert not within(friday_night, "UTC", utc("2026-11-20T06:00"))


def test_equal_times_are_a_whole_day() -> None:
    sundays = Hours(minute("08:00"), minute("08:00"), days=1 << 6)

    assert spans(sundays, "UTC", "2026-11-22T00:00", "2026-11-24T00:00") == [("08:00", "08:00")]


def test_an_unknown_zone_is_told_always_and_says_so() -> None:
    hours = Hours(minute("08:00"), minute("09:00"))
    at_ms = utc("2026-11-22T23:00")

    assert within(hours, "Mars/Olympus", at_ms)
    assert next_change_ms(hours, "Mars/Olympus", at_ms) == NEVER_MS


def test_no_hours_is_always() -> None:
    assert within(None, LISBON, 0)
    assert next_change_ms(None, LISBON, 0) == NEVER_MS


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "/Europe/Lisbon", "Europe//Lisbon", "", "zone.tab", "europe/lisbon?", "A" * 65]
)
def test_a_zone_is_a_name_from_the_tables_and_nothing_else(name: str) -> None:
    assert zone_info(name) is None


def test_the_tables_are_our_own_and_not_the_machines() -> None:
    found = zone_info(LISBON)

    assert found is not None
    assert found is not ZoneInfo(LISBON)
    assert datetime(2026, 7, 1, tzinfo=found).utcoffset() == timedelta(hours=1)


MINUTES = st.integers(0, 1439)
ZONES = st.sampled_from(
    [LISBON, NEW_YORK, "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"]
)


@settings(max_examples=300)
@given(
    st.builds(Hours, MINUTES, MINUTES, st.integers(1, 127)),
    ZONES,
    st.integers(utc("2026-01-01T00:00"), utc("2027-01-01T00:00")),
    st.lists(st.integers(0, 9 * 86_400_000), max_size=20),
)
def test_nothing_changes_before_the_next_change(
    hours: Hours, zone: str, at_ms: int, steps: list[int]
) -> None:
    change_ms = next_change_ms(hours, zone, at_ms)
    told = within(hours, zone, at_ms)

    assert at_ms < change_ms <= at_ms + 9 * 86_400_000
    assert within(hours, zone, change_ms - 1) == told
    for step in steps:
        if at_ms + step < change_ms:
            assert within(hours, zone, at_ms + step) == told


@settings(max_examples=200)
@given(
    st.builds(Hours, MINUTES, MINUTES, st.integers(1, 127)),
    ZONES,
    st.integers(utc("2026-01-01T00:00"), utc("2027-01-01T00:00")),
)
def test_hours_agree_with_the_wall_clock_on_ordinary_days(hours: Hours, zone: str, at_ms: int) -> None:
    place = zone_info(zone)
    assert place is not None
    here = datetime.fromtimestamp(at_ms / 1000, place)
    offsets = {(here + timedelta(hours=step)).utcoffset() for step in range(-50, 51)}
    wall = here.hour * 60 + here.minute
    today, yesterday = here.weekday(), (here.weekday() - 1) % 7

    if hours.begins_minute < hours.ends_minute:
        expected = bool(hours.days >> today & 1) and hours.begins_minute <= wall < hours.ends_minute
    else:
        expected = (bool(hours.days >> today & 1) and wall >= hours.begins_minute) or (
            bool(hours.days >> yesterday & 1) and wall < hours.ends_minute
        )

    if len(offsets) == 1:
        assert within(hours, zone, at_ms) == expected
