"""How old readings are at our door and on the disk: gathered by groups, counted many at a time.

`consume` keeps a reference and adds a number; counting waits until thousands are together or somebody asks,
so that nothing is done for a single reading.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.publish.reading import LIVE_AGE_MS_MAX, READING_DTYPE
from nightbell.words.histogram import HUMAN_S, QUICK_S, Histogram

COUNT_AT: Final = 4096
"""Readings: counting as many takes a fraction of a millisecond."""

GROUPS_MAX: Final = 1024
"""Groups kept uncounted, however small."""


class ReadingAges:
    """Measured to received, received to recorded. Live readings only: a backlog says nothing of us."""

    def __init__(self) -> None:
        self._received = Histogram(HUMAN_S)
        self._recorded = Histogram(QUICK_S)
        self._groups: list[tuple[NDArray[np.void], int]] = []
        self._waiting = 0

    def consume(self, group: Group) -> None:
        """A group of the journal."""
        if not len(group.readings) or group.seq == VOLATILE_SEQ:
            return
        self._groups.append((group.readings, group.recorded_ms))
        self._waiting += len(group.readings)
        if self._waiting >= COUNT_AT or len(self._groups) >= GROUPS_MAX:
            self._count()

    def measured_to_received(self) -> Histogram:
        """From the sensor to our door."""
        self._count()
        return self._received

    def received_to_recorded(self) -> Histogram:
        """From our door to the disk."""
        self._count()
        return self._recorded

    def _count(self) -> None:
        if not self._groups:
            return
        groups = [readings for readings, _ in self._groups]
        counts = [len(readings) for readings in groups]
        # NumPy joins records field by field, at ten times the price of their bytes.
        readings = np.frombuffer(b"".join([group.tobytes() for group in groups]), READING_DTYPE)
        measured_ms, received_ms = readings["measured_ms"], readings["received_ms"]
        recorded_ms = np.repeat([recorded for _, recorded in self._groups], counts)
        live = received_ms - measured_ms <= LIVE_AGE_MS_MAX
        self._received.add((received_ms - measured_ms)[live] / 1000)
        self._recorded.add((recorded_ms - received_ms)[live] / 1000)
        self._groups.clear()
        self._waiting = 0
