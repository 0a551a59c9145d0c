"""A block that is still being filled, for everybody at once, in columns.

Rules:
1. Each sharer has a chain of rows of twelve readings, an hour at one every five minutes; a new row is taken
from the
   pool when the last is full.
2. A reading takes six bytes: second, level and trend, lateness. Its source is kept only where it differs
from the
   sharer's first in this block.

Theory of operation: `add` takes many readings in a few array operations, whatever their order and however
many are
of one sharer. A million sharers with 36 readings each take 230 MB; the lateness column costs memory only
where
something was late, as untouched pages of it are never really there.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.history.packing import LEVEL_BITS, TREND_BITS, TREND_SHIFT, Columns, codes, packs
from nightbell.history.reading import BLOCK_MS, HISTORY_DTYPE
from nightbell.publish.reading import LIVE_AGE_MS_MAX, READING_DTYPE

ROW: Final = 12
READINGS_MAX: Final = 4096
"""Readings of one sharer in three hours: sensors send up to 180, so this is a fault or an attack."""

LATENESS_S_MAX: Final = 65_535
"""What the lateness column can hold; later readings go beside the block."""

_OTHER_SOURCE: Final = 1 << 14
_SHARERS_AT_ONCE: Final = 65_536
_MS_IN_KEY: Final = 2**32
"""49 days fit beside a sharer's number: what is taken is at most 30 days old."""

OPAQUE: Final = np.dtype(f"V{READING_DTYPE.itemsize}")
"""Readings as plain bytes: NumPy moves these seven times faster than records of fields."""


def taken(readings: NDArray[np.void], index: NDArray[np.intp]) -> NDArray[np.void]:
    """`readings[index]`, faster; `index` names each reading at most once."""
    if len(index) == len(readings) and not (np.diff(index) < 0).any():
        return readings
    return readings.view(OPAQUE)[index].view(READING_DTYPE)


def by_sharer(readings: NDArray[np.void]) -> NDArray[np.intp]:
    """The order by sharer and time; what is the same in both stays as it came."""
    measured_ms = readings["measured_ms"]
    since = measured_ms - measured_ms.min()
    if int(since.max()) < _MS_IN_KEY:
        # One number of both: uploads come in runs, which sort in no time.
        return np.argsort(since + readings["sharer"].astype(np.int64) * _MS_IN_KEY, kind="stable")
    return np.lexsort((measured_ms, readings["sharer"]))


class OpenBlock:
    """Readings of one block of time."""

    def __init__(self, block: int, *, sharers: int = 256, rows: int = 256) -> None:
        self.block = block
        self.first_seq = 0
        """The oldest journal group that put something in, 0 while empty."""
        self.last_seq = 0
        """No later journal group put something in; 0 while it is open."""
        self.count = 0
        self.dropped = 0
        """Readings above `READINGS_MAX`: not kept here, still in the journal."""
        self._head = np.full(sharers, -1, np.int32)
        self._fill = np.zeros(sharers, np.int32)
        self._source = np.zeros(sharers, np.int32)
        self._rows = 0
        self._before = np.empty(rows, np.int32)
        self._pairs = np.empty((rows, ROW, 2), np.uint16)
        self._lateness = np.zeros((rows, ROW), np.uint16)
        self._others: list[NDArray[np.int64]] = []

    @property
    def sizes(self) -> tuple[int, int]:
        """Sharers and rows in use: a good size for the block that follows."""
        return len(self._head), self._rows

    @property
    def size_bytes(self) -> int:
        """Memory that it takes; lateness, which is hardly ever there, left out."""
        return self._rows * (ROW * self._pairs.itemsize * 2 + self._before.itemsize) + 12 * len(self._head)

    def add(self, readings: NDArray[np.void], seq: int) -> None:
        """Add readings (`READING_DTYPE`) that lie in this block, from journal group `seq` or later ones."""
        if not len(readings):
            return
        self.first_seq = self.first_seq or seq
        sharer = np.ascontiguousarray(readings["sharer"])
        if (sharer[1:] < sharer[:-1]).any():
            readings = taken(readings, np.argsort(sharer, kind="stable"))
            sharer = np.ascontiguousarray(readings["sharer"])
        self._grow_sharers(int(sharer[-1]) + 1)
        starts = np.flatnonzero(np.concatenate(([True], sharer[1:] != sharer[:-1])))
        counts = np.diff(np.append(starts, len(sharer)))
        who = sharer[starts]
        if (self._fill[who] + counts > READINGS_MAX).any():
            readings, who, starts, counts = self._within_limit(readings, who, starts, counts)
        had = self._fill[who]
        row, slot, position = self._places(who, had, starts, counts)
        measured = readings["measured_ms"]
        late = readings["received_ms"] - measured
        new = who[had == 0]
        self._source[new] = readings["source"][starts[had == 0]]
        code = codes(readings["level"], readings["trend"])
        other = np.flatnonzero(readings["source"] != np.repeat(self._source[who], counts))
        if len(other):
            code[other] |= _OTHER_SOURCE
            mine = taken(readings, other)
            self._others.append(np.column_stack((mine["sharer"], position[other], mine["source"])))
        self._pairs[row, slot, 0] = (measured - self.block * BLOCK_MS) // 1000
        self._pairs[row, slot, 1] = code
        is_late = late > LIVE_AGE_MS_MAX
        if is_late.any():
            self._lateness[row[is_late], slot[is_late]] = late[is_late] // 1000
        self._fill[who] += counts.astype(np.int32)
        self.count += len(readings)

    def readings(self, sharer: int) -> NDArray[np.void]:
        """What one sharer has here, in the order it came."""
        if sharer >= len(self._head) or not self._fill[sharer]:
            return np.empty(0, HISTORY_DTYPE)
        chain: list[int] = []
        row = int(self._head[sharer])
        while row >= 0:
            chain.append(row)
            row = int(self._before[row])
        chain.reverse()
        fill = int(self._fill[sharer])
        pairs = self._pairs[chain].reshape(-1, 2)[:fill]
        lateness = self._lateness[chain].reshape(-1)[:fill].astype(np.int64)
        rows = np.empty(fill, HISTORY_DTYPE)
        rows["measured_ms"] = pairs[:, 0].astype(np.int64) * 1000 + self.block * BLOCK_MS
        rows["received_ms"] = np.where(lateness > 0, rows["measured_ms"] + lateness * 1000, 0)
        rows["level"] = pairs[:, 1] & LEVEL_BITS
        rows["trend"] = (pairs[:, 1] >> TREND_SHIFT) & TREND_BITS
        rows["source"] = self._sources(sharer, pairs[:, 1])
        return rows

    def packs(self) -> Iterator[tuple[int, bytes]]:
        """Everybody's packed block, in the order of sharers."""
        everybody = np.flatnonzero(self._fill)
        for begin in range(0, len(everybody), _SHARERS_AT_ONCE):
            yield from self._packs(everybody[begin : begin + _SHARERS_AT_ONCE])

    def _packs(self, who: NDArray[np.intp]) -> Iterator[tuple[int, bytes]]:
        fill = self._fill[who]
        rows, rows_of = self._rows_in_order(who, fill)
        used = np.arange(ROW) < np.minimum(fill[rows_of] - self._ordinals(rows_of) * ROW, ROW)[:, None]
        pairs = self._pairs[rows][used]
        starts = np.cumsum(fill) - fill
        sources = np.repeat(self._source[who], fill)
        for others in self._others:
            mine = others[(others[:, 0] >= who[0]) & (others[:, 0] <= who[-1])]
            sources[starts[np.searchsorted(who, mine[:, 0])] + mine[:, 1]] = mine[:, 2]
        pairs[:, 1] &= ~np.uint16(_OTHER_SOURCE)
        columns = Columns(pairs, self._lateness[rows][used].astype(np.int64), sources, starts)
        yield from zip(who.tolist(), packs(columns), strict=True)

    def _rows_in_order(
        self, who: NDArray[np.intp], fill: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Rows of some sharers, in the order of sharers and time; and the index into `who` of each row."""
        count = (fill + ROW - 1) // ROW
        last = np.cumsum(count) - 1
        rows = np.empty(int(count.sum()), np.int32)
        row = self._head[who]
        going = np.arange(len(who))
        step = 0
        while len(going):
            rows[last[going] - step] = row
            row = self._before[row]
            more = row >= 0
            row, going = row[more], going[more]
            step += 1
        return rows, np.repeat(np.arange(len(who)), count)

    @staticmethod
    def _ordinals(rows_of: NDArray[np.intp]) -> NDArray[np.intp]:
        """0, 1, 2 for the rows of each sharer."""
        starts = np.flatnonzero(np.concatenate(([True], rows_of[1:] != rows_of[:-1])))
        counts = np.diff(np.append(starts, len(rows_of)))
        return np.arange(len(rows_of)) - np.repeat(starts, counts)

    def _sources(self, sharer: int, code: NDArray[np.uint16]) -> NDArray[np.int32]:
        sources = np.full(len(code), self._source[sharer], np.int32)
        if (code & _OTHER_SOURCE).any():
            for others in self._others:
                mine = others[others[:, 0] == sharer]
                sources[mine[:, 1]] = mine[:, 2]
        return sources

    def _places(
        self,
        who: NDArray[np.int32],
        had: NDArray[np.int32],
        starts: NDArray[np.intp],
        counts: NDArray[np.intp],
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rule 1: row, slot and position within the sharer's chain of each reading, taking rows as needed."""
        total = int(counts.sum())
        position = np.arange(total) - np.repeat(starts, counts) + np.repeat(had, counts)
        rows_had = (had + ROW - 1) // ROW
        taken = (had + counts + ROW - 1) // ROW - rows_had
        first = self._rows + np.cumsum(taken) - taken
        self._grow_rows(self._rows + int(taken.sum()))
        fresh = np.arange(self._rows, self._rows + int(taken.sum()), dtype=np.int32)
        self._before[fresh] = fresh - 1
        grew = taken > 0
        head = self._head[who]
        self._before[first[grew]] = head[grew]
        self._head[who] = np.where(grew, first + taken - 1, head)
        self._rows += len(fresh)
        ordinal = position // ROW
        beyond = ordinal - np.repeat(rows_had, counts)
        row = np.where(beyond < 0, np.repeat(head, counts), np.repeat(first, counts) + beyond)
        return row, position % ROW, position

    def _within_limit(
        self,
        readings: NDArray[np.void],
        who: NDArray[np.int32],
        starts: NDArray[np.intp],
        counts: NDArray[np.intp],
    ) -> tuple[NDArray[np.void], NDArray[np.int32], NDArray[np.intp], NDArray[np.intp]]:
        """Leave out what is above the limit, and count it."""
        room = np.maximum(READINGS_MAX - self._fill[who], 0)
        rank = np.arange(len(readings)) - np.repeat(starts, counts)
        kept = rank < np.repeat(room, counts)
        self.dropped += int((~kept).sum())
        counts = np.minimum(counts, room)
        who, counts = who[counts > 0], counts[counts > 0]
        return readings[kept], who, np.cumsum(counts) - counts, counts

    def _grow_sharers(self, sharers: int) -> None:
        have = len(self._head)
        if sharers <= have:
            return
        size = max(sharers, have + have // 2)
        head = np.full(size, -1, np.int32)
        head[:have] = self._head
        self._head = head
        for name in ("_fill", "_source"):
            column = np.zeros(size, np.int32)
            column[:have] = getattr(self, name)
            setattr(self, name, column)

    def _grow_rows(self, rows: int) -> None:
        have = len(self._before)
        if rows <= have:
            return
        size = max(rows, have + have // 2)
        used = self._rows
        # One column after the other, so that only one of them exists twice for a moment.
        before = np.empty(size, np.int32)
        before[:used] = self._before[:used]
        self._before = before
        pairs = np.empty((size, ROW, 2), np.uint16)
        pairs[:used] = self._pairs[:used]
        self._pairs = pairs
        lateness = np.zeros((size, ROW), np.uint16)
        touched = np.flatnonzero(self._lateness[:used].any(axis=1))
        lateness[touched] = self._lateness[touched]
        self._lateness = lateness
