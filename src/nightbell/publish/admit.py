"""Admit: judge the raw readings of one upload. Pure.

Rules:

- Each reading is judged alone. A bad one is refused with its place and a reason; it counts as nothing
  anywhere.
- A level is a whole number from 20 to 600 mg/dL, or LOW or HIGH. LOW and HIGH are kept as words.
- The time is corrected for the uploader's clock first. Then: older than 30 days or in the future is refused;
  at most 15 min old is live; all between is late.
- Same sharer, same corrected second, same level: a duplicate, accepted again and not written again. The same
  second with another level is a contradiction, and both are kept.
- An arrow we do not know is no arrow. It never costs the reading.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from nightbell.account.identity import Uploader
from nightbell.publish.reading import LIVE_AGE_MS_MAX, Reading
from nightbell.words.glucose import (
    CENSORED_HIGH,
    CENSORED_LOW,
    GLUCOSE_MGDL_MAX,
    GLUCOSE_MGDL_MIN,
)
from nightbell.words.trend import Trend

AGE_MS_MAX: Final = 30 * 86_400_000
"""Older readings are refused: they belong in an import (issue: not older than 30 days)."""

FUTURE_MS_MAX: Final = 60_000
"""How far ahead of our clock a corrected reading may be: clocks kept by NTP on phones stay well within it."""


class Reason(StrEnum):
    """Why a reading was refused. Each has a sentence in `catalogues/en/publish.json`."""

    NOT_A_READING = "not_a_reading"
    NOT_A_TIME = "not_a_time"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    SENSOR_ERROR = "sensor_error"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"


class RawReading(NamedTuple):
    """One reading as somebody sent it; nothing about it is trusted.

    Attributes:
        measured_ms: Epoch ms by the uploader's clock, or a `Reason` if it could not be read.
        glucose: A number in mg/dL, "LOW" or "HIGH", or a `Reason` if the dialect knows it is none.
        trend: A `Trend` number or its Share name.
    """

    measured_ms: object
    glucose: object
    trend: object = 0


class Judged(NamedTuple):
    """A raw reading whose value is good; its time is still by the uploader's clock."""

    place: int
    measured_ms: int
    level: int
    trend: int


class Refused(NamedTuple):
    """A reading that was not taken: its place in the upload and why."""

    place: int
    reason: Reason


class Admitted(NamedTuple):
    """What became of an upload.

    Attributes:
        live: At most 15 min old, in the order sent.
        backfill: Older.
        duplicates: How many were there already.
        refused: The rest.
    """

    live: list[Reading]
    backfill: list[Reading]
    duplicates: int
    refused: list[Refused]


_CENSORED: Final = {"LOW": int(CENSORED_LOW), "HIGH": int(CENSORED_HIGH)}
_TRENDS: Final = {trend.wire_name.lower(): int(trend) for trend in Trend}
_TRENDS_AS_SENT: Final = {trend.wire_name: int(trend) for trend in Trend}
_TREND_MAX: Final = int(max(Trend))
_LEVEL_MIN: Final = int(GLUCOSE_MGDL_MIN)
_LEVEL_MAX: Final = int(GLUCOSE_MGDL_MAX)
_KEY_LEVELS: Final = 1024


def reading_key(measured_ms: int, level: int) -> int:
    """Second and level in one number, by which two readings of one sharer are the same. Ordered by time."""
    return measured_ms // 1000 * _KEY_LEVELS + level


def level_of(glucose: object) -> int | Reason:
    """The level of a raw value, fractions rounded to the nearest (halves up), or why there is none."""
    kind = type(glucose)
    if kind is int or kind is float:
        # A NaN fails every comparison, so it must be asked about before the range; an infinity lies outside
        # it.
        if glucose != glucose:  # noqa: PLR0124 true only for NaN
            return Reason.NOT_A_NUMBER
        if not _LEVEL_MIN <= glucose <= _LEVEL_MAX:  # type: ignore[operator] # a number, by its kind
            return Reason.OUT_OF_RANGE
        return int(glucose + 0.5)  # type: ignore[operator] # a number, by its kind
    if isinstance(glucose, Reason):
        return glucose
    if isinstance(glucose, str):
        return _CENSORED.get(glucose.upper(), Reason.NOT_A_NUMBER)
    return Reason.NOT_A_NUMBER


def trend_of(trend: object) -> int:
    """The number of an arrow sent as a number or a name; no arrow if we do not know it."""
    if isinstance(trend, int) and not isinstance(trend, bool):
        return int(trend) if 0 <= trend <= _TREND_MAX else 0
    if isinstance(trend, str):
        name = trend.replace(" ", "").replace("_", "").lower()
        if name in _TRENDS:
            return _TRENDS[name]
        return int(name) if name.isascii() and name.isdigit() and len(name) == 1 else 0
    return 0


def judge(raw: Sequence[RawReading]) -> tuple[list[Judged], list[Refused]]:
    """Judge the values, before anything is said about time."""
    judged: list[Judged] = []
    refused: list[Refused] = []
    for index, (measured_ms, glucose, trend) in enumerate(raw):
        level = level_of(glucose)
        if isinstance(level, Reason):
            refused.append(Refused(index, level))
        elif type(measured_ms) is not int:
            reason = measured_ms if isinstance(measured_ms, Reason) else Reason.NOT_A_TIME
            refused.append(Refused(index, reason))
        else:
            known = _TRENDS_AS_SENT.get(trend) if type(trend) is str else None
            judged.append(Judged(index, measured_ms, level, trend_of(trend) if known is None else known))
    return judged, refused


def plain(raw: RawReading, uploader: Uploader, received_ms: int) -> Reading | None:
    """The reading of a usual upload, by a clock that is right, as `judge` and `admit` would find it.

    Usual is: whole mg/dL in range, at most 15 min old and not ahead of us, an arrow as the list has it or
    none. None for everything else: those two decide.
    """
    measured_ms, level, trend = raw
    if type(measured_ms) is not int or type(level) is not int or not _LEVEL_MIN <= level <= _LEVEL_MAX:
        return None
    if not 0 <= received_ms - measured_ms <= LIVE_AGE_MS_MAX:
        return None
    arrow = 0 if trend is None else _TRENDS_AS_SENT.get(trend) if type(trend) is str else None
    if arrow is None:
        return None
    return Reading(uploader.sharer, measured_ms, received_ms, level, arrow, uploader.credential)


def admit(
    judged: Sequence[Judged],
    refused: list[Refused],
    *,
    uploader: Uploader,
    offset_ms: int,
    received_ms: int,
    known: Collection[int],
) -> Admitted:
    """Choose the lane of each reading by its corrected age, leaving out duplicates.

    Args:
        judged: What `judge` took.
        refused: What `judge` refused; the list is extended and handed on.
        uploader: Who sent it.
        offset_ms: True time minus the uploader's time.
        received_ms: When our door took the upload.
        known: `reading_key` of the sharer's newest readings.
    """
    live: list[Reading] = []
    backfill: list[Reading] = []
    duplicates = 0
    seen: set[int] = set()
    for index, measured_ms, level, trend in judged:
        true_ms = measured_ms + offset_ms
        age_ms = received_ms - true_ms
        if age_ms > AGE_MS_MAX:
            refused.append(Refused(index, Reason.TOO_OLD))
            continue
        if age_ms < -FUTURE_MS_MAX:
            refused.append(Refused(index, Reason.IN_THE_FUTURE))
            continue
        key = reading_key(true_ms, level)
        if key in known or key in seen:
            duplicates += 1
            continue
        seen.add(key)
        reading = Reading(uploader.sharer, true_ms, received_ms, level, trend, uploader.credential)
        if age_ms <= LIVE_AGE_MS_MAX:
            live.append(reading)
        else:
            backfill.append(reading)
    refused.sort()
    return Admitted(live, backfill, duplicates, refused)
