"""What the watcher must not forget, in memory and in its book. Where the book fails, memory goes on alone."""

import asyncio
from typing import Final

import structlog

from nightbell.watch import canary, judge
from nightbell.watch.canary import Flock
from nightbell.watch.delivery import DeliveryState, NoticeDelivery
from nightbell.watch.judge import Judged
from nightbell.watch.ports import Book, Change
from nightbell.watch.roster import Affected, Roster, affected
from nightbell.watch.timings import Timings
from nightbell.words.errors import PlatformError

log: Final = structlog.get_logger("nightbell.watch")

SAVE_WITHIN_S: Final = 5.0
"""A disk that takes longer is treated as one that fails: telling people does not wait for it."""

DELIVERIES_KEPT_MS: Final = 7 * 24 * 60 * 60_000
"""How long deliveries are kept: longer than any notice is tried, so that none is made twice."""


class Memory:
    """Judge, canaries, roster and deliveries, with what of them is not written down yet.

    Attributes:
        judged: What the judge knows.
        flock: The canaries.
        roster: Whom to tell; None if it was never fetched.
        hit: Everybody whom our failure concerns, made from the roster.
        deliveries: Notices of the last days, by their keys.
        waiting: Those of them that are not sent yet.
        fails: Whether the book cannot be written.
        lost: Whether it was damaged and set aside.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self.judged = Judged()
        self.flock = Flock()
        self.roster: Roster | None = None
        self.hit: list[Affected] = []
        self.deliveries: dict[str, NoticeDelivery] = {}
        self.waiting: dict[str, NoticeDelivery] = {}
        self.fails = False
        self.lost = False
        self._unsaved: set[str] = set()
        self._unsaved_parts: set[str] = set()
        self._saving: asyncio.Task[None] | None = None

    async def open(self, now_ms: int, timings: Timings) -> None:
        """Remember what was kept."""
        try:
            kept = await self._book.open(forget_before_ms=now_ms - DELIVERIES_KEPT_MS)
        except PlatformError as error:
            self.fails = True
            log.warning("book.failed", code=error.code)
            return
        self.judged = judge.resumed(kept.judged, now_ms, timings)
        self.flock = canary.resumed(kept.flock, now_ms)
        for delivery in kept.deliveries:
            self._hold(delivery)
        self.lost = kept.lost
        self._take(kept.roster)

    async def close(self) -> None:
        """Write what is not written yet, and close."""
        await self.save()
        await self._book.close()

    def set_judged(self, judged: Judged) -> None:
        """What the judge knows now; only incidents are kept, what detectors see is not."""
        if judged.incident != self.judged.incident or judged.past != self.judged.past:
            self._unsaved_parts.add("judged")
        self.judged = judged

    def set_flock(self, flock: Flock) -> None:
        """Where the canaries are now."""
        self.flock = flock
        self._unsaved_parts.add("flock")

    def set_roster(self, roster: Roster) -> None:
        """Whom to tell, as just fetched.

        An empty list never replaces one with people in it: a platform that has lost everybody is what we keep
        our own list for. The page then shows how old ours is.
        """
        if self.hit and not affected(roster):
            log.warning("roster.empty")
            return
        self._take(roster)
        self._unsaved_parts.add("roster")

    def forget(self, now_ms: int) -> None:
        """Let go of settled deliveries that are too old to matter; the book does so when it is opened."""
        old = now_ms - DELIVERIES_KEPT_MS
        self.deliveries = {
            key: one for key, one in self.deliveries.items() if one.made_ms >= old or key in self.waiting
        }

    def note(self, delivery: NoticeDelivery) -> None:
        """A delivery that is new or has changed."""
        self._hold(delivery)
        self._unsaved.add(delivery.key)

    def _hold(self, delivery: NoticeDelivery) -> None:
        self.deliveries[delivery.key] = delivery
        if delivery.state is DeliveryState.DUE:
            self.waiting[delivery.key] = delivery
        else:
            self.waiting.pop(delivery.key, None)

    def _take(self, roster: Roster | None) -> None:
        self.roster = roster
        self.hit = [] if roster is None else affected(roster)

    async def save(self) -> None:
        """Write what is not written yet; where the disk fails or hangs, go on and say so on the page."""
        while self._saving is not None or self._unsaved or self._unsaved_parts:
            if self._saving is None:
                self._saving = asyncio.create_task(self._write())
            saving = self._saving
            done, _ = await asyncio.wait({saving}, timeout=SAVE_WITHIN_S)
            if not done:
                self.fails = True
                return
            if self._saving is saving:
                self._saving = None
            if self.fails:
                return

    async def _write(self) -> None:
        keys, parts = self._unsaved, self._unsaved_parts
        self._unsaved, self._unsaved_parts = set(), set()
        change = Change(
            judged=self.judged if "judged" in parts else None,
            flock=self.flock if "flock" in parts else None,
            roster=self.roster if "roster" in parts else None,
            deliveries=tuple(self.deliveries[key] for key in sorted(keys)),
        )
        try:
            await self._book.write(change)
        except PlatformError as error:
            self._unsaved |= keys
            self._unsaved_parts |= parts
            if not self.fails:
                log.warning("book.failed", code=error.code)
            self.fails = True
        else:
            self.fails = False
