"""The reading: one glucose value with the time it was measured."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

LIVE_AGE_MS_MAX: Final = 15 * 60_000
"""A reading at most this old when it arrives is live; an older one is late: it never rings (blueprint,
section 5)."""

NEAR_MS: Final = 150_000
"""Readings of one sharer less than 2.5 min apart: both are kept, one counts (blueprint, section 11)."""


class Reading(NamedTuple):
    """One admitted reading.

    Attributes:
        sharer: The sharer's number.
        measured_ms: When it was measured, corrected for the uploader's clock, epoch ms.
        received_ms: When our door took it, epoch ms.
        level: Whole mg/dL, or `CENSORED_LOW` / `CENSORED_HIGH`.
        trend: The arrow as sent, a `Trend` number.
        source: Which uploader of this sharer sent it: the number of its credential, 0 for imports.
    """

    sharer: int
    measured_ms: int
    received_ms: int
    level: int
    trend: int
    source: int


READING_DTYPE: Final = np.dtype(
    [
        ("sharer", "<i4"),
        ("measured_ms", "<i8"),
        ("received_ms", "<i8"),
        ("level", "<i2"),
        ("trend", "<i1"),
        ("source", "<i4"),
    ]
)
"""How readings lie packed in arrays and in the journal: 27 bytes each, the fields of `Reading` in order."""

Readings = Sequence[Reading] | NDArray[np.void]
"""Admitted readings: one by one, or where they came by the hundred, packed (`READING_DTYPE`)."""


def joined(packed: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """Packed readings one after the other. NumPy joins records field by field, ten times slower."""
    if len(packed) == 1:
        return packed[0]
    return np.frombuffer(b"".join([part.tobytes() for part in packed]), READING_DTYPE)
