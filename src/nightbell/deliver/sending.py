"""Sending: each channel tries what waits for it, so many at a time, and says what came of it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from nightbell.alarm.effects import Notification
from nightbell.deliver.afterwards import Out
from nightbell.deliver.board import Board
from nightbell.deliver.compose import compose
from nightbell.deliver.lane import Item, Lane
from nightbell.deliver.outbox import (
    after_try,
    channel_of,
    is_newest_of_open,
    message_id,
    settled,
    way_of,
    why_not,
)
from nightbell.deliver.ports import Contact, Contacts, ContactWay, WayNews
from nightbell.deliver.record import Batch, Delivery, DeliveryState
from nightbell.deliver.settings import DeliverSettings, LaneHealth
from nightbell.tell.attempt import attempt_of
from nightbell.tell.budget import RetryBudget
from nightbell.tell.channel import Channel
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import NEVER_MS, Clock

_log = structlog.get_logger(__name__)


class _Way:
    """One channel with what waits for it."""

    def __init__(self, channel: Channel, sends_at_once: int) -> None:
        self.channel = channel
        self.lane = Lane()
        self.changed = asyncio.Event()
        self.slots = asyncio.Semaphore(sends_at_once)
        self.budget = RetryBudget()
        self.sends: set[asyncio.Task[None]] = set()
        self.failures_in_a_row = 0
        self.last_reason = ""


class Sending:
    """All channels but the open screens."""

    def __init__(
        self,
        *,
        channels: Sequence[Channel],
        board: Board,
        contacts: Contacts,
        way_news: WayNews,
        clock: Clock,
        settings: DeliverSettings,
        record: Callable[[Batch], None],
        told: Callable[[Notification, str, int], None],
        sent: Callable[[Out], None],
        on_end: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self.good_for: Final = {channel.name: channel.checklist for channel in channels}
        """What each channel is good for, by its name."""
        self._ways = {channel.name: _Way(channel, settings.sends_at_once) for channel in channels}
        self._board = board
        self._contacts = contacts
        self._way_news = way_news
        self._clock = clock
        self._settings = settings
        self._record = record
        self._told = told
        self._sent = sent
        self._on_end = on_end
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        for name, way in self._ways.items():
            loop = asyncio.create_task(self._send_loop(way), name=f"deliver-{name}")
            loop.add_done_callback(self._on_end)
            self._loops.append(loop)

    async def close(self) -> None:
        """Begin no more tries; those under way get a moment, then are broken off and wait in the ledger."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        sends = [send for way in self._ways.values() for send in way.sends]
        if not sends:
            return
        _, late = await asyncio.wait(sends, timeout=self._settings.close_ms_max / 1000)
        for send in late:
            send.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        """Look at the clock again."""
        for way in self._ways.values():
            way.changed.set()

    def queue(self, delivery: Delivery, told: Notification, now_ms: int) -> Batch:
        """Queue for its channel; return what is settled by that."""
        way = self._ways.get(channel_of(delivery.channel))
        if way is None:
            return Batch(deliveries=(settled(delivery, DeliveryState.EXPIRED, "no_address", now_ms=now_ms),))
        overtaken = way.lane.put(Item(delivery, told))
        way.changed.set()
        if overtaken is None:
            return Batch()
        late = settled(overtaken.delivery, DeliveryState.EXPIRED, "newer", now_ms=now_ms)
        return Batch(deliveries=(late,))

    def why_not(self, told: Notification, now_ms: int) -> str:
        """The reason not to send it now; empty is: send it."""
        may_be_told = self._contacts.may_be_told(told.follow)
        return why_not(told, self._board.standing(told), may_be_told=may_be_told, now_ms=now_ms)

    def health(self) -> tuple[LaneHealth, ...]:
        """How each channel goes."""
        return tuple(
            LaneHealth(
                name,
                len(way.lane),
                way.lane.oldest_ms(),
                len(way.sends),
                way.failures_in_a_row,
                way.last_reason,
            )
            for name, way in self._ways.items()
        )

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
            now_ms = self._clock.now_ms()
            item = way.lane.take(now_ms, again=way.budget.allows(now_ms))
            if item is not None:
                if item.delivery.tries:
                    way.budget.spend()
                else:
                    way.budget.first()
                return item
            later = way.lane.next_due_ms() != NEVER_MS
            try:
                async with asyncio.timeout(self._settings.look_ms / 1000 if later else None):
                    await way.changed.wait()
            except TimeoutError:
                continue

    async def _send(self, way: _Way, item: Item) -> None:
        try:
            self._record(await self._send_one(way, item))
        finally:
            way.slots.release()

    async def _send_one(self, way: _Way, item: Item) -> Batch:
        """One try: is it still to be sent, to where, what came of it, and what follows."""
        delivery, told = item
        began_ms = self._clock.now_ms()
        contact = self._contacts.contact(told.follower)
        to = way_of(contact, delivery.channel) if contact is not None else None
        reason = self.why_not(told, began_ms)
        if contact is None or to is None:
            reason = reason or ("no_person" if contact is None else "no_address")
        if contact is None or to is None or reason:
            return Batch(deliveries=(settled(delivery, DeliveryState.EXPIRED, reason, now_ms=began_ms),))
        outcome = await self._try(way, told, contact, to, began_ms)
        now_ms = self._clock.now_ms()
        after = after_try(
            delivery,
            outcome,
            made_ms=told.at_ms,
            now_ms=now_ms,
            rule=self._settings.rule,
            open_newest=is_newest_of_open(told, self._board.standing(told)),
        )
        self._count(way, outcome)
        self._learn(contact, to, outcome, now_ms)
        if isinstance(outcome, Sent):
            self._told(told, delivery.channel, now_ms)
            self._sent(Out(told, delivery.channel, to.address, outcome.provider_id, began_ms))
        attempt = attempt_of(
            outcome, message=told.id, channel=delivery.channel, number=after.tries, at_ms=began_ms
        )
        again = Batch()
        if after.state is DeliveryState.WAITING:
            again = self.queue(after, told, now_ms)
        return msgspec.structs.replace(again, deliveries=(after, *again.deliveries), attempts=(attempt,))

    async def _try(
        self, way: _Way, told: Notification, contact: Contact, to: ContactWay, now_ms: int
    ) -> Outcome:
        try:
            message = compose(
                told,
                contact=contact,
                sharer_name=self._contacts.sharer_name(told.sharer),
                name_of=self._name,
                now_ms=now_ms,
                words=catalogue(contact.language),
                link=self._settings.link,
                heard_ms=self._contacts.heard_ms(told.sharer),
            )
            message = msgspec.structs.replace(message, id=message_id(told.id, to.key))
            async with asyncio.timeout(self._settings.send_ms_max / 1000):
                return await way.channel.send(
                    message, to.address, idempotency_key=f"{message.id}.{way.channel.name}"
                )
        except TimeoutError:
            return Unavailable(catalogue().say("deliver.try_too_slow"))
        except Exception as error:  # noqa: BLE001 outermost: one message we fail on must not stop all others
            _log.error("channel.broken", channel=way.channel.name, error=type(error).__name__)
            return Unavailable(catalogue().say("deliver.try_broken"))

    def _learn(self, contact: Contact, to: ContactWay, outcome: Outcome, now_ms: int) -> None:
        """What the try says of the way itself."""
        if isinstance(outcome, Refused) and outcome.lost:
            self._way_news.lost(contact.person, to.channel, to.number, to.address, now_ms)
        elif isinstance(outcome, Sent) and to.lost_ms:
            self._way_news.works(contact.person, to.channel, to.number, to.address)

    def _name(self, person: str) -> str:
        contact = self._contacts.contact(person)
        return contact.name if contact is not None else ""

    def _count(self, way: _Way, outcome: Outcome) -> None:
        if isinstance(outcome, Unavailable):
            way.failures_in_a_row += 1
            way.last_reason = outcome.reason
            _log.warning("notification.unavailable", channel=way.channel.name, reason=outcome.reason)
        else:
            way.budget.answered()
            way.failures_in_a_row = 0
