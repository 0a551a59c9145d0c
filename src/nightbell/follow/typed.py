"""What a person typed, read exactly: `70`, `3.9` or `3,9`. Nothing is guessed and nothing is rounded."""

import re
from typing import Final

from nightbell.follow.limits import Typed
from nightbell.words.glucose import Unit

_WHOLE: Final = re.compile(r"[0-9]{1,3}")
_TENTHS: Final = re.compile(r"([0-9]{1,2})(?:[.,]([0-9]))?")


def parsed(typed: Typed) -> int | None:
    """The number typed: whole mg/dL, or tenths of a mmol/L; None if it is not such a number."""
    if typed.unit is Unit.MGDL:
        return int(typed.value) if _WHOLE.fullmatch(typed.value) else None
    tenths = _TENTHS.fullmatch(typed.value)
    if tenths is None:
        return None
    return int(tenths[1]) * 10 + int(tenths[2] or 0)
