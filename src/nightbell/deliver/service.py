"""Deliver: writes what alarms want done, performs it, and keeps what came of it."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Literal

import msgspec
import structlog

from nightbell.account.way import ProvenBy
from nightbell.alarm.effects import AlarmView, Effects, Notification
from nightbell.deliver.afterwards import ASK_FOR_MS, DEAF, OUT_MAX, Afterwards, Out, Voices
from nightbell.deliver.figures import DeliverFigures
from nightbell.deliver.hub import Hub
from nightbell.deliver.intake import Intake
from nightbell.deliver.outbox import channel_of, deliveries_of, key_of, settled, told_by, way_of
from nightbell.deliver.ports import Contacts, Ledger, Unheard, WayNews
from nightbell.deliver.record import APP, Batch, Delivery, DeliveryState, Opened, Timeline, Waiting
from nightbell.deliver.sending import Sending
from nightbell.deliver.settings import DeliverHealth, DeliverSettings
from nightbell.tell.attempt import Attempt, AttemptResult, Receipt, ReceiptState
from nightbell.tell.channel import Channel
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.errors import CallerError, ErrorCode, PlatformError

_log = structlog.get_logger(__name__)

PERFORMED_MAX: Final = 200_000
"""How many notifications are remembered as performed, to drop repeats while the ledger can not tell."""

FORGET_AT_ONCE: Final = 200
FORGET_PAUSE_S: Final = 0.05
BEAT_S: Final = 0.1

TIMELINE_MAX: Final = 1_000
WAITING_MAX: Final = 200_000


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
        canary: Callable[[int], bool] = lambda _: False,
        voices: Voices = DEAF,
        way_news: WayNews | None = None,
    ) -> None:
        self._ledger = ledger
        self._hub = hub
        self._contacts = contacts
        self._clock = clock
        self._settings = settings or DeliverSettings()
        self.figures = DeliverFigures([APP, *(channel.name for channel in channels)], canary)
        self._way_news = Unheard() if way_news is None else way_news
        self.afterwards = Afterwards(
            channels=channels,
            board=hub.board,
            clock=clock,
            told=self._notification,
            keep=self._keep,
            voices=voices,
            way_news=self._way_news,
        )
        self._sending = Sending(
            channels=channels,
            board=hub.board,
            contacts=contacts,
            way_news=self._way_news,
            clock=clock,
            settings=self._settings,
            record=self._record,
            told=self.figures.told,
            sent=self.afterwards.sent,
            on_end=self._on_end,
        )
        self._fresh = Intake()
        self._unwritten = Intake(spills=True)
        self._arrived = asyncio.Event()
        self._performed: OrderedDict[str, str] = OrderedDict()
        self._writing: asyncio.Task[frozenset[str]] | None = None
        self._failing = ""
        self._write_at_ms = 0
        self._written_seq = 0
        self._ledger_open = False
        self._found: tuple[Opened, Sequence[Waiting] | None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[None] | None = None

    # ---- life ----------------------------------------------------------------------------------------------

    async def open(self) -> Opened:
        """Open the ledger and say what it holds; `start` goes on from there. A broken one stops nothing."""
        self._found = await self._open_ledger()
        return self._found[0]

    async def start(self) -> Opened:
        """Take up what waits in the ledger, and begin. Follows must be known: they say who may be told."""
        self.broken = asyncio.get_running_loop().create_future()
        opened, waiting = self._found or await self._open_ledger()
        self._found = None
        if waiting is not None:
            self._take_up(opened, waiting)
            await self._remember_handed_over()
        self._spawn(self._write_loop(), "deliver-write")
        self._spawn(self._tend_loop(), "deliver-tend")
        self._sending.start()
        return opened

    def listen(self) -> None:
        """From now on what providers say is heard. Call it once evaluation knows the open alarms."""
        for name, loop in self.afterwards.loops():
            self._spawn(loop, name)

    async def close(self) -> None:
        """Finish what is under way, if that is quick, and write it down; the rest waits in the ledger."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sending.close()
        await self.afterwards.close()
        if self._ledger_open:
            self._unwritten.add(self._with_deliveries(self._fresh.take()))
            try:
                if self._writing is not None:
                    await self._writing
                batch = self._unwritten.take()
                await self._ledger.write(batch)
                self._written_seq = max(self._written_seq, batch.upto_seq)
            except PlatformError as error:
                _log.error("ledger.unwritten_at_close", code=error.code)
            await self._ledger.close()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """A loop that ends by an error is a programmer's error: whoever runs us must end and start again."""
        self._tasks.discard(task)
        if task.cancelled() or self.broken is None or self.broken.done():
            return
        error = task.exception()
        if error is not None:
            _log.critical("deliver.broken", task=task.get_name(), error=type(error).__name__)
            self.broken.set_exception(error)

    async def _open_ledger(self) -> tuple[Opened, Sequence[Waiting] | None]:
        now_ms = self._clock.now_ms()
        try:
            opened = await self._ledger.open(now_ms)
            waiting = await self._ledger.waiting(limit=WAITING_MAX)
        except PlatformError as error:
            self._failed(error.sentence)
            return Opened(0, "", (), ()), None
        return opened, waiting

    async def _remember_handed_over(self) -> None:
        """What providers took before a restart: they may still say what became of it, or must fall silent."""
        try:
            found = await self._ledger.handed_over(after_ms=self._clock.now_ms() - ASK_FOR_MS, limit=OUT_MAX)
        except PlatformError as error:
            _log.error("messages.forgotten", code=error.code)
            return
        for one in found:
            if one.ended:
                self.afterwards.ended(one.notification.id, one.channel)
                continue
            contact = self._contacts.contact(one.notification.follower)
            way = way_of(contact, one.channel) if contact is not None else None
            address = way.address if way is not None else ""
            self.afterwards.sent(Out(one.notification, one.channel, address, one.provider_id, one.at_ms))

    def _take_up(self, opened: Opened, waiting: Sequence[Waiting]) -> None:
        """Go on where the ledger says we were."""
        self._ledger_open = True
        self._written_seq = max(self._written_seq, opened.upto_seq)
        now_ms = self._clock.now_ms()
        self._hub.tell_changes(self._hub.board.take(opened.open_alarms, opened.newest), now_ms)
        for one in waiting:
            if one.notification.id not in self._performed:
                self._performed[one.notification.id] = one.notification.follower
                self._record(self._perform(one.delivery, one.notification, now_ms))
        _log.info("ledger.opened", open_alarms=len(opened.open_alarms), waiting=len(waiting))

    # ---- what comes in -------------------------------------------------------------------------------------

    def tell(self, effects: Effects) -> None:
        """Queue what alarms want done; it is written with all that is queued, then performed."""
        self._fresh.add_effects(effects)
        self._arrived.set()

    def wake(self) -> None:
        """Look at the clock again: for a clock that is moved by hand."""
        self._arrived.set()
        self._sending.wake()

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

        Through a channel it proves that way of the person too: `notification` is then the id of the message,
        which names the way.

        Raises:
            CallerError: `NOT_FOUND`: this person was not told such a thing.
            PlatformError: `NOT_DURABLE`: the ledger can not be read to find out.
        """
        known = channel == APP or channel in self._sending.good_for
        notification, number = told_by(notification)
        if not known or await self._follower_of(notification) != person:
            raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("deliver.receipt_unknown"))
        if channel != APP:
            self._way_news.proven(person, channel, number, ProvenBy(state), now_ms)
        self._keep(Receipt(notification, key_of(channel, number), ReceiptState(state), person, now_ms))

    def _keep(self, proof: Receipt) -> None:
        self.figures.receipts[channel_of(proof.channel), proof.state.value] += 1
        self._fresh.add(Batch(receipts=(proof,)))
        self._arrived.set()

    async def _follower_of(self, notification_id: str) -> str:
        follower = self._performed.get(notification_id)
        if follower is not None:
            return follower
        told = await self._notification(notification_id)
        return told.follower if told is not None else ""

    async def _notification(self, notification_id: str) -> Notification | None:
        told = self._fresh.notification(notification_id) or self._unwritten.notification(notification_id)
        return told or await self._ledger.notification(notification_id)

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

    @property
    def written_seq(self) -> int:
        """The newest journal group whose effects are in the ledger.

        A checkpoint of evaluation beyond it would lose effects in a crash: keep none that is newer.
        """
        return self._written_seq

    def health(self) -> DeliverHealth:
        """How telling people goes, and what to do where it does not."""
        left_out = self._unwritten.left_out + self._fresh.left_out
        return DeliverHealth(
            failing=self._failing or (catalogue().say("deliver.ledger_gap") if left_out else ""),
            unwritten=self._unwritten.size + self._fresh.size,
            unwritten_oldest_ms=self._unwritten.oldest_ms() or self._fresh.oldest_ms(),
            left_out=left_out,
            lanes=self._sending.health(),
            streams=self._hub.count,
        )

    # ---- writing -------------------------------------------------------------------------------------------

    async def _write_loop(self) -> None:
        again_s = self._settings.write_again_ms / 1000
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again_s if self._unwritten.size else None):
                    await self._arrived.wait()
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
            deliveries += deliveries_of(told, contact, channels=self._sending.good_for, now_ms=now_ms)
        return msgspec.structs.replace(batch, deliveries=(*deliveries, *batch.deliveries))

    async def _write(self, batch: Batch) -> frozenset[str] | None:
        """Write all that waits; return the new notifications, None where the ledger can not tell in time."""
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
        except Exception as error:
            # A fault of ours. Performing goes on from memory; the mark stays: the next start tells again.
            _log.exception("ledger.broken")
            self._unwritten.put_back([batch])
            sentence = catalogue().say("deliver.ledger_broken")
            self._failed(sentence)
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence) from error
        else:
            if self._failing:
                _log.info("ledger.written_again", rows=batch.size)
            self._failing = ""
            self._write_at_ms = 0
            self._written_seq = max(self._written_seq, batch.upto_seq)
            return new
        finally:
            self._writing = None
            self._arrived.set()

    async def _open_late(self) -> None:
        """Open a ledger that could not be opened at the start."""
        opened = await self._ledger.open(self._clock.now_ms())
        self._take_up(opened, await self._ledger.waiting(limit=WAITING_MAX))
        await self._remember_handed_over()

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
        changes = self._hub.board.take(batch.alarms, fresh)
        self.figures.changed(changes)
        self._hub.tell_changes(changes, now_ms)
        self.afterwards.changed(changes)
        for told in fresh:
            self._performed[told.id] = told.follower
        while len(self._performed) > PERFORMED_MAX:
            self._performed.popitem(last=False)
        told_by_id = {told.id: told for told in fresh}
        for delivery in batch.deliveries:
            if delivery.state is DeliveryState.WAITING and delivery.notification in told_by_id:
                self._record(self._perform(delivery, told_by_id[delivery.notification], now_ms))

    def _perform(self, delivery: Delivery, told: Notification, now_ms: int) -> Batch:
        """Show it on open screens now, or queue it for its channel; return what is to be written of that."""
        if delivery.channel == APP:
            return self._show(delivery, told, now_ms)
        return self._sending.queue(delivery, told, now_ms)

    def _show(self, delivery: Delivery, told: Notification, now_ms: int) -> Batch:
        reason = self._sending.why_not(told, now_ms)
        if reason:
            return Batch(deliveries=(settled(delivery, DeliveryState.EXPIRED, reason, now_ms=now_ms),))
        reached = self._hub.notify(told, now_ms)
        state, why, result = DeliveryState.SENT, "", AttemptResult.SENT
        if not reached:
            state, why, result = DeliveryState.UNREACHED, "no_screen", AttemptResult.UNAVAILABLE
        else:
            self.figures.told(told, APP, now_ms)
        tried = msgspec.structs.replace(delivery, tries=delivery.tries + 1)
        attempt = Attempt(told.id, APP, tried.tries, now_ms, result, "", "")
        return Batch(deliveries=(settled(tried, state, why, now_ms=now_ms),), attempts=(attempt,))

    def _record(self, batch: Batch) -> None:
        """Have it written with the next transaction."""
        if batch.size:
            self.figures.settle(batch.deliveries)
            self._fresh.add(batch)
            self._arrived.set()

    # ---- tending -------------------------------------------------------------------------------------------

    async def _tend_loop(self) -> None:
        """Heartbeats all the time, forgetting now and then."""
        forget_at_ms = self._clock.now_ms() + self._settings.forget_every_ms // 60
        while True:
            await asyncio.sleep(BEAT_S)
            now_ms = self._clock.now_ms()
            self._hub.beat(now_ms)
            if now_ms >= forget_at_ms:
                forget_at_ms = now_ms + self._settings.forget_every_ms
                self._spawn(self._forget(now_ms), "deliver-forget")

    async def _forget(self, now_ms: int) -> None:
        """Delete what is older than it is kept, a little at a time so that alarms pass in between."""
        before_ms = now_ms - self._settings.keep_days * 24 * 60 * 60_000
        try:
            while True:
                if await self._ledger.forget(before_ms=before_ms, limit=FORGET_AT_ONCE) < FORGET_AT_ONCE:
                    return
                await asyncio.sleep(FORGET_PAUSE_S)
        except PlatformError as error:
            _log.warning("ledger.not_forgotten", code=error.code)
