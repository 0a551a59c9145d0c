"""Goal: every promise about who is told, and when. Method: scenes in virtual time through the real fold."""

import msgspec
import numpy as np
import pytest

from nightbell.alarm.effects import AlarmState, EntryKind
from nightbell.follow.bounds import bounds, telling
from nightbell.follow.defaults import default_limits
from nightbell.follow.limits import Hours, Limits, Typed
from nightbell.journal.facts import (
    Answered,
    AnswerUndone,
    ClockLearned,
    FollowEnded,
    FollowSet,
    SensorStarted,
    SharerAdded,
    Snoozed,
)
from nightbell.journal.group import Group
from nightbell.publish.reading import READING_DTYPE
from nightbell.words.glucose import Unit
from tests.sim.scene import ANA, BEN, BEN_FOLLOWS, CLEO, CLEO_FOLLOWS, MINUTE_MS, Scene


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.follow()
    return scene


def changed(condition: str, **change: object) -> Limits:
    limits = default_limits(Unit.MGDL)
    return msgspec.structs.replace(
        limits, **{condition: msgspec.structs.replace(getattr(limits, condition), **change)}
    )


def the_alarm(scene: Scene) -> str:
    (alarm,) = scene.fold.book.alarms.values()
    return alarm.id


def answer(scene: Scene, who: str = BEN) -> None:
    scene.fact(Answered(scene.now_ms, the_alarm(scene), who, who == ANA))


def test_an_urgent_low_rings_at_once(scene: Scene) -> None:
    scene.reading(50)

    assert scene.told() == [("ring", "urgent_low")]


def test_one_reading_low_and_urgent_low_is_one_alarm_with_one_ring(scene: Scene) -> None:
    scene.reading(50)

    assert len(scene.last.alarms) == 1
    assert len(scene.notifications) == 1


def test_an_urgent_low_rings_again_every_five_minutes_until_answered(scene: Scene) -> None:
    scene.readings(50, 50, 50)

    assert scene.told() == [("ring", "urgent_low"), ("repeat", "urgent_low"), ("repeat", "urgent_low")]


def test_an_answer_stops_it_for_everybody(scene: Scene) -> None:
    scene.follow(CLEO_FOLLOWS, CLEO)
    scene.reading(50)
    answer(scene)
    scene.forget()

    scene.readings(50, 50)

    assert scene.notifications == []


def test_an_answer_ends_after_15_minutes_back_into_ringing(scene: Scene) -> None:
    scene.reading(50)
    answer(scene)
    scene.forget()

    scene.readings(50, 50, 50)
    before = scene.told()
    scene.pass_minutes(5)

    assert before == []
    assert scene.told() == [("ring", "urgent_low")]
    assert EntryKind.ANSWER_ENDED in [entry.kind for entry in scene.entries]


def test_an_answer_covers_only_the_urgency_that_rang(scene: Scene) -> None:
    scene.reading(66)
    answer(scene)
    scene.forget()
    scene.pass_minutes(5)

    scene.reading(54)

    assert scene.told() == [("ring", "urgent_low")]
    assert scene.notifications[0].answered_by == BEN


def test_an_answer_can_be_taken_back_within_five_seconds(scene: Scene) -> None:
    scene.reading(50)
    answer(scene)
    scene.forget()

    scene.now_ms += 5_000
    scene.fact(AnswerUndone(scene.now_ms, the_alarm(scene), BEN))

    assert scene.told() == [("ring", "urgent_low")]


def test_an_answer_cannot_be_taken_back_later(scene: Scene) -> None:
    scene.reading(50)
    answer(scene)

    scene.now_ms += 5_001
    scene.fact(AnswerUndone(scene.now_ms, the_alarm(scene), BEN))

    assert scene.fold.book.open_alarms(0)[0].state is AlarmState.ANSWERED


def test_the_sharers_own_answer_delays_five_minutes_at_most(scene: Scene) -> None:
    scene.reading(50)
    answer(scene, ANA)
    scene.forget()
    scene.pass_minutes(4)
    answer(scene, ANA)
    early = scene.told()

    scene.pass_minutes(1)

    assert early == []
    assert scene.told() == [("ring", "urgent_low")]


def test_a_snooze_hides_a_low_but_never_an_urgent_low(scene: Scene) -> None:
    scene.fact(Snoozed(scene.now_ms, BEN_FOLLOWS, "low", scene.now_ms + 30 * MINUTE_MS, BEN))
    scene.reading(66)
    hidden = scene.told()
    scene.pass_minutes(5)

    scene.reading(52)

    assert hidden == []
    assert scene.told() == [("ring", "urgent_low")]


def test_a_snooze_ends_by_itself(scene: Scene) -> None:
    scene.fact(Snoozed(scene.now_ms, BEN_FOLLOWS, "low", scene.now_ms + 12 * MINUTE_MS, BEN))
    scene.readings(66, 65, 65)
    before = scene.told()

    scene.pass_minutes(2)

    assert before == []
    assert scene.told() == [("ring", "low")]


def test_a_high_waits_for_its_delay(scene: Scene) -> None:
    scene.follow(limits=changed("high", delay_minutes=30))
    scene.readings(260, 262, 262, 262, 262, 262)
    before = scene.told()
    scene.pass_minutes(5)

    assert before == []
    assert scene.told() == [("ring", "high")]


def test_a_high_that_passes_within_its_delay_tells_nobody(scene: Scene) -> None:
    scene.readings(260, 240, 230, 225)
    scene.pass_minutes(12)

    assert scene.told() == []
    assert scene.fold.book.open_alarms(0) == []


def test_outside_its_hours_a_low_is_withheld_and_the_reason_kept(scene: Scene) -> None:
    scene.follow(limits=changed("low", hours=Hours(7 * 60, 22 * 60)))

    scene.reading(66)

    assert scene.told() == []
    withheld = [entry for entry in scene.entries if entry.kind is EntryKind.WITHHELD]
    assert [entry.reason for entry in withheld] == ["hours"]


def test_a_low_outside_its_hours_rings_when_the_hours_begin(scene: Scene) -> None:
    scene.follow(limits=changed("low", hours=Hours(17, 22 * 60)))
    scene.readings(66, 66, 66, 66)

    scene.pass_minutes(3)

    assert scene.told() == [("ring", "low")]


def test_a_low_that_goes_silent_keeps_ringing(scene: Scene) -> None:
    scene.reading(66)
    scene.forget()

    scene.pass_minutes(41)

    assert ("ring", "low unseen") in scene.told()
    assert scene.told()[-1] == ("repeat", "low unseen")
    assert ("ring", "no_readings") not in scene.told()


def test_an_answered_low_that_goes_silent_rings_again_at_once(scene: Scene) -> None:
    scene.readings(66, 66, 66)
    answer(scene)
    scene.forget()
    scene.pass_minutes(14)
    answer(scene)

    scene.pass_minutes(7)

    assert ("ring", "low unseen") in scene.told()


def test_silence_is_told_by_itself_when_the_low_is_snoozed(scene: Scene) -> None:
    scene.reading(66)
    scene.forget()
    scene.fact(Snoozed(scene.now_ms, BEN_FOLLOWS, "low", scene.now_ms + 30 * MINUTE_MS, BEN))

    scene.pass_minutes(21)

    assert scene.told() == [("ring", "no_readings")]


def test_silence_counts_for_someone_never_seen(scene: Scene) -> None:
    scene.pass_minutes(19)
    before = scene.told()
    scene.pass_minutes(2)

    assert before == []
    assert scene.told() == [("ring", "no_readings")]
    assert scene.notifications[0].level == -1


def test_recovery_says_so(scene: Scene) -> None:
    scene.readings(66, 80, 85)

    assert scene.told() == [("ring", "low"), ("recovered", "low")]


def test_a_soon_that_comes_true_is_the_same_alarm(scene: Scene) -> None:
    scene.readings(110, 102, 93, 82, 70)
    first = {alarm.id for alarm in scene.fold.book.by_id.values()}

    scene.pass_minutes(5)
    scene.reading(54)

    assert ("ring", "urgent_low_soon") in scene.told()
    assert scene.told()[-1] == ("ring", "urgent_low")
    assert {alarm.id for alarm in scene.fold.book.by_id.values()} == first


def test_a_follow_that_may_not_be_told_counts_as_nobody(scene: Scene) -> None:
    scene.follow(told=False)

    scene.reading(40)

    assert scene.notifications == []
    assert scene.fold.book.open_alarms(0) == []


def test_closing_an_alarm_by_changing_a_limit_tells_the_others(scene: Scene) -> None:
    scene.follow(CLEO_FOLLOWS, CLEO, changed("low", on=False))
    scene.reading(66)
    scene.forget()

    scene.follow(limits=changed("low", limit=Typed("60", Unit.MGDL)), by=BEN)

    assert scene.told(BEN) == []
    assert scene.told(CLEO) == [("closed", "low")]
    assert scene.notifications[0].by == BEN


def test_a_raised_limit_rings_at_once(scene: Scene) -> None:
    scene.reading(75)

    scene.follow(limits=changed("low", limit=Typed("80", Unit.MGDL)), by=BEN)

    assert scene.told() == [("ring", "low")]


def test_who_loses_a_follow_while_it_rings_hears_that_and_no_number(scene: Scene) -> None:
    scene.reading(50)
    scene.forget()

    scene.fact(FollowEnded(scene.now_ms, BEN_FOLLOWS, ANA))

    assert scene.told() == [("closed", "urgent_low")]
    assert scene.notifications[0].level == -1
    assert scene.fold.book.open_alarms(0) == []


def test_who_ends_their_own_follow_hears_nothing_of_it(scene: Scene) -> None:
    scene.reading(50)
    scene.forget()

    scene.fact(FollowEnded(scene.now_ms, BEN_FOLLOWS, BEN))

    assert scene.notifications == []
    assert scene.fold.book.open_alarms(0) == []


def test_an_answer_leaves_with_whoever_gave_it(scene: Scene) -> None:
    scene.follow(CLEO_FOLLOWS, CLEO)
    scene.reading(50)
    answer(scene, BEN)
    scene.forget()

    scene.fact(FollowEnded(scene.now_ms, BEN_FOLLOWS, BEN))

    assert scene.told(CLEO) == [("ring", "urgent_low")]


def test_a_new_sensor_does_not_make_an_unseen_low_seen(scene: Scene) -> None:
    scene.reading(50)
    scene.pass_minutes(21)

    scene.fact(SensorStarted(scene.now_ms, 0, scene.now_ms + 60 * MINUTE_MS, ANA))

    assert scene.fold.book.open_alarms(0)[0].unseen
    assert EntryKind.SEEN_AGAIN not in [entry.kind for entry in scene.entries]


def test_pressing_new_sensor_again_and_again_does_not_keep_silence_away(scene: Scene) -> None:
    for _ in range(20):
        scene.fact(SensorStarted(scene.now_ms, 0, scene.now_ms + 180 * MINUTE_MS, ANA))
        scene.pass_minutes(20, every_s=60)

    assert ("ring", "no_readings") in scene.told()


def test_a_clock_that_is_set_back_an_hour_keeps_nobody_quiet(scene: Scene) -> None:
    scene.readings(100, 98)
    scene.now_ms -= 60 * MINUTE_MS
    scene.take(tick=True)

    scene.pass_minutes(5)
    scene.reading(52)
    scene.pass_minutes(6)

    assert scene.told() == [("ring", "urgent_low"), ("repeat", "urgent_low")]


def test_a_clock_that_is_set_back_does_not_postpone_silence(scene: Scene) -> None:
    scene.reading(100)
    scene.pass_minutes(1)
    scene.now_ms -= 60 * MINUTE_MS

    scene.pass_minutes(21)

    assert scene.told() == [("ring", "no_readings")]


def test_a_fault_about_one_sharer_silences_nobody_else(scene: Scene) -> None:
    scene.fold.book.tellings._table["telling"][BEN_FOLLOWS] = 99
    scene.fact(SharerAdded(scene.now_ms, 1))
    chosen = default_limits(Unit.MGDL)
    scene.fact(FollowSet(scene.now_ms, 7, 1, CLEO, True, bounds(chosen), telling(chosen), "UTC", ""))

    both = [(sharer, scene.now_ms, scene.now_ms, 50, 0, 1) for sharer in (0, 1)]
    group = Group(len(scene.groups) + 1, scene.now_ms, (), np.array(both, READING_DTYPE), 0)

    effects = scene.fold.fold([group])

    assert [note.follower for note in effects.notifications] == [CLEO]
    assert scene.fold.faults == 1


def test_a_new_sensor_holds_no_readings_and_says_who_said_so(scene: Scene) -> None:
    scene.reading(120)
    scene.pass_minutes(21)
    scene.forget()

    scene.fact(SensorStarted(scene.now_ms, 0, scene.now_ms + 120 * MINUTE_MS, ANA))
    scene.pass_minutes(100)

    assert scene.told() == [("closed", "no_readings")]


def test_who_answers_when_nothing_rings_changes_nothing(scene: Scene) -> None:
    scene.reading(260)

    answer(scene)

    assert scene.fold.book.open_alarms(0)[0].state is AlarmState.PENDING


def test_an_urgent_low_has_no_hours_and_no_delay_whatever_is_stored(scene: Scene) -> None:
    scene.follow(limits=changed("urgent_low", hours=Hours(7 * 60, 8 * 60), delay_minutes=60))

    scene.reading(50)

    assert scene.told() == [("ring", "urgent_low")]


def test_followers_are_told_once_that_a_phone_clock_is_wrong(scene: Scene) -> None:
    scene.fact(ClockLearned(scene.now_ms, 0, 1, 11 * MINUTE_MS))
    scene.fact(ClockLearned(scene.now_ms, 0, 1, 12 * MINUTE_MS))

    assert [(note.kind.value, note.urgent) for note in scene.notifications] == [("clock", False)]


def test_a_phone_clock_that_is_right_again_is_no_news(scene: Scene) -> None:
    scene.fact(ClockLearned(scene.now_ms, 0, 1, 0))

    assert scene.notifications == []
