"""The retry budget: a second try must not make a failure worse. Pure.

Rules:

1. A first try is always allowed, and pays a tenth of a later one.
2. A try that was answered pays a whole one: where something answers, whoever waits may ask again.
3. Where first tries pay less, one later try a second is free, so that a small house tries on, and somebody
   finds out that it works again.
4. What is free is saved up for ten seconds, no more.

A notification's own schedule of later tries (`tell/retry.py`) is no retry in the sense of a client that asks
again at once: it ends with the notification's deadline, and it is durable. Yet when a provider is dead for
everybody, all schedules together are a storm: twelve tries for one notification, at 105 notifications a
second. So first tries and the schedule share what the channel may do: while nothing is answered, later tries
come to a tenth of the first ones or one a second, the most urgent first; nothing is lost, it only waits.

Source: Finagle's RetryBudget (a ratio, a floor, ten seconds); Site Reliability Engineering, chapter 21 (a
tenth of all requests).
"""

from typing import Final

RATIO: Final = 0.1
FLOOR_PER_S: Final = 1.0
KEPT_S: Final = 10.0
KEPT_MAX: Final = 100.0
"""Later tries that may be saved up: what a channel sends within seconds."""

_ROUNDING: Final = 1e-9


class RetryBudget:
    """How many later tries may be made now. Times are milliseconds of one clock."""

    __slots__ = ("_at_ms", "_floor_per_s", "_paid", "_saved")

    def __init__(self, floor_per_s: float = FLOOR_PER_S) -> None:
        self._floor_per_s = floor_per_s
        self._saved = 0.0
        self._paid = 0.0
        """What first tries have paid lately: so much of the floor is not given on top."""
        self._at_ms = 0

    def first(self) -> None:
        """A first try is made."""
        self._saved = min(KEPT_MAX, self._saved + RATIO)
        self._paid = min(KEPT_S * self._floor_per_s, self._paid + RATIO)

    def answered(self) -> None:
        """A try was answered."""
        self._saved = min(KEPT_MAX, self._saved + 1)

    def allows(self, now_ms: int) -> bool:
        """Whether a later try may be made; `spend` when it is."""
        # A clock that was set back pays nothing until it moves on, from where it then is.
        floor = max(0, now_ms - self._at_ms) / 1000 * self._floor_per_s if self._at_ms else 0.0
        self._at_ms = now_ms
        given = max(0.0, floor - self._paid)
        self._paid = max(0.0, self._paid - floor)
        self._saved = max(self._saved, min(KEPT_S * self._floor_per_s, self._saved + given))
        return self._saved >= 1 - _ROUNDING

    def spend(self) -> None:
        """A later try is made that was allowed."""
        self._saved -= 1
