"""Looks gathered: all that come while one transaction is written share the next.

A viewer waits for the record, but not for long: somebody who needs a number gets it. What could not be
written waits in memory for `tend`; what does not fit there is counted, and the count goes into the chain.
"""

import asyncio
from typing import Final

import structlog

from nightbell.follow.look import ChainedLook, Look, chained
from nightbell.follow.ports import LookStore
from nightbell.words.errors import PlatformError

WAITING_MAX: Final = 10_000
PATIENCE_S: Final = 1.0

_log: Final = structlog.get_logger()


class GatheredLooks:
    """The record of looks, over a store."""

    def __init__(
        self, store: LookStore, *, waiting_max: int = WAITING_MAX, patience_s: float = PATIENCE_S
    ) -> None:
        self._store = store
        self._waiting_max = waiting_max
        self._patience_s = patience_s
        self._waiting: list[Look] = []
        self._lost = 0
        self._failing = False
        self._written: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._tail: tuple[int, bytes] | None = None

    async def write_down(self, look: Look) -> None:
        """Record it before this returns, unless that takes too long or fails."""
        if len(self._waiting) >= self._waiting_max:
            self._lost += 1
            return
        self._waiting.append(look)
        if not self._failing:  # else it waits for `tend`, and the viewer does not
            await asyncio.wait({self._begin()}, timeout=self._patience_s)

    async def of_sharer(self, sharer: int, limit: int) -> list[ChainedLook]:
        """The newest looks at one sharer, newest first."""
        return await self._store.of_sharer(sharer, limit)

    async def links(self, after: int, limit: int) -> list[ChainedLook]:
        """Links of the chain in order, from the one after number `after`."""
        return await self._store.links(after, limit)

    async def anchor_hash(self) -> bytes:
        """Hash of the link before the first that is kept."""
        return await self._store.anchor_hash()

    async def tend(self, before_ms: int) -> None:
        """Write down what waits, and forget what is older than this.

        Raises:
            PlatformError: The store failed.
        """
        self._failing = False
        await self._settle()
        await self._store.drop_before(before_ms)

    async def close(self) -> None:
        """Write down what waits, if that can be done."""
        self._failing = False
        await self._settle()

    async def _settle(self) -> None:
        if self._waiting:
            await asyncio.wait({self._begin()}, timeout=self._patience_s)
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=self._patience_s)

    def _begin(self) -> asyncio.Future[None]:
        """What resolves when everything that waits now has been tried."""
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        written = self._written
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return written

    async def _write(self) -> None:
        while self._waiting and not self._failing:
            looks, self._waiting = self._waiting, []
            written, self._written = self._written, None
            lost, self._lost = self._lost, 0
            if lost:
                looks.append(Look(looks[-1].at_ms, "", -1, f"lost {lost}", 0))
            try:
                await self._append(looks)
            except PlatformError as error:
                _log.warning("look.unwritten", looks=len(looks), code=error.code)
                self._waiting = [look for look in looks if look.sharer >= 0] + self._waiting
                self._lost += lost
                self._tail = None  # what really stands there is read again
                self._failing = True
            finally:
                _resolve(written)
        _resolve(self._written)
        self._written = None

    async def _append(self, looks: list[Look]) -> None:
        number, before = self._tail or await self._store.tail()
        links = chained(looks, number, before)
        await self._store.append(links)
        self._tail = (links[-1].number, links[-1].hash)


def _resolve(written: asyncio.Future[None] | None) -> None:
    if written is not None and not written.done():
        written.set_result(None)
