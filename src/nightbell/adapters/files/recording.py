"""Reads recordings from files: plain CSV (`time,glucose_mgdl`) and the CSV that Dexcom Clarity exports.

A row that holds no reading (a calibration, an alert setting, a meal) is skipped. A row that should hold one
and does not is counted and the first few are named, so that nobody believes a file was read whole when it was
not.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final, NamedTuple

from nightbell.words.clock import from_ms, to_ms
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW, Unit, is_level, mgdl_from_mmol
from nightbell.words.zones import zone_info

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Ten years of readings in the widest of these formats."""

ROWS_MAX: Final = 2_000_000
NAMED_MAX: Final = 5

CLARITY_TIME: Final = "timestamp (yyyy-mm-ddthh:mm:ss)"
CLARITY_KIND: Final = "event type"
CLARITY_MGDL: Final = "glucose value (mg/dl)"
CLARITY_MMOL: Final = "glucose value (mmol/l)"
CLARITY_READING: Final = "egv"
CLARITY_LOW_AT: Final = 39
CLARITY_HIGH_AT: Final = 401
"""How Dexcom writes below and above its range as numbers (recordings sheet, section 4). Less is an error."""

_SECONDS_END: Final = 100_000_000_000
"""An epoch number below this is seconds (until the year 5138), above it milliseconds."""

_WORDS: Final = {"low": CENSORED_LOW, "high": CENSORED_HIGH}


class Recorded(NamedTuple):
    """One reading of a file: when, and whole mg/dL or the level of LOW or HIGH."""

    measured_ms: int
    level: int


class Recording(NamedTuple):
    """A file that was read.

    Attributes:
        kind: `plain` or `clarity`.
        readings: Oldest first, exact repeats left out.
        unreadable: How many rows should have held a reading and did not.
        named: The first of these: line number and why.
    """

    kind: str
    readings: list[Recorded]
    unreadable: int
    named: list[tuple[int, str]]


class RecordingError(Exception):
    """This file is not a recording that we can read; the text says why."""


class _RowError(Exception):
    """This row should hold a reading and does not; the text says why."""


class _Row(NamedTuple):
    """A reading as the file has it: a naive time is local."""

    line: int
    at: datetime
    level: int


def read_recording(path: Path, zone: str) -> Recording:
    """Read a file.

    Args:
        path: The file.
        zone: The time zone of times that carry none, as `Europe/Lisbon`.

    Raises:
        RecordingError: It cannot be opened, is too large, or is of no kind that we know.
    """
    local = zone_info(zone)
    if local is None:
        raise RecordingError(f"{zone} is not a time zone")
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise RecordingError(f"it is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecordingError(error.strerror or "it cannot be read") from None
    except UnicodeDecodeError:
        raise RecordingError("it is not text in UTF-8") from None
    return parse_recording(text, local)


def parse_recording(text: str, local: tzinfo) -> Recording:
    """Read the text of a file.

    Raises:
        RecordingError: It is of no kind that we know.
    """
    lines = text.splitlines()
    if len(lines) > ROWS_MAX:
        raise RecordingError(f"it has more than {ROWS_MAX} lines")
    for number, line in enumerate(lines[:50]):
        for delimiter in (",", ";", "\t"):
            heads = [head.strip().strip('"').lower() for head in line.split(delimiter)]
            kind = _kind(heads)
            if kind is not None:
                cells = csv.reader(lines[number + 1 :], delimiter=delimiter)
                return _read_rows(kind, heads, cells, number + 2, local)
    raise RecordingError("its first lines are neither `time,glucose_mgdl` nor those of a Clarity export")


def _kind(heads: list[str]) -> str | None:
    """Which kind of file has these column heads."""
    if {"time", "glucose_mgdl"} <= set(heads):
        return "plain"
    if CLARITY_TIME in heads and CLARITY_KIND in heads and {CLARITY_MGDL, CLARITY_MMOL} & set(heads):
        return "clarity"
    return None


def _read_rows(
    kind: str, heads: list[str], cells: Iterable[list[str]], first_line: int, local: tzinfo
) -> Recording:
    row_of = _ROWS[kind]
    rows: list[_Row] = []
    unreadable = 0
    named: list[tuple[int, str]] = []
    try:
        for line, values in enumerate(cells, first_line):
            try:
                row = row_of(line, dict(zip(heads, values, strict=False)))
            except _RowError as error:
                unreadable += 1
                if len(named) < NAMED_MAX:
                    named.append((line, str(error)))
            else:
                if row is not None:
                    rows.append(row)
    except csv.Error as error:
        raise RecordingError(f"it is not CSV: {error}") from None
    return Recording(kind, list(_in_order(rows, local)), unreadable, named)


def _in_order(rows: list[_Row], local: tzinfo) -> Iterator[Recorded]:
    """Readings oldest first, without exact repeats, with local times made instants.

    In the night when clocks go back an hour comes twice. In a file that runs forward, a time that seems to
    step back belongs to the second time round.
    """
    if rows and rows[0].at.replace(tzinfo=None) > rows[-1].at.replace(tzinfo=None):
        rows.reverse()
    readings: dict[Recorded, None] = {}
    before_ms = 0
    for row in rows:
        at = row.at if row.at.tzinfo is not None else row.at.replace(tzinfo=local)
        at_ms = int(to_ms(at.astimezone(UTC)))
        if row.at.tzinfo is None and at_ms < before_ms:
            again_ms = int(to_ms(at.replace(fold=1).astimezone(UTC)))
            at_ms = again_ms if again_ms >= before_ms else at_ms
        before_ms = max(before_ms, at_ms)
        readings[Recorded(at_ms, row.level)] = None
    yield from sorted(readings)


def _plain(line: int, values: Mapping[str, str]) -> _Row | None:
    time, glucose = values.get("time", "").strip(), values.get("glucose_mgdl", "").strip()
    if not time and not glucose:
        return None
    return _Row(line, _time(time), _level(glucose, Unit.MGDL))


def _clarity(line: int, values: Mapping[str, str]) -> _Row | None:
    if values.get(CLARITY_KIND, "").strip().lower() != CLARITY_READING:
        return None
    at = _time(values.get(CLARITY_TIME, "").strip())
    if glucose := values.get(CLARITY_MGDL, "").strip():
        level = _level(glucose, Unit.MGDL)
    else:
        level = _level(values.get(CLARITY_MMOL, "").strip(), Unit.MMOL)
    if level in _WORDS.values():
        return _Row(line, at, level)
    if level < CLARITY_LOW_AT:
        raise _RowError("an error code of the sensor")
    if level == CLARITY_LOW_AT:
        level = CENSORED_LOW
    elif level >= CLARITY_HIGH_AT:
        level = CENSORED_HIGH
    return _Row(line, at, level)


_ROWS: Final[Mapping[str, Callable[[int, Mapping[str, str]], _Row | None]]] = {
    "plain": _plain,
    "clarity": _clarity,
}


def _time(text: str) -> datetime:
    """An ISO 8601 time, or epoch seconds or milliseconds."""
    try:
        if text.isdecimal():
            number = int(text)
            return from_ms(number if number >= _SECONDS_END else number * 1000)
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise _RowError("no time") from None


def _level(text: str, unit: Unit) -> int:
    """LOW, HIGH or a number that can be; rounded to whole mg/dL, halves up."""
    word = _WORDS.get(text.lower())
    if word is not None:
        return word
    try:
        number = float(text)
        level = int(number + 0.5) if unit is Unit.MGDL else mgdl_from_mmol(number)
    except (ValueError, OverflowError):
        raise _RowError("no glucose value") from None
    if not is_level(level) or level in _WORDS.values():
        raise _RowError("a glucose value that cannot be")
    return level
