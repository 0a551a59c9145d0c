"""The columns: one row for each sharer, one for each follow, one for each distinct set of bounds.

Rows are never moved: numbers are dense and are given out once. A sharer's follows form a
linked list through `next_follow`, so that adding or ending one costs nothing for the others.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate import deadlines
from nightbell.evaluate.rules import RING_LENGTH
from nightbell.follow.limits import Bounds
from nightbell.words.clock import NEVER_MS
from nightbell.words.table import NO_ROW, Table

NO_MS: Final = -(2**62)
"""There is no such instant: earlier than any, and far enough from overflow for every difference."""

SHARER_COLUMNS: Final = (
    ("newest_ms", np.int64, NO_MS),
    ("newest_level", np.int16, -1),
    ("live_ms", np.int64, NO_MS),
    ("counted_ms", np.int64, NO_MS),
    ("counted_level", np.int16, -1),
    ("chain", np.int32, 0),
    ("slope", np.int32, 0),
    ("warm_up_ms", np.int64, NO_MS),
    ("warm_up_said_ms", np.int64, NO_MS),
    ("added_ms", np.int64, NO_MS),
    ("clock_offset_ms", np.int64, 0),
    ("first_follow", np.int32, NO_ROW),
)

FOLLOW_COLUMNS: Final = (
    ("sharer", np.int32, NO_ROW),
    ("next_follow", np.int32, NO_ROW),
    ("bounds", np.int32, 0),
    ("held", np.uint16, 0),
    ("mark", np.uint16, 0),
    ("quiet_low_ms", np.int64, 0),
    ("quiet_high_ms", np.int64, 0),
    ("due_ms", np.int64, NEVER_MS),
    ("set_ms", np.int64, NO_MS),
    ("told", np.bool_, False),
)

RING_COLUMNS: Final = (("ring_ms", np.int64, NO_MS), ("ring_level", np.int16, 0))

BOUNDS_FIELDS: Final = Bounds.__struct_fields__


class Columns:
    """All of the evaluator's state."""

    def __init__(self) -> None:
        self.sharers = Table(SHARER_COLUMNS)
        self.rings = Table(RING_COLUMNS, RING_LENGTH)
        self.follows = Table(FOLLOW_COLUMNS)
        self.bounds = np.zeros((16, len(BOUNDS_FIELDS)), np.int64)
        self._bounds_rows: dict[Bounds, int] = {}
        self.deadlines = deadlines.Bounds()
        self.door_open_ms = NO_MS
        self.last_tick_ms = NO_MS

    def reach_sharer(self, sharer: int) -> None:
        """Make sure that a sharer has a row."""
        self.sharers.reach(sharer)
        self.rings.reach(sharer)

    def intern(self, bounds: Bounds) -> int:
        """The row of a set of bounds; equal sets share one."""
        row = self._bounds_rows.get(bounds)
        if row is None:
            row = len(self._bounds_rows)
            if row == len(self.bounds):
                self.bounds = np.concatenate([self.bounds, np.zeros_like(self.bounds)])
            self.bounds[row] = msgspec.structs.astuple(bounds)
            self._bounds_rows[bounds] = row
        return row

    def set_due(self, rows: NDArray[np.intp] | NDArray[np.int32], due_ms: NDArray[np.int64]) -> None:
        """Set when silence begins for some follows, if nothing comes."""
        self.follows["due_ms"][rows] = due_ms
        self.deadlines.lower(rows, due_ms)

    def follows_of(self, sharer: int) -> list[int]:
        """The rows of a sharer's follows that may be told, in no special order."""
        rows = []
        row = int(self.sharers["first_follow"][sharer]) if sharer < self.sharers.count else NO_ROW
        while row != NO_ROW:
            rows.append(row)
            row = int(self.follows["next_follow"][row])
        return rows

    def pairs(self, sharers: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Every (index into `sharers`, follow row) for the follows of these sharers."""
        first, following = self.sharers["first_follow"], self.follows["next_follow"]
        index = np.arange(len(sharers))
        rows = first[sharers]
        indexes, found = [], []
        while True:
            here = rows != NO_ROW
            if not here.all():
                index, rows = index[here], rows[here]
            if not len(rows):
                break
            indexes.append(index)
            found.append(rows)
            rows = following[rows]
        if not found:
            return np.empty(0, np.intp), np.empty(0, np.int32)
        return np.concatenate(indexes), np.concatenate(found)

    def known_bounds(self) -> list[Bounds]:
        """The interned sets in the order of their rows."""
        return list(self._bounds_rows)
