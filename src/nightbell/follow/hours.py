"""When a condition is told: hours on the follower's own wall clock, through both nights when clocks change.

Hours begin at the first instant the wall clock shows the beginning (or, where that time is skipped, when the
clock jumps over it) and end at the last instant it shows the end. So a repeated hour is told as a whole:
when in doubt, people are told. A zone we do not know means always: unknown is never silence.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from nightbell.follow.limits import Hours
from nightbell.words.clock import NEVER_MS, from_ms, to_ms
from nightbell.words.zones import zone_info

_DAY_MS: Final = 86_400_000
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_LOOK_AHEAD_DAYS: Final = 9
"""Hours on one day of the week come back within eight days, give or take a changed clock."""


def within(hours: Hours | None, zone: str, at_ms: int) -> bool:
    """Whether people are told at this instant."""
    if hours is None or zone_info(zone) is None:
        return True
    today = at_ms // _DAY_MS + _EPOCH_ORDINAL
    spans = (_span(hours, zone, today + shift) for shift in (-2, -1, 0, 1))
    return any(begins <= at_ms < ends for begins, ends in spans)


def next_change_ms(hours: Hours | None, zone: str, at_ms: int) -> int:
    """The next instant after `at_ms` at which `within` may change; `NEVER_MS` if it does not."""
    if hours is None or zone_info(zone) is None:
        return NEVER_MS
    today = at_ms // _DAY_MS + _EPOCH_ORDINAL
    for shift in range(-2, _LOOK_AHEAD_DAYS + 1):
        ahead = [edge for edge in _span(hours, zone, today + shift) if edge > at_ms]
        if ahead:
            return min(ahead)
    return NEVER_MS


_NO_SPAN: Final = (-1, -1)


@lru_cache(maxsize=16_384)
def _span(hours: Hours, zone: str, ordinal: int) -> tuple[int, int]:
    """From when to when the hours that begin on one local day last, epoch ms; `_NO_SPAN` if none do."""
    place = zone_info(zone)
    day = date.fromordinal(ordinal)
    if place is None or not hours.days >> day.weekday() & 1:
        return _NO_SPAN
    passes_midnight = hours.ends_minute <= hours.begins_minute
    last = day + timedelta(days=1) if passes_midnight else day
    begins = _instant_ms(place, day, hours.begins_minute, fold=0)
    ends = _instant_ms(place, last, hours.ends_minute, fold=1)
    return (begins, ends) if begins < ends else _NO_SPAN


def _instant_ms(place: ZoneInfo, day: date, minute: int, *, fold: int) -> int:
    """The first (`fold` 0) or last (1) instant the wall clock shows this; the jump, where it is skipped."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), place)
    first, second = to_ms(wall.replace(fold=0)), to_ms(wall.replace(fold=1))
    if second >= first:
        return second if fold else first
    return _jump_ms(place, second, first)


def _jump_ms(place: ZoneInfo, before_ms: int, after_ms: int) -> int:
    """The instant between the two at which the clock jumps ahead."""
    after = _offset(place, after_ms)
    while after_ms - before_ms > 1:
        middle = (before_ms + after_ms) // 2
        if _offset(place, middle) == after:
            after_ms = middle
        else:
            before_ms = middle
    return after_ms


def _offset(place: ZoneInfo, at_ms: int) -> timedelta | None:
    return from_ms(at_ms).astimezone(place).utcoffset()
