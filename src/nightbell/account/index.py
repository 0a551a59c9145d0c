"""An index: which rows have a key. Open addressing in two arrays: 12 bytes a place, where a dict takes 150.

Keys are 64 bits of something longer (a hash, a UUID), so whoever asks compares the rest with the row itself:
`rows` may also name rows of another key that shares those bits, and a key may have many rows.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MIX: Final = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: spreads keys that differ in few bits (Knuth, TAOCP 3, section 6.4)."""

_BITS: Final = 64
_MASK: Final = 2**_BITS - 1
_FULL: Final = 0.75
_PLACES_MIN_LOG2: Final = 6
_GONE: Final = -1
_AT_ONCE: Final = 1 << 17
"""Keys added or looked up together: what that needs beside the index stays in the processor's cache."""


class Index:
    """Rows by key, in no order. A row is added under a key once."""

    def __init__(self) -> None:
        self._taken = 0
        self._make(_PLACES_MIN_LOG2)

    def _make(self, log2: int) -> None:
        self._log2 = log2
        self._last = 2**log2 - 1
        self._keys: NDArray[np.uint64] = np.zeros(2**log2, np.uint64)
        self._rows: NDArray[np.int32] = np.full(2**log2, _GONE, np.int32)
        self._key_at, self._row_at = self._keys.item, self._rows.item

    def rows(self, key: int) -> list[int]:
        """The rows of a key."""
        key = key or 1  # 0 marks a free place
        found = []
        key_at, row_at, last = self._key_at, self._row_at, self._last
        place = (key * _MIX & _MASK) >> (_BITS - self._log2)
        while (here := key_at(place)) != 0:
            if here == key and (row := row_at(place)) != _GONE:
                found.append(row)
            place = place + 1 & last
        return found

    def first_rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """For each of many keys one of its rows, -1 where there is none."""
        found = np.full(len(keys), _GONE, np.int32)
        for start in range(0, len(keys), _AT_ONCE):
            self._find(keys[start : start + _AT_ONCE], found[start : start + _AT_ONCE])
        return found

    def _find(self, keys: NDArray[np.uint64], found: NDArray[np.int32]) -> None:
        keys = np.where(keys == 0, np.uint64(1), keys)
        places = (keys * np.uint64(_MIX)) >> np.uint64(_BITS - self._log2)
        left = np.arange(len(keys))
        while len(left):
            here, rows = self._keys[places], self._rows[places]
            right = (here == keys) & (rows != _GONE)
            found[left[right]] = rows[right]
            on = (here != 0) & ~right
            left, keys = left[on], keys[on]
            places = places[on] + np.uint64(1) & np.uint64(self._last)

    def add(self, key: int, row: int) -> None:
        """Add one row."""
        self._make_room(1)
        key = key or 1
        place = (key * _MIX & _MASK) >> (_BITS - self._log2)
        while self._key_at(place) != 0:
            place = place + 1 & self._last
        self._keys[place], self._rows[place] = key, row
        self._taken += 1

    def add_many(self, keys: NDArray[np.uint64], rows: NDArray[np.int32]) -> None:
        """Add many rows at once, all of them different."""
        self._make_room(len(keys))
        self._taken += len(keys)
        for start in range(0, len(keys), _AT_ONCE):
            self._add(keys[start : start + _AT_ONCE], rows[start : start + _AT_ONCE])

    def _add(self, keys: NDArray[np.uint64], rows: NDArray[np.int32]) -> None:
        keys = np.where(keys == 0, np.uint64(1), keys)
        places = (keys * np.uint64(_MIX)) >> np.uint64(_BITS - self._log2)
        while len(keys):
            free = np.flatnonzero(self._keys[places] == 0)
            wanted, mine = places[free], rows[free]
            self._rows[wanted] = mine
            won = self._rows[wanted] == mine  # of those who want one place the last has it; the others go on
            self._keys[wanted[won]] = keys[free[won]]
            left = np.ones(len(keys), np.bool_)
            left[free[won]] = False
            keys, rows = keys[left], rows[left]
            places = places[left] + np.uint64(1) & np.uint64(self._last)

    def remove(self, key: int, row: int) -> None:
        """Forget one row; its place stays taken until the index grows."""
        key = key or 1
        place = (key * _MIX & _MASK) >> (_BITS - self._log2)
        while (here := self._key_at(place)) != 0:
            if here == key and self._row_at(place) == row:
                self._rows[place] = _GONE
                return
            place = place + 1 & self._last

    def _make_room(self, more: int) -> None:
        if self._taken + more <= _FULL * (self._last + 1):
            return
        there = self._rows != _GONE
        keys, rows = self._keys[there], self._rows[there]
        log2 = self._log2
        while len(keys) + len(keys) // 8 + more > _FULL * 2**log2:
            log2 += 1
        self._taken = 0
        self._make(log2)
        self.add_many(keys, rows)
