"""What alarms agrees with what is displayed: every level a reading can have, in both units."""

from decimal import Decimal
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.follow.bounds import bounds, mgdl_per_5min, telling
from nightbell.follow.defaults import default_limits
from nightbell.follow.guardrails import check
from nightbell.follow.limits import Hours, Limits, Typed
from nightbell.follow.typed import parsed
from nightbell.words.conditions import Condition
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW, Unit, shown

LEVELS: Final = range(20, 601)

URGENT_LOWS: Final = {
    Unit.MGDL: [str(level) for level in range(54, 81)],
    Unit.MMOL: [f"{tenths / 10:.1f}" for tenths in range(30, 45)],
}
LOWS: Final = {
    Unit.MGDL: [str(level) for level in range(60, 121)],
    Unit.MMOL: [f"{tenths / 10:.1f}" for tenths in range(33, 68)],
}
HIGHS: Final = {
    Unit.MGDL: [str(level) for level in range(120, 401)],
    Unit.MMOL: [f"{tenths / 10:.1f}" for tenths in range(67, 223)],
}


def with_limit(condition: str, value: str, unit: Unit) -> Limits:
    """The defaults with one limit typed anew."""
    limits = default_limits(unit)
    chosen = msgspec.structs.replace(getattr(limits, condition), limit=Typed(value, unit))
    return msgspec.structs.replace(limits, **{condition: chosen})


def seen(level: int, unit: Unit) -> Decimal:
    """The number a person reads on the screen."""
    return Decimal(shown(level, unit))


@pytest.mark.parametrize("unit", Unit)
def test_urgent_low_holds_exactly_where_the_number_shown_is_at_or_below_the_limit(unit: Unit) -> None:
    for typed in URGENT_LOWS[unit]:
        found = bounds(with_limit("urgent_low", typed, unit)).urgent_low_at_most
        for level in LEVELS:
            assert (level <= found) == (seen(level, unit) <= Decimal(typed)), (typed, level)


@pytest.mark.parametrize("unit", Unit)
def test_low_holds_exactly_where_the_number_shown_is_below_the_limit(unit: Unit) -> None:
    for typed in LOWS[unit]:
        found = bounds(with_limit("low", typed, unit)).low_at_most
        for level in LEVELS:
            assert (level <= found) == (seen(level, unit) < Decimal(typed)), (typed, level)


@pytest.mark.parametrize("condition", ["high", "urgent_high"])
@pytest.mark.parametrize("unit", Unit)
def test_high_holds_exactly_where_the_number_shown_is_above_the_limit(unit: Unit, condition: str) -> None:
    for typed in HIGHS[unit]:
        found = getattr(bounds(with_limit(condition, typed, unit)), f"{condition}_at_least")
        for level in LEVELS:
            assert (level >= found) == (seen(level, unit) > Decimal(typed)), (typed, level)


@pytest.mark.parametrize("unit", Unit)
def test_low_and_high_of_the_sensor_lie_beyond_every_limit(unit: Unit) -> None:
    for condition, values in (("urgent_low", URGENT_LOWS), ("low", LOWS)):
        for typed in values[unit]:
            assert getattr(bounds(with_limit(condition, typed, unit)), f"{condition}_at_most") >= CENSORED_LOW
    for typed in HIGHS[unit]:
        assert bounds(with_limit("high", typed, unit)).high_at_least <= CENSORED_HIGH


@pytest.mark.parametrize(
    ("value", "unit", "low_at_most", "low_clear"),
    [("70", Unit.MGDL, 69, 75), ("3.9", Unit.MMOL, 69, 75), ("80", Unit.MGDL, 79, 85)],
)
def test_a_low_clears_five_above_the_first_level_that_is_not_low(
    value: str, unit: Unit, low_at_most: int, low_clear: int
) -> None:
    found = bounds(with_limit("low", value, unit))

    assert (found.low_at_most, found.low_clear) == (low_at_most, low_clear)


@pytest.mark.parametrize(
    ("value", "unit", "at_most", "clear"), [("55", Unit.MGDL, 55, 60), ("3.1", Unit.MMOL, 56, 61)]
)
def test_an_urgent_low_clears_five_above_the_last_level_that_is_one(
    value: str, unit: Unit, at_most: int, clear: int
) -> None:
    found = bounds(with_limit("urgent_low", value, unit))

    assert (found.urgent_low_at_most, found.urgent_low_clear) == (at_most, clear)


@pytest.mark.parametrize(
    ("value", "unit", "at_least", "clear"), [("250", Unit.MGDL, 251, 245), ("13.9", Unit.MMOL, 252, 246)]
)
def test_a_high_clears_five_below_the_first_level_that_is_not_high(
    value: str, unit: Unit, at_least: int, clear: int
) -> None:
    found = bounds(with_limit("high", value, unit))

    assert (found.high_at_least, found.high_clear) == (at_least, clear)


@pytest.mark.parametrize(
    ("value", "unit", "per_5min"),
    [
        ("2", Unit.MGDL, 10),
        ("3", Unit.MGDL, 15),
        ("0.1", Unit.MMOL, 9),
        ("0.2", Unit.MMOL, 18),
        ("0.3", Unit.MMOL, 27),
    ],
)
def test_a_rate_typed_per_minute_is_compared_over_five(value: str, unit: Unit, per_5min: int) -> None:
    assert mgdl_per_5min(Typed(value, unit)) == per_5min


def test_urgent_low_and_no_readings_are_on_whatever_is_stored() -> None:
    limits = default_limits(Unit.MGDL)
    off = {kind.word: msgspec.structs.replace(limits.of(kind), on=False, limit=None) for kind in Condition}

    found = bounds(msgspec.structs.replace(limits, **off))

    assert found.on == 1 << Condition.URGENT_LOW | 1 << Condition.NO_READINGS


@pytest.mark.parametrize("unit", Unit)
def test_the_limits_a_follower_starts_with_pass_the_guardrails(unit: Unit) -> None:
    limits = default_limits(unit)

    assert check(limits) == []
    assert bounds(limits).no_readings_after_ms == 20 * 60_000


def test_telling_is_in_the_order_of_the_conditions_and_silence_has_its_delay_in_the_bounds() -> None:
    hours = Hours(8 * 60, 20 * 60)
    limits = default_limits(Unit.MGDL)
    limits = msgspec.structs.replace(limits, high=msgspec.structs.replace(limits.high, hours=hours))

    found = telling(limits)

    assert len(found) == len(Condition)
    assert found[Condition.HIGH].hours == hours
    assert found[Condition.HIGH].delay_ms == 60 * 60_000
    assert found[Condition.NO_READINGS].delay_ms == 0
    assert found[Condition.URGENT_LOW].repeat_ms == 5 * 60_000


@pytest.mark.parametrize(
    ("value", "unit", "number"),
    [
        ("70", Unit.MGDL, 70),
        ("3.9", Unit.MMOL, 39),
        ("3,9", Unit.MMOL, 39),
        ("4", Unit.MMOL, 40),
        ("70.0", Unit.MGDL, None),
        ("3.95", Unit.MMOL, None),
        ("", Unit.MGDL, None),
        ("-70", Unit.MGDL, None),
        ("7e1", Unit.MGDL, None),
        ("nan", Unit.MMOL, None),
        ("\u0667\u0660", Unit.MGDL, None),  # digits of another script
        ("70\n", Unit.MGDL, None),
    ],
)
def test_what_is_typed_is_read_exactly_or_not_at_all(value: str, unit: Unit, number: int | None) -> None:
    assert parsed(Typed(value, unit)) == number


@given(st.text(max_size=8), st.sampled_from(Unit))
def test_no_text_is_read_as_a_number_out_of_all_bounds(value: str, unit: Unit) -> None:
    number = parsed(Typed(value, unit))

    assert number is None or 0 <= number <= 999
