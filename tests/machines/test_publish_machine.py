"""Publishing under every order of uploads, repetitions, failing commits and wrong clocks.

Safety at every step: what was acknowledged is durable; what was not durable is never called a duplicate; what
was refused is nowhere. Liveness at the end: once commits work again, sending everything again makes
everything durable.
"""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from nightbell.account.identity import Uploader
from nightbell.adapters.stores.memory.reading_log import MemoryLog
from nightbell.journal.facts import ClockLearned
from nightbell.publish.admit import RawReading, level_of, reading_key
from nightbell.publish.clock import ClockChange
from nightbell.publish.recent import KEPT
from nightbell.publish.service import Publish, Published
from nightbell.words.errors import PlatformError
from nightbell.words.glucose import is_level

NOW = 1_790_000_000_000
MIN = 60_000
ANA = Uploader(sharer=7, credential=3)
Result = TypeVar("Result")

values = st.one_of(st.integers(0, 620), st.sampled_from(["LOW", "HIGH", "x", None, True, float("nan")]))
uploads = st.lists(st.tuples(st.integers(0, 60), values), min_size=1, max_size=6)


class Publishing(RuleBasedStateMachine):
    """One phone, one journal in memory; time only goes on when an upload is made."""

    sent: Bundle[tuple[RawReading, ...]] = Bundle("sent")

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.log = MemoryLog()
        self.publish = Publish(self.log, clock_learned=self._clock_learned)
        self.log.subscribe(self.publish.consume)
        self.now_ms = NOW
        self.wrong_ms = 0
        self.acknowledged = 0
        self.uploads: list[tuple[RawReading, ...]] = []

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.log.broken = False
        self.log.live_max = self.log.backfill_max = 10**6
        for upload in self.uploads:
            self._send(upload)
        seen = {raw for upload in self.uploads for raw in upload}
        true_ms = {r.measured_ms for r in self.log.readings()}
        if not self._clocks_learned():
            good = {raw for raw in seen if self._is_good(raw)}
            assert {raw.measured_ms for raw in good} <= true_ms
        self.loop.close()

    def _clock_learned(self, change: ClockChange) -> asyncio.Future[int]:
        fact = ClockLearned(
            at_ms=change.at_ms, sharer=change.sharer, source=change.source, offset_ms=change.offset_ms
        )
        return self.log.append_fact(fact)

    def _clocks_learned(self) -> bool:
        return (
            any(isinstance(fact, ClockLearned) for fact in self.log.facts()) or self.publish.offset_ms(3) != 0
        )

    def _is_good(self, raw: RawReading) -> bool:
        glucose = raw.glucose
        number = type(glucose) is int and 20 <= glucose <= 600
        at_ms = raw.measured_ms
        assert isinstance(at_ms, int)
        return (number or glucose in ("LOW", "HIGH")) and at_ms <= self.now_ms + MIN

    def _run(self, work: Coroutine[None, None, Result]) -> Result:
        return self.loop.run_until_complete(work)

    def _send(self, upload: tuple[RawReading, ...]) -> Published | None:
        durable = {reading_key(r.measured_ms, r.level) for r in self.log.readings()}
        before = len(self.log.readings())
        try:
            published = self._run(
                self.publish.publish(uploader=ANA, raw=upload, sent_ms=0, received_ms=self.now_ms)
            )
        except PlatformError:
            return None
        assert published.accepted + len(published.refused) == len(upload)
        fresh = len(self.log.readings()) - before
        assert published.accepted - published.duplicates == fresh
        self.acknowledged += fresh
        keys = {reading_key(r.measured_ms, r.level) for r in self.log.readings()}
        if published.duplicates and not fresh:
            assert keys == durable
        return published

    @rule(target=sent, ages=uploads)
    def upload(self, ages: list[tuple[int, object]]) -> tuple[RawReading, ...]:
        self.now_ms += 5 * MIN
        raw = tuple(RawReading(self.now_ms - age * MIN + self.wrong_ms, value) for age, value in ages)
        self.uploads.append(raw)
        self._send(raw)
        return raw

    @rule(upload=sent)
    def send_again(self, upload: tuple[RawReading, ...]) -> None:
        first = self._send(upload)
        second = self._send(upload)
        if first is None or second is None or first.offset_ms != second.offset_ms:
            return
        assert second.accepted == first.accepted
        newest = sorted({reading_key(r.measured_ms, r.level) for r in self.log.readings()})[-KEPT:]
        corrected = [(raw.measured_ms, raw.glucose) for raw in upload if self._is_good(raw)]
        for at_ms, glucose in corrected:
            level = level_of(glucose)
            assert isinstance(at_ms, int)
            assert isinstance(level, int)
            if reading_key(at_ms + second.offset_ms, level) in newest:
                assert second.duplicates

    @rule(upload=consumes(sent))
    def give_up(self, upload: tuple[RawReading, ...]) -> None:
        self.uploads.remove(upload)

    @rule(broken=st.booleans())
    def disk(self, *, broken: bool) -> None:
        self.log.broken = broken

    @rule(live_max=st.sampled_from([0, 1, 10**6]), backfill_max=st.sampled_from([0, 1, 10**6]))
    def lanes(self, live_max: int, backfill_max: int) -> None:
        self.log.live_max, self.log.backfill_max = live_max, backfill_max

    @rule(minutes=st.sampled_from([-40, -11, 0, 11, 40]))
    def clock(self, minutes: int) -> None:
        self.wrong_ms = minutes * MIN

    @invariant()
    def what_is_acknowledged_is_durable_and_what_is_durable_is_a_reading(self) -> None:
        if not hasattr(self, "loop"):
            return
        readings = self.log.readings()
        assert len(readings) >= self.acknowledged
        for reading in readings:
            assert is_level(reading.level)
            assert reading.measured_ms <= reading.received_ms + MIN
            assert (reading.sharer, reading.source) == ANA


TestPublishing = Publishing.TestCase
