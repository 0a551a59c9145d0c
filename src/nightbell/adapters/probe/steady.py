"""Steady time: begins at the time of day, then counts, and never jumps however the clock is set."""

import time

from nightbell.words.clock import Clock, EpochMs


class SteadyClock:
    """Monotonic time that began as the time of day.

    Args:
        clock: The time of day to begin with.
    """

    def __init__(self, clock: Clock) -> None:
        self._began_ms = clock.now_ms()
        self._began_ns = time.monotonic_ns()

    def now_ms(self) -> EpochMs:
        """The time of day at the beginning, and what has passed since."""
        return EpochMs(self._began_ms + (time.monotonic_ns() - self._began_ns) // 1_000_000)
