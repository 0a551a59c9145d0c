"""What may be chosen, and that every refusal says why in plain words."""

from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.follow.bounds import bounds
from nightbell.follow.defaults import default_limits
from nightbell.follow.guardrails import check
from nightbell.follow.limits import ConditionLimit, Hours, Limits, Typed
from nightbell.words.catalogue import catalogue
from nightbell.words.conditions import Condition
from nightbell.words.glucose import Unit

ALL_DAY: Final = Hours(0, 0)


def changed(condition: Condition, **choices: object) -> Limits:
    """The defaults in mg/dL with one condition chosen otherwise."""
    limits = default_limits(Unit.MGDL)
    chosen = msgspec.structs.replace(limits.of(condition), **choices)
    return msgspec.structs.replace(limits, **{condition.word: chosen})


def mgdl(value: str) -> Typed:
    """A limit in mg/dL."""
    return Typed(value, Unit.MGDL)


def mmol(value: str) -> Typed:
    """A limit in mmol/L."""
    return Typed(value, Unit.MMOL)


REFUSED: Final = [
    (Condition.URGENT_LOW, {"on": False}, "limits.urgent_low_always_on"),
    (Condition.URGENT_LOW, {"hours": ALL_DAY}, "limits.urgent_low_no_hours"),
    (Condition.URGENT_LOW, {"delay_minutes": 1}, "limits.urgent_low_no_delay"),
    (Condition.URGENT_LOW, {"repeat_minutes": 0}, "limits.urgent_low_repeat"),
    (Condition.URGENT_LOW, {"repeat_minutes": 6}, "limits.urgent_low_repeat"),
    (Condition.URGENT_LOW, {"limit": mgdl("53")}, "limits.limit_range"),
    (Condition.URGENT_LOW, {"limit": mgdl("81")}, "limits.limit_range"),
    (Condition.URGENT_LOW, {"limit": mmol("2.9")}, "limits.limit_range"),
    (Condition.URGENT_LOW, {"limit": mmol("4.5")}, "limits.limit_range"),
    (Condition.URGENT_LOW, {"limit": None}, "limits.limit_missing"),
    (Condition.LOW, {"limit": mgdl("59")}, "limits.limit_range"),
    (Condition.LOW, {"limit": mgdl("121")}, "limits.limit_range"),
    (Condition.LOW, {"limit": mgdl("70.5")}, "limits.not_whole"),
    (Condition.LOW, {"limit": mmol("3.95")}, "limits.not_tenths"),
    (Condition.LOW, {"delay_minutes": 61}, "limits.delay_range"),
    (Condition.LOW, {"delay_minutes": -1}, "limits.delay_range"),
    (Condition.LOW, {"repeat_minutes": 4}, "limits.repeat_range"),
    (Condition.LOW, {"repeat_minutes": 241}, "limits.repeat_range"),
    (Condition.HIGH, {"limit": mgdl("119")}, "limits.limit_range"),
    (Condition.HIGH, {"limit": mgdl("401")}, "limits.limit_range"),
    (Condition.HIGH, {"hours": Hours(0, 1440)}, "limits.hours_wrong"),
    (Condition.HIGH, {"hours": Hours(-1, 60)}, "limits.hours_wrong"),
    (Condition.HIGH, {"hours": Hours(0, 60, days=128)}, "limits.hours_wrong"),
    (Condition.HIGH, {"hours": Hours(0, 60, days=0)}, "limits.hours_no_days"),
    (Condition.URGENT_HIGH, {"limit": mgdl("501")}, "limits.limit_range"),
    (Condition.URGENT_HIGH, {"limit": mgdl("250")}, "limits.urgent_high_above_high"),
    (Condition.FALLING_FAST, {"limit": mgdl("6")}, "limits.limit_range"),
    (Condition.FALLING_FAST, {"limit": mmol("0.4")}, "limits.limit_range"),
    (Condition.URGENT_LOW_SOON, {"limit": mgdl("55")}, "limits.has_no_limit"),
    (Condition.URGENT_LOW_SOON, {"delay_minutes": 16}, "limits.delay_range"),
    (Condition.NO_READINGS, {"on": False}, "limits.no_readings_always_on"),
    (Condition.NO_READINGS, {"delay_minutes": 14}, "limits.no_readings_minutes"),
    (Condition.NO_READINGS, {"delay_minutes": 61}, "limits.no_readings_minutes"),
    (Condition.NO_READINGS, {"hours": ALL_DAY}, "limits.no_readings_no_hours"),
]

ALLOWED: Final = [
    (Condition.URGENT_LOW, {"limit": mgdl("54")}),
    (Condition.URGENT_LOW, {"limit": mmol("3.0"), "repeat_minutes": 1}),
    (Condition.URGENT_LOW_SOON, {"on": False}),
    (Condition.URGENT_LOW_SOON, {"delay_minutes": 15, "hours": Hours(22 * 60, 7 * 60)}),
    (Condition.LOW, {"on": False, "limit": None}),
    (Condition.LOW, {"limit": mgdl("120"), "repeat_minutes": 0}),
    (Condition.HIGH, {"limit": mmol("8.0"), "delay_minutes": 240, "hours": Hours(0, 0, days=1)}),
    (Condition.NO_READINGS, {"delay_minutes": 15}),
    (Condition.NO_READINGS, {"delay_minutes": 60, "repeat_minutes": 0}),
]


@pytest.mark.parametrize(("condition", "choices", "reason"), REFUSED)
def test_what_would_leave_somebody_unwarned_is_refused_with_its_reason(
    condition: Condition, choices: dict[str, object], reason: str
) -> None:
    held = check(changed(condition, **choices))

    assert [(one.condition, one.reason) for one in held] == [(condition, reason)]
    assert catalogue().say(held[0].reason, **dict(held[0].slots))


@pytest.mark.parametrize(("condition", "choices"), ALLOWED)
def test_what_is_safe_may_be_chosen(condition: Condition, choices: dict[str, object]) -> None:
    assert check(changed(condition, **choices)) == []


def test_low_must_lie_above_urgent_low_as_shown() -> None:
    limits = changed(Condition.URGENT_LOW, limit=mgdl("75"))

    assert [one.reason for one in check(limits)] == ["limits.low_above_urgent_low"]


def test_low_must_leave_room_for_a_level_that_is_low_and_not_urgent() -> None:
    limits = changed(Condition.URGENT_LOW, limit=mgdl("69"))

    assert [one.reason for one in check(limits)] == ["limits.low_above_urgent_low"]
    assert check(changed(Condition.URGENT_LOW, limit=mgdl("68"))) == []


def test_every_refusal_is_told_at_once() -> None:
    limits = msgspec.structs.replace(
        changed(Condition.URGENT_LOW, on=False),
        no_readings=ConditionLimit(on=True, limit=None, delay_minutes=5),
    )

    assert len(check(limits)) == 2


NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-5, 300)
TYPED = st.builds(Typed, st.text(max_size=6) | NUMBERS.map(str), st.sampled_from(Unit))
HOURS = st.builds(Hours, NUMBERS, NUMBERS, NUMBERS)
CHOICES = st.builds(ConditionLimit, st.booleans(), st.none() | TYPED, NUMBERS, NUMBERS, st.none() | HOURS)


@settings(max_examples=300)
@given(st.fixed_dictionaries({kind.word: CHOICES for kind in Condition}))
def test_whatever_is_typed_is_either_refused_or_can_be_compared(choices: dict[str, ConditionLimit]) -> None:
    limits = Limits(**choices)

    held = check(limits)

    for one in held:
        assert catalogue().say(one.reason, **dict(one.slots))
    if not held:
        assert bounds(limits).low_at_most < bounds(limits).high_at_least
