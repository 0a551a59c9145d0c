"""Which deadlines have passed, without looking at all of them every second.

Rows come in blocks, and each block has a bound: none of its deadlines is earlier. Readings move deadlines
later, and a bound stays true then; what moves one earlier lowers it. So a second looks at the bounds, and
into a block only when its bound has passed, which takes about as long as silence lasts. For three million
follows that is one block a second; all of them are 24 MB of memory and up to 20 ms in which nobody is
answered.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.words.clock import NEVER_MS

BLOCK_LOG2: Final = 12
"""4,096 deadlines are 32 KB: they fit into the nearest cache."""

_BLOCK: Final = 1 << BLOCK_LOG2


class Bounds:
    """For each block of a column of deadlines an instant before which none of them lies."""

    def __init__(self) -> None:
        self._bounds: NDArray[np.int64] = np.empty(0, np.int64)

    def renew(self, due_ms: NDArray[np.int64]) -> None:
        """Look at all of them."""
        starts = np.arange(0, len(due_ms), _BLOCK)
        self._bounds = np.minimum.reduceat(due_ms, starts) if len(due_ms) else np.empty(0, np.int64)

    def lower(self, rows: NDArray[np.intp] | NDArray[np.int32], due_ms: NDArray[np.int64]) -> None:
        """These rows have these deadlines now."""
        if not len(rows):
            return
        self._reach(int(rows.max()) >> BLOCK_LOG2)
        blocks = rows >> BLOCK_LOG2
        earlier = due_ms < self._bounds[blocks]
        if earlier.any():
            np.minimum.at(self._bounds, blocks[earlier], due_ms[earlier])

    def passed(self, due_ms: NDArray[np.int64], at_ms: int) -> NDArray[np.intp]:
        """The rows whose deadline has come, ascending; whoever asks sets each of them to a later one."""
        found = [np.empty(0, np.intp)]
        for block in np.flatnonzero(self._bounds <= at_ms).tolist():
            start = block << BLOCK_LOG2
            some = due_ms[start : start + _BLOCK]
            come = some <= at_ms
            found.append(np.flatnonzero(come) + start)
            self._bounds[block] = np.min(some, where=~come, initial=NEVER_MS)
        return np.concatenate(found)

    def _reach(self, block: int) -> None:
        more = block + 1 - len(self._bounds)
        if more > 0:
            self._bounds = np.concatenate([self._bounds, np.full(more, NEVER_MS)])
