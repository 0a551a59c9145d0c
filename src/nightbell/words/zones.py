"""Time zones by name, from the tables shipped with us, so that every machine has the same nights."""

import re
from datetime import UTC, tzinfo
from functools import lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

ZONE_CHARS_MAX: Final = 64
"""The longest name in the IANA tables has 32 characters."""

_NAME: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}")


@lru_cache(maxsize=1024)
def zone_info(name: str) -> ZoneInfo | None:
    """The zone of this name, as `Europe/Lisbon`, or None if there is none."""
    if len(name) > ZONE_CHARS_MAX or _NAME.fullmatch(name) is None:
        return None
    table = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    try:
        with table.open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError):
        return None


def zone_or_utc(name: str) -> tzinfo:
    """The zone in which a person reads times; one that is not known any more reads as UTC, not as nothing."""
    return zone_info(name) or UTC
