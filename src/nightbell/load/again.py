"""When to come again: out of what waits and how fast it goes away, and spread. Pure.

Who is refused is told an instant for which there is room. If all were told the same, they would come together
and be refused together, again and again; so the instants lie evenly over the time in which the backlog, those
who were already told to come among it, will be gone.
"""

from typing import Final

AGAIN_S_MIN: Final = 5
AGAIN_S_MAX: Final = 300
"""Bounds of `Retry-After`, seconds. Source: facts/overload.md, O9; a phone has a new reading every 300 s."""

HOLD_MS_MIN: Final = 2_000
HOLD_MS_MAX: Final = 5_000
"""How long a refusal is held before it is said. A client that tries again at once, whatever it is told, then
goes round every few seconds and not a thousand times in one; what is held is a timer on a connection that is
open anyway. Clients give up after ten seconds, so all hear it (Share's need more: its `brake.py`)."""

_GOLDEN_PER_MILLION: Final = 618_034
"""The golden ratio's fraction, in millionths."""


def spread(count: int, least_s: int, most_s: int) -> int:
    """The `count`-th of an endless row of waits that lies evenly between two bounds, neighbours far apart.

    Whoever is refused gets the next of them, so that those refused together do not come back together.
    Multiples of the golden ratio spread better than chance does and need no random numbers.
    """
    return least_s + (count * _GOLDEN_PER_MILLION % 1_000_000) * (most_s - least_s + 1) // 1_000_000


def drained_s(
    backlog: float, spare_per_s: float, *, least_s: int = AGAIN_S_MIN, most_s: int = AGAIN_S_MAX
) -> int:
    """In how many seconds a backlog will be gone, within bounds; without spare capacity, the upper one.

    Args:
        backlog: What waits, and what was told to come.
        spare_per_s: How much of it goes away in a second, beside all that goes before it.
        least_s: No sooner.
        most_s: No later.
    """
    if backlog <= 0:
        return least_s
    if spare_per_s <= 0:
        return most_s
    return int(max(least_s, min(most_s, backlog / spare_per_s)))


class Invited:
    """What was told to come again, by the second for which it was told. Bounded by the horizon."""

    def __init__(self, horizon_s: int = AGAIN_S_MAX) -> None:
        self._by_second = [0] * (horizon_s + 1)
        self._second = 0
        self._sum = 0

    def add(self, amount: int, now_s: int, wait_s: int) -> None:
        """So much will come in so many seconds."""
        self._forget(now_s)
        self._by_second[(now_s + min(wait_s, len(self._by_second) - 1)) % len(self._by_second)] += amount
        self._sum += amount

    def outstanding(self, now_s: int) -> int:
        """How much has not come yet."""
        self._forget(now_s)
        return self._sum

    def _forget(self, now_s: int) -> None:
        """Seconds that have passed: who was told of them has come, or never will."""
        for second in range(self._second, min(now_s, self._second + len(self._by_second))):
            place = second % len(self._by_second)
            self._sum -= self._by_second[place]
            self._by_second[place] = 0
        self._second = max(self._second, now_s)
