"""From limits as typed to the levels that are compared: what alarms agrees with what is displayed.

A limit in mg/dL compares whole mg/dL. A limit in mmol/L compares the tenths a person sees: 70 and 71 mg/dL
are both shown as 3.9, so neither is below 3.9.
"""

from typing import Final

from nightbell.follow.limits import Bounds, ConditionLimit, Limits, Telling, Typed
from nightbell.follow.typed import parsed
from nightbell.words.conditions import Condition
from nightbell.words.glucose import Unit, mgdl_from_mmol, mgdl_shown_at_most

CLEAR_MGDL: Final = 5
"""How far beyond its limit glucose must come back before an alarm may clear (blueprint, section 11)."""

ALWAYS_ON: Final = frozenset({Condition.URGENT_LOW, Condition.NO_READINGS})
"""Conditions that cannot be turned off: unknown and danger are never silence."""

URGENT_LOW_TYPED: Final = Typed("55", Unit.MGDL)
LOW_TYPED: Final = Typed("70", Unit.MGDL)
HIGH_TYPED: Final = Typed("250", Unit.MGDL)
URGENT_HIGH_TYPED: Final = Typed("300", Unit.MGDL)
RATE_TYPED: Final = Typed("3", Unit.MGDL)

_MINUTE_MS: Final = 60_000


def highest_at_most(limit: Typed) -> int:
    """The highest whole mg/dL that is shown as the limit or less.

    Raises:
        ValueError: The limit is no number; guardrails refuse it before it is stored.
    """
    number = _number(limit)
    return number if limit.unit is Unit.MGDL else mgdl_shown_at_most(number)


def highest_below(limit: Typed) -> int:
    """The highest whole mg/dL that is shown as less than the limit.

    Raises:
        ValueError: The limit is no number.
    """
    number = _number(limit) - 1
    return number if limit.unit is Unit.MGDL else mgdl_shown_at_most(number)


def mgdl_per_5min(rate: Typed) -> int:
    """A rate typed per minute as whole mg/dL in five minutes.

    Raises:
        ValueError: The rate is no number.
    """
    number = _number(rate)
    return number * 5 if rate.unit is Unit.MGDL else mgdl_from_mmol(number * 5 / 10)


def bounds(limits: Limits) -> Bounds:
    """What the evaluator compares. A condition that is off keeps usable levels; its bit in `on` is 0.

    Raises:
        ValueError: A limit is no number.
    """
    urgent_low = highest_at_most(limits.urgent_low.limit or URGENT_LOW_TYPED)
    low = highest_below(limits.low.limit or LOW_TYPED)
    high = highest_at_most(limits.high.limit or HIGH_TYPED)
    urgent_high = highest_at_most(limits.urgent_high.limit or URGENT_HIGH_TYPED)
    return Bounds(
        on=sum(1 << kind for kind in Condition if kind in ALWAYS_ON or limits.of(kind).on),
        urgent_low_at_most=urgent_low,
        urgent_low_clear=urgent_low + CLEAR_MGDL,
        low_at_most=low,
        low_clear=low + 1 + CLEAR_MGDL,
        high_at_least=high + 1,
        high_clear=high - CLEAR_MGDL,
        urgent_high_at_least=urgent_high + 1,
        urgent_high_clear=urgent_high - CLEAR_MGDL,
        falling_mgdl_per_5min=mgdl_per_5min(limits.falling_fast.limit or RATE_TYPED),
        rising_mgdl_per_5min=mgdl_per_5min(limits.rising_fast.limit or RATE_TYPED),
        no_readings_after_ms=limits.no_readings.delay_minutes * _MINUTE_MS,
    )


def telling(limits: Limits) -> tuple[Telling, ...]:
    """When each condition is told: nine, in the order of `Condition`."""
    return tuple(_told(kind, limits.of(kind)) for kind in Condition)


def _told(kind: Condition, limit: ConditionLimit) -> Telling:
    delay_minutes = 0 if kind is Condition.NO_READINGS else limit.delay_minutes
    return Telling(delay_minutes * _MINUTE_MS, limit.repeat_minutes * _MINUTE_MS, limit.hours)


def _number(typed: Typed) -> int:
    number = parsed(typed)
    if number is None:
        raise ValueError("this limit is not a number")
    return number
