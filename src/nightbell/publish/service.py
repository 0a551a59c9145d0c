"""Publishing: correct the clock, admit, write down, and answer only what is durable."""

import asyncio
from array import array
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
import structlog

from nightbell.account.identity import Uploader
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all, refusal
from nightbell.publish.admit import Admitted, Judged, RawReading, Refused, admit, judge, plain, reading_key
from nightbell.publish.clock import ClockChange, Clocks, Evidence, newest_of
from nightbell.publish.columns import (
    MANY,
    AdmittedMany,
    JudgedColumns,
    RawColumns,
    admit_many,
    in_columns,
    judge_many,
    newest_of_many,
)
from nightbell.publish.ports import Committed, Durable, Heard, ReadingLog
from nightbell.publish.reading import LIVE_AGE_MS_MAX, Readings
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


class Taken(NamedTuple):
    """An upload that was taken.

    Attributes:
        published: The answer, true once `durable` has resolved.
        durable: Resolves when what was accepted is durable, or fails; None if nothing was accepted.
    """

    published: Published
    durable: Durable | None


PLAIN_ONE: Final = Published(1, 0, [], 0)
"""One reading, kept, by a clock that is right: the usual answer."""


class Counts:
    """How many readings went which way since the start: live and backfill are durable, the others judged."""

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
        many: From how many readings on an upload is judged in columns; the outcome is the same.
        admission: Who is let in; without one, everybody.
        late_again_s: When so many late readings come again that were not let in.
    """

    def __init__(
        self,
        log: ReadingLog,
        *,
        clock_learned: Callable[[ClockChange], Durable],
        may_backfill: Callable[[], None] = lambda: None,
        many: int = MANY,
        admission: Admission | None = None,
        late_again_s: Callable[[int], int] | None = None,
    ) -> None:
        self.counts = Counts()
        self._log = log
        self._clock_learned = clock_learned
        self._may_backfill = may_backfill
        self._many = many
        self._admission = admission or open_to_all()
        self._late_again_s = late_again_s
        self._clocks = Clocks()
        self._recent = Recent()
        self._heard_ms = array("q")

    def remember(self, group: Committed) -> None:
        """Take in what a group committed, so that a repeated upload is known as such."""
        self._recent.consume(group)

    def consume(self, group: Committed) -> None:
        """Remember a group that was committed just now, and count it."""
        self.remember(group)
        readings = group.readings
        if group.seq >= 0 and len(readings):
            live = np.count_nonzero(readings["received_ms"] - readings["measured_ms"] <= LIVE_AGE_MS_MAX)
            self.counts.live += int(live)
            self.counts.backfill += len(readings) - int(live)

    def restore_clock(self, source: int, offset_ms: int) -> None:
        """Take a learned offset from the journal at start, in the journal's order."""
        self._clocks.restore(source, offset_ms)

    def offset_ms(self, source: int) -> int:
        """How wrong an uploader's clock is: true time minus its time; 0 if right or unknown."""
        return self._clocks.offsets.get(source, 0)

    async def publish(
        self, *, uploader: Uploader, raw: Sequence[RawReading], sent_ms: int, received_ms: int
    ) -> Published:
        """As `take`; returns once what was accepted is durable."""
        published, durable = self.take(uploader=uploader, raw=raw, sent_ms=sent_ms, received_ms=received_ms)
        if durable is not None:
            await durable
        return published

    def take_plain(
        self, uploader: Uploader, raw: RawReading, sent_ms: int, received_ms: int, heard: Heard
    ) -> bool:
        """Take a usual upload of one reading, by a clock that is right; what `take` would do, sooner.

        Args:
            uploader: Who sends.
            raw: What it sent.
            sent_ms: What its clock showed when sending; 0 if it did not say.
            received_ms: When our door took the upload.
            heard: Hears when it is durable, or why it is not; then `PLAIN_ONE` is the answer.

        Returns:
            Whether it was taken. If not, it is not usual or not new: `take` it.

        Raises:
            PlatformError: OVERLOADED; nothing was taken.
        """
        reading = plain(raw, uploader, received_ms)
        if reading is None:
            return False
        _, measured_ms, _, level, _, _ = reading
        if not self._clocks.plainly_right(uploader.credential, received_ms - (sent_ms or measured_ms)):
            return False
        if reading_key(measured_ms, level) in self._recent.known(uploader.sharer):
            return False
        self._hear(uploader.sharer, received_ms)
        self._log.write(reading, heard)
        return True

    def take(
        self, *, uploader: Uploader, raw: Sequence[RawReading] | RawColumns, sent_ms: int, received_ms: int
    ) -> Taken:
        """Take one upload, and hand what is accepted to the journal.

        Live readings are written first and apart: a full backfill lane never costs a live one.

        Args:
            uploader: Who sends.
            raw: What it sent, at most `READINGS_MAX`.
            sent_ms: What its clock showed when sending; 0 if it did not say.
            received_ms: When our door took the upload.

        Raises:
            CallerError: TOO_MANY; nothing was taken.
            PlatformError: At once or through the future, OVERLOADED, NOT_DURABLE or SWITCHED_OFF; nothing, or
                only the live readings, were kept: send all again.
        """
        if len(raw) > READINGS_MAX:
            raise CallerError(
                ErrorCode.TOO_MANY,
                f"At most {READINGS_MAX} readings in one upload. Nothing was kept. Send fewer at a time.",
                readings_max=READINGS_MAX,
            )
        self._hear(uploader.sharer, received_ms)
        judged, refused = _judged(raw, self._many)
        offset_ms = self._corrected_by(uploader, judged, sent_ms, received_ms) if len(judged) else 0
        live, backfill, duplicates, refused = _admitted(
            judged,
            refused,
            uploader=uploader,
            offset_ms=offset_ms,
            received_ms=received_ms,
            known=self._recent.known(uploader.sharer),
        )
        durable: Durable | None = None
        if len(backfill) and not self._admission.calm:
            durable = self._append_if_let_in(uploader.sharer, live, backfill)
        elif len(backfill):
            durable = self._append_both(live, backfill)
        elif len(live):
            durable = self._log.append(live=live, backfill=())
        elif duplicates:
            durable = self._log.settled()
        self.counts.refused += len(refused)
        self.counts.duplicates += duplicates
        return Taken(
            Published(len(live) + len(backfill) + duplicates, duplicates, refused, offset_ms), durable
        )

    def _corrected_by(
        self, uploader: Uploader, judged: Sequence[Judged] | JudgedColumns, sent_ms: int, received_ms: int
    ) -> int:
        """How wrong the uploader's clock is, this upload considered."""
        offset_ms = self._clocks.offsets.get(uploader.credential, 0)
        if isinstance(judged, JudgedColumns):
            newest_ms = newest_of_many(judged, offset_ms=offset_ms, received_ms=received_ms)
        else:
            newest_ms = newest_of(judged, offset_ms=offset_ms, received_ms=received_ms)
        late_ms = received_ms - (sent_ms or newest_ms or 0)
        if newest_ms is None or self._clocks.plainly_right(uploader.credential, late_ms):
            return offset_ms
        known_ms = self._recent.newest_ms(uploader.sharer, uploader.credential)
        evidence = Evidence(newest_ms, sent_ms, received_ms, len(judged), known_ms)
        change = self._clocks.learn(uploader, evidence)
        if change is None:
            return offset_ms
        self._write_change(change)
        return change.offset_ms

    def heard_ms(self, sharer: int) -> int:
        """When a sharer's uploader last spoke to us, with a number or not; 0 if not since the start."""
        return self._heard_ms[sharer] if 0 <= sharer < len(self._heard_ms) else 0

    def _hear(self, sharer: int, received_ms: int) -> None:
        try:
            self._heard_ms[sharer] = received_ms
        except IndexError:
            self._heard_ms.frombytes(bytes(8 * (sharer + 1)))
            self._heard_ms[sharer] = received_ms

    def _append_if_let_in(self, sharer: int, live: Readings, backfill: Readings) -> Durable:
        """Late readings give way while there is too much to do; live ones of the same upload are kept.

        Raises:
            PlatformError: OVERLOADED, nothing was kept; there was nothing live.
        """
        seconds = self._admission.refuses(Work.HISTORY, sharer)
        if not seconds:
            return self._append_both(live, backfill)
        late = refusal(self._late_again_s(len(backfill)) if self._late_again_s else seconds)
        if not len(live):
            raise late
        return _then_late(self._log.append(live=live, backfill=()), late)

    def _append_both(self, live: Readings, backfill: Readings) -> Durable:
        if not len(live):
            self._may_backfill()
            return self._log.append(live=(), backfill=backfill)
        written = self._log.append(live=live, backfill=())
        try:
            self._may_backfill()
            late: Durable | PlatformError = self._log.append(live=(), backfill=backfill)
        except PlatformError as error:
            late = error
        if isinstance(late, PlatformError):
            return _then_late(written, late)
        return asyncio.ensure_future(_both(written, late))

    def _write_change(self, change: ClockChange) -> None:
        _log.info("clock.learned", source=change.source, offset_s=change.offset_ms // 1000)
        try:
            self._clock_learned(change).add_done_callback(_fact_written)
        except PlatformError as error:
            # The correction holds from memory; a restart learns it again from the uploader's next uploads.
            _log.warning("clock.not_written", source=change.source, code=error.code)


def _judged(
    raw: Sequence[RawReading] | RawColumns, many: int
) -> tuple[Sequence[Judged] | JudgedColumns, list[Refused]]:
    """Judge the values, in columns where there are many."""
    if isinstance(raw, RawColumns):
        return judge_many(raw)
    judged, refused = judge(raw)
    columns = in_columns(judged) if len(judged) >= many else None
    return (judged if columns is None else columns), refused


def _admitted(
    judged: Sequence[Judged] | JudgedColumns,
    refused: list[Refused],
    *,
    uploader: Uploader,
    offset_ms: int,
    received_ms: int,
    known: Collection[int],
) -> Admitted | AdmittedMany:
    """Choose the lanes, in columns where there are many."""
    if isinstance(judged, JudgedColumns):
        return admit_many(
            judged, refused, uploader=uploader, offset_ms=offset_ms, received_ms=received_ms, known=known
        )
    return admit(
        judged, refused, uploader=uploader, offset_ms=offset_ms, received_ms=received_ms, known=known
    )


def _then_late(written: Durable, late: PlatformError) -> Durable:
    """Fails with what became of the live readings, and when they are kept with why the late ones are not.

    No task is made for it: in a flood nearly every upload comes here.
    """
    settled: Durable = written.get_loop().create_future()

    def tell(done: Durable) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if not settled.done():
            settled.set_exception(error or late)

    written.add_done_callback(tell)
    return settled


async def _both(written: Durable, late: Durable) -> int:
    """Wait for the live readings and the late ones; fails if either failed, once both are over."""
    # Both futures are always awaited: a failure of one must not leave the other's unseen.
    return max(await asyncio.gather(written, late))


def _fact_written(written: Durable) -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        _log.warning("clock.not_written", error=type(error).__name__)


def clock_sentence(words: Catalogue, offset_ms: int) -> str:
    """The sentence about a wrong clock; empty if it is right."""
    if offset_ms == 0:
        return ""
    minutes = max(1, round(abs(offset_ms) / 60_000))
    return words.say("publish.clock_slow" if offset_ms > 0 else "publish.clock_fast", minutes=minutes)
