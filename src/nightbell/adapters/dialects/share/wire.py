"""The records of the Share protocol: reading uploads, writing answers. Pure."""

import json
import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

import msgspec

from nightbell.publish.admit import RawReading, Reason
from nightbell.publish.reading import Reading
from nightbell.words.clock import from_ms
from nightbell.words.glucose import CENSORED_HIGH
from nightbell.words.trend import Trend

LOW_VALUE: Final = 39
HIGH_VALUE: Final = 401
"""The values that mean LOW and HIGH, as in a receiver's own data (dexcom-share sheet, section 2.2)."""

_LOW_FROM: Final = 38
_HIGH_TO: Final = 1023
"""An upload's 38 and 39 are LOW; 401 and more are HIGH as far as a sensor's ten bits go."""

EGVS_MAX: Final = 2_880
"""Readings in one upload: two days, a minute apart. Clients send up to one day."""

_DATE: Final = re.compile(r"/?Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)/?")
_TIMES: Final = ("st", "dt", "wt")
_INT_DIGITS_MAX: Final = 18


def loads(body: bytes) -> object:
    """Whatever JSON a body holds; None if it holds none. Clients send empty bodies, `""` and worse."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value: object = json.loads(body)  # takes NaN as well, which then costs only its own reading
    except (ValueError, RecursionError):
        return None
    return value


def lowered(value: object) -> dict[str, object]:
    """The members of an object under lower-case names; nothing for anything else."""
    return {name.lower(): member for name, member in value.items()} if isinstance(value, dict) else {}


def date_ms(value: object) -> object:
    """Epoch ms of `/Date(ms)/`, `Date(ms)` or `Date(ms-0400)`; the offset does not change the instant."""
    if isinstance(value, str) and len(value) <= _DATE_CHARS_MAX and (found := _DATE.fullmatch(value.strip())):
        return int(found[1])
    return Reason.NOT_A_TIME


_DATE_CHARS_MAX: Final = 40


def uploaded(body: object) -> list[RawReading] | None:
    """The raw readings of an upload, newest first; None if the body is no upload, or is absurdly long."""
    egvs = lowered(body).get("egvs")
    if not isinstance(egvs, list) or len(egvs) > EGVS_MAX:
        return None
    raw = [_raw(egv) for egv in egvs]
    # The newest speaks about the uploader's clock and must be heard soonest; what has no time goes last.
    return sorted(
        raw, key=lambda one: one.measured_ms if isinstance(one.measured_ms, int) else 0, reverse=True
    )


def _raw(egv: object) -> RawReading:
    if not isinstance(egv, dict):
        return RawReading(Reason.NOT_A_READING, Reason.NOT_A_READING)
    fields = lowered(egv)
    times = (date_ms(fields[name]) for name in _TIMES if name in fields)
    measured_ms = next((at for at in times if isinstance(at, int)), Reason.NOT_A_TIME)
    trend = fields.get("trend", fields.get("direction"))
    return RawReading(measured_ms, _glucose(fields.get("value")), trend)


def _glucose(value: object) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Reason.NOT_A_NUMBER
    if 0 <= value < _LOW_FROM:
        return Reason.SENSOR_ERROR
    if _LOW_FROM <= value <= LOW_VALUE:
        return "LOW"
    if HIGH_VALUE <= value <= _HIGH_TO:
        return "HIGH"
    return value


def records(readings: Sequence[Reading], zone: tzinfo) -> bytes:
    """Readings as clients read them: compact, keys in the service's order, all three times one instant."""
    return b"[%s]" % b",".join(_record(reading, zone) for reading in readings)


def _record(reading: Reading, zone: tzinfo) -> bytes:
    at_ms = reading.measured_ms
    offset = from_ms(at_ms).astimezone(zone).strftime("%z")[:5]
    value = HIGH_VALUE if reading.level == CENSORED_HIGH else max(reading.level, LOW_VALUE)
    trend = Trend(reading.trend).wire_name
    record = (
        f'{{"WT":"Date({at_ms})","ST":"Date({at_ms})","DT":"Date({at_ms}{offset})",'
        f'"Value":{value},"Trend":"{trend}"}}'
    )
    return record.encode()


def utc_time(now_ms: int, *, as_json: bool) -> bytes:
    """The answer of SystemUtcTime."""
    if as_json:
        return b'{"DateTime":"\\/Date(%d)\\/","OffsetMinutes":0}' % now_ms
    at = from_ms(now_ms).strftime("%Y-%m-%dT%H:%M:%S") + f".{now_ms % 1000:03d}0000Z"
    return (
        '<DateTimeOffset xmlns="http://schemas.datacontract.org/2004/07/System">'
        f"<DateTime>{at}</DateTime><OffsetMinutes>0</OffsetMinutes></DateTimeOffset>"
    ).encode()


def whole(value: object, *, least: int, most: int, missing: int) -> int:
    """A number of a query or a body, between its bounds; `missing` if it cannot be read. Never refused."""
    if isinstance(value, str):
        text = value.strip()
        sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
        digits = digits.split(".", 1)[0]
        if not (digits.isascii() and digits.isdigit()):
            return missing
        value = sign * (int(digits) if len(digits) <= _INT_DIGITS_MAX else most)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return missing
    if not least <= value <= most:  # also what is not a number at all
        return most if value > most else least
    return int(value)
