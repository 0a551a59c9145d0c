"""The limits a follower starts with, in their own unit."""

from functools import cache
from typing import Final

from nightbell.follow.limits import ConditionLimit, Limits, Typed
from nightbell.words.glucose import Unit

_STARTING: Final = {
    Unit.MGDL: {"urgent_low": "55", "low": "70", "high": "250", "urgent_high": "300", "rate": "3"},
    Unit.MMOL: {"urgent_low": "3.1", "low": "3.9", "high": "13.9", "urgent_high": "16.7", "rate": "0.2"},
}
"""Dexcom's fixed urgent low, and its defaults for low and high; rates as its faster arrow
(follower-experience sheet, section 8; dexcom-share sheet, section 5.1)."""


@cache
def default_limits(unit: Unit) -> Limits:
    """What a new follower gets. Urgent high soon and rising fast are off until chosen."""
    typed = {name: Typed(value, unit) for name, value in _STARTING[unit].items()}
    return Limits(
        urgent_low=ConditionLimit(on=True, limit=typed["urgent_low"], repeat_minutes=5),
        urgent_low_soon=ConditionLimit(on=True, limit=None, repeat_minutes=5),
        low=ConditionLimit(on=True, limit=typed["low"], repeat_minutes=15),
        falling_fast=ConditionLimit(on=True, limit=typed["rate"], repeat_minutes=0),
        urgent_high=ConditionLimit(on=True, limit=typed["urgent_high"], delay_minutes=30, repeat_minutes=30),
        urgent_high_soon=ConditionLimit(on=False, limit=None, repeat_minutes=0),
        high=ConditionLimit(on=True, limit=typed["high"], delay_minutes=60, repeat_minutes=60),
        rising_fast=ConditionLimit(on=False, limit=typed["rate"], repeat_minutes=0),
        no_readings=ConditionLimit(on=True, limit=None, delay_minutes=20, repeat_minutes=15),
    )
