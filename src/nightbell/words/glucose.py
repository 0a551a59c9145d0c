"""Glucose values, their units, and the one conversion between them.

Canonical is whole mg/dL. A value below or above what a sensor can measure is censored: it is a word, LOW or
HIGH, never a number, and is kept as a level that lies below or above every limit.
"""

from enum import StrEnum
from typing import Final, NewType

MgDl = NewType("MgDl", int)
"""Glucose in whole milligrams per decilitre."""

MmolTenths = NewType("MmolTenths", int)
"""Glucose in tenths of a millimole per litre, as shown to a person: 39 is shown as 3.9."""

GLUCOSE_MGDL_MIN: Final = MgDl(20)
"""Lowest number admitted. Sensors report 40 to 400 or 500; meters go down to 20."""

GLUCOSE_MGDL_MAX: Final = MgDl(600)
"""Highest number admitted: meters and Libre go up to 500 or 600."""

CENSORED_LOW: Final = MgDl(0)
"""The level kept for LOW: below every limit."""

CENSORED_HIGH: Final = MgDl(1023)
"""The level kept for HIGH: above every limit."""

_MGDL_PER_MMOL_SCALED: Final = 180_182
"""18.0182 mg/dL per mmol/L (molar mass of glucose 180.182 g/mol), times 10,000: all is whole numbers."""


class Unit(StrEnum):
    """The unit a person reads glucose in."""

    MGDL = "mg/dL"
    MMOL = "mmol/L"


def is_censored(level: int) -> bool:
    """Whether a stored level is LOW or HIGH, not a number."""
    return level in (CENSORED_LOW, CENSORED_HIGH)


def is_level(level: int) -> bool:
    """Whether a stored level is one that can exist: 20 to 600 mg/dL, LOW or HIGH."""
    return GLUCOSE_MGDL_MIN <= level <= GLUCOSE_MGDL_MAX or is_censored(level)


def mmol_tenths(glucose_mgdl: int) -> MmolTenths:
    """Convert to tenths of a mmol/L, rounding halves up: the one conversion and the one rounding."""
    scaled = glucose_mgdl * 100_000
    return MmolTenths((2 * scaled + _MGDL_PER_MMOL_SCALED) // (2 * _MGDL_PER_MMOL_SCALED))


def mgdl_from_mmol(value: float) -> MgDl:
    """Convert a value received in mmol/L to whole mg/dL, rounding halves up."""
    return MgDl(int(value * _MGDL_PER_MMOL_SCALED / 10_000 + 0.5))


def mgdl_shown_at_most(tenths: int) -> MgDl:
    """The highest whole mg/dL that is still shown as `tenths` (mmol/L times ten) or less."""
    level = tenths * _MGDL_PER_MMOL_SCALED // 100_000 + 2
    while mmol_tenths(level) > tenths:
        level -= 1
    return MgDl(level)


def shown(level: int, unit: Unit) -> str:
    """The words for a level on a screen: `112`, `6.2`, `LOW` or `HIGH`, without the unit."""
    if level == CENSORED_LOW:
        return "LOW"
    if level == CENSORED_HIGH:
        return "HIGH"
    if unit is Unit.MGDL:
        return str(level)
    whole, tenth = divmod(mmol_tenths(level), 10)
    return f"{whole}.{tenth}"
