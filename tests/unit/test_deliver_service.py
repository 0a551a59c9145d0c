"""Telling people: written, performed, tried again, never told as if it were now, and never silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

from nightbell.adapters.stores.memory.ledger import MemoryLedger
from nightbell.alarm.effects import AlarmState, NotificationKind
from nightbell.deliver.hub import Hub
from nightbell.deliver.outbox import RING_STALE_MS
from nightbell.deliver.record import (
    APP,
    EMAIL,
    Batch,
    Delivery,
    DeliveryState,
    LedgerFault,
    Opened,
    Told,
    Waiting,
)
from nightbell.deliver.service import Deliver
from nightbell.deliver.settings import DeliverSettings
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.tell.retry import RetryRule
from nightbell.words.clock import ManualClock
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from tests.simulators.cast import ALARM, BEN_FOLLOW, NOW_MS, Family, alarm_view, effects, identity, ring

RULE: Final = RetryRule(first_ms=1_000, longest_ms=4_000, tries_max=3, give_up_after_ms=600_000)
MINUTE_MS: Final = 60_000


class Postbox:
    """A channel that behaves: it takes, refuses or is away as it is told, and keeps what it took."""

    def __init__(self, name: str = EMAIL) -> None:
        self.name = name
        self.checklist = Checklist(Proof.NOTHING, True, False, 0, "deliver.promise_email")
        self.outcome: Outcome = Sent("p-1")
        self.taken: list[tuple[Message, str, str]] = []
        self.hold: asyncio.Event | None = None
        self.broken = False

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        self.taken.append((message, address, idempotency_key))
        if self.broken:
            raise ValueError("a mistake of the channel")
        if self.hold is not None:
            await self.hold.wait()
        return self.outcome


class FaultyLedger(MemoryLedger):
    """A ledger whose disk can be full or stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.fault = ""
        self.stuck: asyncio.Event | None = None
        self.written: list[int] = []

    async def open(self, now_ms: int) -> Opened:
        self._check()
        return await super().open(now_ms)

    async def write(self, batch: Batch) -> frozenset[str]:
        if self.stuck is not None:
            await self.stuck.wait()
        self._check()
        self.written.append(len(batch.notifications))
        return await super().write(batch)

    def _check(self) -> None:
        if self.fault:
            raise PlatformError(ErrorCode.NOT_DURABLE, f"The ledger: {self.fault}.", fault=self.fault)


class Stage:
    """Deliver with its surroundings, under a clock moved by hand."""

    def __init__(self) -> None:
        self.family = Family()
        self.clock = ManualClock(NOW_MS)
        self.ledger = FaultyLedger()
        self.postbox = Postbox()
        self.settings = DeliverSettings(
            rule=RULE, look_ms=5, write_again_ms=5, write_ms_max=30, close_ms_max=20
        )
        self.hub = self._hub()
        self.deliver = self._deliver()

    def _hub(self) -> Hub:
        return Hub(
            access=self.family, watched=self.family, contacts=self.family, build="test", boot_ms=NOW_MS
        )

    def _deliver(self) -> Deliver:
        return Deliver(
            ledger=self.ledger,
            hub=self.hub,
            contacts=self.family,
            channels=[self.postbox],
            clock=self.clock,
            settings=self.settings,
        )

    async def restart(self) -> Opened:
        """As after a crash: only the ledger is left."""
        await self.deliver.close()
        self.hub, self.deliver = self._hub(), None  # type: ignore[assignment]
        self.deliver = self._deliver()
        return await self.deliver.start()

    def advance(self, by_ms: int) -> None:
        self.clock.advance_ms(by_ms)
        self.deliver.wake()

    async def told(self, step: int = 0) -> Told | None:
        timeline = await self.ledger.timeline(ALARM, limit=100)
        found = [] if timeline is None else [t for t in timeline.told if t.notification.step == step]
        return found[0] if found else None

    async def delivery(self, channel: str, step: int = 0) -> Delivery | None:
        told = await self.told(step)
        found = [] if told is None else [d for d in told.deliveries if d.channel == channel]
        return found[0] if found else None

    async def state(self, channel: str, step: int = 0) -> str:
        delivery = await self.delivery(channel, step)
        return "" if delivery is None else str(delivery.state)


async def until(holds: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Give way to others until it holds; the test's own time limit ends it."""
    async with asyncio.timeout(10):
        while True:
            now = holds()
            if now if isinstance(now, bool) else await now:
                return
            await asyncio.sleep(0.001)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.deliver.start()
    yield stage
    stage.ledger.fault = ""
    if stage.ledger.stuck is not None:
        stage.ledger.stuck.set()
    await stage.deliver.close()


async def settled(stage: Stage, channel: str, state: DeliveryState, step: int = 0) -> None:
    async def it_is() -> bool:
        return await stage.state(channel, step) == state

    await until(it_is)


async def test_a_ring_is_written_then_sent_with_its_own_key(stage: Stage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)

    ((message, address, key),) = stage.postbox.taken
    told = await stage.told()
    assert told is not None
    assert message.subject == "Ana is VERY LOW: 52"
    assert message.urgent
    assert address == "ben@example.test"
    assert key == f"{ring().id}.email"
    assert [(a.channel, a.number, a.provider_id) for a in told.attempts] == [
        ("app", 1, ""),
        ("email", 1, "p-1"),
    ]


async def test_the_same_effects_again_tell_nobody_twice(stage: Stage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)
    await stage.restart()

    before = len(stage.ledger.written)
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.ledger.written) > before)
    stage.deliver.tell(effects(ring(1), upto_seq=2))
    await settled(stage, EMAIL, DeliveryState.SENT, step=1)

    assert [key for _, _, key in stage.postbox.taken] == [f"{ring().id}.email", f"{ring(1).id}.email"]


async def test_without_an_open_screen_the_stream_says_so_and_mail_goes_all_the_same(stage: Stage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)

    app = await stage.delivery(APP)
    assert app is not None
    assert (app.state, app.reason) == (DeliveryState.UNREACHED, "no_screen")


async def test_an_open_screen_is_told_and_that_is_sent_not_delivered(stage: Stage) -> None:
    screen = stage.hub.open(identity("ben"), still=lambda _: True, last_event_id="")
    stage.hub.next_piece(screen, NOW_MS)

    stage.deliver.tell(effects(ring()))
    await settled(stage, APP, DeliveryState.SENT)

    told = await stage.told()
    assert told is not None
    assert told.receipts == ()
    assert b"event: notification" in stage.hub.next_piece(screen, NOW_MS)


async def test_what_is_away_is_tried_again_later_and_each_try_is_kept(stage: Stage) -> None:
    stage.postbox.outcome = Unavailable("The server is busy.")
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)

    stage.postbox.outcome = Sent("p-2")
    stage.advance(999)
    stage.advance(1)
    await settled(stage, EMAIL, DeliveryState.SENT)

    told = await stage.told()
    assert told is not None
    mails = [attempt for attempt in told.attempts if attempt.channel == EMAIL]
    assert [(a.number, a.result, a.reason) for a in mails] == [
        (1, "unavailable", "The server is busy."),
        (2, "sent", ""),
    ]
    assert {key for _, _, key in stage.postbox.taken} == {f"{ring().id}.email"}


async def test_a_refusal_is_final_and_keeps_its_reason(stage: Stage) -> None:
    stage.postbox.outcome = Refused("No such address.")

    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.REFUSED)

    told = await stage.told()
    assert told is not None
    assert told.attempts[-1].reason == "No such address."


async def test_giving_up_comes_after_the_budget_once_the_ring_is_not_the_newest_word(stage: Stage) -> None:
    stage.postbox.outcome = Unavailable("Away.")
    over = ring(0, kind=NotificationKind.RECOVERED, urgent=False)
    stage.deliver.tell(effects(over, alarms=(alarm_view(state=AlarmState.RESOLVED, version=2),)))

    for tries in (1, 2, 3):
        await until(lambda wanted=tries: len(stage.postbox.taken) == wanted)
        stage.advance(5_000)
    await settled(stage, EMAIL, DeliveryState.GIVEN_UP)

    assert len(stage.postbox.taken) == 3


async def test_the_newest_ring_of_an_open_alarm_is_never_given_up(stage: Stage) -> None:
    stage.postbox.outcome = Unavailable("Away.")
    stage.deliver.tell(effects(ring()))

    for tries in range(1, 12):
        await until(lambda wanted=tries: len(stage.postbox.taken) >= wanted)
        stage.advance(5 * MINUTE_MS)
    stage.postbox.outcome = Sent()
    await settled(stage, EMAIL, DeliveryState.SENT)

    message = stage.postbox.taken[-1][0]
    assert "We told you late." in message.text


async def test_after_a_crash_what_waited_is_sent_under_the_same_key(stage: Stage) -> None:
    stage.postbox.hold = asyncio.Event()
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)
    stage.postbox.hold = None

    await stage.restart()
    await settled(stage, EMAIL, DeliveryState.SENT)

    assert [key for _, _, key in stage.postbox.taken] == [f"{ring().id}.email"] * 2


async def test_an_old_ring_is_not_told_as_if_it_were_now_but_the_newest_of_an_open_alarm_is(
    stage: Stage,
) -> None:
    stage.clock.advance_ms(RING_STALE_MS + 1)
    other = "c" * 32
    gone = ring(0, id="e" * 32, alarm=other)
    stage.deliver.tell(
        effects(
            ring(0), ring(1), gone, alarms=(alarm_view(), alarm_view(id=other, state=AlarmState.RESOLVED))
        )
    )
    await settled(stage, EMAIL, DeliveryState.SENT, step=1)
    await settled(stage, EMAIL, DeliveryState.EXPIRED, step=0)

    first = await stage.delivery(EMAIL, 0)
    timeline = await stage.deliver.timeline(other)
    assert first is not None
    assert first.reason == "newer"
    assert timeline is not None
    assert {(d.channel, d.reason) for d in timeline.told[0].deliveries} == {
        ("app", "over"),
        ("email", "over"),
    }
    (taken,) = stage.postbox.taken
    assert taken[0].id == ring(1).id


async def test_a_follow_that_ended_meanwhile_is_not_told(stage: Stage) -> None:
    stage.family.told_follows.discard(BEN_FOLLOW)

    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.EXPIRED)

    app, mail = await stage.delivery(APP), await stage.delivery(EMAIL)
    assert app is not None
    assert mail is not None
    assert (app.reason, mail.reason) == ("follow_ended", "follow_ended")
    assert stage.postbox.taken == []


async def test_the_bell_rings_while_the_disk_is_full_and_the_ledger_catches_up(stage: Stage) -> None:
    screen = stage.hub.open(identity("ben"), still=lambda _: True, last_event_id="")
    stage.hub.next_piece(screen, NOW_MS)
    stage.ledger.fault = LedgerFault.DISK_FULL

    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)
    rang = stage.hub.next_piece(screen, NOW_MS)
    failing = stage.deliver.health()
    stage.ledger.fault = ""
    stage.advance(10)
    await settled(stage, EMAIL, DeliveryState.SENT)

    assert b"event: notification" in rang
    assert "disk_full" in failing.failing
    assert failing.unwritten > 0
    assert stage.deliver.health().failing == ""
    assert len(stage.postbox.taken) == 1


async def test_the_same_effects_again_tell_nobody_twice_while_the_ledger_can_not_tell(stage: Stage) -> None:
    stage.ledger.fault = LedgerFault.DISK_FULL
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)

    stage.deliver.tell(effects(ring()))
    stage.deliver.tell(effects(ring(0, id="9" * 32, follow=11, follower="ana")))
    stage.family.told_follows.add(11)
    await until(lambda: any(address == "ana@example.test" for _, address, _ in stage.postbox.taken))

    assert [address for _, address, _ in stage.postbox.taken] == ["ben@example.test", "ana@example.test"]


async def test_the_bell_does_not_wait_for_a_ledger_that_hangs(stage: Stage) -> None:
    stage.ledger.stuck = asyncio.Event()

    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)
    slow = stage.deliver.health().failing
    stage.ledger.stuck.set()
    await settled(stage, EMAIL, DeliveryState.SENT)

    assert "slow" in slow
    assert len(stage.postbox.taken) == 1


async def test_a_ledger_that_can_not_be_opened_stops_nothing(stage: Stage) -> None:
    stage.ledger.fault = LedgerFault.READ_ONLY
    opened = await stage.restart()

    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)
    stage.ledger.fault = ""
    stage.advance(10)
    await until(lambda: not stage.deliver.health().failing)
    await settled(stage, EMAIL, DeliveryState.SENT)

    assert opened.upto_seq == 0


async def test_a_channel_that_breaks_is_a_failed_try_not_the_end_of_telling(stage: Stage) -> None:
    stage.postbox.broken = True
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)

    stage.postbox.broken = False
    stage.advance(1_000)
    await settled(stage, EMAIL, DeliveryState.SENT)


async def test_a_channel_that_hangs_is_broken_off(stage: Stage) -> None:
    stage.settings = DeliverSettings(rule=RULE, look_ms=5, send_ms_max=10, close_ms_max=20)
    await stage.restart()
    stage.postbox.hold = asyncio.Event()

    stage.deliver.tell(effects(ring()))
    await until(lambda: stage.deliver.health().lanes[0].failures_in_a_row == 1)

    assert stage.deliver.health().lanes[0].last_reason == "It took too long."


async def test_a_receipt_is_kept_once_and_only_from_the_one_who_was_told(stage: Stage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)

    for person in ("dan", "cleo"):
        with pytest.raises(CallerError) as caught:
            await stage.deliver.receipt(notification=ring().id, person=person, state="seen", now_ms=NOW_MS)
        assert caught.value.code is ErrorCode.NOT_FOUND
    await stage.deliver.receipt(notification=ring().id, person="ben", state="seen", now_ms=NOW_MS + 1)
    await stage.deliver.receipt(notification=ring().id, person="ben", state="seen", now_ms=NOW_MS + 2)

    async def kept() -> bool:
        told = await stage.told()
        return told is not None and len(told.receipts) > 0

    await until(kept)
    told = await stage.told()
    assert told is not None
    assert [(r.state, r.at_ms - NOW_MS) for r in told.receipts] == [("seen", 1)]


async def test_a_receipt_through_a_channel_we_do_not_have_is_refused(stage: Stage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)

    with pytest.raises(CallerError):
        await stage.deliver.receipt(
            notification=ring().id, person="ben", state="seen", now_ms=NOW_MS, channel="pigeon"
        )


async def test_all_that_is_queued_is_written_in_one_transaction(stage: Stage) -> None:
    for step in range(50):
        stage.deliver.tell(effects(ring(step, follow=step, id=f"{step + 1:032x}"), upto_seq=step))
    stage.family.told_follows.update(range(50))

    await until(lambda: len(stage.postbox.taken) == 50)

    assert [count for count in stage.ledger.written if count] == [50]


async def test_how_far_the_ledger_has_come_is_known_and_does_not_run_ahead_of_it(stage: Stage) -> None:
    stage.deliver.tell(effects(ring(), upto_seq=7))
    await until(lambda: stage.deliver.written_seq == 7)
    stage.ledger.fault = LedgerFault.DISK_FULL

    stage.deliver.tell(effects(ring(1), upto_seq=9))
    await until(lambda: len(stage.postbox.taken) == 2)
    held_back = stage.deliver.written_seq
    stage.ledger.fault = ""
    stage.advance(10)
    await until(lambda: stage.deliver.written_seq == 9)
    again = await stage.restart()

    assert held_back == 7
    assert again.upto_seq == stage.deliver.written_seq == 9


async def test_one_alarm_and_its_list_come_from_memory_or_ledger_whichever_is_newer(stage: Stage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)
    stage.ledger.fault = LedgerFault.DISK_FULL
    answered = alarm_view(version=2, state=AlarmState.ANSWERED, answered_by="ben")
    stage.deliver.tell(effects(alarms=(answered,), upto_seq=2))

    await until(lambda: stage.deliver.open_alarms(0) == [answered])

    assert await stage.deliver.alarm(ALARM) == answered
    assert await stage.deliver.alarms_of(sharer=0, limit=5) == [answered]


async def test_waiting_rows_are_taken_up_even_when_the_lane_holds_a_newer_word() -> None:
    stage = Stage()
    await stage.ledger.open(NOW_MS)
    rows = [Delivery(ring(step).id, EMAIL, DeliveryState.WAITING, 0, NOW_MS) for step in (0, 1)]
    await stage.ledger.write(
        Batch(alarms=(alarm_view(),), notifications=(ring(0), ring(1)), deliveries=tuple(rows))
    )
    assert await stage.ledger.waiting(limit=9) == [Waiting(rows[0], ring(0)), Waiting(rows[1], ring(1))]

    await stage.deliver.start()
    await settled(stage, EMAIL, DeliveryState.SENT, step=1)
    await settled(stage, EMAIL, DeliveryState.EXPIRED, step=0)
    await stage.deliver.close()

    assert [message.id for message, _, _ in stage.postbox.taken] == [ring(1).id]
