"""The newest reading of each sharer, as a column."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.history.open_block import OPAQUE
from nightbell.publish.reading import READING_DTYPE, Reading

_SHARERS_MIN: Final = 256


class Newest:
    """By sharer number; a sharer's row is 0 while nothing came."""

    def __init__(self) -> None:
        self._rows = np.zeros(_SHARERS_MIN, READING_DTYPE)

    def of(self, sharer: int) -> Reading | None:
        """One sharer's; None if nothing came."""
        if sharer >= len(self._rows) or not self._rows["measured_ms"][sharer]:
            return None
        return Reading(*self._rows[sharer].item())

    def take(self, readings: NDArray[np.void], order: NDArray[np.intp]) -> None:
        """Look at many; `order` puts them in the order of sharers and time, so the last of each counts."""
        sharer = readings["sharer"][order]
        last = np.flatnonzero(np.concatenate((sharer[1:] != sharer[:-1], [True])))
        sharer = sharer[last]
        self._reserve(int(sharer[-1]) + 1)
        latest = readings.view(OPAQUE)[order[last]]
        newer = latest.view(READING_DTYPE)["measured_ms"] >= self._rows["measured_ms"][sharer]
        self._rows.view(OPAQUE)[sharer[newer]] = latest[newer]

    def any_in(self, readings: NDArray[np.void]) -> bool:
        """Whether one of these, all of them taken, is its sharer's newest."""
        return bool((readings["measured_ms"] == self._rows["measured_ms"][readings["sharer"]]).any())

    def kept(self) -> bytes:
        """All of them, for `restore`."""
        return self._rows.tobytes()

    def restore(self, kept: bytes) -> None:
        """Become what was kept."""
        self._rows = np.frombuffer(kept, READING_DTYPE).copy()

    def _reserve(self, sharers: int) -> None:
        have = len(self._rows)
        if sharers > have:
            grown = np.zeros(max(sharers, have + have // 2), READING_DTYPE)
            grown[:have] = self._rows
            self._rows = grown
