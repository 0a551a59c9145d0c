"""The nine conditions, the three families of alarm they belong to, and their order of urgency."""

from enum import IntEnum, StrEnum
from typing import Final


class Family(StrEnum):
    """What an alarm is about. One alarm at a time for each sharer and family."""

    LOW = "low"
    HIGH = "high"
    SILENCE = "silence"


class Condition(IntEnum):
    """What the evaluator sees. Within a family a greater number is more urgent. The numbers are on disk."""

    FALLING_FAST = 0
    LOW = 1
    URGENT_LOW_SOON = 2
    URGENT_LOW = 3
    RISING_FAST = 4
    HIGH = 5
    URGENT_HIGH_SOON = 6
    URGENT_HIGH = 7
    NO_READINGS = 8

    @property
    def family(self) -> Family:
        """The family of alarm this condition opens."""
        return _FAMILY[self]

    @property
    def word(self) -> str:
        """The key of this condition in catalogues, URLs and JSON, as `urgent_low`."""
        return _WORDS[self]


_WORDS: Final = {condition: condition.name.lower() for condition in Condition}

_FAMILY: Final = {
    condition: Family.SILENCE
    if condition is Condition.NO_READINGS
    else Family.LOW
    if condition <= Condition.URGENT_LOW
    else Family.HIGH
    for condition in Condition
}
