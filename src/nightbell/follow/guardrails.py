"""What may be chosen, and why not more: each refusal names its condition and its reason in plain words."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from nightbell.follow.bounds import highest_at_most, highest_below
from nightbell.follow.limits import ALL_DAYS, ConditionLimit, Hours, Limits, Typed
from nightbell.follow.typed import parsed
from nightbell.words.conditions import Condition
from nightbell.words.glucose import Unit

REPEAT_MINUTES_MIN: Final = 5
REPEAT_MINUTES_MAX: Final = 240
"""A repeat more often than the sensor measures tells nothing new; four hours is half a night."""

URGENT_REPEAT_MINUTES_MAX: Final = 5
"""Dexcom's urgent low repeats every 5 min too (G5 manual; clinical sheet, section 1)."""

NO_READINGS_MINUTES_MIN: Final = 15
NO_READINGS_MINUTES_MAX: Final = 60

_DAY_MINUTES: Final = 1440


class Guardrail(NamedTuple):
    """Why a choice is refused.

    Attributes:
        condition: Which condition it is about.
        reason: Key of the sentence that says why.
        slots: What the sentence names.
    """

    condition: Condition
    reason: str
    slots: tuple[tuple[str, str | int], ...] = ()


class _Range(NamedTuple):
    """From and to, inclusive: whole mg/dL, and tenths of a mmol/L."""

    mgdl: tuple[int, int]
    tenths: tuple[int, int]


_LIMITS: Final = {
    Condition.URGENT_LOW: _Range((54, 80), (30, 44)),
    Condition.LOW: _Range((60, 120), (33, 67)),
    Condition.HIGH: _Range((120, 400), (67, 222)),
    Condition.URGENT_HIGH: _Range((120, 500), (67, 278)),
    Condition.FALLING_FAST: _Range((1, 5), (1, 3)),
    Condition.RISING_FAST: _Range((1, 5), (1, 3)),
}
"""54 mg/dL begins level 2 of a low (ADA); sensors measure up to 400 or 500; arrows mean 1 to 3 a minute."""

_DELAYS_MAX: Final = {
    Condition.FALLING_FAST: 15,
    Condition.LOW: 60,
    Condition.URGENT_LOW_SOON: 15,
    Condition.URGENT_LOW: 0,
    Condition.RISING_FAST: 60,
    Condition.HIGH: 240,
    Condition.URGENT_HIGH_SOON: 15,
    Condition.URGENT_HIGH: 240,
}
"""Minutes. A forecast looks 20 min ahead: told later than 15 min it is no forecast."""


def check(limits: Limits) -> list[Guardrail]:
    """Everything that cannot be chosen so, in the order of `Condition`; empty if all may be."""
    refused = [
        found
        for kind in Condition
        for rule in (_switch, _limit, _delay, _repeat, _hours)
        for found in rule(kind, limits.of(kind))
    ]
    return refused or list(_order(limits))


def _switch(kind: Condition, chosen: ConditionLimit) -> Iterator[Guardrail]:
    if chosen.on:
        return
    if kind is Condition.URGENT_LOW:
        yield Guardrail(kind, "limits.urgent_low_always_on")
    if kind is Condition.NO_READINGS:
        yield Guardrail(kind, "limits.no_readings_always_on")


def _limit(kind: Condition, chosen: ConditionLimit) -> Iterator[Guardrail]:
    allowed = _LIMITS.get(kind)
    if allowed is None:
        if chosen.limit is not None:
            yield Guardrail(kind, "limits.has_no_limit")
        return
    if chosen.limit is None:
        if chosen.on:
            yield Guardrail(kind, "limits.limit_missing")
        return
    number = parsed(chosen.limit)
    if number is None:
        reason = "limits.not_whole" if chosen.limit.unit is Unit.MGDL else "limits.not_tenths"
        yield Guardrail(kind, reason)
        return
    least, most = allowed.mgdl if chosen.limit.unit is Unit.MGDL else allowed.tenths
    if not least <= number <= most:
        slots = (
            ("least", _shown(least, chosen.limit.unit)),
            ("most", _shown(most, chosen.limit.unit)),
            ("unit", chosen.limit.unit.value),
        )
        yield Guardrail(kind, "limits.limit_range", slots)


def _delay(kind: Condition, chosen: ConditionLimit) -> Iterator[Guardrail]:
    minutes = chosen.delay_minutes
    if kind is Condition.NO_READINGS:
        if not NO_READINGS_MINUTES_MIN <= minutes <= NO_READINGS_MINUTES_MAX:
            slots = (("least", NO_READINGS_MINUTES_MIN), ("most", NO_READINGS_MINUTES_MAX))
            yield Guardrail(kind, "limits.no_readings_minutes", slots)
    elif kind is Condition.URGENT_LOW:
        if minutes != 0:
            yield Guardrail(kind, "limits.urgent_low_no_delay")
    elif not 0 <= minutes <= _DELAYS_MAX[kind]:
        yield Guardrail(kind, "limits.delay_range", (("most", _DELAYS_MAX[kind]),))


def _repeat(kind: Condition, chosen: ConditionLimit) -> Iterator[Guardrail]:
    minutes = chosen.repeat_minutes
    if kind is Condition.URGENT_LOW:
        if not 1 <= minutes <= URGENT_REPEAT_MINUTES_MAX:
            yield Guardrail(kind, "limits.urgent_low_repeat", (("most", URGENT_REPEAT_MINUTES_MAX),))
    elif minutes != 0 and not REPEAT_MINUTES_MIN <= minutes <= REPEAT_MINUTES_MAX:
        slots = (("least", REPEAT_MINUTES_MIN), ("most", REPEAT_MINUTES_MAX))
        yield Guardrail(kind, "limits.repeat_range", slots)


def _hours(kind: Condition, chosen: ConditionLimit) -> Iterator[Guardrail]:
    if chosen.hours is None:
        return
    if kind is Condition.URGENT_LOW:
        yield Guardrail(kind, "limits.urgent_low_no_hours")
    elif kind is Condition.NO_READINGS:
        yield Guardrail(kind, "limits.no_readings_no_hours")
    elif not _are_hours(chosen.hours):
        yield Guardrail(kind, "limits.hours_wrong")
    elif chosen.hours.days == 0:
        yield Guardrail(kind, "limits.hours_no_days")


def _are_hours(hours: Hours) -> bool:
    minutes = (hours.begins_minute, hours.ends_minute)
    return all(0 <= minute < _DAY_MINUTES for minute in minutes) and 0 <= hours.days <= ALL_DAYS


def _order(limits: Limits) -> Iterator[Guardrail]:
    """Limits must not cross: a more urgent one lies further out, as far as both are on."""
    low, urgent_low = _level(limits.low, highest_below), _level(limits.urgent_low, highest_at_most)
    if low is not None and urgent_low is not None and low <= urgent_low:
        yield Guardrail(Condition.LOW, "limits.low_above_urgent_low")
    high, urgent_high = _level(limits.high, highest_at_most), _level(limits.urgent_high, highest_at_most)
    if high is not None and urgent_high is not None and urgent_high <= high:
        yield Guardrail(Condition.URGENT_HIGH, "limits.urgent_high_above_high")


def _level(chosen: ConditionLimit, level: Callable[[Typed], int]) -> int | None:
    return level(chosen.limit) if chosen.on and chosen.limit is not None else None


def _shown(number: int, unit: Unit) -> str:
    return str(number) if unit is Unit.MGDL else f"{number // 10}.{number % 10}"
