"""What leaves the evaluator: a condition began or ended for one follow."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TRANSITION_DTYPE: Final = np.dtype(
    [("at_ms", "<i8"), ("sharer", "<i4"), ("follow", "<i4"), ("condition", "<i1"), ("began", "?")]
)
"""One transition: when (processing time), whose, for whom, which `Condition`, began or ended."""


class Folded(NamedTuple):
    """Transitions and what caused each.

    Attributes:
        transitions: `TRANSITION_DTYPE`, in the order of their causes.
        causes: Same length: `place` of the fact, reading or tick that caused it.
    """

    transitions: NDArray[np.void]
    causes: NDArray[np.int64]


_GROUP: Final = 40
_READING: Final = 1 << 30
_TICK: Final = 1 << 31


def place_of_fact(group: int, fact: int) -> int:
    """Where a fact stands among all causes of one call: the group's index, then facts first."""
    return (group << _GROUP) + fact


def place_of_reading(group: int, reading: int) -> int:
    """Where a reading stands: after the facts of its group."""
    return (group << _GROUP) + _READING + reading


def place_of_tick(group: int) -> int:
    """Where a group's tick stands: last."""
    return (group << _GROUP) + _TICK


def group_of(cause: int) -> int:
    """The index of the group a cause belongs to."""
    return cause >> _GROUP


def reading_of(cause: int) -> int | None:
    """The index of the reading within its group, or None for a tick."""
    place = cause & ((1 << _GROUP) - 1)
    return None if place & _TICK else place - _READING


def nothing() -> Folded:
    """No transition."""
    return Folded(np.empty(0, TRANSITION_DTYPE), np.empty(0, np.int64))


def in_order(parts: list[Folded]) -> Folded:
    """Join parts and order them: by cause, follow, endings first, condition."""
    if not parts:
        return nothing()
    transitions = np.concatenate([part.transitions for part in parts])
    causes = np.concatenate([part.causes for part in parts])
    order = np.lexsort((transitions["condition"], transitions["began"], transitions["follow"], causes))
    return Folded(transitions[order], causes[order])
