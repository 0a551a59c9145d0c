"""History: every sharer's readings by time, complete a moment after the journal has them.

Rules:
1. A block stays open for a while after its three hours. When it is closed, it is written once.
2. What comes later goes beside it, and so does what lies too far ahead.
3. Each write says up to where everything is kept. After a restart the journal is read from there.
4. A write that fails is tried again; nothing leaves memory before it is in the store, but the oldest blocks
   while it fails for so long that they would fill it: the journal keeps them (`held.py`).

Theory of operation: `consume` only puts a group in a list. The list is absorbed into columns when it is
long enough,
when somebody reads, and before a block closes. Reads take memory first and the store after it, so that what
moves
from one to the other in between is seen twice and settles, never not at all.
"""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from nightbell.history.health import HistoryHealth, failing
from nightbell.history.held import CLOSED_BYTES_MAX, JournalOnly, ReadAgain, gathered, leaving, lowered
from nightbell.history.newest import Newest
from nightbell.history.open_block import LATENESS_S_MAX, OpenBlock, by_sharer, taken
from nightbell.history.packing import Packed, pack_mixed, unpack
from nightbell.history.ports import (
    NOTHING_CLOSED,
    ClosedBlock,
    Flush,
    HistoryFailedError,
    HistoryState,
    HistoryStore,
)
from nightbell.history.reading import BLOCK_MS, HISTORY_DTYPE, as_history, block_of, settled
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.journal.ports import StoreFailedError
from nightbell.load import deadline
from nightbell.load.again import AGAIN_S_MIN
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all, refusal, too_late
from nightbell.publish.reading import READING_DTYPE, Reading, joined
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.errors import ErrorCode, PlatformError

KEEP_DAYS: Final = 90
"""How long history keeps readings, days. Source: issue 2, part 4."""

GRACE_MS: Final = 20 * 60_000
"""How long a block stays open after its end: live readings are up to 15 min old, and clocks differ."""

_DAY_MS: Final = 86_400_000
_CLOCK_SLACK_BLOCKS: Final = 8
_ABSORB_AT: Final = 8192
"""Readings: enough that the array operations cost nothing each, few enough that a read waits under a
millisecond."""

_BESIDE_MAX: Final = 100_000
"""Readings beside that are written without waiting."""

_BESIDE_BEHIND: Final = 5 * _BESIDE_MAX
"""Readings beside, 20 MB, above which late ones stay in the journal's lane, which refuses when it is full."""

_BESIDE_AGE_MS: Final = 10 * 60_000
_AGAIN_AFTER_MS: Final = 30_000
_AGAIN_AFTER_S: Final = 30
READS_WAITING_MAX: Final = 128
"""Reads that wait for the store; at a millisecond or a few each they wait half a second at most."""

_EMPTY: Final = np.empty(0, READING_DTYPE)

_log = structlog.get_logger()


class History:
    """Everybody's readings by time."""

    def __init__(
        self,
        store: HistoryStore,
        clock: Clock,
        *,
        keep_days: int = KEEP_DAYS,
        admission: Admission | None = None,
        closed_bytes_max: int = CLOSED_BYTES_MAX,
    ) -> None:
        self._admission = admission or open_to_all()
        self._closed_bytes_max = closed_bytes_max
        self._reading = 0
        self._store = store
        self._clock = clock
        self._keep_ms = keep_days * _DAY_MS
        self._state = HistoryState()
        self._whole_state = HistoryState()
        self._journal_only: list[JournalOnly] = []
        self._read_again: ReadAgain | None = None
        self._unread: StoreFailedError | None = None
        self._ending = False
        self._closed_upto = NOTHING_CLOSED
        self._last_seq = 0
        self._pending: list[NDArray[np.void]] = []
        self._pending_count = 0
        self._pending_first_seq = 0
        self._pending_recorded_ms = 0
        self._open: dict[int, OpenBlock] = {}
        self._closing: list[OpenBlock] = []
        self._beside: list[NDArray[np.void]] = []
        self._beside_count = 0
        self._beside_since_ms = 0
        self._flushing: list[NDArray[np.void]] = []
        self._newest = Newest()
        self._newest_came_late = False
        self._dropped = 0
        self._failure: HistoryFailedError | None = None
        self._damage: HistoryFailedError | None = None
        self._set_aside = ""
        self._try_again_ms = 0
        self._flush_task: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, "history-write")
        self._reader = ThreadPoolExecutor(1, "history-read")

    async def start(self) -> int:
        """Open the store.

        Returns:
            The journal group after which `restore` wants to be given groups.

        Raises:
            PlatformError: INTERNAL, the store cannot be opened; the sentence says what to do.
        """
        loop = asyncio.get_running_loop()
        try:
            opened = await loop.run_in_executor(self._writer, self._store.open)
        except HistoryFailedError as error:
            self._writer.shutdown()
            self._reader.shutdown()
            sentence = catalogue().say("history.cannot_open", place=error.place, detail=error.detail)
            raise PlatformError(ErrorCode.INTERNAL, sentence) from error
        self._state = opened.state
        self._set_aside = opened.set_aside
        if opened.set_aside:
            _log.error("history.set_aside", moved_to=opened.set_aside)
        self._closed_upto = self._state.closed_upto
        self._last_seq = self._state.replay_after
        if opened.newest:
            self._newest.restore(opened.newest)
        return self._state.replay_after

    def restore(self, groups: Iterable[Group]) -> None:
        """Take in what the journal holds and the store does not.

        Blocks of time that end on the way are written at once; call it in a thread if the journal is long.

        Raises:
            HistoryFailedError: The store cannot be written.
        """
        for group in groups:
            self._take(group)
            if self._wants_flush(group.recorded_ms):
                flush = self._begin_flush()
                self._store.write(flush)
                self._end_flush(flush)

    def reads_again(self, read_again: ReadAgain) -> None:
        """From where to read, while all runs, what left memory unwritten. Without it, a restart does."""
        self._read_again = read_again

    def consume(self, group: Group) -> None:
        """Take in one group of the journal, on the event loop. Volatile groups are not history."""
        self._take(group)
        if self._flush_task is not None and self._flush_task.done():
            # Anything but a failing store is a fault of ours: the journal counts it and `failing` shows it.
            task, self._flush_task = self._flush_task, None
            task.result()
        if self._flush_task is None and self._wants_flush(group.recorded_ms):
            self._flush_task = asyncio.get_running_loop().create_task(self._flush())

    def flushed_seq(self) -> int:
        """The store holds everything up to this group: the journal must keep what comes after it."""
        return self._state.replay_after

    def seen_seq(self) -> int:
        """The newest group this store remembers: no other group may be called that (`Journal.start`)."""
        return self._state.beside_seq

    async def readings(
        self, *, sharer: int, from_ms: int, to_ms: int, most: int = 0, work: Work = Work.HISTORY
    ) -> NDArray[np.void]:
        """What a sharer measured from one instant to before another.

        Args:
            sharer: The sharer's number.
            from_ms: Inclusive.
            to_ms: Exclusive.
            most: At most so many, the newest ones; 0 is all.
            work: Its class: `LIVE` where an old client shows the newest number by reading history.

        Returns:
            `HISTORY_DTYPE`, oldest first, each reading once.

        Raises:
            PlatformError: INTERNAL, the store cannot be read; OVERLOADED, others go first, or nobody waits
                for it any more.
        """
        self._admission.check(work, sharer)
        from_ms, to_ms = max(0, from_ms), max(0, to_ms)
        if to_ms <= from_ms:
            return np.empty(0, HISTORY_DTYPE)
        self._absorb()
        first, last = block_of(from_ms), block_of(to_ms - 1)
        if work is not Work.LIVE and any(first <= each.block <= last for each in self._journal_only):
            # A gap would be taken for a sensor that was silent. An old client's newest number is still told.
            raise PlatformError(
                ErrorCode.INTERNAL, catalogue().say("history.cannot_read"), retry_after_s=_AGAIN_AFTER_S
            )
        in_memory = self._in_memory(sharer, first, last)
        try:
            stored = await self._stored(sharer, first, last)
        except HistoryFailedError as error:
            self._note_damage(error)
            sentence = catalogue().say("history.cannot_read")
            raise PlatformError(ErrorCode.INTERNAL, sentence, retry_after_s=_AGAIN_AFTER_S) from error
        parts = [*in_memory, *(unpack(each.packed, each.block) for each in stored)]
        rows = settled(np.concatenate(parts)) if parts else np.empty(0, HISTORY_DTYPE)
        rows = rows[(rows["measured_ms"] >= from_ms) & (rows["measured_ms"] < to_ms)]
        return rows[-most:] if most else rows

    async def _stored(self, sharer: int, first: int, last: int) -> list[Packed]:
        """What the store holds of some blocks, read in turn by one thread.

        Raises:
            HistoryFailedError: The store cannot be read.
            PlatformError: OVERLOADED.
        """
        if self._reading >= READS_WAITING_MAX:
            raise refusal(AGAIN_S_MIN)
        loop = asyncio.get_running_loop()
        until_s = deadline.until_s(loop.time(), deadline.READ_S_MAX)

        def read() -> list[Packed]:
            if loop.time() >= until_s:
                raise too_late()
            return self._store.read(sharer, first, last)

        self._reading += 1
        try:
            return await loop.run_in_executor(self._reader, read)
        finally:
            self._reading -= 1

    def newest(self, sharer: int) -> Reading | None:
        """The newest reading of a sharer that is durable; imports are not counted."""
        self._absorb()
        return self._newest.of(sharer)

    async def file_readings(self, readings: Sequence[Reading]) -> None:
        """Import readings straight into history; durable when this returns. The same again changes nothing.

        Raises:
            PlatformError: NOT_DURABLE, nothing was kept.
        """
        packs = list(pack_mixed(np.array(list(readings), READING_DTYPE)))
        filed_ms = self._clock.now_ms()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writer, self._store.file, packs, filed_ms)
        except HistoryFailedError as error:
            _log.error("history.filing_failed", detail=error.detail, place=error.place)
            sentence = catalogue().say("history.not_filed", place=error.place)
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence, retry_after_s=_AGAIN_AFTER_S) from error

    @property
    def behind(self) -> bool:
        """Whether so much lies beside, because the store fails, that late readings should wait elsewhere."""
        return self._beside_count > _BESIDE_BEHIND

    def health(self) -> HistoryHealth:
        """How history is now."""
        blocks = [*self._open.values(), *self._closing]
        return HistoryHealth(
            flushed_seq=self._state.replay_after,
            closed_ms=max(0, (self._state.closed_upto + 1) * BLOCK_MS),
            open_readings=sum(block.count for block in blocks) + self._beside_count + self._pending_count,
            journal_only=len(self._journal_only),
            dropped=self._dropped + sum(block.dropped for block in blocks),
            failing=failing(
                self._damage, self._failure, self._unread, len(self._journal_only), self._set_aside
            ),
        )

    async def flush(self) -> None:
        """Write now what is beside, and the blocks that are closed. Failure shows in `health`."""
        if self._flush_task is not None:
            await self._flush_task
        self._absorb()
        if self._closing or self._beside or self._journal_only:
            await self._flush()

    async def close(self) -> None:
        """Write what is closed, and close the store. What is open is in the journal."""
        self._ending = True
        await self.flush()
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.close)
        self._writer.shutdown()
        self._reader.shutdown()

    def _take(self, group: Group) -> None:
        if group.seq == VOLATILE_SEQ or group.seq <= self._last_seq:
            return
        closed_before = block_of(group.recorded_ms - GRACE_MS)
        if closed_before + _CLOCK_SLACK_BLOCKS < self._closed_upto:
            # The clock was wrong by more than a day and is right again: blocks written early are merged with.
            self._absorb()
            self._closed_upto = closed_before - 1
        if closed_before > self._closed_upto + 1:
            self._absorb()
            self._closed_upto = closed_before - 1
            for block in sorted(self._open):
                if block <= self._closed_upto:
                    self._open[block].last_seq = self._last_seq
                    self._closing.append(self._open.pop(block))
        self._last_seq = group.seq
        readings = group.readings
        if group.seq <= self._state.beside_seq:
            # Restoring: of closed blocks everything up to here is in the store.
            readings = readings[readings["measured_ms"] // BLOCK_MS > self._state.closed_upto]
        if not len(readings):
            return
        if not self._pending:
            self._pending_first_seq = group.seq
        self._pending.append(readings)
        self._pending_count += len(readings)
        self._pending_recorded_ms = group.recorded_ms
        if self._pending_count >= _ABSORB_AT:
            self._absorb()

    def _absorb(self) -> None:
        """Put pending readings where they belong: rule 2."""
        if not self._pending:
            return
        readings = joined(self._pending)
        self._pending.clear()
        self._pending_count = 0
        order = by_sharer(readings)
        self._newest.take(readings, order)
        block = readings["measured_ms"] // BLOCK_MS
        lateness_ms = readings["received_ms"] - readings["measured_ms"]
        fits = (
            (block > self._closed_upto)
            & (block <= block_of(self._pending_recorded_ms) + 1)
            & (lateness_ms <= LATENESS_S_MAX * 1000)
        )
        self._add_to_open(taken(readings, order[fits[order]]))
        beside = taken(readings, np.flatnonzero(~fits))
        if not len(beside):
            return
        self._beside_since_ms = self._beside_since_ms or self._pending_recorded_ms
        self._beside.append(beside)
        self._beside_count += len(beside)
        if not self._newest_came_late:
            self._newest_came_late = self._newest.any_in(beside)

    def _add_to_open(self, readings: NDArray[np.void]) -> None:
        """Of readings in the order of sharers and time."""
        if not len(readings):
            return
        block = readings["measured_ms"] // BLOCK_MS
        for number in np.unique(block).tolist():
            if number not in self._open:
                self._open[number] = self._next_block(number)
            mine = np.flatnonzero(block == number)
            self._open[number].add(taken(readings, mine), self._pending_first_seq)

    def _next_block(self, number: int) -> OpenBlock:
        """A new open block, made as large as the one before it was."""
        before = self._open.get(number - 1)
        if before is None:
            return OpenBlock(number)
        sharers, rows = before.sizes
        return OpenBlock(number, sharers=sharers, rows=max(rows, sharers))

    def _in_memory(self, sharer: int, first: int, last: int) -> list[NDArray[np.void]]:
        parts = [
            block.readings(sharer)
            for block in (*self._open.values(), *self._closing)
            if first <= block.block <= last
        ]
        for beside in (*self._flushing, *self._beside):
            mine = beside[beside["sharer"] == sharer]
            if len(mine):
                parts.append(as_history(mine))
        return parts

    def _wants_flush(self, now_ms: int) -> bool:
        if now_ms < self._try_again_ms:
            return False
        if self._closing or self._beside_count >= _BESIDE_MAX or (self._journal_only and self._read_again):
            return True
        return bool(self._beside) and now_ms - self._beside_since_ms >= _BESIDE_AGE_MS

    def _begin_flush(self) -> Flush:
        """Everything that is closed or beside, and how far the store is once it is written."""
        self._absorb()
        self._flushing, self._beside = self._beside, []
        self._beside_count, self._beside_since_ms = 0, 0
        oldest_open = min((block.first_seq for block in self._open.values()), default=self._last_seq + 1)
        self._whole_state = HistoryState(
            closed_upto=self._closed_upto, beside_seq=self._last_seq, replay_after=oldest_open - 1
        )
        state = lowered(self._whole_state, self._journal_only)
        beside = joined(self._flushing) if self._flushing else _EMPTY
        closed = tuple(ClosedBlock(block.block, block.packs()) for block in self._closing)
        save_newest = bool(closed) or self._newest_came_late
        self._newest_came_late = False
        return Flush(closed, pack_mixed(beside), state, self._newest.kept() if save_newest else b"")

    def _end_flush(self, flush: Flush) -> None:
        self._state = flush.state
        written = len(flush.closed)
        self._dropped += sum(block.dropped for block in self._closing[:written])
        del self._closing[:written]
        self._flushing = []
        self._failure = None

    async def _flush(self) -> None:
        flush = self._begin_flush()
        blocks = len(flush.closed)
        loop = asyncio.get_running_loop()
        now_ms = self._clock.now_ms()
        try:
            await loop.run_in_executor(self._writer, self._store.write, flush)
            self._end_flush(flush)
            if blocks:
                forgotten = await loop.run_in_executor(self._writer, self._forget, now_ms)
                _log.info("history.written", blocks=blocks, forgotten=forgotten)
            await self._write_from_journal()
        except HistoryFailedError as error:
            _log.error("history.write_failed", detail=error.detail, place=error.place)
            self._note_damage(error)
            self._failure = error
            self._newest_came_late = True
            self._try_again_ms = now_ms + _AGAIN_AFTER_MS
            self._beside = self._flushing + self._beside
            self._beside_count = sum(len(beside) for beside in self._beside)
            self._flushing = []
            self._leave_to_journal()
        except StoreFailedError as error:
            _log.error("history.not_read_again", detail=error.detail, place=error.place)
            self._unread = error
            self._try_again_ms = now_ms + _AGAIN_AFTER_MS

    def _leave_to_journal(self) -> None:
        """The oldest closed blocks leave memory if all of them are too much: rule 4."""
        count = leaving([block.size_bytes for block in self._closing], self._closed_bytes_max)
        for block in self._closing[:count]:
            self._journal_only.append(JournalOnly(block.block, block.first_seq, block.last_seq))
            _log.warning("history.left_to_journal", blocks=len(self._journal_only))
        del self._closing[:count]

    async def _write_from_journal(self) -> None:
        """Write what left memory, block by block.

        Raises:
            HistoryFailedError: The file fails again.
            StoreFailedError: The journal cannot be read there; a restart reads what can be read.
        """
        loop, read_again = asyncio.get_running_loop(), self._read_again
        while self._journal_only and read_again is not None and not self._ending:
            only, *others = self._journal_only
            groups = read_again(only.first_seq - 1, only.last_seq)
            block = await loop.run_in_executor(self._writer, gathered, groups, only.block)
            state = lowered(self._whole_state, others)
            flush = Flush((ClosedBlock(only.block, block.packs()),), (), state, b"")
            await loop.run_in_executor(self._writer, self._store.write, flush)
            self._dropped += block.dropped
            self._state, self._journal_only, self._unread = state, others, None
            _log.info("history.written_from_journal", left=len(others))

    def _note_damage(self, error: HistoryFailedError) -> None:
        """Damage does not heal by itself: health says what to do until somebody has done it."""
        if error.damaged and self._damage is None:
            _log.error("history.damaged", detail=error.detail, place=error.place)
            self._damage = error

    def _forget(self, now_ms: int) -> int:
        before_ms = now_ms - self._keep_ms
        return self._store.forget(before_block=block_of(before_ms), filed_before_ms=before_ms)
