"""The judge by itself: what counts, for how long, and what it says."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.watch.evidence import (
    Bad,
    Detector,
    Evidence,
    Excused,
    Good,
    Lost,
    Opened,
    Pulse,
    Tick,
    WentRound,
    Why,
)
from nightbell.watch.judge import Announce, Audience, Judged, NoticeKind, Stage, handle, resumed
from nightbell.watch.sight import Standing
from nightbell.watch.timings import Timings

TIMINGS = Timings()
START = 1_000_000
SECOND = 1_000
MINUTE = 60 * SECOND


class Court:
    """Feeds a judge and keeps what it announced."""

    def __init__(self) -> None:
        self.judged = Judged()
        self.now_ms = START
        self.announced: list[Announce] = []

    def see(self, evidence: Evidence, *, after_s: float = 0) -> "Court":
        self.now_ms += round(after_s * SECOND)
        self.judged, announced = handle(self.judged, evidence, self.now_ms, TIMINGS)
        self.announced += announced
        return self

    def door_fails(self, *, after_s: float = 0) -> "Court":
        self.now_ms += round(after_s * SECOND)
        return self.see(Bad(Detector.DOOR, Why.REFUSED, self.now_ms))

    def all_well(self) -> "Court":
        for detector in (Detector.DOOR, Detector.ALARM, Detector.ANSWER):
            self.see(Good(detector)).see(Good(detector))
        self.see(Opened())
        for _ in range(3):
            self.see(Pulse(watching=True, tick_age_ms=200), after_s=10)
        return self

    def pulse_s(self, seconds: int) -> "Court":
        """Let time pass with heartbeats as they should be."""
        for _ in range(seconds // 10):
            self.see(Pulse(watching=True, tick_age_ms=200), after_s=10)
        return self

    def in_incident(self) -> "Court":
        self.all_well().see(Lost(Why.BROKEN)).door_fails()
        return self.see(Tick(), after_s=80)

    @property
    def kinds(self) -> list[NoticeKind]:
        return [announce.kind for announce in self.announced]


def test_one_blip_of_the_door_is_over_with_two_good_answers() -> None:
    court = Court().all_well().door_fails()
    suspected = court.judged.stage

    court.see(Good(Detector.DOOR), after_s=5)
    doubtful = court.judged.stage
    court.see(Good(Detector.DOOR), after_s=5)

    assert suspected is Stage.SUSPECTED
    assert doubtful is Stage.SUSPECTED
    assert court.judged.stage is Stage.QUIET
    assert not court.announced


def test_one_detector_alone_makes_an_incident_at_sixty_seconds_and_not_before() -> None:
    court = Court().all_well().door_fails()
    court.pulse_s(50).see(Tick(), after_s=9.999)
    before = court.judged.stage

    court.see(Tick(), after_s=0.001)

    assert before is Stage.SUSPECTED
    assert court.judged.stage is Stage.INCIDENT


def test_two_detectors_together_make_an_incident_at_thirty_five_seconds() -> None:
    court = Court().all_well().see(Lost(Why.BROKEN)).door_fails()
    court.see(Tick(), after_s=34.999)
    before = court.judged.stage

    court.see(Tick(), after_s=0.001)

    assert before is Stage.SUSPECTED
    assert court.judged.stage is Stage.INCIDENT
    assert [announce.audience for announce in court.announced] == [Audience.URGENT]


def test_everybody_is_told_at_seventy_five_seconds() -> None:
    court = Court().all_well().see(Lost(Why.BROKEN)).door_fails()
    court.see(Tick(), after_s=74.999)
    before = [announce.audience for announce in court.announced]

    court.see(Tick(), after_s=0.001)

    assert before == [Audience.URGENT]
    assert [announce.audience for announce in court.announced] == [Audience.URGENT, Audience.EVERYONE]
    assert len({announce.notice for announce in court.announced}) == 1


def test_the_next_word_comes_before_the_time_that_anybody_was_promised() -> None:
    court = Court().in_incident()
    promised_ms = min(announce.next_ms for announce in court.announced)

    while court.kinds[-1] is not NoticeKind.UPDATE:
        court.see(Tick(), after_s=1)

    # Times are told to the minute, rounded down.
    assert court.now_ms <= promised_ms - MINUTE
    assert {announce.next_ms for announce in court.announced[:-1]} == {promised_ms}


def test_a_door_that_flaps_is_not_excused_by_every_good_moment() -> None:
    court = Court().all_well()
    for _ in range(14):
        court.door_fails().see(Good(Detector.DOOR), after_s=3)
        court.see(Pulse(watching=True, tick_age_ms=100), after_s=2)

    court.door_fails()

    assert court.judged.stage is Stage.INCIDENT


def test_silence_of_the_stream_counts_from_the_heartbeat_that_did_not_come() -> None:
    court = Court().all_well()
    heard_ms = court.now_ms

    court.see(Tick(), after_s=35)

    assert court.judged.stream.standing is Standing.BAD
    assert court.judged.stream.why is Why.SILENT
    assert court.judged.stream.since_ms == heard_ms + 15 * SECOND


def test_a_heartbeat_that_says_it_does_not_watch_is_as_bad_as_silence() -> None:
    court = Court().all_well()

    court.see(Pulse(watching=False, tick_age_ms=0), after_s=10)

    assert court.judged.stream.why is Why.NOT_WATCHING
    assert court.judged.stream.bad


def test_a_heartbeat_with_an_old_tick_is_as_bad_as_silence() -> None:
    court = Court().all_well()

    court.see(Pulse(watching=True, tick_age_ms=TIMINGS.tick_age_ms_max + 1), after_s=10)

    assert court.judged.stream.why is Why.STUCK
    assert court.judged.stream.bad


def test_an_open_stream_without_a_heartbeat_proves_nothing() -> None:
    court = Court().all_well().see(Lost(Why.BROKEN)).see(Opened(), after_s=1)

    assert court.judged.stream.standing is Standing.DOUBTFUL
    court.see(Tick(), after_s=35)
    assert court.judged.stream.bad


def test_a_recovering_platform_is_given_time_before_everybody_is_told() -> None:
    court = Court().all_well().see(Lost(Why.BROKEN)).door_fails().see(Tick(), after_s=40)

    court.see(Good(Detector.DOOR), after_s=20).see(Good(Detector.DOOR)).see(Opened())
    court.pulse_s(50)
    before = len(court.announced)
    court.pulse_s(20)

    assert before == 1
    assert [announce.audience for announce in court.announced] == [Audience.URGENT, Audience.EVERYONE]


def test_the_all_clear_needs_heartbeats_and_a_round_from_after_the_last_failure() -> None:
    court = Court().in_incident()
    failed_ms = court.now_ms
    court.see(Good(Detector.DOOR), after_s=5).see(Good(Detector.DOOR)).see(Opened())
    court.see(WentRound(published_ms=failed_ms)).pulse_s(60)
    with_an_old_round = list(court.kinds)

    court.see(WentRound(published_ms=court.now_ms))

    assert NoticeKind.CLEAR not in with_an_old_round
    assert court.kinds[-1] is NoticeKind.CLEAR
    assert court.judged.incident is None
    assert court.judged.past[0].over_ms == court.now_ms


def test_a_round_alone_is_no_all_clear_without_fresh_heartbeats() -> None:
    court = Court().in_incident().see(Good(Detector.DOOR), after_s=5).see(Good(Detector.DOOR)).see(Opened())
    court.pulse_s(20).see(WentRound(published_ms=court.now_ms))
    before = list(court.kinds)

    court.pulse_s(10)

    assert NoticeKind.CLEAR not in before
    assert court.kinds[-1] is NoticeKind.CLEAR


def test_excused_time_does_not_count_against_the_platform() -> None:
    court = Court().all_well().door_fails().see(Excused(), after_s=50)

    court.pulse_s(50)

    assert court.judged.stage is Stage.SUSPECTED


def test_a_restart_keeps_the_incident_and_asks_for_fresh_proof() -> None:
    court = Court().in_incident()

    again = resumed(court.judged, court.now_ms + MINUTE, TIMINGS)

    assert again.incident == court.judged.incident
    assert again.stage is Stage.INCIDENT
    assert again.door.standing is Standing.UNKNOWN
    assert not again.went_round


def test_a_clock_set_back_before_a_restart_delays_no_update() -> None:
    court = Court().in_incident()

    again = resumed(court.judged, court.now_ms - 10 * 60 * MINUTE, TIMINGS)

    assert again.incident is not None
    assert again.incident.update_ms <= court.now_ms - 10 * 60 * MINUTE + TIMINGS.update_every_ms
    assert again.incident.since_ms <= court.now_ms - 10 * 60 * MINUTE


EVIDENCE = st.one_of(
    st.sampled_from(Detector).map(Good),
    st.sampled_from(Detector).map(lambda detector: Bad(detector, Why.LATE, START)),
    st.just(Opened()),
    st.builds(Pulse, watching=st.booleans(), tick_age_ms=st.integers(0, 60_000)),
    st.sampled_from(Why).map(Lost),
    st.integers(START, START + 100 * MINUTE).map(WentRound),
    st.just(Excused()),
    st.just(Tick()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(EVIDENCE, st.integers(0, 40_000)), max_size=150))
def test_whatever_is_seen_words_come_in_order_and_each_once(story: list[tuple[Evidence, int]]) -> None:
    court = Court()
    for evidence, after_ms in story:
        court.see(evidence, after_s=after_ms / 1000)

        judged = court.judged
        assert (judged.incident is not None) == (judged.stage is Stage.INCIDENT)
        assert judged.stage is not Stage.QUIET or not judged.troubled
        if judged.incident is not None and judged.incident.begun_ms:
            assert judged.deadline_ms <= judged.incident.update_ms

    told = [(announce.notice, announce.audience) for announce in court.announced]
    assert len(told) == len(set(told))
    spoken: set[str] = set()
    cleared: set[str] = set()
    for announce in court.announced:
        incident = announce.incident.id
        assert incident not in cleared, "nothing is said of an incident after its all-clear"
        if announce.kind is NoticeKind.FIRST:
            spoken.add(incident)
        assert incident in spoken, "the first word comes first"
        if announce.kind is NoticeKind.CLEAR:
            cleared.add(incident)
