"""Each sharer's newest readings, as columns, from committed groups only.

An upload is a duplicate of what is durable, never of what was merely tried: a repeated upload whose first
commit failed must be written. So nothing but `consume` adds to this. 1,000,000 sharers take 52 MB.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.publish.admit import reading_key
from nightbell.publish.ports import Committed

KEPT: Final = 6
"""How many readings of a sharer are compared: half an hour. Older duplicates settle when history merges."""

_GROW_MIN: Final = 1024
_NOTHING: Final[tuple[int, ...]] = ()
_LEVELS: Final = reading_key(1000, 0)
_KEYS_IN_ONE: Final = 2**32
"""Keys of 48 days fit beside a sharer's number: what is taken is at most 30 days old."""


class Recent:
    """The newest readings of all sharers: in each row their keys, ascending, 0 where there is none yet."""

    def __init__(self) -> None:
        self._keys: NDArray[np.int64] = np.zeros((0, KEPT), np.int64)
        self._sources: NDArray[np.int32] = np.zeros(0, np.int32)
        self._flat = self._keys.reshape(-1).data
        self._flat_sources = self._sources.data

    def known(self, sharer: int) -> tuple[int, ...]:
        """The keys of a sharer's newest readings, for `admit`."""
        first = sharer * KEPT
        if first >= len(self._flat):
            return _NOTHING
        return tuple(self._flat[first : first + KEPT])

    def newest_ms(self, sharer: int, source: int) -> int:
        """When the newest reading was measured, to the second; 0 if none, or another uploader sent it."""
        if sharer >= len(self._flat_sources) or self._flat_sources[sharer] != source:
            return 0
        return self._flat[sharer * KEPT + KEPT - 1] // _LEVELS * 1000

    def consume(self, group: Committed) -> None:
        """Take in what a group committed. One that is not durable is left out."""
        readings = group.readings
        if group.seq < 0 or not len(readings):
            return
        sharers = readings["sharer"].astype(np.int64)
        self._reserve(int(sharers.max()) + 1)
        keys = readings["measured_ms"] // 1000 * _LEVELS + readings["level"]
        if (sharers[1:] != sharers[:-1]).all():
            in_order = np.sort(sharers)
            if (in_order[1:] != in_order[:-1]).all():  # the usual commit: nobody comes twice
                self._insert(sharers, keys, readings["source"])
                return
        self._merge(sharers, keys, readings["source"])

    def _merge(self, sharers: NDArray[np.int64], keys: NDArray[np.int64], sources: NDArray[np.int32]) -> None:
        """Take in many of each sharer at once. The same reading twice counts once."""
        order = _by_sharer(sharers, keys)
        sharers, keys = sharers[order], keys[order]
        new = (sharers[1:] != sharers[:-1]) | (keys[1:] != keys[:-1])
        if not new.all():
            new = np.append(new, True)
            order, sharers, keys = order[new], sharers[new], keys[new]
        last = np.append(np.flatnonzero(sharers[1:] != sharers[:-1]), len(sharers) - 1)
        who = sharers[last]
        # The newest of each, newest first; 0 where it has no more of them.
        place = last[:, None] - np.arange(KEPT)
        within = np.maximum(place, 0)
        theirs = np.where((place >= 0) & (sharers[within] == who[:, None]), keys[within], 0)
        rows = np.sort(np.concatenate((self._keys[who], theirs), axis=1), axis=1)
        again = rows[:, 1:] == rows[:, :-1]
        rows[:, 1:][again] = 0
        rows.sort(axis=1)
        newer = rows[:, -1] > self._keys[who, -1]
        self._sources[who[newer]] = sources[order[last[newer]]]
        self._keys[who] = rows[:, -KEPT:]

    def _insert(
        self, sharers: NDArray[np.int64], keys: NDArray[np.int64], sources: NDArray[np.int32]
    ) -> None:
        newest = self._keys[sharers, -1]
        newer = keys > newest
        ahead = sharers[newer]
        self._keys[ahead, :-1] = self._keys[ahead, 1:]
        self._keys[ahead, -1] = keys[newer]
        self._sources[ahead] = sources[newer]
        if len(ahead) == len(sharers):
            return
        behind = ~newer & (keys > self._keys[sharers, 0])
        if behind.any():
            rows, late = self._keys[sharers[behind]], keys[behind]
            fresh = ~(rows == late[:, None]).any(axis=1)
            merged = np.sort(np.concatenate((rows[fresh], late[fresh, None]), axis=1), axis=1)
            self._keys[sharers[behind][fresh]] = merged[:, 1:]

    def _reserve(self, sharers: int) -> None:
        have = len(self._sources)
        if sharers <= have:
            return
        rows = max(sharers, have + max(_GROW_MIN, have // 4))
        keys = np.zeros((rows, KEPT), np.int64)
        keys[:have] = self._keys
        sources = np.zeros(rows, np.int32)
        sources[:have] = self._sources
        self._keys, self._sources = keys, sources
        self._flat, self._flat_sources = keys.reshape(-1).data, sources.data


def _by_sharer(sharers: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """By sharer and key. One number of both sorts forty times faster, as uploads come in runs."""
    least = int(keys.min())
    if int(keys.max()) - least < _KEYS_IN_ONE:
        return np.argsort(sharers * _KEYS_IN_ONE + (keys - least), kind="stable")
    return np.lexsort((keys, sharers))
