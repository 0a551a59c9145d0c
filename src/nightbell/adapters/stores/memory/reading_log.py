"""A journal in memory, as publishing sees one: two bounded lanes, group commits, consumers in order."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from nightbell.journal.facts import AnyFact
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.publish.ports import Heard
from nightbell.publish.reading import READING_DTYPE, Reading, Readings
from nightbell.words.errors import ErrorCode, PlatformError

LANE_MAX: Final = 100_000


class MemoryLog:
    """What is appended is committed at the next turn of the loop, or when `commit` is called if `held`.

    Attributes:
        groups: All that was committed, in order.
        held: Whether commits wait for `commit`.
        broken: Whether commits fail: futures get NOT_DURABLE, consumers a volatile group.
        live_max: Bound of the live lane.
        backfill_max: Bound of the backfill lane.
    """

    def __init__(self, *, live_max: int = LANE_MAX, backfill_max: int = LANE_MAX) -> None:
        self.groups: list[Group] = []
        self.held = False
        self.broken = False
        self.live_max = live_max
        self.backfill_max = backfill_max
        self._live: list[Reading] = []
        self._backfill: list[Reading] = []
        self._facts: list[AnyFact] = []
        self._waiting: list[asyncio.Future[int]] = []
        self._consumers: list[Callable[[Group], None]] = []
        self._scheduled = False

    def subscribe(self, consumer: Callable[[Group], None]) -> None:
        """Hand every group to `consumer`, before its futures resolve."""
        self._consumers.append(consumer)

    def append(self, *, live: Readings, backfill: Readings) -> asyncio.Future[int]:
        """Take readings; all of them or none.

        Raises:
            PlatformError: OVERLOADED if a lane is full.
        """
        for lane, more, most in (
            (self._live, live, self.live_max),
            (self._backfill, backfill, self.backfill_max),
        ):
            if len(more) and len(lane) + len(more) > most:
                raise PlatformError(ErrorCode.OVERLOADED, "A lane is full.", retry_after_s=5)
        self._live.extend(_one_by_one(live))
        self._backfill.extend(_one_by_one(backfill))
        return self._promise()

    def append_fact(self, fact: AnyFact) -> asyncio.Future[int]:
        """Take a fact."""
        self._facts.append(fact)
        return self._promise()

    def write(self, reading: Reading, heard: Heard) -> None:
        """As `append`, of one live reading."""

        def settled(future: asyncio.Future[int]) -> None:
            error = future.exception()
            assert error is None or isinstance(error, PlatformError)
            heard(0 if error else future.result(), error)

        self.append(live=(reading,), backfill=()).add_done_callback(settled)

    def settled(self) -> asyncio.Future[int]:
        """Resolve once all that is in flight is committed; fails if that fails."""
        return self._promise()

    def commit(self) -> None:
        """Commit what is in flight as one group."""
        self._scheduled = False
        facts, readings = tuple(self._facts), [*self._live, *self._backfill]
        waiting, self._waiting = self._waiting, []
        self._facts, self._live, self._backfill = [], [], []
        seq = VOLATILE_SEQ if self.broken else len(self.groups) + 1
        packed = np.array([tuple(reading) for reading in readings], READING_DTYPE)
        group = Group(seq, max((r.received_ms for r in readings), default=0), facts, packed, 0)
        if not self.broken:
            self.groups.append(group)
        for consumer in self._consumers:
            consumer(group)
        for promise in waiting:
            if promise.done():
                continue
            if self.broken:
                promise.set_exception(PlatformError(ErrorCode.NOT_DURABLE, "Not written.", retry_after_s=5))
            else:
                promise.set_result(seq)

    def readings(self) -> list[Reading]:
        """All committed readings in the order of their commits."""
        return [Reading(*row) for group in self.groups for row in group.readings.tolist()]

    def facts(self) -> list[AnyFact]:
        """All committed facts in order."""
        return [fact for group in self.groups for fact in group.facts]

    def _promise(self) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[int] = loop.create_future()
        self._waiting.append(promise)
        if not self.held and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self.commit)
        return promise


def _one_by_one(readings: Readings) -> Iterable[Reading]:
    return (Reading(*row) for row in readings.tolist()) if isinstance(readings, np.ndarray) else readings
