"""What a round of readings does to follows: which conditions begin and end.

One bit for each `Condition` in `held` and in `mark` (the first clear reading was seen). Every expression
below is one column of the tables in `docs/reference/conditions.md`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate import rules
from nightbell.evaluate.columns import BOUNDS_FIELDS, Columns
from nightbell.evaluate.readings import Seen
from nightbell.evaluate.transition import TRANSITION_DTYPE, Folded, nothing
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition
from nightbell.words.table import Column

_FIELD = {name: place for place, name in enumerate(BOUNDS_FIELDS)}

LEVELS = (
    (Condition.URGENT_LOW, "urgent_low_at_most", "urgent_low_clear", -1),
    (Condition.LOW, "low_at_most", "low_clear", -1),
    (Condition.HIGH, "high_at_least", "high_clear", 1),
    (Condition.URGENT_HIGH, "urgent_high_at_least", "urgent_high_clear", 1),
)
"""Level conditions: where they begin, where they may clear, and on which side (-1 below, 1 above)."""


class Bound:
    """The bounds of some follows, a column for each field."""

    def __init__(self, columns: Columns, rows: NDArray[np.int32]) -> None:
        self._table = columns.bounds[columns.follows["bounds"][rows]]

    def __getitem__(self, field: str) -> NDArray[np.int64]:
        column: NDArray[np.int64] = self._table[:, _FIELD[field]]
        return column

    def on(self, condition: Condition) -> NDArray[np.bool_]:
        """Where a condition is on."""
        on: NDArray[np.bool_] = (self["on"] >> condition) & 1 != 0
        return on


class Held:
    """The held and marked conditions of some follows, while a round works on them."""

    def __init__(self, columns: Columns, rows: NDArray[np.int32]) -> None:
        self.before: Column = columns.follows["held"][rows]
        self.now = self.before.copy()
        self.mark: Column = columns.follows["mark"][rows]

    def holds(self, condition: Condition) -> NDArray[np.bool_]:
        """Where it holds now."""
        holds: NDArray[np.bool_] = (self.now >> condition) & 1 != 0
        return holds

    def marked(self, condition: Condition) -> NDArray[np.bool_]:
        """Where its mark is set."""
        marked: NDArray[np.bool_] = (self.mark >> condition) & 1 != 0
        return marked

    def set(self, condition: Condition, holds: NDArray[np.bool_], mark: NDArray[np.bool_]) -> None:
        """Say where it holds and is marked from now on."""
        bit = np.uint16(1 << condition)
        self.now = (self.now & ~bit) | (holds * bit)
        self.mark = (self.mark & ~bit) | (mark * bit)


class Round(NamedTuple):
    """One round of readings beside the follows it touches: one row for each (reading, follow)."""

    counts: NDArray[np.bool_]
    near: NDArray[np.bool_]
    level: NDArray[np.int64]
    measured_ms: NDArray[np.int64]
    forecast: NDArray[np.int64]
    forecast_known: NDArray[np.bool_]
    rate: NDArray[np.int64]
    rate_known: NDArray[np.bool_]
    before: NDArray[np.int64]


def beyond(level: NDArray[np.int64], limit: NDArray[np.int64], side: int) -> NDArray[np.bool_]:
    """Where a level is at or beyond a limit on its side."""
    return level <= limit if side < 0 else level >= limit


def judge(columns: Columns, seen: Seen) -> Folded:
    """Let every follow of the round's sharers see its reading. Returns what began and ended."""
    index, rows = columns.pairs(seen.batch.sharer)
    if not len(rows):
        return nothing()
    part = Round(
        counts=seen.counts[index],
        near=seen.near[index],
        level=seen.batch.level[index],
        measured_ms=seen.batch.measured_ms[index],
        forecast=seen.forecast[index],
        forecast_known=seen.forecast_known[index],
        rate=seen.rate[index],
        rate_known=seen.rate_known[index],
        before=seen.before[index],
    )
    held, bound = Held(columns, rows), Bound(columns, rows)
    _judge_levels(part, held, bound)
    _judge_low_soon(columns, rows, part, held, bound)
    _judge_high_soon(columns, rows, part, held, bound)
    _judge_fast(part, held, bound)
    received_ms = seen.batch.received_ms[index]
    _judge_silence(columns, rows, received_ms, held, bound)
    columns.follows["held"][rows] = held.now
    columns.follows["mark"][rows] = held.mark
    changed = np.flatnonzero(held.now != held.before)
    return transitions(
        held.before[changed],
        held.now[changed],
        rows[changed],
        columns.follows["sharer"][rows[changed]],
        received_ms[changed],
        seen.batch.cause[index[changed]],
    )


def _judge_levels(part: Round, held: Held, bound: Bound) -> None:
    for condition, limit, clear_limit, side in LEVELS:
        holds, marked = held.holds(condition), held.marked(condition)
        sees = part.counts | part.near if side < 0 else part.counts
        begins = ~holds & sees & bound.on(condition) & beyond(part.level, bound[limit], side)
        clear = beyond(part.level, bound[clear_limit], -side)
        ends = holds & part.counts & clear & marked
        mark = np.where(part.counts, clear & ~marked, marked & (clear | ~sees)) & holds
        held.set(condition, (holds | begins) & ~ends, mark)


def _judge_low_soon(columns: Columns, rows: NDArray[np.int32], part: Round, held: Held, bound: Bound) -> None:
    limit = bound["urgent_low_at_most"]
    urgent = (part.level <= limit) & (part.counts | part.near)
    wanted = part.forecast <= (limit + rules.SOON_BEGINS_MGDL) * 1000
    past = part.forecast > (limit + rules.SOON_ENDS_MGDL) * 1000
    _judge_soon(
        Condition.URGENT_LOW_SOON,
        columns.follows["quiet_low_ms"],
        rows,
        part,
        held,
        bound,
        urgent,
        wanted,
        past,
    )
    which = urgent & part.near
    held.mark[which] &= ~np.uint16(1 << Condition.URGENT_LOW_SOON)


def _judge_high_soon(
    columns: Columns, rows: NDArray[np.int32], part: Round, held: Held, bound: Bound
) -> None:
    limit = bound["urgent_high_at_least"]
    urgent = (part.level >= limit) & part.counts
    wanted = part.forecast >= (limit - rules.SOON_BEGINS_MGDL) * 1000
    past = part.forecast < (limit - rules.SOON_ENDS_MGDL) * 1000
    _judge_soon(
        Condition.URGENT_HIGH_SOON,
        columns.follows["quiet_high_ms"],
        rows,
        part,
        held,
        bound,
        urgent,
        wanted,
        past,
    )


def _judge_soon(
    condition: Condition,
    quiet_column: Column,
    rows: NDArray[np.int32],
    part: Round,
    held: Held,
    bound: Bound,
    urgent: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    past: NDArray[np.bool_],
) -> None:
    """One of the two soon conditions.

    Args:
        condition: Which.
        quiet_column: Until when each follow's is quiet, epoch ms by `measured`.
        rows: The follows.
        part: The readings.
        held: What holds; changed here.
        bound: The bounds.
        urgent: Where the level is already urgent.
        wanted: Where the forecast, if known, reaches the limit.
        past: Where the forecast, if known, is far enough from it.
    """
    holds, marked, quiet_ms = held.holds(condition), held.marked(condition), quiet_column[rows]
    known = part.forecast_known
    begins = ~holds & bound.on(condition) & known & ~urgent & wanted & (part.measured_ms >= quiet_ms)
    clear = known & ~urgent & past
    ends = holds & clear & marked
    mark = holds & np.where(clear, ~marked, marked & ~(known | (urgent & part.counts)))
    held.set(condition, (holds | begins) & ~ends, mark)
    quiet_until_ms = part.measured_ms + rules.SOON_QUIET_MS
    quiet_ms = np.where(begins, quiet_until_ms, quiet_ms)
    quiet_column[rows] = np.where(urgent, np.maximum(quiet_ms, quiet_until_ms), quiet_ms)


def _judge_fast(part: Round, held: Held, bound: Bound) -> None:
    known = part.rate_known
    for condition, fast, limit, side in (
        (Condition.FALLING_FAST, "falling_mgdl_per_5min", "low_at_most", -1),
        (Condition.RISING_FAST, "rising_mgdl_per_5min", "high_at_least", 1),
    ):
        holds = held.holds(condition)
        speed, away = part.rate * side, (bound[limit] - part.level) * side
        begins = ~holds & known & bound.on(condition) & (speed >= 1000 * bound[fast])
        begins &= ((part.level - part.before) * side > 0) & (away <= rules.FAST_MATTERS_MGDL)
        ends = holds & known & ((speed < 500 * bound[fast]) | (away > rules.FAST_ENDS_MGDL))
        held.set(condition, (holds | begins) & ~ends, held.marked(condition))


def _judge_silence(
    columns: Columns,
    rows: NDArray[np.int32],
    received_ms: NDArray[np.int64],
    held: Held,
    bound: Bound,
) -> None:
    """Move the next deadline, and end a silence that a fresh enough reading broke."""
    sharer, after_ms = columns.follows["sharer"][rows], bound["no_readings_after_ms"]
    live_ms = columns.sharers["live_ms"][sharer]
    base_ms = np.maximum(live_ms, columns.sharers["warm_up_ms"][sharer])
    due_ms = np.maximum(base_ms, columns.door_open_ms) + after_ms
    goes_on = held.holds(Condition.NO_READINGS) & (received_ms >= live_ms + after_ms)
    held.set(Condition.NO_READINGS, goes_on, held.marked(Condition.NO_READINGS))
    columns.set_due(rows, np.where(goes_on, NEVER_MS, due_ms))


def transitions(
    before: Column, now: Column, follow: Column, sharer: Column, at_ms: Column, cause: Column
) -> Folded:
    """Spell out changed bits as transitions."""
    parts, causes = [], []
    changed = before ^ now
    for condition in Condition:
        which = np.flatnonzero((changed >> condition) & 1)
        if len(which):
            part = np.empty(len(which), TRANSITION_DTYPE)
            part["at_ms"], part["sharer"], part["follow"] = at_ms[which], sharer[which], follow[which]
            part["condition"] = condition
            part["began"] = (now[which] >> condition) & 1 != 0
            parts.append(part)
            causes.append(cause[which])
    if not parts:
        return nothing()
    return Folded(np.concatenate(parts), np.concatenate(causes))
