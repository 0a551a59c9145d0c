"""How long things took, counted in steps: filled with many values at once, read when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

QUICK_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""For what takes milliseconds when all is well: a commit, the way from the door to the disk."""

HUMAN_S: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
"""For what people wait for: ten seconds and a minute are promised, 15 min is where a reading stops to count
as live, an hour is for ever."""


class Histogram:
    """Counts of durations at or below each of some bounds.

    Args:
        bounds_s: Upper bounds of the steps in seconds, rising; one more step holds all that is above.
    """

    __slots__ = ("_bounds_s", "_counts", "_steps", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self._steps = bounds_s
        self._bounds_s = np.array(bounds_s, np.float64)
        self._counts = np.zeros(len(bounds_s) + 1, np.int64)
        self.sum_s = 0.0

    def add(self, durations_s: NDArray[np.float64]) -> None:
        """Count many. What is below nothing (clocks differ) counts as nothing."""
        durations_s = np.maximum(durations_s, 0.0)
        steps = np.searchsorted(self._bounds_s, durations_s)
        self._counts += np.bincount(steps, minlength=len(self._counts))
        self.sum_s += float(durations_s.sum())

    def add_one(self, duration_s: float) -> None:
        """Count one."""
        duration_s = max(duration_s, 0.0)
        self._counts[bisect_left(self._steps, duration_s)] += 1
        self.sum_s += duration_s

    @property
    def count(self) -> int:
        """How many were counted."""
        return int(self._counts.sum())

    def upto(self) -> Iterator[tuple[float, int]]:
        """Each bound with how many were at or below it; the last bound is infinity."""
        counts = np.cumsum(self._counts).tolist()
        yield from zip([*self._steps, float("inf")], counts, strict=True)

    def within_s(self, share: float) -> float:
        """The bound below which this share of all lies; infinity above the last bound, -1 if there are none.

        Args:
            share: More than 0, at most 1.
        """
        count = self.count
        if not count:
            return -1.0
        return next(bound for bound, below in self.upto() if below >= share * count)
