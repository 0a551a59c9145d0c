"""The uploader's clock, learned from what arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.account.identity import Uploader
from nightbell.publish.admit import Judged
from nightbell.publish.clock import (
    SUSPICIONS_MAX,
    ClockChange,
    Clocks,
    Evidence,
    newest_of,
)

NOW = 1_790_000_000_000
MIN = 60_000
ANA = Uploader(sharer=7, credential=3)


class Phone:
    """Ana's phone: it measures every five minutes and sends at once, by a clock that is `wrong_ms` ahead."""

    def __init__(self, wrong_ms: int, *, clocks: Clocks | None = None, says_time: bool = False) -> None:
        self.wrong_ms = wrong_ms
        self.says_time = says_time
        self.clocks = Clocks() if clocks is None else clocks
        self.known_ms = 0

    def upload(self, at_ms: int, newest_ms: int, readings: int = 1) -> ClockChange | None:
        """Send at `at_ms` a newest reading really measured at `newest_ms`."""
        shown_ms = newest_ms + self.wrong_ms
        sent_ms = at_ms + self.wrong_ms if self.says_time else 0
        change = self.clocks.learn(ANA, Evidence(shown_ms, sent_ms, at_ms, readings, self.known_ms))
        self.known_ms = max(self.known_ms, shown_ms + self.offset_ms)
        return change

    @property
    def offset_ms(self) -> int:
        return self.clocks.offsets.get(ANA.credential, 0)


@pytest.mark.parametrize("minutes", range(-60, 61))
def test_a_wrong_clock_is_known_by_the_second_upload(minutes: int) -> None:
    phone = Phone(minutes * MIN)

    phone.upload(NOW, NOW - 10_000)
    phone.upload(NOW + 5 * MIN, NOW + 5 * MIN - 12_000)

    wrong = minutes < -5 or minutes > 1
    expected_ms = -minutes * MIN if wrong else 0
    assert abs(phone.offset_ms - expected_ms) <= (20_000 if wrong else 0)


@pytest.mark.parametrize("minutes", range(2, 61))
def test_a_fast_clock_is_known_at_the_first_upload(minutes: int) -> None:
    phone = Phone(minutes * MIN)

    change = phone.upload(NOW, NOW - 10_000)

    assert change == ClockChange(7, 3, phone.offset_ms, NOW)
    assert -minutes * MIN <= phone.offset_ms <= -minutes * MIN + 10_000


@pytest.mark.parametrize("minutes", [m for m in range(-60, 61) if abs(m) > 1])
def test_a_phone_that_says_its_time_is_corrected_exactly_at_once(minutes: int) -> None:
    phone = Phone(minutes * MIN, says_time=True)

    phone.upload(NOW, NOW - 4 * MIN)

    assert phone.offset_ms == -minutes * MIN


def test_a_right_clock_costs_nothing_and_is_never_called_wrong() -> None:
    phone = Phone(0)

    changes = [phone.upload(NOW + n * 5 * MIN, NOW + n * 5 * MIN - n % 5 * MIN) for n in range(100)]

    assert changes == [None] * 100
    assert phone.clocks.offsets == {}


@pytest.mark.parametrize("outage_min", [20, 45, 60, 300, 1440])
@pytest.mark.parametrize("chunk", [1, 2, 3, 12, 50])
@pytest.mark.parametrize("pause_ms", [50, 1000, 20_000])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("seen_before", [False, True])
def test_a_backlog_is_not_a_slow_clock(
    *, outage_min: int, chunk: int, pause_ms: int, newest_first: bool, seen_before: bool
) -> None:
    phone = Phone(0)
    if seen_before:
        phone.upload(NOW - 5 * MIN, NOW - 5 * MIN)
    back_ms = NOW + outage_min * MIN
    measured = [NOW + n * 5 * MIN for n in range(outage_min // 5 + 1)]
    chunks = [measured[n : n + chunk] for n in range(0, len(measured), chunk)]
    if newest_first:
        chunks.reverse()

    for n, part in enumerate(chunks):
        phone.upload(back_ms + n * pause_ms, part[-1], len(part))

    assert phone.offset_ms == 0


def test_a_backlog_that_pauses_by_chance_as_long_as_its_chunk_is_not_a_slow_clock() -> None:
    phone = Phone(0)
    phone.upload(NOW, NOW)

    phone.upload(NOW + 60 * MIN, NOW + 10 * MIN, 2)
    phone.upload(NOW + 70 * MIN, NOW + 20 * MIN, 2)

    assert phone.offset_ms == 0


def test_a_phone_that_is_off_and_comes_back_slow_is_known_at_the_third_upload() -> None:
    phone = Phone(0)
    phone.upload(NOW, NOW)
    phone.wrong_ms = -40 * MIN
    day_ms = NOW + 86_400_000

    offsets = []
    for n in range(3):
        phone.upload(day_ms + n * 5 * MIN, day_ms + n * 5 * MIN)
        offsets.append(phone.offset_ms)

    assert offsets == [0, 0, 40 * MIN]


def test_a_clock_set_back_while_the_phone_runs_is_known_at_the_second_upload() -> None:
    phone = Phone(0)
    phone.upload(NOW, NOW)
    phone.wrong_ms = -40 * MIN

    phone.upload(NOW + 5 * MIN, NOW + 5 * MIN)
    phone.upload(NOW + 10 * MIN, NOW + 10 * MIN)

    assert phone.offset_ms == 40 * MIN


@pytest.mark.parametrize("minutes", [-60, -40, -11, 11, 16, 40, 60])
def test_a_clock_set_right_is_known_by_the_second_upload(minutes: int) -> None:
    phone = Phone(minutes * MIN)
    for n in range(4):
        phone.upload(NOW + n * 5 * MIN, NOW + n * 5 * MIN)
    phone.wrong_ms = 0

    phone.upload(NOW + 20 * MIN, NOW + 20 * MIN)
    phone.upload(NOW + 25 * MIN, NOW + 25 * MIN)

    assert phone.offset_ms == 0


@pytest.mark.parametrize("minutes", [16, 40, 60])
def test_a_fast_clock_set_right_never_makes_a_fresh_reading_look_late(minutes: int) -> None:
    phone = Phone(minutes * MIN)
    for n in range(4):
        phone.upload(NOW + n * 5 * MIN, NOW + n * 5 * MIN)
    phone.wrong_ms = 0

    phone.upload(NOW + 20 * MIN, NOW + 20 * MIN)

    assert phone.offset_ms == 0


def test_a_learned_offset_stays_as_it_is_while_uploads_take_a_little_longer_or_shorter() -> None:
    phone = Phone(-40 * MIN)
    for n in range(2):
        phone.upload(NOW + n * 5 * MIN, NOW + n * 5 * MIN - 10_000)
    learned_ms = phone.offset_ms

    changes = [
        phone.upload(NOW + n * 5 * MIN, NOW + n * 5 * MIN - delay_ms)
        for n, delay_ms in enumerate((30_000, 0, 59_000, 120_000, 240_000, 1_000), start=2)
    ]

    assert changes == [None] * 6
    assert phone.offset_ms == learned_ms


def test_a_request_sent_again_hours_later_does_not_make_its_readings_fresh() -> None:
    clocks = Clocks()
    sent_ms = NOW - 40 * MIN
    known_ms = NOW - 45 * MIN

    for n in range(6):
        again = Evidence(sent_ms, sent_ms, NOW + n * 3 * MIN, 1, known_ms)
        clocks.learn(ANA, again)

    assert clocks.offsets == {}


def test_uploads_within_one_burst_are_not_a_slow_clock() -> None:
    phone = Phone(-40 * MIN)

    for n in range(10):
        phone.upload(NOW + n * 10_000, NOW + n * 10_000)

    assert phone.offset_ms == 0


def test_uploads_that_agree_but_for_one_between_them_are_not_a_slow_clock() -> None:
    phone = Phone(0)

    for n, late_min in enumerate((40, 20, 40)):
        phone.upload(NOW + n * 2 * MIN, NOW + n * 2 * MIN - late_min * MIN)

    assert phone.offset_ms == 0


def test_a_clock_days_ahead_is_not_believed_however_often_it_says_so() -> None:
    phone = Phone(3 * 86_400_000)

    for n in range(4):
        phone.upload(NOW + n * 5 * MIN, NOW + n * 5 * MIN)

    assert phone.offset_ms == 0


def test_one_reading_from_the_future_does_not_shift_the_good_ones_beside_it() -> None:
    judged = [Judged(0, NOW + 50 * MIN, 100, 0), Judged(1, NOW, 50, 0), Judged(2, NOW - 5 * MIN, 60, 0)]

    assert newest_of(judged, offset_ms=0, received_ms=NOW) == NOW


@pytest.mark.parametrize("ahead_min", [2, 11, 30, 60])
def test_a_whole_batch_from_a_fast_clock_speaks_for_the_clock(ahead_min: int) -> None:
    judged = [Judged(n, NOW + (ahead_min - 5 * n) * MIN, 100, 0) for n in range(24)]

    assert newest_of(judged, offset_ms=0, received_ms=NOW) == NOW + ahead_min * MIN


def test_a_time_that_cannot_be_teaches_nothing() -> None:
    clocks = Clocks()

    for wild_ms in (0, -(10**18), 10**18, NOW + 3 * 86_400_000):
        assert clocks.learn(ANA, Evidence(wild_ms, 0, NOW, 1, 0)) is None
        assert clocks.learn(ANA, Evidence(NOW, wild_ms, NOW, 1, 0)) is None

    assert clocks.offsets == {}


def test_a_clock_wrong_by_a_time_zone_is_corrected_from_the_second_upload() -> None:
    phone = Phone(2 * 60 * MIN)

    phone.upload(NOW, NOW)
    phone.upload(NOW + 5 * MIN, NOW + 5 * MIN)

    assert phone.offset_ms == -2 * 60 * MIN


def test_learned_offsets_survive_a_restart() -> None:
    clocks = Clocks([(3, 40 * MIN), (4, -MIN * 5), (4, 0)])

    assert clocks.offsets == {3: 40 * MIN}


def test_suspicions_are_bounded() -> None:
    clocks = Clocks()

    for credential in range(SUSPICIONS_MAX + 100):
        clocks.learn(Uploader(1, credential), Evidence(NOW - 30 * MIN, 0, NOW, 1, 0))

    assert len(clocks._suspicions) == SUSPICIONS_MAX


@given(
    wrong_min=st.integers(-60, 60),
    delays=st.lists(st.integers(0, 60_000), min_size=3, max_size=30),
    says_time=st.booleans(),
)
def test_once_learned_no_reading_in_time_is_ever_late_or_from_the_future(
    *, wrong_min: int, delays: list[int], says_time: bool
) -> None:
    phone = Phone(wrong_min * MIN, says_time=says_time)

    for n, delay_ms in enumerate(delays):
        at_ms = NOW + n * 5 * MIN
        phone.upload(at_ms, at_ms - delay_ms)
        seen_age_ms = at_ms - (at_ms - delay_ms + phone.wrong_ms + phone.offset_ms)
        if n:
            assert -MIN <= seen_age_ms <= 8 * MIN


@given(
    sent_late_ms=st.none() | st.integers(-3 * MIN, 90 * MIN),
    newest_late_ms=st.integers(-3 * MIN, 90 * MIN),
    known_late_ms=st.none() | st.integers(0, 90 * MIN),
    earlier=st.lists(st.integers(-5 * MIN, 70 * MIN), max_size=4),
)
def test_an_upload_passed_over_as_plainly_right_would_have_taught_nothing(
    sent_late_ms: int | None, newest_late_ms: int, known_late_ms: int | None, earlier: list[int]
) -> None:
    clocks = Clocks()
    for place, late_ms in enumerate(earlier):
        at_ms = NOW + place * 3 * MIN
        clocks.learn(ANA, Evidence(at_ms - late_ms, 0, at_ms, 1, 0))
    now_ms = NOW + len(earlier) * 3 * MIN
    sent_ms = 0 if sent_late_ms is None else now_ms - sent_late_ms
    newest_ms = now_ms - newest_late_ms
    known_ms = 0 if known_late_ms is None else now_ms - known_late_ms
    offsets = dict(clocks.offsets)

    if clocks.plainly_right(ANA.credential, now_ms - (sent_ms or newest_ms)):
        assert clocks.learn(ANA, Evidence(newest_ms, sent_ms, now_ms, 1, known_ms)) is None
        assert clocks.offsets == offsets == {}


def test_an_upload_in_time_is_looked_at_while_its_uploader_is_suspected() -> None:
    clocks = Clocks()
    clocks.learn(ANA, Evidence(NOW - 10 * MIN, 0, NOW, 1, 0))

    assert not clocks.plainly_right(ANA.credential, 0)
    clocks.learn(ANA, Evidence(NOW + MIN, 0, NOW + MIN, 1, 0))

    assert clocks.plainly_right(ANA.credential, 0)
