"""The retry budget: a second try must not make a failure worse. Pure.

Rules:

1. A first try is always allowed, and pays a tenth of a later one.
2. A try that was answered pays a whole one: where something answers, whoever waits may ask again.
3. One later try a second is free, so that a small house tries on, and somebody finds out that it works again.
4. What is not spent is kept for ten seconds' worth, no more.

A notification's own schedule of later tries (`tell/retry.py`) is no retry in the sense of a client that asks
again at once: it ends with the notification's deadline, and it is durable. Yet when a provider is dead for
everybody, all schedules together are a storm: twelve tries for one notification, at 105 notifications a
second. So first tries and the schedule share what the channel may do: while nothing is answered, later tries
come to a tenth of the first ones and one a second, the most urgent first; nothing is lost, it only waits.

Source: Finagle's RetryBudget (a ratio, a floor, ten seconds); Site Reliability Engineering, chapter 21 (a
tenth of all requests).
"""

from typing import Final

RATIO: Final = 0.1
FLOOR_PER_S: Final = 1.0
KEPT_S: Final = 10.0
KEPT_MAX: Final = 100.0
"""Later tries that may be saved up: what a channel sends within seconds."""


class RetryBudget:
    """How many later tries may be made now. Times are milliseconds of one clock."""

    __slots__ = ("_at_ms", "_floor", "_floor_per_s", "_saved")

    def __init__(self, floor_per_s: float = FLOOR_PER_S) -> None:
        self._floor_per_s = floor_per_s
        self._saved = 0.0
        self._floor = floor_per_s * KEPT_S
        self._at_ms = 0

    def first(self) -> None:
        """A first try is made."""
        self._saved = min(KEPT_MAX, self._saved + RATIO)

    def answered(self) -> None:
        """A try was answered."""
        self._saved = min(KEPT_MAX, self._saved + 1)

    def allows(self, now_ms: int) -> bool:
        """Whether a later try may be made; `spend` when it is."""
        self._refill(now_ms)
        return self._saved >= 1 or self._floor >= 1

    def spend(self, now_ms: int) -> None:
        """A later try is made."""
        self._refill(now_ms)
        if self._saved >= 1:
            self._saved -= 1
        else:
            self._floor -= 1

    def _refill(self, now_ms: int) -> None:
        # A clock that was set back pays nothing until it has caught up with itself, from here on.
        passed_s = max(0, now_ms - self._at_ms) / 1000 if self._at_ms else 0.0
        self._floor = min(self._floor_per_s * KEPT_S, self._floor + passed_s * self._floor_per_s)
        self._at_ms = now_ms
