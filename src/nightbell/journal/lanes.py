"""The lanes: work of different urgency never shares a queue, and every queue is bounded.

Rules:
1. A lane is bounded in items and in bytes. What does not fit is refused before anything is queued.
2. Live readings, facts and the tick go together in one commit; backfill has commits of its own.
3. Live goes first. While both wait, every tenth commit is backfill's, so that it is never starved.
4. A forming commit waits a moment for company, or goes when it is full.

Theory of operation: `Lane` holds batches that wait; `Batch` is a commit in the making; `next_turn` is rule
3. None of
it waits, locks or knows the time: the service does.
"""

from collections import deque
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.journal.facts import AnyFact
from nightbell.publish.ports import Heard
from nightbell.publish.reading import READING_DTYPE, Reading, Readings

GROUP_READINGS_MAX: Final = 10_000
"""Readings in one commit: above it nothing is gained. Source: facts/performance.md, section 2 (5 M
readings/s)."""

BACKFILL_EVERY: Final = 10
"""While both wait, one commit in ten is backfill's. Netflix's concurrency-limits shows live 0.9, batch
0.1."""


class LaneLimit(NamedTuple):
    """What may wait in one lane."""

    items: int
    bytes: int


class LaneLimits(NamedTuple):
    """What may wait in each lane, what is being committed included.

    The defaults are about a second of live work and a few of backfill on one core, and some 70 MB of memory.
    """

    live: LaneLimit = LaneLimit(100_000, 4 << 20)
    backfill: LaneLimit = LaneLimit(200_000, 8 << 20)
    control: LaneLimit = LaneLimit(10_000, 8 << 20)


class Batch:
    """A commit in the making: readings packed in `parts`, then `readings`, in all `count`.

    The readings of each waiter end at the same index of `ends`.
    """

    __slots__ = (
        "count",
        "ends",
        "fact_bytes",
        "fact_waiters",
        "facts",
        "full",
        "parts",
        "readings",
        "since",
        "tick_ms",
        "waiters",
    )

    def __init__(self) -> None:
        self.parts: list[list[Reading] | NDArray[np.void]] = []
        self.readings: list[Reading] = []
        self.count = 0
        self.ends: list[int] = []
        self.waiters: list[Heard] = []
        self.facts: list[AnyFact] = []
        self.fact_waiters: list[Heard] = []
        self.fact_bytes = 0
        self.tick_ms = 0
        self.full = False
        """Whether it has no need to wait for company."""
        self.since = 0.0
        """When the first of it came, seconds of a clock that never goes back; 0 while empty."""

    def add(self, readings: Readings) -> None:
        """Add readings, in order; packed ones stay packed."""
        if isinstance(readings, np.ndarray):
            if self.readings:
                self.parts.append(self.readings)
                self.readings = []
            self.parts.append(readings)
        else:
            self.readings.extend(readings)
        self.count += len(readings)

    def add_fact(self, fact: AnyFact, size: int, waiter: Heard, now: float) -> None:
        """Add a fact of `size` packed bytes."""
        if not self.since:
            self.since = now
        self.facts.append(fact)
        self.fact_bytes += size
        self.fact_waiters.append(waiter)

    def add_tick(self, tick_ms: int, now: float) -> None:
        """Carry the second's tick; a newer one replaces an older one that has not gone yet."""
        if not self.since:
            self.since = now
        self.tick_ms = tick_ms


class Lane:
    """Commits in the making of one lane, oldest first, and how much waits in them."""

    __slots__ = ("_batches", "_readings_max", "forming", "waiting")

    def __init__(self, limit: LaneLimit) -> None:
        self._readings_max = min(limit.items, limit.bytes // READING_DTYPE.itemsize)
        self._batches: deque[Batch] = deque()
        self.forming = Batch()
        self.waiting = 0
        """Readings that wait or are being committed."""

    def has_room(self, count: int) -> bool:
        """Whether so many readings more may wait."""
        return self.waiting + count <= self._readings_max

    @property
    def filled(self) -> float:
        """How much of the room is taken, 0 to 1."""
        return self.waiting / self._readings_max if self._readings_max else 1.0

    def put(self, readings: Readings, waiter: Heard, now: float) -> None:
        """Add readings for which there is room. `now` is a clock that never goes back, seconds."""
        batch = self.forming
        if batch.count and batch.count + len(readings) > GROUP_READINGS_MAX:
            batch.full = True
            self._batches.append(batch)
            batch = self.forming = Batch()
        if not batch.since:
            batch.since = now
        batch.add(readings)
        batch.ends.append(batch.count)
        batch.full = batch.count >= GROUP_READINGS_MAX
        batch.waiters.append(waiter)
        self.waiting += len(readings)

    def oldest(self) -> Batch | None:
        """The commit whose turn is next, if anything waits."""
        if self._batches:
            return self._batches[0]
        return self.forming if self.forming.since else None

    def take(self) -> Batch:
        """Take the commit whose turn is next; its readings count as waiting until `done`."""
        if self._batches:
            return self._batches.popleft()
        batch = self.forming
        self.forming = Batch()
        return batch

    def done(self, batch: Batch) -> None:
        """A batch that was taken is settled, well or not."""
        self.waiting -= batch.count

    def all_waiting(self) -> list[Batch]:
        """Every commit that has not been taken."""
        return [*self._batches, self.forming] if self.forming.since else list(self._batches)


class Turn(StrEnum):
    """Whose commit is next."""

    LIVE = "live"
    BACKFILL = "backfill"
    LATER = "later"


def next_turn(*, live: Batch | None, backfill: Batch | None, streak: int, due_before: float) -> Turn:
    """Whose commit is next.

    Args:
        live: What waits in the live lane.
        backfill: What waits in the backfill lane.
        streak: Commits of the live lane in a row while backfill waited.
        due_before: A batch that began before this instant has waited long enough for company.
    """
    live_due = live is not None and (live.full or live.since <= due_before)
    backfill_due = backfill is not None and (backfill.full or backfill.since <= due_before)
    if backfill_due and (not live_due or streak >= BACKFILL_EVERY - 1):
        return Turn.BACKFILL
    return Turn.LIVE if live_due else Turn.LATER
