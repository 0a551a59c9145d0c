"""A follower's limits for one sharer: as typed by the person, and as the evaluator compares them."""

from typing import Final

import msgspec

from nightbell.words.conditions import Condition
from nightbell.words.glucose import Unit

ALL_DAYS: Final = 0b1111111


class Typed(msgspec.Struct, frozen=True):
    """A limit as the person typed it: `Typed("3.9", Unit.MMOL)`. Kept for ever in their own unit."""

    value: str
    unit: Unit


class Hours(msgspec.Struct, frozen=True):
    """When a condition is told, in the follower's own time zone.

    Attributes:
        begins_minute: Minute of the local day at which the hours begin, 0 to 1439.
        ends_minute: Minute at which they end, exclusive; not after `begins_minute` means past midnight.
        days: Bit 0 is Monday. The day is that on which the hours begin.
    """

    begins_minute: int
    ends_minute: int
    days: int = ALL_DAYS


class ConditionLimit(msgspec.Struct, frozen=True):
    """One condition as a follower wants it.

    Attributes:
        on: Whether it is told at all. Urgent low and no readings are always on.
        limit: The value at which it begins; for falling and rising fast, mg/dL (or mmol/L) a minute;
            for no readings None.
        delay_minutes: How long the condition lasts before it is told. For no readings: after how many
            minutes without a reading, 15 to 60.
        repeat_minutes: How often it rings again until answered; 0 is never again.
        hours: When it is told; None is always.
    """

    on: bool
    limit: Typed | None
    delay_minutes: int = 0
    repeat_minutes: int = 5
    hours: Hours | None = None


class Limits(msgspec.Struct, frozen=True):
    """Everything one follower chose for one sharer."""

    urgent_low: ConditionLimit
    urgent_low_soon: ConditionLimit
    low: ConditionLimit
    falling_fast: ConditionLimit
    urgent_high: ConditionLimit
    urgent_high_soon: ConditionLimit
    high: ConditionLimit
    rising_fast: ConditionLimit
    no_readings: ConditionLimit

    def of(self, condition: Condition) -> ConditionLimit:
        """The choice for one condition."""
        chosen: ConditionLimit = getattr(self, condition.word)
        return chosen


class Bounds(msgspec.Struct, frozen=True):
    """What the evaluator compares with, derived once from `Limits`. Levels in whole mg/dL, all inclusive.

    Attributes:
        on: Bit `1 << Condition` for each condition that is on.
        urgent_low_at_most: Urgent low holds at this level or below.
        urgent_low_clear: Urgent low may clear at this level or above.
        low_at_most: Low holds at this level or below.
        low_clear: Low may clear at this level or above.
        high_at_least: High holds at this level or above.
        high_clear: High may clear at this level or below.
        urgent_high_at_least: Urgent high holds at this level or above.
        urgent_high_clear: Urgent high may clear at this level or below.
        falling_mgdl_per_5min: Falling fast holds when glucose falls by this much or more in 5 min; positive.
        rising_mgdl_per_5min: The same for rising.
        no_readings_after_ms: Silence begins this long after the last reading.
    """

    on: int
    urgent_low_at_most: int
    urgent_low_clear: int
    low_at_most: int
    low_clear: int
    high_at_least: int
    high_clear: int
    urgent_high_at_least: int
    urgent_high_clear: int
    falling_mgdl_per_5min: int
    rising_mgdl_per_5min: int
    no_readings_after_ms: int


class Telling(msgspec.Struct, frozen=True):
    """When one condition is told to one follower, in the order of `Condition`.

    Attributes:
        delay_ms: How long it must have held. 0 for no readings: `no_readings_after_ms` is its delay.
        repeat_ms: How often it rings again until answered; 0 is never again.
        hours: When it is told; None is always.
    """

    delay_ms: int
    repeat_ms: int
    hours: Hours | None
