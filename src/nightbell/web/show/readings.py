"""One reading and many, as a person reads them: number, arrow and word, age, line."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from nightbell.deliver.compose import RELY_FOR_MS
from nightbell.follow.bounds import bounds
from nightbell.follow.limits import Limits
from nightbell.publish.reading import Reading
from nightbell.web.show.times import HOUR_MINUTES, MINUTE_MS, clock_text, iso_text, span_text
from nightbell.words.catalogue import Catalogue
from nightbell.words.glucose import (
    CENSORED_HIGH,
    CENSORED_LOW,
    Unit,
    is_censored,
    mmol_tenths,
    shown,
)
from nightbell.words.trend import Trend

OLD_AFTER_MS: Final = RELY_FOR_MS
"""From this age a number is struck through and may no longer be relied on: two readings of a five-minute
sensor are missing, with a minute's grace for the way."""

GONE_AFTER_MS: Final = 15 * MINUTE_MS
"""From this age the number is replaced by words: what is not live is not a number (publish/reading.py)."""

GAP_MS: Final = 15 * MINUTE_MS
"""Readings further apart than this are not joined by a line."""

PLOT_LOW_MGDL: Final = 40
PLOT_HIGH_MGDL: Final = 400
"""Where LOW and HIGH stand on a graph: the edges of what most sensors measure."""

CHANGE_BEFORE_MS: Final = (2 * MINUTE_MS + 30_000, 7 * MINUTE_MS + 30_000)
"""How long before the newest a reading may lie to make "in 5 min" true: half a step either side."""


class LimitLine(msgspec.Struct, frozen=True):
    """A limit on a graph: where it stands in the viewer's unit, and on which side is out of range."""

    plot: float
    side: Literal["low", "high"]


class Freshness(StrEnum):
    """How a number may be shown."""

    FRESH = "fresh"
    OLD = "old"
    GONE = "gone"
    NEVER = "never"


def freshness(measured_ms: int, now_ms: int) -> Freshness:
    """How a number measured then may be shown now; 0 is never measured."""
    if measured_ms <= 0:
        return Freshness.NEVER
    age_ms = now_ms - measured_ms
    if age_ms >= GONE_AFTER_MS:
        return Freshness.GONE
    return Freshness.OLD if age_ms >= OLD_AFTER_MS else Freshness.FRESH


def rely_until_ms(measured_ms: int) -> int:
    """Until when a reading measured then may be relied on; 0 if there is none."""
    return measured_ms + OLD_AFTER_MS if measured_ms > 0 else 0


class Range(NamedTuple):
    """What counts as low and high for this viewer, in mg/dL, inclusive."""

    low_at_most: int
    high_at_least: int


def limit_lines(limits: Limits, unit: Unit) -> list[LimitLine]:
    """Where the viewer's limits stand on their graph: between what is in range and what is not."""
    compared = bounds(limits)
    levels: tuple[tuple[int, Literal["low", "high"]], ...] = (
        (compared.urgent_low_at_most, "low"),
        (compared.low_at_most + 1, "low"),
        (compared.high_at_least - 1, "high"),
        (compared.urgent_high_at_least - 1, "high"),
    )
    return [LimitLine(plot_value(level, unit), side) for level, side in levels]


class Seen(msgspec.Struct, frozen=True):
    """One reading for a screen.

    Attributes:
        numeric: Whether `shown` is a number, not LOW or HIGH.
        zone: `low`, `in` or `high` by the viewer's limits.
        arrow: Name of the arrow, as `forty_five_down`; empty where none may be shown.
        change: As `-9 in 5 min`; empty if unknown.
    """

    state: Freshness
    level: int
    shown: str
    unit: str
    numeric: bool
    measured_ms: int
    measured_iso: str
    measured_text: str
    age_text: str
    rely_until_ms: int
    zone: str
    arrow: str
    change: str


_ARROWS: Final = frozenset(range(Trend.DOUBLE_UP, Trend.DOUBLE_DOWN + 1))
_STEEPNESS: Final = (
    (15, Trend.DOUBLE_UP, Trend.DOUBLE_DOWN),
    (10, Trend.SINGLE_UP, Trend.SINGLE_DOWN),
    (5, Trend.FORTY_FIVE_UP, Trend.FORTY_FIVE_DOWN),
)
"""mg/dL in 5 min: 1, 2 and 3 a minute, as Dexcom's arrows. Source: Dexcom G6 user guide, "Trend arrows"."""


def arrow_name(trend: int, change_mgdl_per_5min: int | None) -> str:
    """The arrow to show: as the sensor sent it, else by our own reckoning; empty if neither is known."""
    if trend in _ARROWS:
        return Trend(trend).name.lower()
    if change_mgdl_per_5min is None:
        return ""
    for least, up, down in _STEEPNESS:
        if abs(change_mgdl_per_5min) >= least:
            return (up if change_mgdl_per_5min > 0 else down).name.lower()
    return Trend.FLAT.name.lower()


_PLACED: Final[dict[int, int]] = {CENSORED_LOW: PLOT_LOW_MGDL, CENSORED_HIGH: PLOT_HIGH_MGDL}


def plot_value(level: int, unit: Unit) -> float:
    """Where a level stands on a graph in the viewer's unit."""
    placed = _PLACED.get(level, level)
    return float(placed) if unit is Unit.MGDL else mmol_tenths(placed) / 10


def change_text(newest: Reading, before: Sequence[Reading], unit: Unit, words: Catalogue) -> str:
    """How the shown number changed in about five minutes; empty if that can not be said."""
    nearest = reading_before(newest, before)
    if nearest is None:
        return ""
    if unit is Unit.MGDL:
        by = f"{newest.level - nearest.level:+d}"
    else:
        by = f"{(mmol_tenths(newest.level) - mmol_tenths(nearest.level)) / 10:+.1f}"
    return words.say("page.change", by=by.replace("-", "\N{MINUS SIGN}"))


def reading_before(newest: Reading, before: Sequence[Reading]) -> Reading | None:
    """The reading about five minutes before, if both are numbers."""
    least, most = CHANGE_BEFORE_MS
    for reading in reversed(before):
        if newest.measured_ms - reading.measured_ms > most:
            return None
        if newest.measured_ms - reading.measured_ms >= least:
            return None if is_censored(newest.level) or is_censored(reading.level) else reading
    return None


def see(
    newest: Reading | None,
    before: Sequence[Reading],
    *,
    span: Range,
    unit: Unit,
    zone: str,
    words: Catalogue,
    now_ms: int,
) -> Seen:
    """The newest reading for a screen."""
    if newest is None:
        return Seen(Freshness.NEVER, -1, "", unit.value, False, 0, "", "", "", 0, "in", "", "")
    earlier = reading_before(newest, before)
    change = None if earlier is None else newest.level - earlier.level
    return Seen(
        state=freshness(newest.measured_ms, now_ms),
        level=newest.level,
        shown=shown(newest.level, unit),
        unit=unit.value,
        numeric=not is_censored(newest.level),
        measured_ms=newest.measured_ms,
        measured_iso=iso_text(newest.measured_ms),
        measured_text=clock_text(newest.measured_ms, zone=zone, now_ms=now_ms),
        age_text=span_text(max(0, now_ms - newest.measured_ms), words),
        rely_until_ms=rely_until_ms(newest.measured_ms),
        zone=_zone_of(newest.level, span),
        arrow="" if is_censored(newest.level) else arrow_name(newest.trend, change),
        change=change_text(newest, before, unit, words),
    )


def _zone_of(level: int, span: Range) -> str:
    if level <= span.low_at_most:
        return "low"
    return "high" if level >= span.high_at_least else "in"


def gaps_ms(readings: Sequence[Reading]) -> list[int]:
    """How long each gap without readings lasted."""
    return [
        later.measured_ms - earlier.measured_ms
        for earlier, later in pairwise(readings)
        if later.measured_ms - earlier.measured_ms > GAP_MS
    ]


def summary_text(readings: Sequence[Reading], *, hours: int, unit: Unit, words: Catalogue) -> str:
    """A graph in one or two sentences, for those who do not see it."""
    if not readings:
        return words.say("page.summary_none", hours=hours)
    levels = [reading.level for reading in readings]
    first = words.say(
        "page.summary",
        hours=hours,
        lowest=shown(min(levels), unit),
        highest=shown(max(levels), unit),
        count=len(levels),
    )
    gaps = gaps_ms(readings)
    if not gaps:
        return f"{first} {words.say('page.summary_no_gap')}"
    longest = max(gaps) // MINUTE_MS
    if len(gaps) == 1:
        return f"{first} {words.say('page.summary_one_gap', minutes=longest)}"
    return f"{first} {words.say('page.summary_gaps', n=len(gaps), minutes=longest)}"


class Spark(msgspec.Struct, frozen=True):
    """A small line of the last hours, as SVG numbers; y grows downwards."""

    width: int
    height: int
    band_top: float
    band_bottom: float
    path: str
    summary: str


SPARK_HOURS: Final = 3
_SPARK_WIDTH: Final = 300
_SPARK_HEIGHT: Final = 64
_SPARK_LOWEST: Final = 40
_SPARK_HIGHEST: Final = 280
_SPARK_STUB: Final = 0.8


def sparkline(
    readings: Sequence[Reading], *, span: Range, unit: Unit, words: Catalogue, now_ms: int
) -> Spark:
    """The last three hours as a line with its gaps, over the band between the viewer's limits."""
    from_ms = now_ms - SPARK_HOURS * HOUR_MINUTES * MINUTE_MS

    def y_of(level: int) -> float:
        placed = min(_SPARK_HIGHEST, max(_SPARK_LOWEST, level))
        return round(_SPARK_HEIGHT * (_SPARK_HIGHEST - placed) / (_SPARK_HIGHEST - _SPARK_LOWEST), 1)

    strokes: list[str] = []
    before_ms = 0
    for reading in readings:
        x = round(_SPARK_WIDTH * (reading.measured_ms - from_ms) / (now_ms - from_ms), 1)
        joined = before_ms and reading.measured_ms - before_ms <= GAP_MS
        # A lone reading gets a stub, or it would not be drawn at all.
        strokes.append(
            f"L{x} {y_of(reading.level)}" if joined else f"M{x} {y_of(reading.level)}h{_SPARK_STUB}"
        )
        before_ms = reading.measured_ms
    return Spark(
        width=_SPARK_WIDTH,
        height=_SPARK_HEIGHT,
        band_top=y_of(span.high_at_least),
        band_bottom=y_of(span.low_at_most),
        path="".join(strokes),
        summary=summary_text(readings, hours=SPARK_HOURS, unit=unit, words=words),
    )
