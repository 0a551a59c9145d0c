"""Goal: an alarm goes on until a person answers. Method: scenes in virtual time, and a machine."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nightbell.alarm.effects import AlarmState, EntryKind
from nightbell.alarm.fold import AlarmFold
from nightbell.alarm.part import urgency
from nightbell.follow.ladder import DEFAULT, Ladder, Rung, Watch, Whom
from nightbell.journal.facts import Answered, AnswerUndone, PassedOn, Snoozed, WatchSet
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition
from nightbell.words.tier import Tier
from tests.sim.scene import ANA, BEN, BEN_FOLLOWS, CLEO, CLEO_FOLLOWS, MINUTE_MS, START_MS, Scene

WEEK_MS = 7 * 24 * 60 * MINUTE_MS


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.follow(BEN_FOLLOWS, BEN)
    scene.follow(CLEO_FOLLOWS, CLEO)
    return scene


def the_alarm(scene: Scene) -> str:
    return next(alarm.id for alarm in scene.fold.book.alarms.values() if alarm.raised_ms)


def answer(scene: Scene, who: str = BEN) -> None:
    scene.fact(Answered(scene.now_ms, the_alarm(scene), who, who == ANA))


def watch(scene: Scene, **chosen: object) -> None:
    scene.fact(WatchSet(scene.now_ms, 0, Watch(**chosen), ANA))  # type: ignore[arg-type] # of the struct's kinds


def low_for(scene: Scene, minutes: int) -> list[tuple[str, str, str]]:
    """Urgently low for so many minutes, with a reading every five; what the ladder did."""
    since_ms = scene.now_ms
    for _ in range(minutes // 5):
        scene.reading(50)
        scene.pass_minutes(5)
    return scene.climbed(since_ms)


def test_after_one_minute_whoever_is_on_duty_is_rung_by_the_apps_that_insist(scene: Scene) -> None:
    scene.reading(50)

    scene.pass_minutes(1)

    assert scene.climbed(START_MS) == [("1:00", "ben", "insist")]


def test_after_two_minutes_whoever_is_on_duty_is_called(scene: Scene) -> None:
    scene.reading(50)

    scene.pass_minutes(2)

    assert scene.climbed(START_MS)[1:] == [("2:00", "ben", "call")]


def test_after_four_minutes_without_an_answer_the_second_is_called(scene: Scene) -> None:
    scene.reading(50)

    scene.pass_minutes(4)

    assert scene.climbed(START_MS, CLEO) == [("4:00", "cleo", "call")]


def test_after_six_minutes_everybody_is_called_and_again_every_five_minutes_three_times(scene: Scene) -> None:
    climbed = low_for(scene, 30)

    assert climbed[3:] == [
        (time, name, "call") for time in ("6:00", "11:00", "16:00", "21:00") for name in ("ben", "cleo")
    ]


def test_when_nobody_answers_that_is_said_and_everybody_is_nudged_every_hour(scene: Scene) -> None:
    low_for(scene, 25)
    before = [entry.kind for entry in scene.entries]
    scene.forget()

    low_for(scene, 125)

    assert EntryKind.EXHAUSTED not in before
    hourly = [entry for entry in scene.entries if entry.reason == "ladder_over"]
    assert [entry.kind for entry in hourly].count(EntryKind.EXHAUSTED) == 1
    assert len([entry for entry in hourly if entry.kind is EntryKind.TOLD]) == 2 * len((26, 86, 146))
    (alarm,) = scene.fold.book.alarms.values()
    assert alarm.exhausted


def test_an_answer_stops_the_ladder_at_once(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(1.5)
    answer(scene, CLEO)
    scene.forget()

    assert low_for(scene, 10) == []
    assert scene.last.alarms == () or not scene.last.alarms[-1].climbs_ms


def test_when_an_answer_ends_and_the_glucose_is_still_wrong_the_ladder_begins_anew(scene: Scene) -> None:
    scene.reading(50)
    answer(scene)
    low_for(scene, 15)
    since_ms = scene.now_ms
    scene.forget()

    low_for(scene, 5)

    assert scene.climbed(since_ms)[:2] == [("1:00", "ben", "insist"), ("2:00", "ben", "call")]


def test_the_sharers_own_answer_delays_the_ladder_by_five_minutes_and_no_more(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(1)
    answer(scene, ANA)
    scene.forget()
    scene.pass_minutes(4)
    answer(scene, ANA)
    early = scene.climbed(START_MS)

    scene.pass_minutes(3)

    assert early == []
    assert scene.climbed(START_MS) == [("6:00", "ben", "call"), ("8:00", "cleo", "call")]


def test_an_answer_taken_back_leaves_the_ladder_as_it_was(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(1)
    answer(scene)
    scene.now_ms += 4_000
    scene.fact(AnswerUndone(scene.now_ms, the_alarm(scene), BEN))
    scene.now_ms = START_MS + MINUTE_MS

    scene.pass_minutes(3)

    assert scene.climbed(START_MS)[1:] == [("2:00", "ben", "call"), ("4:00", "cleo", "call")]


def test_whoever_says_call_the_next_one_has_the_next_one_called_at_once(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(2.5)
    scene.forget()

    scene.fact(PassedOn(scene.now_ms, the_alarm(scene), BEN))

    assert scene.climbed(START_MS) == [("2:30", "cleo", "call")]
    assert EntryKind.PASSED_ON in [entry.kind for entry in scene.entries]
    assert scene.fold.book.alarms[0, Condition.URGENT_LOW.family].state is AlarmState.RINGING


def test_whoever_is_on_duty_comes_first(scene: Scene) -> None:
    watch(scene, duty=CLEO_FOLLOWS)
    scene.reading(50)

    scene.pass_minutes(4)

    assert [name for _, name, _ in scene.climbed(START_MS)] == ["cleo", "cleo", "ben"]


def test_a_low_that_is_not_urgent_climbs_only_where_the_family_wants_it(scene: Scene) -> None:
    scene.reading(66)
    scene.pass_minutes(20)
    ordinary = scene.climbed(START_MS)
    watch(scene, ladder=Ladder(1 << Condition.LOW, DEFAULT.rungs, 300_000, 3, 3_600_000))
    scene.reading(90)
    scene.pass_minutes(5)
    scene.reading(90)
    scene.pass_minutes(15)
    scene.reading(66)
    since_ms = scene.now_ms

    scene.pass_minutes(20)

    assert ordinary == []
    assert [tier for _, _, tier in scene.climbed(since_ms)][:2] == ["insist", "call"]


def test_a_snooze_takes_nobody_off_the_ladder_of_an_urgent_low(scene: Scene) -> None:
    scene.fact(Snoozed(scene.now_ms, BEN_FOLLOWS, "low", scene.now_ms + 60 * MINUTE_MS, BEN))
    scene.reading(50)

    scene.pass_minutes(2)

    assert scene.climbed(START_MS, BEN) == [("1:00", "ben", "insist"), ("2:00", "ben", "call")]


def test_greater_urgency_begins_the_ladder_though_somebody_has_the_lesser(scene: Scene) -> None:
    scene.reading(66)
    scene.pass_minutes(10)
    answer(scene)
    scene.reading(50)
    since_ms = scene.now_ms

    scene.pass_minutes(1)

    assert scene.climbed(since_ms) == [("1:00", "ben", "insist")]


def test_the_end_of_an_older_answer_leaves_a_ladder_that_climbs_as_it_is(scene: Scene) -> None:
    scene.reading(66)
    scene.pass_minutes(10)
    answer(scene)
    scene.pass_minutes(10)
    scene.reading(50)
    since_ms = scene.now_ms

    scene.pass_minutes(6)

    assert [time for time, _, _ in scene.climbed(since_ms)] == ["1:00", "2:00", "4:00", "6:00", "6:00"]


def test_call_the_next_one_counts_though_somebody_had_the_lesser_alarm(scene: Scene) -> None:
    scene.reading(66)
    scene.pass_minutes(10)
    answer(scene)
    scene.reading(50)
    scene.pass_minutes(2.5)
    scene.forget()

    scene.fact(PassedOn(scene.now_ms, the_alarm(scene), BEN))

    assert [name for _, name, _ in scene.climbed(START_MS)] == ["cleo"]


def test_an_answer_to_the_lesser_is_none_to_what_rang_meanwhile(scene: Scene) -> None:
    scene.reading(50)
    told_of_low = urgency(Condition.LOW, unseen=False)

    scene.fact(Answered(scene.now_ms, the_alarm(scene), BEN, False, told_of_low))
    scene.pass_minutes(1)

    assert scene.climbed(START_MS) == [("1:00", "ben", "insist")]
    scene.fact(Answered(scene.now_ms, the_alarm(scene), BEN, False, urgency(3, unseen=False)))
    assert scene.fold.book.alarms[0, Condition.URGENT_LOW.family].state is AlarmState.ANSWERED


def test_a_ladder_that_cannot_be_climbed_counts_as_the_usual_one(scene: Scene) -> None:
    watch(scene, ladder=Ladder(0, (), 300_000, 3, 3_600_000))
    scene.reading(50)

    scene.pass_minutes(1)

    assert scene.climbed(START_MS) == [("1:00", "ben", "insist")]


def test_a_machine_that_slept_for_a_week_takes_one_step_at_once_and_the_next_in_its_time(
    scene: Scene,
) -> None:
    scene.reading(50)
    scene.pass_minutes(1)
    scene.now_ms += WEEK_MS
    woke_ms = scene.now_ms
    scene.forget()

    scene.take(tick=True)
    at_once = scene.climbed(woke_ms)
    scene.pass_minutes(2)

    assert at_once == [("0:00", "ben", "call")]
    assert scene.climbed(woke_ms)[1:] == [("2:00", "cleo", "call")]


def test_a_clock_that_is_set_back_an_hour_changes_nothing_of_the_ladder(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(1)
    scene.now_ms -= 60 * MINUTE_MS
    set_back_ms = scene.now_ms
    scene.take(tick=True)
    scene.forget()

    scene.pass_minutes(3)

    assert scene.climbed(set_back_ms) == [("1:00", "ben", "call"), ("3:00", "cleo", "call")]


def test_a_new_ladder_is_never_slower_for_an_alarm_that_climbs_already(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(0.5)
    slow = Ladder(0, (Rung(30 * MINUTE_MS, Whom.EVERYBODY, Tier.CALL),), 300_000, 1, 3_600_000)
    watch(scene, ladder=slow)

    scene.pass_minutes(0.5)

    assert [time for time, _, _ in scene.climbed(START_MS)] == ["1:00", "1:00"]


def test_a_restart_in_the_middle_changes_nothing(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(2.5)
    again = AlarmFold.load([bytes(part) for part in scene.fold.dump()])
    scene.fold = again
    scene.forget()

    scene.pass_minutes(2)

    assert scene.climbed(START_MS) == [("4:00", "cleo", "call")]


def test_one_follower_alone_is_called_in_place_of_the_second() -> None:
    scene = Scene()
    scene.follow(BEN_FOLLOWS, BEN)
    scene.reading(50)

    scene.pass_minutes(6)

    assert [time for time, _, _ in scene.climbed(START_MS)] == ["1:00", "2:00", "4:00", "6:00"]


class Ladders(RuleBasedStateMachine):
    """Whatever people, sensors and machines do: who was told and is not answered is told again some time."""

    @initialize()
    def begin(self) -> None:
        self.scene = Scene()
        self.scene.follow(BEN_FOLLOWS, BEN)
        self.scene.follow(CLEO_FOLLOWS, CLEO)

    @rule(level=st.sampled_from([45, 50, 54, 62, 66, 75, 100, 260]))
    def reading(self, level: int) -> None:
        self.scene.reading(level)

    @rule(minutes=st.sampled_from([0.5, 1, 2, 5, 16, 61]))
    def time(self, minutes: float) -> None:
        self.scene.pass_minutes(minutes, every_s=30)

    @rule(who=st.sampled_from([ANA, BEN, CLEO]))
    def answer(self, who: str) -> None:
        for alarm in self._rung():
            self.scene.fact(Answered(self.scene.now_ms, alarm, who, who == ANA))

    @rule(who=st.sampled_from([BEN, CLEO]))
    def undo(self, who: str) -> None:
        for alarm in self._rung():
            self.scene.fact(AnswerUndone(self.scene.now_ms, alarm, who))

    @rule(who=st.sampled_from([BEN, CLEO]))
    def pass_on(self, who: str) -> None:
        for alarm in self._rung():
            self.scene.fact(PassedOn(self.scene.now_ms, alarm, who))

    @rule(minutes=st.integers(0, 40), follow=st.sampled_from([BEN_FOLLOWS, CLEO_FOLLOWS]))
    def snooze(self, minutes: int, follow: int) -> None:
        until_ms = self.scene.now_ms + minutes * MINUTE_MS
        self.scene.fact(Snoozed(self.scene.now_ms, follow, "low", until_ms, BEN))

    @rule(duty=st.integers(-1, 2), climbs=st.integers(0, 2**9 - 1), after=st.sampled_from([30_000, 300_000]))
    def change(self, duty: int, climbs: int, after: int) -> None:
        rungs = (Rung(after, Whom.DUTY, Tier.CALL), Rung(2 * after, Whom.EVERYBODY, Tier.CALL))
        ladder = Ladder(climbs, rungs, 300_000, 2, 3_600_000)
        self.scene.fact(WatchSet(self.scene.now_ms, 0, Watch((), duty, ladder), ANA))

    @rule(hours=st.sampled_from([-1, 1, 170]))
    def clock_jumps(self, hours: int) -> None:
        self.scene.now_ms += hours * 60 * MINUTE_MS
        self.scene.take(tick=True)

    @rule()
    def crash(self) -> None:
        self.scene.fold = AlarmFold.load([bytes(part) for part in self.scene.fold.dump()])

    @invariant()
    def an_urgent_low_that_nobody_has_comes_again(self) -> None:
        for alarm in self._open():
            urgent = any(Condition.URGENT_LOW in part.held for part in alarm.parts.values())
            if urgent and alarm.raised_ms and not alarm.answered_by:
                assert alarm.climb is not None
                assert alarm.climb.due_ms < NEVER_MS

    @invariant()
    def an_answer_ends_some_time(self) -> None:
        for alarm in self._open():
            assert not alarm.answered_by or 0 < alarm.answered_until_ms < NEVER_MS

    @invariant()
    def nothing_failed_inside(self) -> None:
        assert self.scene.fold.faults == 0, self.scene.fold.last_fault

    def _open(self) -> Iterator:  # type: ignore[type-arg] # of alarms
        return iter(self.scene.fold.book.alarms.values())

    def _rung(self) -> list[str]:
        return [alarm.id for alarm in self._open() if alarm.raised_ms]


TestLadders = Ladders.TestCase
TestLadders.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
