"""Publishing: correct the clock, admit, write down, and answer only what is durable."""

import asyncio
from array import array
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from nightbell.publish.admit import RawReading, Refused, Uploader, admit, judge
from nightbell.publish.clock import ClockChange, Clocks, Evidence, newest_of
from nightbell.publish.ports import Committed, ReadingLog
from nightbell.publish.reading import Reading
from nightbell.publish.recent import Recent
from nightbell.words.catalogue import Catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError

READINGS_MAX: Final = 512
"""Readings in one upload (issue)."""

BODY_BYTES_MAX: Final = 256 * 1024
"""Bytes of one upload (issue)."""

_log = structlog.get_logger()


class Published(NamedTuple):
    """The answer to one upload; when it is there, what was accepted is durable.

    Attributes:
        accepted: How many readings are kept, duplicates among them.
        duplicates: How many of these were there already.
        refused: Which were not taken, and why.
        offset_ms: How wrong the uploader's clock is: true time minus its time; 0 if right.
    """

    accepted: int
    duplicates: int
    refused: Sequence[Refused]
    offset_ms: int


class Counts:
    """How many readings went which way since the start, for health and for figures."""

    __slots__ = ("backfill", "duplicates", "live", "refused")

    def __init__(self) -> None:
        self.live = 0
        self.backfill = 0
        self.duplicates = 0
        self.refused = 0


class Publish:
    """The one way in for readings; every dialect comes through here.

    Args:
        log: The journal.
        clock_learned: Writes a `ClockChange` into the journal as a fact.
        may_backfill: Raises PlatformError while late readings are switched off.
    """

    def __init__(
        self,
        log: ReadingLog,
        *,
        clock_learned: Callable[[ClockChange], asyncio.Future[int]],
        may_backfill: Callable[[], None] = lambda: None,
    ) -> None:
        self.counts = Counts()
        self._log = log
        self._clock_learned = clock_learned
        self._may_backfill = may_backfill
        self._clocks = Clocks()
        self._recent = Recent()
        self._heard_ms = array("q")

    def consume(self, group: Committed) -> None:
        """Remember what a group committed, so that a repeated upload is known as such."""
        self._recent.consume(group)

    def restore_clock(self, source: int, offset_ms: int) -> None:
        """Take a learned offset from the journal at start, in the journal's order."""
        self._clocks.restore(source, offset_ms)

    def offset_ms(self, source: int) -> int:
        """How wrong an uploader's clock is: true time minus its time; 0 if right or unknown."""
        return self._clocks.offsets.get(source, 0)

    async def publish(
        self, *, uploader: Uploader, raw: Sequence[RawReading], sent_ms: int, received_ms: int
    ) -> Published:
        """Take one upload; returns once what was accepted is durable.

        Live readings are written first and apart: a full backfill lane never costs a live one.

        Args:
            uploader: Who sends.
            raw: What it sent, at most `READINGS_MAX`.
            sent_ms: What its clock showed when sending; 0 if it did not say.
            received_ms: When our door took the upload.

        Raises:
            CallerError: TOO_MANY; nothing was taken.
            PlatformError: OVERLOADED, NOT_DURABLE or SWITCHED_OFF; nothing, or only the live readings, were
                kept: send all again.
        """
        if len(raw) > READINGS_MAX:
            raise CallerError(
                ErrorCode.TOO_MANY,
                f"At most {READINGS_MAX} readings in one upload. Nothing was kept. Send fewer at a time.",
                readings_max=READINGS_MAX,
            )
        self._hear(uploader.sharer, received_ms)
        judged, refused = judge(raw)
        offset_ms = 0
        if judged:
            offset_ms = self._clocks.offsets.get(uploader.credential, 0)
            newest_ms = newest_of(judged, offset_ms=offset_ms, received_ms=received_ms)
            late_ms = received_ms - (sent_ms or newest_ms or 0)
            if newest_ms is not None and not self._clocks.plainly_right(uploader.credential, late_ms):
                known_ms = self._recent.newest_ms(uploader.sharer, uploader.credential)
                evidence = Evidence(newest_ms, sent_ms, received_ms, len(judged), known_ms)
                change = self._clocks.learn(uploader, evidence)
                if change is not None:
                    offset_ms = change.offset_ms
                    self._write_change(change)
        live, backfill, duplicates, refused = admit(
            judged,
            refused,
            uploader=uploader,
            offset_ms=offset_ms,
            received_ms=received_ms,
            known=self._recent.known(uploader.sharer),
        )
        counts = self.counts
        counts.refused += len(refused)
        if backfill:
            await self._append_both(live, backfill)
        elif live:
            await self._log.append(live=live, backfill=())
        elif duplicates:
            await self._log.settled()
        counts.live += len(live)
        counts.backfill += len(backfill)
        counts.duplicates += duplicates
        return Published(len(live) + len(backfill) + duplicates, duplicates, refused, offset_ms)

    def heard_ms(self, sharer: int) -> int:
        """When a sharer's uploader last spoke to us, with a number or not; 0 if not since the start."""
        return self._heard_ms[sharer] if 0 <= sharer < len(self._heard_ms) else 0

    def _hear(self, sharer: int, received_ms: int) -> None:
        try:
            self._heard_ms[sharer] = received_ms
        except IndexError:
            self._heard_ms.frombytes(bytes(8 * (sharer + 1)))
            self._heard_ms[sharer] = received_ms

    async def _append_both(self, live: Sequence[Reading], backfill: Sequence[Reading]) -> None:
        written = self._log.append(live=live, backfill=()) if live else None
        try:
            self._may_backfill()
            late = self._log.append(live=(), backfill=backfill)
        except PlatformError:
            if written is not None:
                await written
            raise
        if written is not None:
            # Both futures are always awaited: a failure of one must not leave the other's unseen.
            await asyncio.gather(written, late)
        else:
            await late

    def _write_change(self, change: ClockChange) -> None:
        _log.info("clock.learned", source=change.source, offset_s=change.offset_ms // 1000)
        try:
            self._clock_learned(change).add_done_callback(_fact_written)
        except PlatformError as error:
            # The correction holds from memory; a restart learns it again from the uploader's next uploads.
            _log.warning("clock.not_written", source=change.source, code=error.code)


def _fact_written(written: asyncio.Future[int]) -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        _log.warning("clock.not_written", error=type(error).__name__)


def clock_sentence(words: Catalogue, offset_ms: int) -> str:
    """The sentence about a wrong clock; empty if it is right."""
    if offset_ms == 0:
        return ""
    minutes = max(1, round(abs(offset_ms) / 60_000))
    return words.say("publish.clock_slow" if offset_ms > 0 else "publish.clock_fast", minutes=minutes)
