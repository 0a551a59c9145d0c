"""Deadlines: work that nobody waits for any more is not done.

A client may say with `Deadline-Ms` how many milliseconds it still waits, as a span and not an instant, for
clocks differ. What costs much (a password's hash, a read of history) looks at it just before it begins, after
its own queue: what is late is dropped there, having cost nothing.
"""

from contextvars import ContextVar
from typing import Final

HEADER: Final = b"deadline-ms"

SIGN_IN_S_MAX: Final = 10.0
READ_S_MAX: Final = 10.0
"""How long somebody waits who did not say: people and apps give up after ten seconds or so. Longer, and a
queue serves only those who have gone (facts/overload.md, section 1)."""

LEFT_MS_MAX: Final = 3_600_000
_DIGITS_MAX: Final = 9

_until_s: ContextVar[float | None] = ContextVar("deadline", default=None)


def left_ms(said: bytes) -> int | None:
    """What the header says; None if it says nothing that can be read: then it is as if it were not there."""
    if not said.isdigit() or len(said) > _DIGITS_MAX:
        return None
    return min(int(said), LEFT_MS_MAX)


def is_over(left: int | None, waited_ms: float) -> bool:
    """Whether somebody who had so much left when they sent, and was then made to wait, has gone."""
    return left is not None and waited_ms >= left


def begin(left: int | None, now_s: float) -> None:
    """This request's client waits no longer than this. `now_s` is the event loop's clock, seconds."""
    _until_s.set(None if left is None else now_s + left / 1000)


def until_s(now_s: float, usual_s: float) -> float:
    """Until when this request's client waits: what it said, or as long as is usual."""
    said = _until_s.get()
    return now_s + usual_s if said is None else min(said, now_s + usual_s)
