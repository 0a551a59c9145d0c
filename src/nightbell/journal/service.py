"""The journal: one total order, durable before anything is promised.

Rules:
1. A future resolves after its group is on the disk and every consumer has had it, never before.
2. Consumers get groups on the event loop, in order, each exactly once.
3. A group that cannot be made durable goes to the consumers once, as volatile; its futures fail.
4. A full lane refuses at once, before anything is queued.
5. One group a second carries a tick, also when nothing else comes.

Theory of operation: everything below runs on the event loop except `Writer`, which has one batch at a time.
While it
commits, the next batches form; when it is done, or when a batch has waited long enough for company, the
next goes.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from nightbell.journal.facts import AnyFact, DoorOpened
from nightbell.journal.figures import JournalFigures, JournalHealth
from nightbell.journal.futures import all_of, forget, resolver
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.journal.lanes import Batch, Lane, LaneLimits, Turn, next_turn
from nightbell.journal.measures import Measures
from nightbell.journal.packing import fact_size
from nightbell.journal.ports import JournalStore, StoreFailedError
from nightbell.journal.recovery import Recovery
from nightbell.journal.writer import Writer, Written
from nightbell.load.gate import Load
from nightbell.publish.ports import Heard
from nightbell.publish.reading import Reading, Readings
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.errors import ErrorCode, PlatformError

Consumer = Callable[[Group], None]
"""What gets every group, on the event loop."""

KEEP_DAYS: Final = 7
"""How long the journal keeps its files, days. Source: issue 2, part 4."""

LINGER_S: Final = 0.003
"""How long a commit waits for company. Source: facts/performance.md, section 4: halves the CPU of low
load."""

_LINGER_SLACK_S: Final = 0.0005
"""A timer may come this early; then the batch goes all the same."""

_TICK_MS: Final = 1000
_ABSENT_MS: Final = 60_000
_TICK_SLACK_MS: Final = 50
_DAY_MS: Final = 86_400_000
_EXPIRE_EVERY_TICKS: Final = 3600
_TRY_AGAIN_S: Final = 0.25
"""After two failures in a row the store is tried this often: one failure costs nothing, a full disk
little."""

_SLOW_AFTER_S: Final = 5.0
"""A commit that takes longer is a broken disk: the usual one takes a millisecond, other tenants' noise 0.1
s."""

_log = structlog.get_logger()


class Journal:
    """One total order of everything that evaluation depends on."""

    def __init__(
        self,
        store: JournalStore,
        clock: Clock,
        *,
        limits: LaneLimits | None = None,
        keep_days: int = KEEP_DAYS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits or LaneLimits()
        self._keep_ms = keep_days * _DAY_MS
        self._live = Lane(self._limits.live)
        self._backfill = Lane(self._limits.backfill)
        self._facts_waiting = 0
        self._fact_bytes_waiting = 0
        self._streak = 0
        self._committing: Batch | None = None
        self._committing_lane = self._live
        self._committing_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._beat_timer: asyncio.TimerHandle | None = None
        self._beats = 0
        self._beaten_ms = 0
        self._expiring: asyncio.Task[None] | None = None
        self._consumers: list[Consumer] = []
        self._needed_after: list[Callable[[], int]] = []
        self._consumer_failures: dict[str, int] = {}
        self._next_seq = 1
        self._last_commit_ms = 0
        self._refused = 0
        self._measures = Measures()
        self._pausing: list[Callable[[], bool]] = []
        self._volatile = 0
        self._failed_in_a_row = 0
        self._failure: StoreFailedError | None = None
        self._try_again_at = 0.0
        self._closing = False
        self.figures = JournalFigures()
        self._writer = Writer(store, self._tell)
        self._loop: asyncio.AbstractEventLoop

    async def start(self, *, seen_seq: int = 0) -> Recovery:
        """Open the store and say what was found. Then replay, subscribe, and `begin`.

        Args:
            seen_seq: The newest seq that a checkpoint or another store remembers; no later group is called
            that.

        Raises:
            PlatformError: INTERNAL, the store cannot be opened; the sentence says what to do.
        """
        self._loop = asyncio.get_running_loop()
        self._writer.start()
        opened: asyncio.Future[Recovery | StoreFailedError] = self._loop.create_future()
        now_ms = self._clock.now_ms()

        def open_store() -> None:
            try:
                found: Recovery | StoreFailedError = self._store.open(now_ms=now_ms, seen_seq=seen_seq)
            except StoreFailedError as failure:
                found = failure
            self._loop.call_soon_threadsafe(opened.set_result, found)

        self._writer.call(open_store)
        found = await opened
        if isinstance(found, StoreFailedError):
            await asyncio.to_thread(self._writer.stop)
            sentence = catalogue().say("journal.cannot_open", place=found.place, detail=found.detail)
            raise PlatformError(ErrorCode.INTERNAL, sentence) from found
        self._next_seq = found.next_seq
        _log.info(
            "journal.opened",
            last_seq=found.last_seq, files=found.files, torn=len(found.torn), set_aside=len(found.set_aside),
        )  # fmt: skip
        return found

    def begin(self) -> None:
        """From now on there is a tick a second. Call it when replay is over and consumers have subscribed."""
        self._beat()

    async def close(self) -> None:
        """Take nothing more, commit what waits, and close the store."""
        self._closing = True
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        settled = self.settled()
        if self._committing is None:
            self._turn()  # what was paused goes now
        await asyncio.wait([settled])
        if self._timer is not None:
            self._timer.cancel()
        if self._expiring is not None:
            await asyncio.wait([self._expiring])
        self._writer.call(self._store.close)
        await asyncio.to_thread(self._writer.stop)

    def append(self, *, live: Readings, backfill: Readings) -> asyncio.Future[int]:
        """Queue readings for the next commits.

        Returns:
            Resolves to the seq of the group (the newest, if in both lanes) once it is durable and consumers
            had it;
            fails with PlatformError NOT_DURABLE.

        Raises:
            PlatformError: OVERLOADED, a lane is full or we are stopping; nothing was queued.
        """
        lane = self._live
        if (
            self._closing
            or not lane.has_room(len(live))
            or (len(backfill) and not self._backfill.has_room(len(backfill)))
        ):
            raise self._refusal(len(live), len(backfill))
        loop = self._loop
        future: asyncio.Future[int] = loop.create_future()
        if len(live) and len(backfill):
            other: asyncio.Future[int] = loop.create_future()
            lane.put(live, resolver(future), loop.time())
            self._backfill.put(backfill, resolver(other), loop.time())
            future = all_of((future, other), loop)
        elif len(live):
            lane.put(live, resolver(future), loop.time())
        elif len(backfill):
            lane = self._backfill
            lane.put(backfill, resolver(future), loop.time())
        else:
            future.set_result(self._next_seq - 1)
            return future
        if self._committing is None:
            self._wake(lane)
        return future

    def write(self, reading: Reading, heard: Heard) -> None:
        """Queue one live reading, as `append`; `heard` is told where a future would be settled.

        A future for each of thousands of readings a second costs as much as judging them.

        Raises:
            PlatformError: OVERLOADED; nothing was queued.
        """
        lane = self._live
        if self._closing or not lane.has_room(1):
            raise self._refusal(1, 0)
        lane.put((reading,), heard, self._loop.time())
        if self._committing is None:
            self._wake(lane)

    def append_fact(self, fact: AnyFact) -> asyncio.Future[int]:
        """Queue a fact for the next commit. As `append`."""
        size = fact_size(fact)
        limit = self._limits.control
        if (
            self._closing
            or self._facts_waiting >= limit.items
            or self._fact_bytes_waiting + size > limit.bytes
        ):
            self._refused += 1
            key = "closing" if self._closing else "full.control"
            raise self._error(ErrorCode.OVERLOADED, f"journal.{key}", "control", self._facts_waiting)
        future: asyncio.Future[int] = self._loop.create_future()
        self._live.forming.add_fact(fact, size, resolver(future), self._loop.time())
        self._facts_waiting += 1
        self._fact_bytes_waiting += size
        if self._committing is None:
            self._wake(self._live)
        return future

    def settled(self) -> asyncio.Future[int]:
        """Resolves when everything in flight now is durable; fails if any of it is not."""
        batches = [*self._live.all_waiting(), *self._backfill.all_waiting()]
        if self._committing is not None:
            batches.append(self._committing)
        if not batches:
            nothing: asyncio.Future[int] = self._loop.create_future()
            nothing.set_result(self._next_seq - 1)
            return nothing
        futures: list[asyncio.Future[int]] = []
        for batch in batches:
            future: asyncio.Future[int] = self._loop.create_future()
            batch.fact_waiters.append(resolver(future))
            futures.append(future)
        return futures[0] if len(futures) == 1 else all_of(futures, self._loop)

    def subscribe(self, consumer: Consumer) -> None:
        """Hand every later group to a consumer, after those that subscribed before it."""
        self._consumers.append(consumer)

    def hold(self, needed_after: Callable[[], int]) -> None:
        """Never expire a file with a group above what `needed_after` returns: somebody would replay it."""
        self._needed_after.append(needed_after)

    def pause_backfill(self, behind: Callable[[], bool]) -> None:
        """Commit nothing late while somebody is `behind` with what was committed. Live always goes on."""
        self._pausing.append(behind)

    def load(self) -> Load:
        """What was measured since the last call."""
        oldest, now = self._live.oldest(), self._loop.time()
        waited_s = now - oldest.since - LINGER_S if oldest is not None else 0.0
        if self._committing is not None and self._committing_lane is self._live:
            waited_s = max(waited_s, now - self._committing_since)
        return self._measures.taken(filled=self._live.filled, oldest_wait_s=max(0.0, waited_s))

    def backfill_again_s(self, readings: int) -> int:
        """When late readings come again that were not let in."""
        return self._measures.again_s("backfill", self._backfill.waiting, readings, self._loop.time())

    def replay(self, after_seq: int, *, facts: bool = True) -> Iterator[Group]:
        """Groups above `after_seq`, oldest first, streamed; without `facts`, none. Before `begin` only."""
        assert self._beat_timer is None
        return self._store.replay(after_seq, facts=facts)

    def again(self, after_seq: int, upto_seq: int) -> Iterator[Group]:
        """Groups between two, without facts, while all runs; raises StoreFailedError. From any thread."""
        return self._store.again(after_seq, upto_seq)

    def recovery(self) -> Recovery:
        """What `start` found, and what replay has found since."""
        return self._store.recovery()

    def health(self) -> JournalHealth:
        """How the journal is now."""
        return JournalHealth(
            last_seq=self._next_seq - 1,
            last_commit_ms=self._last_commit_ms,
            live=self._live.waiting,
            backfill=self._backfill.waiting,
            control=self._facts_waiting,
            live_age_s=self._age_s(self._live, lambda batch: batch.count),
            backfill_age_s=self._age_s(self._backfill, lambda batch: batch.count),
            control_age_s=self._age_s(self._live, lambda batch: len(batch.facts)),
            refused=self._refused,
            volatile=self._volatile,
            consumer_failures=dict(self._consumer_failures),
            failing=self._failing(),
        )

    def _age_s(self, lane: Lane, held: Callable[[Batch], int]) -> float:
        committing = [self._committing] if self._committing and self._committing_lane is lane else []
        since = [batch.since for batch in (*committing, *lane.all_waiting()) if held(batch)]
        return max(0.0, self._loop.time() - min(since)) if since else 0.0

    def tick(self) -> None:
        """Have the next commit carry the time of day. `begin` does this every second."""
        self._live.forming.add_tick(self._clock.now_ms(), self._loop.time())
        if self._committing is None:
            self._wake(self._live)

    def _beat(self) -> None:
        now_ms = self._clock.now_ms()
        into_ms = now_ms % _TICK_MS
        # A timer that came a little early is of the second that is about to begin.
        wait_ms = _TICK_MS - into_ms + (_TICK_MS if into_ms > _TICK_MS - _TICK_SLACK_MS else 0)
        self._beat_timer = self._loop.call_later(wait_ms / 1000, self._beat)
        if self._beaten_ms and now_ms - self._beaten_ms > _ABSENT_MS:
            # The machine slept, or we stood still: our own silence is not the sharers'.
            with contextlib.suppress(PlatformError):
                self.append_fact(DoorOpened(now_ms)).add_done_callback(forget)
        self._beaten_ms = now_ms
        self.tick()
        if self._beats % _EXPIRE_EVERY_TICKS == 0 and (self._expiring is None or self._expiring.done()):
            self._expiring = self._loop.create_task(self._expire(now_ms))
        self._beats += 1

    async def _expire(self, now_ms: int) -> None:
        needed_after = min((needed() for needed in self._needed_after), default=self._next_seq - 1)
        before_ms = now_ms - self._keep_ms
        try:
            # Deleting a file of gigabytes takes a second: not in the writer's thread.
            gone = await asyncio.to_thread(
                lambda: self._store.expire(before_ms=before_ms, needed_after=needed_after)
            )
        except StoreFailedError as failure:
            _log.warning("journal.expire_failed", fault=failure.fault, detail=failure.detail)
            return
        if gone:
            _log.info("journal.expired", files=gone)

    def _wake(self, lane: Lane) -> None:
        if lane.forming.full:
            self._turn()
        elif self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._turn)

    def _turn(self) -> None:
        """Start the next commit if there is one and it is time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._committing is not None:
            return
        now = self._loop.time()
        live, backfill = self._live.oldest(), self._backfill.oldest()
        if not self._closing and any(behind() for behind in self._pausing):
            backfill = None  # the next tick asks again
        turn = next_turn(
            live=live, backfill=backfill, streak=self._streak, due_before=now - LINGER_S + _LINGER_SLACK_S
        )
        if turn is Turn.LATER:
            begun = [batch.since for batch in (live, backfill) if batch is not None]
            if begun:
                self._timer = self._loop.call_at(min(begun) + LINGER_S, self._turn)
            return
        self._streak = self._streak + 1 if turn is Turn.LIVE and backfill is not None else 0
        self._committing_lane = self._live if turn is Turn.LIVE else self._backfill
        batch = self._committing = self._committing_lane.take()
        self._committing_since = now
        self._measures.began(now - batch.since - LINGER_S, live=turn is Turn.LIVE)
        self._writer.submit(
            batch,
            seq=self._next_seq,
            recorded_ms=self._clock.now_ms(),
            try_store=now >= self._try_again_at,
        )

    def _tell(self, written: Written) -> None:
        self._loop.call_soon_threadsafe(self._committed, written)

    def _committed(self, written: Written) -> None:
        batch = written.batch
        live = self._committing_lane is self._live
        histogram = self.figures.live if live else self.figures.backfill
        histogram.add_one(self._loop.time() - self._committing_since)
        self._committing = None
        self._committing_lane.done(batch)
        self._measures.ended(
            "live" if live else "backfill",
            batch.count,
            since=batch.since,
            began=self._committing_since,
            now=self._loop.time(),
        )
        self._facts_waiting -= len(batch.facts)
        self._fact_bytes_waiting -= batch.fact_bytes
        if written.group.seq == VOLATILE_SEQ:
            self._note_failure(written.failure)
        else:
            self._note_success(written.group)
        self._hand_on(written.group)
        self._turn()  # the disk works while we answer
        self._resolve(written)

    def _note_success(self, group: Group) -> None:
        if self._failed_in_a_row:
            _log.info("journal.healed", seq=group.seq, after=self._failed_in_a_row)
        self._failed_in_a_row = 0
        self._failure = None
        self._next_seq = group.seq + 1
        self._last_commit_ms = group.recorded_ms

    def _note_failure(self, failure: StoreFailedError | None) -> None:
        self._volatile += 1
        if failure is None:
            return
        self._failed_in_a_row += 1
        self._failure = failure
        if self._failed_in_a_row > 1:
            self._try_again_at = self._loop.time() + _TRY_AGAIN_S
        _log.error("journal.commit_failed", fault=failure.fault, detail=failure.detail, place=failure.place)

    def _hand_on(self, group: Group) -> None:
        for consumer in self._consumers:
            try:
                consumer(group)
            except Exception:  # noqa: BLE001 one part's fault must not silence the parts after it
                name = getattr(consumer, "__qualname__", type(consumer).__name__)
                self._consumer_failures[name] = self._consumer_failures.get(name, 0) + 1
                _log.exception("journal.consumer_failed", consumer=name, seq=group.seq)

    def _resolve(self, written: Written) -> None:
        """Tell everybody who waits for a commit what became of it."""
        batch, seq = written.batch, written.group.seq
        waiters = batch.waiters
        if seq == VOLATILE_SEQ:
            for heard in (*batch.fact_waiters, *waiters):  # each comes again in a time of its own
                _tell(heard, seq, self._error(ErrorCode.NOT_DURABLE, "journal.not_durable", "not_durable"))
            return
        if written.unpackable:
            _log.error("journal.unpackable", requests=len(written.unpackable))
            refusal = PlatformError(ErrorCode.INTERNAL, catalogue().say("journal.not_packable"))
            refused = frozenset(written.unpackable)
            for index in refused:
                _tell(waiters[index], seq, refusal)
            waiters = [heard for index, heard in enumerate(waiters) if index not in refused]
        for heard in (*batch.fact_waiters, *waiters):
            _tell(heard, seq, None)

    def _refusal(self, live: int, backfill: int) -> PlatformError:
        """Why nothing was queued: which lane is full, or that we are stopping."""
        self._refused += 1
        if self._closing:
            return self._error(ErrorCode.OVERLOADED, "journal.closing", "not_durable")
        full, lane = "backfill", self._backfill
        if live and not self._live.has_room(live):
            full, lane = "live", self._live
        return self._error(ErrorCode.OVERLOADED, f"journal.full.{full}", full, lane.waiting, live + backfill)

    def _error(
        self, code: ErrorCode, key: str, name: str, waiting: int = 0, refused: int = 1
    ) -> PlatformError:
        seconds = self._measures.again_s(name, waiting, refused, self._loop.time())
        return PlatformError(code, catalogue().say(key, seconds=seconds), retry_after_s=seconds)

    def _failing(self) -> str:
        words = catalogue()
        failure = self._failure
        if failure is not None:
            return words.say(f"journal.failing.{failure.fault}", place=failure.place, detail=failure.detail)
        if self._committing is not None:
            seconds = int(self._loop.time() - self._committing_since)
            if seconds >= _SLOW_AFTER_S:
                return words.say("journal.failing.slow", seconds=seconds)
        if self._consumer_failures:
            return words.say("journal.failing.consumer", consumers=", ".join(self._consumer_failures))
        return ""


def _tell(heard: Heard, seq: int, error: PlatformError | None) -> None:
    try:
        heard(seq, error)
    except Exception:  # noqa: BLE001 one who fails to listen must not keep it from the others
        _log.exception("journal.waiter_failed", seq=seq)
