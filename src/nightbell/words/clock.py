"""The only bridge to the time of day. Everywhere else `now` is an argument."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, NewType, Protocol

EpochMs = NewType("EpochMs", int)
"""An instant: milliseconds since 1970-01-01T00:00:00Z."""

NEVER_MS: Final = EpochMs(2**62)
"""A deadline that does not come."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def to_ms(at: datetime) -> EpochMs:
    """Convert an aware instant; a naive one is a programmer's error."""
    assert at.tzinfo is not None
    return EpochMs((at - _EPOCH) // _MS)


def from_ms(at_ms: int) -> datetime:
    """Convert to an aware instant in UTC."""
    return _EPOCH + at_ms * _MS


class Clock(Protocol):
    """What tells the time of day. Only services and adapters hold one."""

    def now_ms(self) -> EpochMs:
        """The time of day."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now_ms(self) -> EpochMs:
        """The time of day of this machine."""
        return EpochMs(time.time_ns() // 1_000_000)


def elapsed_s() -> float:
    """Seconds since some instant, which only go on: for how long work takes, never for what time it is."""
    return time.perf_counter()


class ManualClock:
    """A clock that stands until it is moved: for the simulator and for tests."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> EpochMs:
        """The time it was set to."""
        return EpochMs(self._now_ms)

    def advance_ms(self, by_ms: int) -> None:
        """Move the time; a negative step is a clock that was set back."""
        self._now_ms += by_ms
