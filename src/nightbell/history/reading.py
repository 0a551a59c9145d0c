"""What history gives back, and how readings of one sharer settle into one row each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.publish.reading import LIVE_AGE_MS_MAX

BLOCK_MS: Final = 3 * 3_600_000
"""How much time one block holds: 36 readings at one every five minutes. Source: blueprint, section 5."""

HISTORY_DTYPE: Final = np.dtype(
    [
        ("measured_ms", "<i8"),
        ("received_ms", "<i8"),
        ("level", "<i2"),
        ("trend", "<i1"),
        ("source", "<i4"),
    ]
)
"""One stored reading. Times are whole seconds. `received_ms` is 0 where the reading came in time, or it is
not known."""


def block_of(measured_ms: int) -> int:
    """The number of the block of time in which an instant lies."""
    return measured_ms // BLOCK_MS


def as_history(readings: NDArray[np.void]) -> NDArray[np.void]:
    """Readings (`READING_DTYPE`) as rows of history: whole seconds, `received_ms` only where late."""
    rows = np.empty(len(readings), HISTORY_DTYPE)
    measured = readings["measured_ms"]
    rows["measured_ms"] = measured - measured % 1000
    late = readings["received_ms"] - measured > LIVE_AGE_MS_MAX
    rows["received_ms"] = np.where(late, readings["received_ms"] - readings["received_ms"] % 1000, 0)
    for name in ("level", "trend", "source"):
        rows[name] = readings[name]
    return rows


def settled(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Oldest first, and once each: the same second with the same level is the same reading.

    Of two the one that came in time is kept, else the one that came first. Readings of one second that
    contradict
    each other are both kept.
    """
    order = np.lexsort((rows["received_ms"], rows["level"], rows["measured_ms"]))
    if not len(rows):
        return rows
    rows = rows[order]
    again = (rows["measured_ms"][1:] == rows["measured_ms"][:-1]) & (rows["level"][1:] == rows["level"][:-1])
    return rows[np.concatenate(([True], ~again))]
