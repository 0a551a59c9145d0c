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
        in_order = np.sort(sharers)
        if (in_order[1:] != in_order[:-1]).all():  # the usual commit: nobody comes twice
            self._insert(sharers, keys, readings["source"])
            return
        order = np.lexsort((-keys, sharers))
        sharers, keys, sources = sharers[order], keys[order], readings["source"][order]
        # The same reading twice in one commit counts once: it must not push out another.
        again = np.concatenate(([False], (sharers[1:] == sharers[:-1]) & (keys[1:] == keys[:-1])))
        sharers, keys, sources = sharers[~again], keys[~again], sources[~again]
        starts = np.flatnonzero(np.concatenate(([True], sharers[1:] != sharers[:-1])))
        rank = np.arange(len(sharers)) - np.repeat(starts, np.diff(np.append(starts, len(sharers))))
        # Newest first: at most KEPT passes, each with at most one reading of a sharer, usually one pass in
        # all.
        for n in range(min(KEPT, int(rank.max()) + 1)):
            one = rank == n
            self._insert(sharers[one], keys[one], sources[one])

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
