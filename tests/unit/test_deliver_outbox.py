"""The rules of the outbox, and of what waits for the ledger."""

import pytest

from nightbell.alarm.effects import AlarmState, NotificationKind
from nightbell.deliver.board import Board
from nightbell.deliver.intake import Intake
from nightbell.deliver.outbox import (
    NEWS_STALE_MS,
    RING_STALE_MS,
    Standing,
    deliveries_of,
    reason_sentence,
    why_not,
)
from nightbell.deliver.ports import Contact, ContactWay
from nightbell.deliver.record import APP, EMAIL, WEBHOOK, Batch, Delivery, DeliveryState
from nightbell.tell.channel import Checklist, Proof
from nightbell.words.catalogue import catalogue
from tests.simulators.cast import NOW_MS, alarm_view, effects, entry, ring

OPEN = Standing(alarm_view(), 0)
OVER = Standing(alarm_view(state=AlarmState.RESOLVED), 0)
UNKNOWN = Standing(None, 0)


@pytest.mark.parametrize(
    ("standing", "step", "age_ms", "reason"),
    [
        (OPEN, 0, 0, ""),
        (OPEN, 0, RING_STALE_MS, ""),
        (OPEN, 0, 10 * RING_STALE_MS, ""),
        (Standing(alarm_view(), 1), 0, RING_STALE_MS, ""),
        (Standing(alarm_view(), 1), 0, RING_STALE_MS + 1, "stale"),
        (OVER, 0, 0, "over"),
        (UNKNOWN, 0, RING_STALE_MS, ""),
        (UNKNOWN, 0, RING_STALE_MS + 1, "stale"),
    ],
)
def test_a_ring_goes_out_unless_it_is_over_or_too_old_to_sound_like_now(
    standing: Standing, step: int, age_ms: int, reason: str
) -> None:
    assert why_not(ring(step), standing, may_be_told=True, now_ms=NOW_MS + age_ms) == reason


QUIET = Checklist(Proof.NOTHING, False, False, 0, "deliver.promise_email")


def test_news_that_it_is_over_is_worth_an_hour() -> None:
    news = ring(kind=NotificationKind.RECOVERED, urgent=False)

    assert why_not(news, OVER, may_be_told=True, now_ms=NOW_MS + NEWS_STALE_MS) == ""
    assert why_not(news, OVER, may_be_told=True, now_ms=NOW_MS + NEWS_STALE_MS + 1) == "stale"


def test_who_may_not_be_told_is_not_told() -> None:
    assert why_not(ring(), OPEN, may_be_told=False, now_ms=NOW_MS) == "follow_ended"


def test_open_screens_always_other_ways_only_where_there_is_an_address_and_a_channel() -> None:
    both = Contact(
        "ben",
        "Ben",
        (ContactWay(EMAIL, 1, "ben@example.test"), ContactWay(WEBHOOK, 1, "https://example.test/hook")),
    )
    ways = [
        {delivery.channel for delivery in deliveries_of(ring(), contact, channels=channels, now_ms=NOW_MS)}
        for contact, channels in (
            (both, {EMAIL: QUIET, WEBHOOK: QUIET}),
            (both, {EMAIL: QUIET}),
            (Contact("ben", "Ben"), {EMAIL: QUIET}),
        )
    ]

    assert ways == [{APP, EMAIL, WEBHOOK}, {APP, EMAIL}, {APP}]
    assert {d.channel for d in deliveries_of(ring(), None, channels={EMAIL: QUIET}, now_ms=NOW_MS)} == {APP}


def test_every_reason_has_its_sentence() -> None:
    reasons = ["no_screen", "newer", "stale", "over", "follow_ended", "no_address", "no_person", "refused",
               "given_up"]  # fmt: skip

    assert all(reason_sentence(reason, catalogue()) for reason in reasons)
    assert reason_sentence("", catalogue()) == ""


def test_a_full_intake_gives_up_lines_but_no_alarm_and_no_notification_and_moves_no_mark() -> None:
    intake = Intake(rows_max=10)
    for n in range(20):
        intake.add(
            Batch(
                upto_seq=n,
                alarms=(alarm_view(id=f"{n:032x}"),),
                entries=(entry(n),),
                notifications=(ring(n),),
            )
        )

    batch = intake.take()

    assert len(batch.alarms) == len(batch.notifications) == 20
    assert batch.entries == ()
    assert batch.upto_seq == -1
    assert intake.left_out == 20


def test_what_comes_twice_waits_once_and_the_newer_stays() -> None:
    intake = Intake()
    sent = Delivery(ring().id, EMAIL, DeliveryState.SENT, 1, NOW_MS)
    waiting = Delivery(ring().id, EMAIL, DeliveryState.WAITING, 0, NOW_MS)
    intake.add_effects(effects(ring(), upto_seq=3))
    intake.add_effects(effects(ring(), alarms=(alarm_view(version=2),), upto_seq=4))
    intake.add(Batch(alarms=(alarm_view(version=1),)))
    intake.add(Batch(deliveries=(waiting,)))
    intake.add(Batch(deliveries=(sent,)))

    batch = intake.take()

    assert (len(batch.notifications), len(batch.entries), batch.upto_seq) == (1, 1, 4)
    assert [alarm.version for alarm in batch.alarms] == [2]
    assert batch.deliveries == (sent,)
    assert intake.size == 0


def test_what_goes_back_does_not_overwrite_what_came_since() -> None:
    intake = Intake()
    intake.add(Batch(alarms=(alarm_view(version=1),), upto_seq=1))
    failed = intake.take()
    intake.add(Batch(alarms=(alarm_view(version=2),), upto_seq=2))

    intake.put_back([failed])

    batch = intake.take()
    assert [alarm.version for alarm in batch.alarms] == [2]
    assert batch.upto_seq == 2


def test_the_board_drops_old_versions_and_forgets_what_is_over() -> None:
    board = Board()
    first = board.take([alarm_view(version=2)], [ring(1), ring(0)])
    replay = board.take([alarm_view(version=1), alarm_view(version=2)], [])
    newest = board.newest_told(alarm_view().id, "ben")
    board.take([alarm_view(version=3, state=AlarmState.RESOLVED)], [])

    assert [change.before for change in first] == [None]
    assert replay == []
    assert newest == ring(1)
    assert board.open_alarms(0) == []
    assert board.size == 0
    assert board.standing(ring()).alarm == alarm_view(version=3, state=AlarmState.RESOLVED)
