"""Times and ages as a person reads them."""

from datetime import datetime
from typing import Final

from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import from_ms
from nightbell.words.zones import zone_or_utc

MINUTE_MS: Final = 60_000
HOUR_MINUTES: Final = 60

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _local(at_ms: int, zone: str) -> datetime:
    return from_ms(at_ms).astimezone(zone_or_utc(zone))


def clock_text(at_ms: int, *, zone: str, now_ms: int) -> str:
    """The time of day as `02:07`; on another day than now with its day, as `Sat 02:07` or `14 Nov 02:07`."""
    at, now = _local(at_ms, zone), _local(now_ms, zone)
    time = f"{at.hour:02}:{at.minute:02}"
    days = abs((now.date() - at.date()).days)
    if days == 0:
        return time
    return f"{_DAYS[at.weekday()]} {time}" if days < len(_DAYS) else f"{at.day} {at:%b} {time}"


def iso_text(at_ms: int) -> str:
    """The instant for a program, as `2026-11-22T02:07:00Z`."""
    return f"{from_ms(at_ms):%Y-%m-%dT%H:%M:%SZ}"


def span_text(span_ms: int, words: Catalogue) -> str:
    """A span as `45 s`, `20 min` or `2 h 5 min`."""
    minutes = span_ms // MINUTE_MS
    if minutes < 1:
        return words.say("page.span_seconds", n=max(0, span_ms // 1000))
    if minutes < HOUR_MINUTES:
        return words.say("page.span_minutes", n=minutes)
    return words.say("page.span_hours", h=minutes // HOUR_MINUTES, n=minutes % HOUR_MINUTES)
