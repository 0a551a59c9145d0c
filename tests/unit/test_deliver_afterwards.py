"""What providers say of what was sent, and how everything falls silent once somebody has it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Never

import pytest

from nightbell.account.way import ProvenBy
from nightbell.adapters.stores.memory.ledger import MemoryLedger
from nightbell.alarm.effects import AlarmState, Notification, NotificationKind
from nightbell.deliver.afterwards import Voices
from nightbell.deliver.hub import Hub
from nightbell.deliver.record import EMAIL, Batch
from nightbell.deliver.service import Deliver
from nightbell.deliver.settings import DeliverSettings
from nightbell.tell.attempt import ReceiptState
from nightbell.tell.callback import Callback, CallbackAnswer, News, NewsKind
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Sent, Unavailable
from nightbell.words.clock import ManualClock
from nightbell.words.conditions import Condition
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.tier import Tier
from tests.simulators.cast import ALARM, NOW_MS, Family, alarm_view, effects, ring

ANSWERED = alarm_view(state=AlarmState.ANSWERED, version=2, answered_by="cleo", answered_ms=NOW_MS + 1)


class Phone:
    """A channel whose provider says everything afterwards, and that can fall silent."""

    name = EMAIL
    checklist = Checklist(Proof.ANSWERED, False, True, 0, "deliver.promise_email")
    ask_every_ms = 20

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.retracted: list[str] = []
        self.retracting: list[Outcome] = []
        self.known: dict[str, tuple[News, ...]] = {}
        self.asked: list[str] = []
        self.speaks: asyncio.Queue[News] = asyncio.Queue()
        self.hold: asyncio.Event | None = None

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        assert address
        assert idempotency_key
        if self.hold is not None:
            await self.hold.wait()
        self.taken.append(message.id)
        return Sent(f"call {message.id}")

    async def retract(self, message: str, provider_id: str, address: str) -> Outcome:
        assert provider_id == f"call {message}"
        assert address == "ben@example.test"
        self.retracted.append(message)
        return self.retracting.pop() if self.retracting else Sent()

    def heard(self, callback: Callback) -> CallbackAnswer:
        kind, _, message = callback.body.decode().partition(" ")
        if kind == "forged":
            return CallbackAnswer(403)
        return CallbackAnswer(200, (News(message, NewsKind(kind), "Busy."),))

    async def ask(self, message: str, provider_id: str) -> tuple[News, ...]:
        assert provider_id
        self.asked.append(message)
        return self.known.get(message, ())

    async def listen(self, heard: Callable[[News], None]) -> Never:
        while True:
            heard(await self.speaks.get())


class Stage:
    """Deliver and what people said through it."""

    def __init__(self) -> None:
        self.phone = Phone()
        self.ledger = MemoryLedger()
        self.clock = ManualClock(NOW_MS)
        self.said: list[tuple[str, ...]] = []
        self.refusal: Exception | None = None
        self.deliver = self._deliver()

    def _deliver(self) -> Deliver:
        family = Family()
        hub = Hub(access=family, watched=family, contacts=family, build="test", boot_ms=NOW_MS)
        voices = Voices(self._answered, self._passed_on)
        settings = DeliverSettings(look_ms=5, write_again_ms=5, close_ms_max=20)
        return Deliver(
            ledger=self.ledger, hub=hub, contacts=family, channels=[self.phone], clock=self.clock,
            settings=settings, voices=voices, way_news=self,
        )  # fmt: skip

    def lost(self, person_id: str, channel: str, number: int, address: str, now_ms: int) -> None:
        assert now_ms >= NOW_MS
        assert address == "ben@example.test"
        self.said.append(("lost", person_id, f"{channel} {number}"))

    def works(self, person_id: str, channel: str, number: int, address: str) -> None:
        assert (person_id, channel, number, address) == ("ben", EMAIL, 1, "ben@example.test")

    def proven(self, person_id: str, channel: str, number: int, by: ProvenBy, now_ms: int) -> None:
        assert now_ms >= NOW_MS
        self.said.append(("proven", person_id, f"{channel} {number}", by.value))

    async def _answered(self, alarm: str, person: str, covers: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        assert covers >= 0
        self.said.append(("answered", alarm, person))

    async def _passed_on(self, alarm: str, person: str) -> None:
        self.said.append(("passed_on", alarm, person))

    async def restart(self) -> None:
        await self.deliver.close()
        self.deliver = self._deliver()
        await self.deliver.start()
        self.deliver.listen()

    async def call(self, told: Notification | None = None) -> Notification:
        """Ben is called, and the call is out."""
        told = told or ring(tier=Tier.CALL)
        before = len(self.phone.taken)
        self.deliver.tell(effects(told))
        await until(lambda: len(self.phone.taken) > before)
        await asyncio.sleep(0.02)
        return told

    async def posted(self, kind: str, message: str) -> int:
        posted = Callback("https://bell.test/v1/channels/email", {}, f"{kind} {message}".encode(), NOW_MS)
        return (await self.deliver.afterwards.callback(EMAIL, posted)).status

    async def receipts(self) -> list[ReceiptState]:
        await asyncio.sleep(0.02)
        timeline = await self.deliver.timeline(ALARM)
        assert timeline is not None
        return [receipt.state for told in timeline.told for receipt in told.receipts]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.deliver.start()
    stage.deliver.listen()
    yield stage
    await stage.deliver.close()


async def test_a_key_pressed_on_the_phone_is_the_answer_of_whom_we_called(stage: Stage) -> None:
    told = await stage.call()

    assert await stage.posted("answered", told.id) == 200

    assert ("answered", ALARM, "ben") in stage.said
    assert await stage.receipts() == [ReceiptState.SEEN]


async def test_the_same_key_reported_twice_answers_once(stage: Stage) -> None:
    told = await stage.call()

    await stage.posted("delivered", told.id)
    await stage.posted("delivered", told.id)

    assert [said for said in stage.said if said[0] == "proven"] == [("proven", "ben", "email 1", "delivered")]


async def test_a_forged_callback_changes_nothing(stage: Stage) -> None:
    told = await stage.call()

    assert await stage.posted("forged", told.id) == 403

    assert stage.said == []
    assert await stage.receipts() == []


async def test_news_of_what_we_never_sent_changes_nothing(stage: Stage) -> None:
    await stage.call()

    assert await stage.posted("answered", "f" * 32) == 200

    assert stage.said == []


async def test_an_answer_that_cannot_be_written_down_is_asked_for_again(stage: Stage) -> None:
    told = await stage.call()
    stage.refusal = PlatformError(ErrorCode.NOT_DURABLE, "The disk is full.")

    with pytest.raises(PlatformError):
        await stage.posted("answered", told.id)
    stage.refusal = None
    await stage.posted("answered", told.id)

    assert ("answered", ALARM, "ben") in stage.said


async def test_an_answer_to_what_is_over_harms_nobody(stage: Stage) -> None:
    told = await stage.call()
    stage.refusal = CallerError(ErrorCode.NOT_FOUND, "It is over.")

    assert await stage.posted("answered", told.id) == 200


async def test_an_answer_to_a_lesser_alarm_is_none_to_what_it_grew_to(stage: Stage) -> None:
    lesser = await stage.call(ring(condition=Condition.LOW, tier=Tier.CALL))
    await stage.call(ring(1, tier=Tier.CALL))

    await stage.posted("answered", lesser.id)

    assert ("answered", ALARM, "ben") not in stage.said
    assert ReceiptState.SEEN in await stage.receipts()


async def test_whoever_asks_for_the_next_one_is_heard(stage: Stage) -> None:
    told = await stage.call()

    await stage.posted("passed_on", told.id)

    assert ("passed_on", ALARM, "ben") in stage.said


async def test_a_dead_number_is_said_to_be_lost_and_stands_in_the_story(stage: Stage) -> None:
    told = await stage.call()

    await stage.posted("lost", told.id)

    assert ("lost", "ben", "email 1") in stage.said
    assert await stage.receipts() == [ReceiptState.FAILED]


async def test_as_soon_as_somebody_has_it_every_call_is_hung_up(stage: Stage) -> None:
    told = await stage.call()

    stage.deliver.tell(effects(alarms=(ANSWERED,), upto_seq=2))

    await until(lambda: stage.phone.retracted == [told.id])


async def test_a_call_that_was_just_being_placed_is_hung_up_too(stage: Stage) -> None:
    stage.phone.hold = asyncio.Event()
    told = ring(tier=Tier.CALL)
    stage.deliver.tell(effects(told))
    await asyncio.sleep(0.05)
    stage.deliver.tell(effects(alarms=(ANSWERED,), upto_seq=2))
    await asyncio.sleep(0.05)

    stage.phone.hold.set()

    await until(lambda: stage.phone.retracted == [told.id])


async def test_nobody_is_called_any_more_once_somebody_has_it(stage: Stage) -> None:
    stage.deliver.tell(effects(alarms=(alarm_view(), ANSWERED), upto_seq=1))
    await asyncio.sleep(0.05)

    stage.deliver.tell(effects(ring(tier=Tier.CALL), alarms=(), upto_seq=2))
    await asyncio.sleep(0.1)

    assert stage.phone.taken == []


async def test_hanging_up_is_tried_again_when_the_provider_is_busy(stage: Stage) -> None:
    stage.phone.retracting = [Unavailable("Busy.")]
    told = await stage.call()

    stage.deliver.tell(effects(alarms=(ANSWERED,), upto_seq=2))

    await until(lambda: stage.phone.retracted == [told.id, told.id])


async def test_a_call_of_before_a_crash_is_hung_up_all_the_same(stage: Stage) -> None:
    told = await stage.call()
    await asyncio.sleep(0.05)
    await stage.restart()

    stage.deliver.tell(effects(alarms=(ANSWERED,), upto_seq=2))

    await until(lambda: stage.phone.retracted == [told.id])


async def test_a_call_that_somebody_answered_just_before_a_crash_is_hung_up_at_the_start(
    stage: Stage,
) -> None:
    told = await stage.call()
    await stage.ledger.write(Batch(alarms=(ANSWERED,)))

    await stage.restart()

    await until(lambda: stage.phone.retracted == [told.id])


async def test_an_answer_that_was_heard_is_not_heard_again_after_a_restart(stage: Stage) -> None:
    told = await stage.call()
    stage.phone.known[told.id] = (News(told.id, NewsKind.ANSWERED),)
    await until(lambda: ("answered", ALARM, "ben") in stage.said)
    await asyncio.sleep(0.05)
    stage.said.clear()

    await stage.restart()
    await asyncio.sleep(0.1)
    await stage.posted("answered", told.id)

    assert ("answered", ALARM, "ben") not in stage.said


async def test_an_answer_that_comes_back_late_is_none_where_something_newer_was_told(stage: Stage) -> None:
    old = await stage.call()
    stage.clock.advance_ms(20 * 60_000)
    await stage.call(ring(1, tier=Tier.CALL, at_ms=NOW_MS + 20 * 60_000))

    await stage.posted("answered", old.id)

    assert ("answered", ALARM, "ben") not in stage.said


async def test_a_message_we_fail_on_does_not_keep_the_answers_of_others_from_us(stage: Stage) -> None:
    first = await stage.call()
    stage.refusal = ValueError("a mistake of ours")
    stage.phone.speaks.put_nowait(News(first.id, NewsKind.ANSWERED))
    await asyncio.sleep(0.05)
    stage.refusal = None
    second = await stage.call(ring(1, tier=Tier.CALL))

    stage.phone.speaks.put_nowait(News(second.id, NewsKind.ANSWERED))

    await until(lambda: ("answered", ALARM, "ben") in stage.said)


async def test_that_it_is_over_is_not_taken_back(stage: Stage) -> None:
    over = alarm_view(state=AlarmState.RESOLVED, version=3, resolved_ms=NOW_MS)
    news = ring(2, kind=NotificationKind.RECOVERED, urgent=False)

    stage.deliver.tell(effects(news, alarms=(alarm_view(), over)))
    await until(lambda: stage.phone.taken == [news.id])
    await asyncio.sleep(0.05)

    assert stage.phone.retracted == []


async def test_a_provider_that_cannot_reach_us_is_asked(stage: Stage) -> None:
    told = await stage.call()

    stage.phone.known[told.id] = (News(told.id, NewsKind.ANSWERED),)

    await until(lambda: ("answered", ALARM, "ben") in stage.said)


async def test_what_has_come_to_its_end_is_asked_about_no_more(stage: Stage) -> None:
    told = await stage.call()
    stage.phone.known[told.id] = (News(told.id, NewsKind.FAILED, "No answer."),)
    await until(lambda: stage.phone.asked)
    await asyncio.sleep(0.1)
    asked = len(stage.phone.asked)

    await asyncio.sleep(0.1)

    assert len(stage.phone.asked) == asked


async def test_what_a_provider_says_on_a_line_of_ours_is_heard(stage: Stage) -> None:
    told = await stage.call()

    stage.phone.speaks.put_nowait(News(told.id, NewsKind.ANSWERED))

    await until(lambda: ("answered", ALARM, "ben") in stage.said)


async def test_a_channel_that_we_do_not_have_is_not_found(stage: Stage) -> None:
    posted = Callback("https://bell.test/v1/channels/pigeon", {}, b"", NOW_MS)

    assert (await stage.deliver.afterwards.callback("pigeon", posted)).status == 404


async def test_a_ledger_keeps_what_providers_took_of_open_alarms_only(stage: Stage) -> None:
    await stage.call()
    await asyncio.sleep(0.05)
    before = await stage.ledger.handed_over(after_ms=0, limit=10)

    await stage.ledger.write(Batch(alarms=(alarm_view(state=AlarmState.RESOLVED, version=9),)))

    assert [one.provider_id for one in before] == [f"call {ring().id}"]
    assert await stage.ledger.handed_over(after_ms=0, limit=10) == []
