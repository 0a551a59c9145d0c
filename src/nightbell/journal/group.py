"""The group: what one commit of the journal holds, and the unit in which everything downstream gets it."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.journal.facts import AnyFact
from nightbell.publish.reading import READING_DTYPE

VOLATILE_SEQ: Final = -1
"""The number of a group that could not be made durable: it may raise an alarm, it is never acknowledged."""


class Group(NamedTuple):
    """One commit. Its inner order is: facts in their order, then readings in their order, then the tick.

    Attributes:
        seq: Place in the one total order, from 1, without gaps; `VOLATILE_SEQ` if not durable.
        recorded_ms: When it was committed, epoch ms.
        facts: Facts in order.
        readings: Packed readings, `READING_DTYPE`, shape `(n,)`.
        tick_ms: The time of day if this group carries the second's tick, else 0.
    """

    seq: int
    recorded_ms: int
    facts: tuple[AnyFact, ...]
    readings: NDArray[np.void]
    tick_ms: int


def no_readings() -> NDArray[np.void]:
    """An empty array of readings."""
    return np.empty(0, READING_DTYPE)
