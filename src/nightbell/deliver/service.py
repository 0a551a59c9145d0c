"""Deliver: writes what alarms want done, performs it, and keeps what came of it."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import Final, Literal

import msgspec
import structlog

from nightbell.alarm.effects import AlarmView, Effects, Notification
from nightbell.deliver.compose import compose
from nightbell.deliver.hub import Hub
from nightbell.deliver.intake import Intake
from nightbell.deliver.lane import Item, Lane
from nightbell.deliver.outbox import (
    addresses,
    after_try,
    deliveries_of,
    is_newest_of_open,
    settled,
    why_not,
)
from nightbell.deliver.ports import Contact, Contacts, Ledger
from nightbell.deliver.record import APP, Batch, Delivery, DeliveryState, Opened, Timeline
from nightbell.tell.attempt import Attempt, AttemptResult, Receipt, ReceiptState, attempt_of
from nightbell.tell.channel import Channel
from nightbell.tell.outcome import Outcome, Unavailable
from nightbell.tell.retry import ALARM_RULE, RetryRule
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import NEVER_MS, Clock
from nightbell.words.errors import CallerError, ErrorCode, PlatformError

_log = structlog.get_logger(__name__)

PERFORMED_MAX: Final = 200_000
"""How many notifications are remembered as performed, to drop repeats while the ledger can not tell."""

TIMELINE_MAX: Final = 1_000
WAITING_MAX: Final = 200_000


class DeliverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently people are told.

    Attributes:
        link: Where people answer, as `https://bell.example`; empty leaves it out of messages.
        rule: Patience of every channel.
        sends_at_once: How many tries one channel makes at the same time.
        send_ms_max: No try takes longer, whatever the channel does.
        write_ms_max: How long performing waits for the ledger before it goes ahead from memory.
        write_again_ms: How long after a failure the ledger is tried again.
        look_ms: How often the clock is looked at while something is due later.
        keep_days: How long alarms that are over are kept.
        forget_every_ms: How often old ones are deleted.
        close_ms_max: How long closing waits for tries that are under way.
    """

    link: str = ""
    rule: RetryRule = ALARM_RULE
    sends_at_once: int = 16
    send_ms_max: int = 30_000
    write_ms_max: int = 1_000
    write_again_ms: int = 1_000
    look_ms: int = 250
    keep_days: int = 90
    forget_every_ms: int = 60 * 60_000
    close_ms_max: int = 2_000


class LaneHealth(msgspec.Struct, frozen=True):
    """One channel: how many deliveries wait or are under way, and how its last tries went."""

    channel: str
    waiting: int
    under_way: int
    failures_in_a_row: int
    last_reason: str


class DeliverHealth(msgspec.Struct, frozen=True):
    """How telling people goes.

    Attributes:
        failing: What is wrong with the ledger and what to do; empty while all is well.
        unwritten: Rows that wait to be written.
        left_out: Rows that had to be left out of memory; the next start builds them again.
        lanes: Each channel.
        streams: How many screens are open.
    """

    failing: str
    unwritten: int
    left_out: int
    lanes: tuple[LaneHealth, ...]
    streams: int


class _Way:
    """One channel with what waits for it."""

    def __init__(self, channel: Channel, sends_at_once: int) -> None:
        self.channel = channel
        self.lane = Lane()
        self.changed = asyncio.Event()
        self.slots = asyncio.Semaphore(sends_at_once)
        self.sends: set[asyncio.Task[None]] = set()
        self.failures_in_a_row = 0
        self.last_reason = ""


class Deliver:
    """To a person, through channels, with receipts."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        hub: Hub,
        contacts: Contacts,
        channels: Sequence[Channel],
        clock: Clock,
        settings: DeliverSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._hub = hub
        self._contacts = contacts
        self._clock = clock
        self._settings = settings or DeliverSettings()
        self._ways = {channel.name: _Way(channel, self._settings.sends_at_once) for channel in channels}
        self._fresh = Intake()
        self._unwritten = Intake()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._performed: OrderedDict[str, str] = OrderedDict()
        self._writing: asyncio.Task[frozenset[str]] | None = None
        self._failing = ""
        self._write_at_ms = 0
        self._ledger_open = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[None] | None = None

    # ---- life ----------------------------------------------------------------------------------------------

    async def start(self) -> Opened:
        """Open the ledger, take up what waits, and begin. A ledger that can not be opened does not stop us."""
        self.broken = asyncio.get_running_loop().create_future()
        opened = await self._open_ledger()
        self._spawn(self._write_loop(), "deliver-write")
        self._spawn(self._tend_loop(), "deliver-tend")
        for way in self._ways.values():
            self._spawn(self._send_loop(way), f"deliver-{way.channel.name}")
        return opened

    async def close(self) -> None:
        """Finish what is under way, as far as that is quick, and write it down; the rest waits in the ledger."""
        sends = [send for way in self._ways.values() for send in way.sends]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if sends:
            _, late = await asyncio.wait(sends, timeout=self._settings.close_ms_max / 1000)
            for send in late:
                send.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._ledger_open:
            self._unwritten.add(self._fresh.take())
            try:
                if self._writing is not None:
                    await self._writing
                await self._ledger.write(self._unwritten.take())
            except PlatformError as error:
                _log.error("ledger.unwritten_at_close", code=error.code)  # noqa: TRY400 the reason is enough
            await self._ledger.close()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """A loop that ends by an error is a programmer's error: whoever runs us must end and start again."""
        if task.cancelled() or self.broken is None or self.broken.done():
            return
        error = task.exception()
        if error is not None:
            _log.critical("deliver.broken", task=task.get_name(), error=type(error).__name__)
            self.broken.set_exception(error)

    async def _open_ledger(self) -> Opened:
        now_ms = self._clock.now_ms()
        try:
            opened = await self._ledger.open(now_ms)
            waiting = await self._ledger.waiting(limit=WAITING_MAX)
        except PlatformError as error:
            self._failed(error.sentence)
            return Opened(0, "", (), ())
        self._ledger_open = True
        self._hub.tell_changes(self._hub.board.take(opened.open_alarms, opened.newest), now_ms)
        batch = [self._perform(one.delivery, one.notification, now_ms) for one in waiting]
        self._record(batch)
        _log.info("ledger.opened", open_alarms=len(opened.open_alarms), waiting=len(waiting))
        return opened

    # ---- what comes in -------------------------------------------------------------------------------------

    def tell(self, effects: Effects) -> None:
        """Queue what alarms want done; it is written with all that is queued, then performed."""
        self._fresh.add_effects(effects)
        self._arrived.set()

    def wake(self) -> None:
        """Look at the clock again: for a clock that is moved by hand."""
        self._arrived.set()
        for way in self._ways.values():
            way.changed.set()

    async def receipt(
        self,
        *,
        notification: str,
        person: str,
        state: Literal["delivered", "seen"],
        now_ms: int,
        channel: str = APP,
    ) -> None:
        """Keep the proof that a notification arrived or was seen; the first of each kind counts.

        Raises:
            CallerError: `NOT_FOUND`: this person was not told such a thing.
            PlatformError: `NOT_DURABLE`: the ledger can not be read to find out.
        """
        if await self._follower_of(notification) != person:
            raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("deliver.receipt_unknown"))
        proof = Receipt(notification, channel, ReceiptState(state), person, now_ms)
        self._fresh.add(Batch(receipts=(proof,)))
        self._arrived.set()

    async def _follower_of(self, notification_id: str) -> str:
        follower = self._performed.get(notification_id)
        if follower is not None:
            return follower
        told = self._fresh.notification(notification_id) or self._unwritten.notification(notification_id)
        told = told or await self._ledger.notification(notification_id)
        return told.follower if told is not None else ""

    # ---- questions -----------------------------------------------------------------------------------------

    async def alarms_of(self, *, sharer: int, limit: int) -> list[AlarmView]:
        """Alarms of one sharer, newest first."""
        alarms = await self._ledger.alarms_of(sharer=sharer, limit=limit)
        return [self._newest(alarm) for alarm in alarms]

    async def alarm(self, alarm_id: str) -> AlarmView | None:
        """One alarm as it stands."""
        return self._hub.board.alarm(alarm_id) or await self._ledger.alarm(alarm_id)

    async def timeline(self, alarm_id: str) -> Timeline | None:
        """Everything kept about one alarm; None if it is not known."""
        return await self._ledger.timeline(alarm_id, limit=TIMELINE_MAX)

    def open_alarms(self, sharer: int) -> list[AlarmView]:
        """Open alarms of one sharer of which somebody was told, from memory."""
        return self._hub.board.open_alarms(sharer)

    def _newest(self, alarm: AlarmView) -> AlarmView:
        held = self._hub.board.alarm(alarm.id)
        return held if held is not None and held.version > alarm.version else alarm

    def health(self) -> DeliverHealth:
        """How telling people goes, and what to do where it does not."""
        left_out = self._unwritten.left_out + self._fresh.left_out
        return DeliverHealth(
            failing=self._failing or (catalogue().say("deliver.ledger_gap") if left_out else ""),
            unwritten=self._unwritten.size + self._fresh.size,
            left_out=left_out,
            lanes=tuple(
                LaneHealth(name, len(way.lane), len(way.sends), way.failures_in_a_row, way.last_reason)
                for name, way in self._ways.items()
            ),
            streams=self._hub.count,
        )

    # ---- writing -------------------------------------------------------------------------------------------

    async def _write_loop(self) -> None:
        while True:
            timeout_s = (
                self._settings.write_again_ms / 1000 if self._unwritten.size or self._writing else None
            )
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout_s)
            except TimeoutError:
                pass
            self._arrived.clear()
            batch = self._with_deliveries(self._fresh.take())
            new = await self._write(batch)
            self._perform_batch(batch, new)

    def _with_deliveries(self, batch: Batch) -> Batch:
        """Give each notification its row for each way it takes, so that both are written together."""
        if not batch.notifications:
            return batch
        now_ms = self._clock.now_ms()
        deliveries: list[Delivery] = []
        for told in batch.notifications:
            contact = self._contacts.contact(told.follower)
            deliveries += deliveries_of(told, contact, channels=self._ways.keys(), now_ms=now_ms)
        return msgspec.structs.replace(batch, deliveries=(*deliveries, *batch.deliveries))

    async def _write(self, batch: Batch) -> frozenset[str] | None:
        """Write all that waits; return the new notifications, or None where the ledger can not tell in time."""
        self._unwritten.add(batch)
        if self._writing is not None or self._clock.now_ms() < self._write_at_ms:
            return None
        sending = self._unwritten.take()
        if not sending.size and sending.upto_seq < 0:
            return frozenset()
        task = self._writing = asyncio.create_task(self._write_once(sending))
        await asyncio.wait({task}, timeout=self._settings.write_ms_max / 1000)
        if not task.done():
            self._failed(catalogue().say("deliver.ledger_slow"))
            return None
        return task.result() if not task.cancelled() and task.exception() is None else None

    async def _write_once(self, batch: Batch) -> frozenset[str]:
        """One transaction; what could not be written goes back and waits.

        Raises:
            PlatformError: It was not written.
        """
        try:
            if not self._ledger_open:
                await self._open_late()
            new = await self._ledger.write(batch)
        except PlatformError as error:
            self._unwritten.put_back([batch])
            self._failed(error.sentence)
            raise
        else:
            if self._failing:
                _log.info("ledger.written_again", rows=batch.size)
            self._failing = ""
            return new
        finally:
            self._writing = None
            self._arrived.set()

    async def _open_late(self) -> None:
        """Open a ledger that could not be opened at the start."""
        opened = await self._ledger.open(self._clock.now_ms())
        self._ledger_open = True
        self._hub.board.take(opened.open_alarms, opened.newest)

    def _failed(self, sentence: str) -> None:
        if self._failing != sentence:
            _log.error("ledger.unwritable", unwritten=self._unwritten.size)
        self._failing = sentence
        self._write_at_ms = self._clock.now_ms() + self._settings.write_again_ms

    # ---- performing ----------------------------------------------------------------------------------------

    def _perform_batch(self, batch: Batch, new: frozenset[str] | None) -> None:
        """Show changes, and set every new notification on its ways."""
        now_ms = self._clock.now_ms()
        fresh = [
            told
            for told in batch.notifications
            if (new is None or told.id in new) and told.id not in self._performed
        ]
        self._hub.tell_changes(self._hub.board.take(batch.alarms, fresh), now_ms)
        for told in fresh:
            self._performed[told.id] = told.follower
        while len(self._performed) > PERFORMED_MAX:
            self._performed.popitem(last=False)
        told_by_id = {told.id: told for told in fresh}
        self._record(
            [
                self._perform(delivery, told_by_id[delivery.notification], now_ms)
                for delivery in batch.deliveries
                if delivery.state is DeliveryState.WAITING and delivery.notification in told_by_id
            ]
        )

    def _perform(self, delivery: Delivery, told: Notification, now_ms: int) -> Batch:
        """Show it on open screens now, or queue it for its channel; return what is to be written of that."""
        if delivery.channel == APP:
            return self._show(delivery, told, now_ms)
        way = self._ways.get(delivery.channel)
        if way is None:
            return Batch(deliveries=(settled(delivery, DeliveryState.EXPIRED, "no_address", now_ms=now_ms),))
        overtaken = way.lane.put(Item(delivery, told))
        way.changed.set()
        if overtaken is None:
            return Batch()
        late = settled(overtaken.delivery, DeliveryState.EXPIRED, "newer", now_ms=now_ms)
        return Batch(deliveries=(late,))

    def _show(self, delivery: Delivery, told: Notification, now_ms: int) -> Batch:
        reason = self._why_not(told, now_ms)
        if reason:
            return Batch(deliveries=(settled(delivery, DeliveryState.EXPIRED, reason, now_ms=now_ms),))
        reached = self._hub.notify(told, now_ms)
        state, why, result = DeliveryState.SENT, "", AttemptResult.SENT
        if not reached:
            state, why, result = DeliveryState.UNREACHED, "no_screen", AttemptResult.UNAVAILABLE
        tried = msgspec.structs.replace(delivery, tries=delivery.tries + 1)
        attempt = Attempt(told.id, APP, tried.tries, now_ms, result, why, "")
        return Batch(deliveries=(settled(tried, state, why, now_ms=now_ms),), attempts=(attempt,))

    def _why_not(self, told: Notification, now_ms: int) -> str:
        may_be_told = self._contacts.may_be_told(told.follow)
        return why_not(told, self._hub.board.standing(told), may_be_told=may_be_told, now_ms=now_ms)

    def _record(self, batches: Sequence[Batch]) -> None:
        """Have it written with the next transaction."""
        for batch in batches:
            if batch.size:
                self._fresh.add(batch)
                self._arrived.set()

    # ---- sending -------------------------------------------------------------------------------------------

    async def _send_loop(self, way: _Way) -> None:
        while True:
            await way.slots.acquire()
            item = await self._next_item(way)
            send = asyncio.create_task(self._send(way, item))
            way.sends.add(send)
            send.add_done_callback(way.sends.discard)
            send.add_done_callback(self._on_end)

    async def _next_item(self, way: _Way) -> Item:
        while True:
            way.changed.clear()
            item = way.lane.take(self._clock.now_ms())
            if item is not None:
                return item
            wait_ms = None if way.lane.next_due_ms() == NEVER_MS else self._settings.look_ms
            try:
                await asyncio.wait_for(way.changed.wait(), None if wait_ms is None else wait_ms / 1000)
            except TimeoutError:
                continue

    async def _send(self, way: _Way, item: Item) -> None:
        try:
            self._record([await self._send_one(way, item)])
        finally:
            way.slots.release()

    async def _send_one(self, way: _Way, item: Item) -> Batch:
        """One try: is it still to be sent, to where, what came of it, and what follows."""
        delivery, told = item
        began_ms = self._clock.now_ms()
        contact = self._contacts.contact(told.follower)
        address = addresses(contact).get(delivery.channel, "") if contact is not None else ""
        reason = self._why_not(told, began_ms)
        if contact is None or not address:
            reason = reason or ("no_person" if contact is None else "no_address")
        if contact is None or reason:
            return Batch(deliveries=(settled(delivery, DeliveryState.EXPIRED, reason, now_ms=began_ms),))
        outcome = await self._try(way, told, contact, address, began_ms)
        now_ms = self._clock.now_ms()
        standing = self._hub.board.standing(told)
        after = after_try(
            delivery,
            outcome,
            made_ms=told.at_ms,
            now_ms=now_ms,
            rule=self._settings.rule,
            open_newest=is_newest_of_open(told, standing),
        )
        self._count(way, outcome)
        attempt = attempt_of(
            outcome, message=told.id, channel=delivery.channel, number=after.tries, at_ms=began_ms
        )
        again = Batch()
        if after.state is DeliveryState.WAITING:
            again = self._perform(after, told, now_ms)
        return msgspec.structs.replace(again, deliveries=(after, *again.deliveries), attempts=(attempt,))

    async def _try(
        self, way: _Way, told: Notification, contact: Contact, address: str, now_ms: int
    ) -> Outcome:
        answered = self._contacts.contact(told.answered_by) if told.answered_by else None
        try:
            message = compose(
                told,
                contact=contact,
                sharer_name=self._contacts.sharer_name(told.sharer),
                answered_name=answered.name if answered is not None else "",
                now_ms=now_ms,
                words=catalogue(contact.language),
                link=self._settings.link,
            )
            async with asyncio.timeout(self._settings.send_ms_max / 1000):
                return await way.channel.send(
                    message, address, idempotency_key=f"{told.id}.{way.channel.name}"
                )
        except TimeoutError:
            return Unavailable("It took too long.")
        except Exception as error:  # noqa: BLE001 outermost: one message we fail on must not stop all others
            _log.exception("channel.broken", channel=way.channel.name, error=type(error).__name__)
            return Unavailable("Our own error. It is in the log.")

    def _count(self, way: _Way, outcome: Outcome) -> None:
        if isinstance(outcome, Unavailable):
            way.failures_in_a_row += 1
            way.last_reason = outcome.reason
            _log.warning("notification.unavailable", channel=way.channel.name, reason=outcome.reason)
        else:
            way.failures_in_a_row = 0

    # ---- tending -------------------------------------------------------------------------------------------

    async def _tend_loop(self) -> None:
        """Heartbeats all the time, forgetting now and then."""
        forget_at_ms = self._clock.now_ms() + self._settings.forget_every_ms // 60
        while True:
            await asyncio.sleep(0.1)
            now_ms = self._clock.now_ms()
            self._hub.beat(now_ms)
            if now_ms >= forget_at_ms:
                forget_at_ms = now_ms + self._settings.forget_every_ms
                self._spawn(self._forget(now_ms), "deliver-forget")

    async def _forget(self, now_ms: int) -> None:
        """Delete what is older than it is kept, a little at a time so that alarms pass in between."""
        before_ms = now_ms - self._settings.keep_days * 24 * 60 * 60_000
        try:
            while await self._ledger.forget(before_ms=before_ms, limit=200) == 200:  # noqa: PLR2004 the limit
                await asyncio.sleep(0.05)
        except PlatformError as error:
            _log.warning("ledger.not_forgotten", code=error.code)
