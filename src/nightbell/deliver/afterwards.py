"""What happens to a message after it was sent: what its provider says of it, and how it falls silent again.

Rules:

1. What became known is a receipt in the ledger; "I've got it" is an answer like any other, by the person to
   whom the message went.
2. An answer to what was told before the alarm grew is no answer to what it is now: it counts as seen.
3. When somebody has the alarm or it is over, every channel that can is told to fall silent: calls are hung
   up, apps stop insisting. A message that was on its way at that moment is taken back when it arrives.
4. What is known twice, late or in another order does no harm.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import structlog

from nightbell.account.way import ProvenBy
from nightbell.alarm.effects import AlarmState, Notification
from nightbell.alarm.part import urgency
from nightbell.deliver.board import Board, Change
from nightbell.deliver.outbox import RING_STALE_MS, channel_of, is_ring, key_of, message_id, told_by
from nightbell.deliver.ports import WayNews
from nightbell.tell.attempt import Receipt, ReceiptState
from nightbell.tell.callback import (
    Asks,
    Callback,
    CallbackAnswer,
    Listens,
    News,
    NewsKind,
    Retracts,
    TakesCallbacks,
)
from nightbell.tell.channel import Channel
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.errors import CallerError, PlatformError

_log = structlog.get_logger(__name__)

OUT_MAX: Final = 50_000
"""Messages that are remembered while something may still become known of them; beyond, the oldest goes."""

ASK_FOR_MS: Final = 3 * 60 * 60_000
"""How long a provider is asked about one message: as long as Pushover goes on ringing at most."""

ASKS_AT_ONCE: Final = 4
RETRACTS_AT_ONCE: Final = 32
RETRACT_TRIES: Final = 9
RETRACT_AGAIN_S: Final = 0.5
RETRACT_AGAIN_S_MAX: Final = 30.0
"""A provider that is away for two minutes must not ring somebody's phone for a quarter of an hour."""

OLD_MS: Final = RING_STALE_MS
"""An answer to a message older than this counts only if nothing newer was told to that person: a line that
was down brings old ones."""

LISTEN_AGAIN_S: Final = 5.0
TAKE_AGAIN_S: Final = 1.0
NEWS_MAX: Final = 10_000
"""News that wait; a channel that hears more than this at once waits itself."""

_ENDS: Final = frozenset({NewsKind.ANSWERED, NewsKind.PASSED_ON, NewsKind.FAILED, NewsKind.LOST})
_RECEIPTS: Final = {
    NewsKind.DELIVERED: ReceiptState.DELIVERED,
    NewsKind.SEEN: ReceiptState.SEEN,
    NewsKind.ANSWERED: ReceiptState.SEEN,
    NewsKind.PASSED_ON: ReceiptState.SEEN,
    NewsKind.FAILED: ReceiptState.FAILED,
    NewsKind.LOST: ReceiptState.FAILED,
}
_PROVEN: Final = {
    NewsKind.DELIVERED: ProvenBy.DELIVERED,
    NewsKind.SEEN: ProvenBy.SEEN,
    NewsKind.ANSWERED: ProvenBy.ANSWERED,
    NewsKind.PASSED_ON: ProvenBy.SEEN,
}
_QUIET: Final = frozenset({AlarmState.ANSWERED, AlarmState.RESOLVED})


class Out(NamedTuple):
    """A message that was handed over.

    Attributes:
        told: What it says.
        way: By which way, as in its delivery.
        address: Where it went.
        provider_id: What the provider calls it.
        sent_ms: When.
    """

    told: Notification
    way: str
    address: str
    provider_id: str
    sent_ms: int


async def _retracted(channel: Retracts, out: Out) -> Outcome:
    try:
        return await channel.retract(message_id(out.told.id, out.way), out.provider_id, out.address)
    except Exception as error:  # noqa: BLE001 one message we fail on must not keep the others ringing
        _log.error("channel.broken", channel=out.way, error=type(error).__name__)
        return Unavailable(catalogue().say("deliver.try_broken"))


async def _asked(name: str, channel: Asks, out: Out) -> tuple[News, ...]:
    try:
        return await channel.ask(message_id(out.told.id, out.way), out.provider_id)
    except Exception as error:  # noqa: BLE001 one message we fail on must not stop the questions about others
        _log.error("channel.broken", channel=name, error=type(error).__name__)
        return ()


class _Known(NamedTuple):
    """One of them, and what became known so far."""

    out: Out
    kinds: set[NewsKind]


class Voices(NamedTuple):
    """What people said through a provider, handed on.

    Attributes:
        answered: A person has an alarm, as far as the urgency goes that they were told of.
        passed_on: A person asks for the next one to be called.
    """

    answered: Callable[[str, str, int], Awaitable[None]]
    passed_on: Callable[[str, str], Awaitable[None]]


async def _nobody(*_said: object) -> None:
    """Nothing hears what people say."""


DEAF: Final = Voices(_nobody, _nobody)
"""For a house in which no channel brings an answer."""


class Afterwards:
    """All messages of which something may still become known.

    Args:
        channels: All ways out.
        board: How each alarm stands.
        clock: The time of day.
        told: Finds a notification by its id; None if we never told such a thing.
        keep: Keeps a receipt.
        voices: Hands on what people said.
        way_news: Keeps what became known of each way.
    """

    def __init__(
        self,
        *,
        channels: Sequence[Channel],
        board: Board,
        clock: Clock,
        told: Callable[[str], Awaitable[Notification | None]],
        keep: Callable[[Receipt], None],
        voices: Voices,
        way_news: WayNews,
    ) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._board = board
        self._clock = clock
        self._told = told
        self._keep = keep
        self._voices = voices
        self._way_news = way_news
        self._out: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._of_alarm: dict[str, set[tuple[str, str]]] = {}
        self._slots = asyncio.Semaphore(RETRACTS_AT_ONCE)
        self._spent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._news: asyncio.Queue[tuple[str, News]] = asyncio.Queue(maxsize=NEWS_MAX)
        self._retracting: set[asyncio.Task[None]] = set()

    # ---- what goes out ------------------------------------------------------------------------------------

    def sent(self, out: Out) -> None:
        """A message was handed over; if nobody needs it any more by now, it is taken back."""
        channel = self._channel(out.way)
        if not isinstance(channel, Asks | TakesCallbacks | Listens | Retracts):
            return
        key = (out.told.id, out.way)
        self._out[key] = _Known(out, set())
        self._of_alarm.setdefault(out.told.alarm, set()).add(key)
        if len(self._out) > OUT_MAX:
            self._forget(next(iter(self._out)))
        alarm = self._board.alarm(out.told.alarm)
        if alarm is None or alarm.state not in _QUIET:
            return
        if out.told.at_ms <= (alarm.resolved_ms or alarm.answered_ms):
            self._silence(out.told.alarm)

    def ended(self, message: str, way: str) -> None:
        """A message has come to its end: whatever is said of it again says nothing new."""
        self._forget((message, way))
        self._spent[message, way] = None
        if len(self._spent) > OUT_MAX:
            self._spent.popitem(last=False)

    def changed(self, changes: Iterable[Change]) -> None:
        """Alarms changed: what somebody has, or what is over, falls silent."""
        for change in changes:
            rang = change.before is not None and change.before.state not in _QUIET
            if rang and change.after.state in _QUIET:
                self._silence(change.after.id)

    def _silence(self, alarm: str) -> None:
        for key in tuple(self._of_alarm.get(alarm, ())):
            out = self._out[key].out
            channel = self._channel(out.way)
            if not is_ring(out.told):
                continue  # that it is over, or who has it, is to be read
            self._forget(key)
            if isinstance(channel, Retracts):
                task = asyncio.create_task(self._retract(channel, out), name=f"retract-{out.way}")
                self._retracting.add(task)
                task.add_done_callback(self._retracting.discard)

    async def _retract(self, channel: Retracts, out: Out) -> None:
        for tried in range(RETRACT_TRIES):
            async with self._slots:
                outcome = await _retracted(channel, out)
            if isinstance(outcome, Sent):
                return
            if isinstance(outcome, Refused) or tried + 1 == RETRACT_TRIES:
                _log.warning("message.not_retracted", channel=out.way, reason=outcome.reason)
                return
            again_s = min(RETRACT_AGAIN_S * 2**tried, RETRACT_AGAIN_S_MAX)
            await asyncio.sleep(max(again_s, outcome.retry_after_ms / 1000))

    def _forget(self, key: tuple[str, str]) -> None:
        known = self._out.pop(key, None)
        if known is None:
            return
        alarm = known.out.told.alarm
        keys = self._of_alarm[alarm]
        keys.discard(key)
        if not keys:
            del self._of_alarm[alarm]

    # ---- what comes back ----------------------------------------------------------------------------------

    async def callback(self, name: str, posted: Callback) -> CallbackAnswer:
        """A provider posted to us: its channel says what that means, and it is taken before we answer.

        Raises:
            PlatformError: It could not be written down; the provider is to come again.
        """
        channel = self._channels.get(name)
        if not isinstance(channel, TakesCallbacks):
            return CallbackAnswer(404)
        answer = channel.heard(posted)
        for news in answer.news:
            await self.take(name, news)
        return answer

    async def take(self, name: str, news: News) -> None:
        """Take what became known of one message.

        Raises:
            PlatformError: It could not be written down.
        """
        notification, number = told_by(news.message)
        way = key_of(name, number)
        out = self._out.get((notification, way))
        told = out.out.told if out is not None else await self._told(notification)
        if told is None or (out is not None and news.kind in out.kinds) or (notification, way) in self._spent:
            return
        person, now_ms = told.follower, self._clock.now_ms()
        self._keep(Receipt(told.id, way, _RECEIPTS[news.kind], person, now_ms))
        match news.kind:
            case NewsKind.ANSWERED if not self._is_overtaken(told, now_ms):
                covers = urgency(told.condition, unseen=told.unseen)
                await self._say(self._voices.answered(told.alarm, person, covers))
            case NewsKind.PASSED_ON if not self._is_overtaken(told, now_ms):
                await self._say(self._voices.passed_on(told.alarm, person))
            case NewsKind.LOST:
                self._way_news.lost(person, name, number, out.out.address if out is not None else "", now_ms)
            case _:
                pass
        proven = _PROVEN.get(news.kind)
        if proven is not None:
            self._way_news.proven(person, name, number, proven, now_ms)
        if out is not None:
            out.kinds.add(news.kind)
        if news.kind in _ENDS:
            self.ended(told.id, way)

    async def _say(self, saying: Awaitable[None]) -> None:
        try:
            await saying
        except CallerError as error:
            # It is over, or they may see nothing any more: nobody needs an answer.
            _log.info("answer.too_late", code=error.code)

    def _is_overtaken(self, told: Notification, now_ms: int) -> bool:
        """Whether something more urgent was told since to the same person, or this is old and not newest."""
        newest = self._board.newest_told(told.alarm, told.follower)
        if newest is None:
            return False
        if newest.step > told.step and now_ms - told.at_ms > OLD_MS:
            return True
        return urgency(newest.condition, unseen=newest.unseen) > urgency(told.condition, unseen=told.unseen)

    # ---- loops --------------------------------------------------------------------------------------------

    def loops(self) -> Iterator[tuple[str, Coroutine[None, None, None]]]:
        """What is to run as long as we do, each with its name."""
        yield "deliver-news", self._take_news()
        for name, channel in self._channels.items():
            if isinstance(channel, Asks):
                yield f"deliver-ask-{name}", self._ask_all(name, channel)
            if isinstance(channel, Listens):
                yield f"deliver-listen-{name}", self._listen(name, channel)

    async def close(self) -> None:
        """Let what is being taken back be taken back; no more than a moment is spent on it."""
        if self._retracting:
            await asyncio.wait(self._retracting, timeout=1)
        for task in tuple(self._retracting):
            task.cancel()
        await asyncio.gather(*self._retracting, return_exceptions=True)

    async def _take_news(self) -> None:
        while True:
            name, news = await self._news.get()
            while not await self._taken(name, news):  # noqa: ASYNC110 the disk tells nobody when it has room
                await asyncio.sleep(TAKE_AGAIN_S)

    async def _taken(self, name: str, news: News) -> bool:
        """Whether it was taken, or never can be: what could not be written down is taken again."""
        try:
            await self.take(name, news)
        except PlatformError as error:
            _log.error("news.not_taken", channel=name, kind=news.kind, code=error.code)
            return False
        except Exception as error:  # noqa: BLE001 one message we fail on must not stop the answers to others
            _log.error("news.broken", channel=name, kind=news.kind, error=type(error).__name__)
        return True

    async def _listen(self, name: str, channel: Listens) -> None:
        def heard(news: News) -> None:
            try:
                self._news.put_nowait((name, news))
            except asyncio.QueueFull:
                _log.error("news.left_out", channel=name, kind=news.kind)

        while True:
            try:
                await channel.listen(heard)
            except Exception as error:  # noqa: BLE001 a channel we fail on must not take the bell with it
                _log.error("channel.broken", channel=name, error=type(error).__name__)
                await asyncio.sleep(LISTEN_AGAIN_S)

    async def _ask_all(self, name: str, channel: Asks) -> None:
        """Ask about everything that is out, round after round."""
        while True:
            await asyncio.sleep(channel.ask_every_ms / 1000)
            now_ms = self._clock.now_ms()
            mine = [known.out for known in self._out.values() if channel_of(known.out.way) == name]
            for out in mine:
                if now_ms - out.sent_ms > ASK_FOR_MS:
                    self._forget((out.told.id, out.way))
            for start in range(0, len(mine), ASKS_AT_ONCE):
                some = mine[start : start + ASKS_AT_ONCE]
                answers = await asyncio.gather(*(_asked(name, channel, out) for out in some))
                for news in (news for answer in answers for news in answer):
                    await self._news.put((name, news))

    def _channel(self, way: str) -> Channel | None:
        return self._channels.get(channel_of(way))
