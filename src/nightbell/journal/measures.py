"""What the journal measures of itself: how long live readings wait, how fast each lane empties. Pure.

Out of it come when to come again, for whoever is refused, and what decides whom to let in (`load/gate.py`).
"""

from typing import Final

from nightbell.load.again import AGAIN_S_MIN, Invited, drained_s, spread
from nightbell.load.gate import Load

AGAIN_S_MAX: Final = {"live": 30, "backfill": 300, "control": 5, "not_durable": 15}
"""The latest that each is told to come, seconds. Somebody who is low must not wait for minutes, a backlog
may; a person who pressed a button waits less than either."""

AGAIN_S_LEAST: Final = {"live": AGAIN_S_MIN, "backfill": AGAIN_S_MIN, "control": 1, "not_durable": 2}

DRAIN_FIRST_PER_S: Final = {
    "live": 10_000.0,
    "backfill": 2_000.0,
    "control": 1_000.0,
    "not_durable": 10_000.0,
}
"""Before anything was measured: half of what two slow cores did (docs/performance.md)."""

_REMEMBERED: Final = 0.9
"""How much of a measured rate stays with each new commit: ten of them count."""


class Measures:
    """The journal's own measurements. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._count = 0
        self._drain = dict(DRAIN_FIRST_PER_S)
        self._ended = dict.fromkeys(DRAIN_FIRST_PER_S, 0.0)
        self._invited = {name: Invited() for name in DRAIN_FIRST_PER_S}
        self._waits_s = self._commits_s = 0.0
        self._live_turns = self._commits = 0

    def began(self, wait_s: float, *, live: bool) -> None:
        """A commit begins that waited so long for its turn, its wait for company left out."""
        if live:
            self._waits_s += max(0.0, wait_s)
            self._live_turns += 1

    def ended(self, name: str, readings: int, *, since: float, began: float, now: float) -> None:
        """A commit of a lane ended, well or not.

        Args:
            name: The lane.
            readings: How many it held.
            since: When the first of them came.
            began: When it began to be written.
            now: Now.
        """
        self._commits_s += now - began
        self._commits += 1
        if readings:
            # While the lane was empty nothing drained: the rate counts from when it had something to do.
            took = max(now - max(self._ended[name], since), 0.001)
            self._drain[name] += (1 - _REMEMBERED) * (readings / took - self._drain[name])
        self._ended[name] = now

    def drain_per_s(self, name: str) -> float:
        """How many readings of a lane go away in a second, as lately measured."""
        return self._drain[name]

    def again_s(self, name: str, waiting: int, amount: int, now: float) -> int:
        """When somebody who is refused comes again: evenly until what waits, and who was told, is through.

        Args:
            name: The lane, or `not_durable`.
            waiting: What waits in it.
            amount: What is refused now.
            now: Now.
        """
        self._count += 1
        invited = self._invited[name]
        least_s = AGAIN_S_LEAST[name]
        backlog = waiting + invited.outstanding(int(now)) + amount
        most_s = drained_s(backlog, self._drain[name], least_s=least_s, most_s=AGAIN_S_MAX[name])
        seconds = spread(self._count, least_s, max(most_s, 2 * least_s))
        invited.add(amount, int(now), seconds)
        return seconds

    def taken(self, *, filled: float, oldest_wait_s: float) -> Load:
        """What was measured since this was last called.

        Args:
            filled: How much of the live lane's room is taken.
            oldest_wait_s: How long the oldest live commit has waited that has not ended.
        """
        wait_s = max(self._waits_s / self._live_turns if self._live_turns else 0.0, oldest_wait_s)
        commit_s = self._commits_s / self._commits if self._commits else None
        self._waits_s = self._commits_s = 0.0
        self._live_turns = self._commits = 0
        return Load(
            live_wait_ms=wait_s * 1000,
            live_filled=filled,
            commit_ms=None if commit_s is None else commit_s * 1000,
        )
