"""What missing readings do: every follow has a stored deadline, and a tick finds those that have passed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate.columns import BOUNDS_FIELDS, NO_MS, Columns
from nightbell.evaluate.conditions import transitions
from nightbell.evaluate.rules import CLOCK_BACK_MS_MIN, DOOR_GAP_MS_MIN, SOON_QUIET_MS
from nightbell.evaluate.transition import Folded, nothing
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition

SILENT = np.uint16(1 << Condition.NO_READINGS)
_AFTER: Final = BOUNDS_FIELDS.index("no_readings_after_ms")


def sweep(columns: Columns, at_ms: int, cause: int) -> Folded:
    """Begin silence for every follow whose deadline has come."""
    if at_ms < columns.last_tick_ms - CLOCK_BACK_MS_MIN:
        set_back(columns, at_ms)
    columns.last_tick_ms = at_ms
    rows = columns.deadlines.passed(columns.follows.used("due_ms"), at_ms)
    if not len(rows):
        return nothing()
    held = columns.follows["held"][rows]
    columns.follows["held"][rows] = held | SILENT
    columns.follows["due_ms"][rows] = NEVER_MS
    return transitions(
        held,
        held | SILENT,
        rows,
        columns.follows["sharer"][rows],
        np.full(len(rows), at_ms),
        np.full(len(rows), cause),
    )


def set_back(columns: Columns, at_ms: int) -> None:
    """Our own clock was set back: nothing stamped by the wrong one may lie ahead and keep us quiet."""
    sharers, follows = columns.sharers, columns.follows
    ahead = (sharers.used("newest_ms") > at_ms) | (sharers.used("counted_ms") > at_ms)
    who = np.flatnonzero(ahead)
    sharers["chain"][who] = sharers["slope"][who] = 0
    columns.rings["ring_ms"][who] = NO_MS
    for name in ("newest_ms", "counted_ms", "live_ms", "added_ms"):
        np.minimum(sharers.used(name), at_ms, out=sharers.used(name))
    np.minimum(follows.used("set_ms"), at_ms, out=follows.used("set_ms"))
    for name in ("quiet_low_ms", "quiet_high_ms"):
        np.minimum(follows.used(name), at_ms + SOON_QUIET_MS, out=follows.used(name))
    columns.door_open_ms = min(columns.door_open_ms, at_ms)
    reckon(columns, np.flatnonzero(follows.used("told")))


def due_ms(columns: Columns, rows: NDArray[np.intp] | NDArray[np.int32]) -> NDArray[np.int64]:
    """When silence begins for some follows, if nothing comes."""
    sharer = columns.follows["sharer"][rows]
    live_ms = columns.sharers["live_ms"][sharer]
    never_seen_ms = np.maximum(columns.sharers["added_ms"][sharer], columns.follows["set_ms"][rows])
    base_ms = np.where(live_ms != NO_MS, live_ms, never_seen_ms)
    base_ms = np.maximum(base_ms, columns.sharers["warm_up_ms"][sharer])
    after_ms: NDArray[np.int64] = columns.bounds[columns.follows["bounds"][rows], _AFTER]
    return np.maximum(base_ms, columns.door_open_ms) + after_ms


def reckon(columns: Columns, rows: NDArray[np.intp]) -> None:
    """Set the deadline anew for follows that are not silent."""
    waiting = rows[columns.follows["held"][rows] & SILENT == 0]
    columns.set_due(waiting, due_ms(columns, waiting))


def open_door(columns: Columns, at_ms: int) -> None:
    """Count everybody's silence anew from the moment the door was proven open again."""
    if columns.last_tick_ms != NO_MS and at_ms - columns.last_tick_ms <= DOOR_GAP_MS_MIN:
        return
    columns.door_open_ms = at_ms
    reckon(columns, np.flatnonzero(columns.follows.used("told")))
