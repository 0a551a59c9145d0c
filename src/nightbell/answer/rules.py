"""How long a person may ask for quiet, and when an answer can be taken back. Pure."""

from typing import Final

from nightbell.words.conditions import Family

SNOOZE_MINUTES_MAX: Final = {Family.LOW: 30, Family.HIGH: 240, Family.SILENCE: 60}
"""Longest snooze. Low: 15 to 30 min is the field's habit; high: half a night; silence: the longest delay it
may have. None of them hides urgent low."""

WARM_UP_MINUTES_MAX: Final = 180
"""Longest warm-up of a sensor: Dexcom G6 takes 120 min, others less; an hour more for a second try."""

UNDO_GRACE_MS: Final = 1_000
"""A press within the five seconds may take a second to arrive; we cannot see when it was made."""


def snooze_minutes_max(family: Family) -> int:
    """The longest snooze a follower may ask for."""
    return SNOOZE_MINUTES_MAX[family]
