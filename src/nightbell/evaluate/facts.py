"""What people change: follows, sensors, clocks. One fact at a time; these are rare."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate import rules
from nightbell.evaluate.columns import NO_MS, Columns
from nightbell.evaluate.conditions import LEVELS, transitions
from nightbell.evaluate.readings import forecast_milli
from nightbell.evaluate.silence import SILENT, due_ms, open_door, reckon
from nightbell.evaluate.transition import Folded, nothing
from nightbell.follow.limits import Bounds
from nightbell.journal.facts import (
    AnyFact,
    ClockLearned,
    DoorOpened,
    FollowEnded,
    FollowSet,
    SensorStarted,
    SharerAdded,
)
from nightbell.publish.reading import LIVE_AGE_MS_MAX
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition
from nightbell.words.table import NO_ROW

_OWN_BOUNDS: Final = {
    **{condition: (limit, clear) for condition, limit, clear, _ in LEVELS},
    Condition.URGENT_LOW_SOON: ("urgent_low_at_most",),
    Condition.URGENT_HIGH_SOON: ("urgent_high_at_least",),
    Condition.FALLING_FAST: ("falling_mgdl_per_5min", "low_at_most"),
    Condition.RISING_FAST: ("rising_mgdl_per_5min", "high_at_least"),
}
"""The bounds each condition depends on; silence is reckoned anew in any case."""


def apply(columns: Columns, fact: AnyFact, cause: int) -> Folded:
    """Fold one fact. Returns what began and ended by it."""
    match fact:
        case FollowSet():
            return (
                _set_follow(columns, fact, cause)
                if fact.told
                else _let_go(columns, fact.follow, fact.at_ms, cause)
            )
        case FollowEnded():
            return _let_go(columns, fact.follow, fact.at_ms, cause)
        case SensorStarted():
            return _start_sensor(columns, fact, cause)
        case SharerAdded():
            columns.reach_sharer(fact.sharer)
            if columns.sharers["added_ms"][fact.sharer] == NO_MS:
                columns.sharers["added_ms"][fact.sharer] = fact.at_ms
                reckon(columns, np.array(columns.follows_of(fact.sharer), np.intp))
        case ClockLearned():
            columns.reach_sharer(fact.sharer)
            columns.sharers["clock_offset_ms"][fact.sharer] = fact.offset_ms
        case DoorOpened():
            open_door(columns, fact.at_ms)
        case _:  # answers and snoozes belong to alarms
            pass
    return nothing()


def _changed(columns: Columns, follow: int, before: int, now: int, at_ms: int, cause: int) -> Folded:
    columns.follows["held"][follow] = now
    if before == now:
        return nothing()
    one = np.array([0])
    return transitions(
        one.astype(np.uint16) + np.uint16(before),
        one.astype(np.uint16) + np.uint16(now),
        one + follow,
        one + columns.follows["sharer"][follow],
        one + at_ms,
        one + cause,
    )


def _let_go(columns: Columns, follow: int, at_ms: int, cause: int) -> Folded:
    """A follow may not be told any more: it counts as nobody."""
    follows = columns.follows
    if follow >= follows.count or not follows["told"][follow]:
        return nothing()
    _unlink(columns, follow)
    before = int(follows["held"][follow])
    follows["told"][follow], follows["due_ms"][follow], follows["mark"][follow] = False, NEVER_MS, 0
    return _changed(columns, follow, before, 0, at_ms, cause)


def _unlink(columns: Columns, follow: int) -> None:
    first, following = columns.sharers["first_follow"], columns.follows["next_follow"]
    sharer = int(columns.follows["sharer"][follow])
    row = int(first[sharer])
    if row == follow:
        first[sharer] = following[follow]
        return
    while int(following[row]) != follow:
        row = int(following[row])
        assert row != NO_ROW
    following[row] = following[follow]


def _set_follow(columns: Columns, fact: FollowSet, cause: int) -> Folded:
    follows = columns.follows
    columns.reach_sharer(fact.sharer)
    follows.reach(fact.follow)
    row, bounds_row = fact.follow, columns.intern(fact.bounds)
    is_new = not follows["told"][row]
    if not is_new and follows["bounds"][row] == bounds_row:
        return nothing()
    if is_new:
        follows["sharer"][row], follows["told"][row] = fact.sharer, True
        follows["next_follow"][row] = columns.sharers["first_follow"][fact.sharer]
        columns.sharers["first_follow"][fact.sharer] = row
        follows["held"][row] = follows["quiet_low_ms"][row] = follows["quiet_high_ms"][row] = 0
        if follows["set_ms"][row] == NO_MS:
            follows["set_ms"][row] = fact.at_ms
    before = int(follows["held"][row])
    kept = 0 if is_new else _untouched(columns.known_bounds()[follows["bounds"][row]], fact.bounds)
    now = before & kept | _judged_anew(columns, fact, before) & ~kept
    follows["bounds"][row] = bounds_row
    follows["mark"][row] = 0 if is_new else int(follows["mark"][row]) & kept
    due = int(due_ms(columns, np.array([row]))[0])
    silent = before & int(SILENT) != 0 and fact.at_ms >= due
    columns.set_due(np.array([row]), np.array([NEVER_MS if silent else due]))
    return _changed(columns, row, before, now | (int(SILENT) if silent else 0), fact.at_ms, cause)


def _untouched(old: Bounds, new: Bounds) -> int:
    """Conditions, as bits, whose own bounds a change of limits leaves as they were."""
    kept = 0
    for condition, fields in _OWN_BOUNDS.items():
        same = all(getattr(old, field) == getattr(new, field) for field in fields)
        if same and (old.on ^ new.on) >> condition & 1 == 0:
            kept |= 1 << condition
    return kept


def _judged_anew(columns: Columns, fact: FollowSet, before: int) -> int:
    """Which conditions, silence apart, hold by new bounds and what is known now. Returns bits."""
    sharers, bounds = columns.sharers, fact.bounds
    newest_ms, level = int(sharers["newest_ms"][fact.sharer]), int(sharers["newest_level"][fact.sharer])
    fresh = newest_ms != NO_MS and fact.at_ms - newest_ms <= LIVE_AGE_MS_MAX
    now = 0
    for condition, limit, _, side in LEVELS:
        is_beyond = newest_ms != NO_MS and (level - getattr(bounds, limit)) * side >= 0
        if is_beyond and bounds.on >> condition & 1 and (fresh or before >> condition & 1):
            now |= 1 << condition
    for condition in (Condition.FALLING_FAST, Condition.RISING_FAST):
        now |= before & bounds.on & 1 << condition
    for condition in (Condition.URGENT_LOW_SOON, Condition.URGENT_HIGH_SOON):
        if before & bounds.on & 1 << condition and not _soon_is_past(columns, fact.sharer, bounds, condition):
            now |= 1 << condition
    return now


def _soon_is_past(columns: Columns, sharer: int, bounds: Bounds, condition: Condition) -> bool:
    """Whether a soon condition is over by new bounds; with no forecast it is not."""
    sharers = columns.sharers
    level = int(sharers["newest_level"][sharer])
    known = (
        sharers["newest_ms"][sharer] == sharers["counted_ms"][sharer]
        and level == sharers["counted_level"][sharer]
    )
    if not known or sharers["chain"][sharer] < rules.FORECAST_CHAIN_MIN:
        return False
    forecast = forecast_milli(level, int(sharers["slope"][sharer]))
    if condition is Condition.URGENT_LOW_SOON:
        limit = bounds.urgent_low_at_most
        return level > limit and forecast > (limit + rules.SOON_ENDS_MGDL) * 1000
    limit = bounds.urgent_high_at_least
    return level < limit and forecast < (limit - rules.SOON_ENDS_MGDL) * 1000


def _start_sensor(columns: Columns, fact: SensorStarted, cause: int) -> Folded:
    columns.reach_sharer(fact.sharer)
    sharers = columns.sharers
    if sharers["warm_up_ms"][fact.sharer] == NO_MS:  # else no reading came since it was first said
        sharers["warm_up_said_ms"][fact.sharer] = fact.at_ms
    longest_ms = int(sharers["warm_up_said_ms"][fact.sharer]) + rules.WARM_UP_MS_MAX
    sharers["warm_up_ms"][fact.sharer] = min(fact.until_ms, longest_ms)
    rows: NDArray[np.intp] = np.array(columns.follows_of(fact.sharer), np.intp)
    if not len(rows):
        return nothing()
    due, held = due_ms(columns, rows), columns.follows["held"][rows]
    over = (held & SILENT != 0) & (fact.at_ms < due)
    now = np.where(over, held & ~SILENT, held)
    columns.follows["held"][rows] = now
    columns.set_due(rows, np.where(now & SILENT != 0, NEVER_MS, due))
    return transitions(
        held[over],
        now[over],
        rows[over],
        np.full(int(over.sum()), fact.sharer),
        np.full(int(over.sum()), fact.at_ms),
        np.full(int(over.sum()), cause),
    )
