"""The watcher at work: looks, listens, goes round, fetches the roster, tells, and writes its page.

Eight loops on one event loop. The decisions are pure and lie beside this file; here they meet time and the
world. `_take_in` is the one way for evidence to reach the judge, and does not await, so evidence is taken in
order. What must be told is written down before it is sent, and again after. A loop that fails for a reason
nobody foresaw is logged, counted on the page, and goes on: a watcher must not die of its own mistake.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from nightbell.tell.channel import Channel
from nightbell.watch import canary, judge
from nightbell.watch.canary import LOW_MGDL, Step
from nightbell.watch.delivery import DeliveryState, NoticeDelivery, after_try, deliveries_of, withdrawn
from nightbell.watch.doubt import Beat, doubt
from nightbell.watch.evidence import (
    Bad,
    Detector,
    Evidence,
    Excused,
    Good,
    Lost,
    Opened,
    Pulse,
    Tick,
    WentRound,
    Why,
)
from nightbell.watch.feed import files_of
from nightbell.watch.health import health_of
from nightbell.watch.judge import Announce
from nightbell.watch.memory_service import Memory
from nightbell.watch.page import Headline, MailFacts, PageFacts, headline
from nightbell.watch.pairing import Pairing
from nightbell.watch.ports import Book, Failed, Pairings, Probe, ProbeMaker, Ring, Site, StreamWord
from nightbell.watch.timings import Timings
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import NEVER_MS, Clock
from nightbell.words.errors import PlatformError

log: Final = structlog.get_logger("nightbell.watch")

MAILS_AT_ONCE: Final = 8
"""Connections to the mail server at one time: what shared mail hosts bear."""

OWN_TROUBLE_SHOWN_MS: Final = 10 * 60_000
"""How long the page tells of a stall or a fault of ours after it is over."""

PAIR_EVERY_MS: Final = 5_000
"""How often the pairing is read anew: it is one small file."""

DEADLINE_MS_MIN: Final = 20
"""Shortest wait for a deadline, so that one which cannot be met yet does not spin the loop."""


class Watch:
    """The watcher.

    Args:
        pairings: Where to learn how the platform is reached.
        make_probe: Makes the probe for a pairing.
        book: Its own file.
        mail: How people are told; None if no mail server is set up, and then the page says so.
        site: Where the page goes.
        steady: Our steady time: never jumps.
        clock: The time of day.
        words: The sentences.
        timings: The clocks.
        page_url: Where people find the page; may be empty.
        identity: Our process and port, for `/health`.
    """

    def __init__(
        self,
        *,
        pairings: Pairings,
        make_probe: ProbeMaker,
        book: Book,
        mail: Channel | None,
        site: Site,
        steady: Clock,
        clock: Clock,
        words: Catalogue,
        timings: Timings,
        page_url: str = "",
        identity: tuple[int, int] = (0, 0),
    ) -> None:
        self._pairings = pairings
        self._make_probe = make_probe
        self._memory = Memory(book)
        self._mail = mail
        self._site = site
        self._steady = steady
        self._clock = clock
        self._words = words
        self._timings = timings
        self._page_url = page_url
        self._identity = identity
        self._pairing: Pairing | None = None
        self._probe: Probe | None = None
        self._beat = Beat(0, 0)
        self._excused_ms = 0
        self._streams_lost = 0
        self._rings: dict[str, asyncio.Future[str]] = {}
        self._knock = asyncio.Event()
        self._due = asyncio.Event()
        self._reached = False
        self._roster_fails = False
        self._looked_ms = 0
        self._rang_ms = 0
        self._slept_ms = 0
        self._fault_ms = 0
        self._shown: Headline | None = None
        self._shown_ms = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._begin()
        loops: tuple[Callable[[], Awaitable[None]], ...] = (
            self._look,
            self._keep,
            self._paint,
            self._pair,
            self._listen,
            self._go_round,
            self._fetch_roster,
            self._tell,
        )
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(self._for_ever(loop))
        finally:
            await self._end()

    async def _begin(self) -> None:
        now_ms = self._steady.now_ms()
        self._beat = Beat(now_ms, self._clock.now_ms())
        await self._memory.open(now_ms, self._timings)
        incident = self._memory.judged.incident
        self._tell_the_rest()
        log.info("watch.started", incident=incident is not None, people=len(self._memory.hit))

    async def _end(self) -> None:
        if self._probe is not None:
            await self._probe.close()
        await self._memory.close()

    async def _for_ever(self, step: Callable[[], Awaitable[None]]) -> None:
        """One role: its step again and again, whatever happens in it."""
        while True:
            try:
                await step()
            except Exception as error:
                self._fault_ms = self._clock.now_ms()
                log.exception("watch.failed", role=step.__name__, kind=type(error).__name__)
                await self._sleep(self._timings.retry_every_ms)

    async def _sleep(self, duration_ms: float) -> None:
        await asyncio.sleep(max(0.0, duration_ms) / 1000)

    # ---- evidence ------------------------------------------------------------------------------------------

    def _take_in(self, evidence: Evidence) -> None:
        """Hand one piece of evidence to the judge, and note what it wants told. Does not await."""
        now_ms = self._steady.now_ms()
        self._doubt_ourselves(now_ms)
        if isinstance(evidence, Bad) and evidence.since_ms < self._excused_ms:
            return
        self._judge(evidence, now_ms)

    def _doubt_ourselves(self, now_ms: int) -> None:
        """If we slept, say so to the judge before anything that we noticed only because we slept."""
        beat = Beat(now_ms, self._clock.now_ms())
        why = doubt(self._beat, beat, expected_ms=self._timings.tick_ms, timings=self._timings)
        self._beat = beat
        if why is not None:
            self._excused_ms = now_ms
            self._slept_ms = beat.clock_ms
            log.warning("watch.slept", why=str(why))
            self._judge(Excused(), now_ms)

    def _judge(self, evidence: Evidence, now_ms: int) -> None:
        before = self._memory.judged
        after, announced = judge.handle(before, evidence, now_ms, self._timings)
        self._memory.set_judged(after)
        if after.stage is not before.stage:
            log.warning("stage.changed", stage=str(after.stage), before=str(before.stage))
        for announce in announced:
            self._announce(announce)

    def _announce(self, announce: Announce) -> None:
        """Turn an announcement into deliveries, and withdraw what it makes outdated."""
        memory = self._memory
        memory.forget(announce.at_ms)
        known = list(memory.deliveries.values())
        made: list[NoticeDelivery] = []
        if self._mail is not None:
            made = deliveries_of(
                announce,
                memory.hit,
                known,
                self._words,
                page_url=self._page_url,
                shift_ms=self._shift_ms(),
            )
            for delivery in (*withdrawn(announce, known), *made):
                memory.note(delivery)
        self._due.set()
        log.warning(
            "notice.announced",
            notice=announce.notice,
            kind=str(announce.kind),
            audience=str(announce.audience),
            people=len(memory.hit),
            mails=len(made),
            mail=self._mail is not None,
        )

    def _tell_the_rest(self) -> None:
        """In an open incident: tell who was not on our list, or could not be told, when everybody was."""
        incident, now_ms = self._memory.judged.incident, self._steady.now_ms()
        announce = None if incident is None else judge.untold(incident, now_ms, self._timings)
        if announce is not None:
            self._announce(announce)

    def _shift_ms(self) -> int:
        return self._clock.now_ms() - self._steady.now_ms()

    # ---- the loops -----------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """The judge's clock."""
        self._take_in(Tick())
        deadline_ms = self._memory.judged.deadline_ms - self._steady.now_ms()
        tick_ms = self._timings.tick_ms
        await self._sleep(max(DEADLINE_MS_MIN, min(tick_ms, deadline_ms)) if deadline_ms > 0 else tick_ms)

    async def _keep(self) -> None:
        """What is not written yet. A disk that hangs must not look like a stall of ours."""
        await self._memory.save()
        await self._sleep(self._timings.tick_ms)

    async def _paint(self) -> None:
        """The page: every few seconds, and at once when its first line changes."""
        facts = self._facts()
        head = headline(facts)
        now_ms = self._steady.now_ms()
        if head is not self._shown or self._shown_ms + self._timings.page_every_ms <= now_ms:
            self._shown, self._shown_ms = head, now_ms
            pid, port = self._identity
            facts = replace(facts, mail=self._mail_facts())
            health = msgspec.json.encode(health_of(facts, self._words, pid=pid, port=port))
            try:
                await self._site.put(files_of(facts, self._words), health)
            except PlatformError as error:
                self._fault_ms = self._clock.now_ms()
                log.warning("page.failed", code=error.code)
        await self._sleep(self._timings.tick_ms)

    async def _pair(self) -> None:
        """Learn how to reach the platform, and notice when that changes."""
        pairing = await self._pairings.read()
        if pairing is not None and pairing != self._pairing:
            # Made first: one that cannot be made, for want of a certificate say, is tried again.
            probe = self._make_probe(pairing)
            old, self._probe, self._pairing = self._probe, probe, pairing
            persons = tuple(paired.person for paired in pairing.canaries)
            self._memory.set_flock(canary.flock_of(persons, self._memory.flock))
            if old is not None:
                await old.close()
            log.info("watch.paired", canaries=len(persons))
        await self._sleep(PAIR_EVERY_MS if self._probe is not None else self._timings.tick_ms)

    async def _listen(self) -> None:
        """One life of the stream."""
        probe = self._probe
        if probe is None:
            await self._sleep(self._timings.tick_ms)
            return
        opened = False
        async with aclosing(probe.listen()) as words:
            async for word in words:
                if probe is not self._probe:
                    return
                opened = opened or isinstance(word, Opened)
                self._hear(word)
        # A stream that was open is opened again at once; one that could not be opened waits for its turn.
        await self._sleep(self._timings.tick_ms if opened else self._timings.retry_every_ms)

    def _hear(self, word: StreamWord) -> None:
        """One word of the stream."""
        self._looked_ms = self._clock.now_ms()
        if isinstance(word, Ring):
            ring = self._rings.get(word.canary)
            if ring is not None and not ring.done():
                ring.set_result(word.alarm)
            return
        if isinstance(word, Lost):
            self._streams_lost += 1
            self._knock.set()
        self._reached = self._reached or isinstance(word, Pulse)
        self._take_in(word)

    async def _go_round(self) -> None:
        """One step of one canary, or a short wait for the next."""
        probe = self._probe
        now_ms = self._steady.now_ms()
        step = None
        if probe is not None:
            knock = self._knock.is_set() or self._memory.judged.door.troubled
            self._knock.clear()
            step = canary.next_step(
                self._memory.flock, door_troubled=knock, now_ms=now_ms, timings=self._timings
            )
        if probe is None or step is None:
            await self._wait(self._knock, self._timings.tick_ms)
            return
        await self._take_step(probe, step, now_ms)
        if self._memory.judged.door.troubled:
            await self._wait(self._knock, self._timings.retry_every_ms)

    async def _wait(self, sign: asyncio.Event, duration_ms: float) -> None:
        """Wait for a sign, but not for ever."""
        try:
            async with asyncio.timeout(duration_ms / 1000):
                await sign.wait()
        except TimeoutError:
            pass

    async def _take_step(self, probe: Probe, step: Step, now_ms: int) -> None:
        """Publish what the step says; if that is a low, it must ring and be answered."""
        low = step.level == LOW_MGDL
        known = canary.canary_of(self._memory.flock, step.person)
        self._memory.set_flock(canary.begun(self._memory.flock, step, now_ms))
        ring: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if low:
            await self._memory.save()
            self._rings[step.person] = ring
        lost_before = self._streams_lost
        outcome = await probe.publish(step.person, level=step.level, measured_ms=self._clock.now_ms())
        self._looked_ms = self._clock.now_ms()
        if isinstance(outcome, Failed):
            self._take_in(Bad(Detector.DOOR, outcome.why, now_ms))
            after = canary.refused if outcome.untaken else canary.in_doubt
            self._memory.set_flock(after(self._memory.flock, step))
        else:
            self._reached = True
            self._take_in(Good(Detector.DOOR))
            if low:
                proven = known is not None and known.proven
                await self._must_ring(
                    probe, step, ring, began_ms=now_ms, lost_before=lost_before, proven=proven
                )
            else:
                self._memory.set_flock(canary.cleared_once(self._memory.flock, step, self._steady.now_ms()))
        self._rings.pop(step.person, None)

    async def _must_ring(
        self,
        probe: Probe,
        step: Step,
        ring: asyncio.Future[str],
        *,
        began_ms: int,
        lost_before: int,
        proven: bool,
    ) -> None:
        """The low was taken: now the alarm must come back, and "I've got it" must be taken."""
        try:
            async with asyncio.timeout(self._timings.ring_within_ms / 1000):
                alarm = await ring
        except TimeoutError:
            self._memory.set_flock(canary.did_not_ring(self._memory.flock, step))
            # Without the stream no ring can be heard: that is the stream's failure, and is counted there.
            heard = lost_before == self._streams_lost and not self._memory.judged.stream.troubled
            if heard and proven:
                self._take_in(Bad(Detector.ALARM, Why.NO_RING, began_ms))
            return
        self._memory.set_flock(canary.rang(self._memory.flock, step))
        self._rang_ms = self._clock.now_ms()
        self._take_in(Good(Detector.ALARM))
        asked_ms = self._steady.now_ms()
        outcome = await probe.answer(alarm)
        if isinstance(outcome, Failed):
            self._take_in(Bad(Detector.ANSWER, outcome.why, asked_ms))
        else:
            self._take_in(Good(Detector.ANSWER))
            self._take_in(WentRound(began_ms))

    async def _fetch_roster(self) -> None:
        """Keep the list of whom to tell."""
        probe = self._probe
        if probe is None:
            await self._sleep(self._timings.tick_ms)
            return
        fetched = await probe.roster()
        if isinstance(fetched, Failed):
            if not self._roster_fails:
                log.warning("roster.failed", why=str(fetched.why))
            self._roster_fails = True
            if not self._memory.flock.knocker:
                self._take_in(Bad(Detector.DOOR, fetched.why, self._steady.now_ms()))
            await self._sleep(self._timings.retry_every_ms)
            return
        if not self._memory.flock.knocker:
            # No test readings are wanted: that the platform answers at all is the best that is known.
            self._take_in(Good(Detector.DOOR))
        self._reached, self._roster_fails = True, False
        self._memory.set_roster(fetched)
        self._tell_the_rest()
        await self._memory.save()
        await self._sleep(self._timings.roster_every_ms)

    async def _tell(self) -> None:
        """Send what is due, after it is written down; write down what became of it."""
        now_ms = self._steady.now_ms()
        waiting = list(self._memory.waiting.values())
        due = [one for one in waiting if one.next_ms <= now_ms]
        due.sort(key=lambda one: (one.next_ms, one.key))
        if not due or self._mail is None:
            next_ms = min((one.next_ms for one in waiting), default=NEVER_MS)
            self._due.clear()
            await self._wait(self._due, min(self._timings.retry_every_ms, max(50, next_ms - now_ms)))
            return
        await self._memory.save()
        mail = self._mail
        async with asyncio.TaskGroup() as group:
            for delivery in due[:MAILS_AT_ONCE]:
                group.create_task(self._send(mail, delivery))
        await self._memory.save()

    async def _send(self, mail: Channel, delivery: NoticeDelivery) -> None:
        address = delivery.hit.person.email
        outcome = await mail.send(delivery.message, address, idempotency_key=delivery.key)
        if self._memory.deliveries[delivery.key].state is not DeliveryState.DUE:
            # Withdrawn while it was on its way: if it went, it went; the all-clear follows it.
            return
        tried = after_try(delivery, outcome, now_ms=self._steady.now_ms(), rule=self._timings.retry)
        self._memory.note(tried)
        log.info("notice.tried", notice=delivery.message.id, state=str(tried.state), tries=tried.tries)

    # ---- the page ------------------------------------------------------------------------------------------

    def _mail_facts(self) -> MailFacts:
        """How mail stands: what waits, and what went wrong in the open incident or the newest."""
        memory = self._memory
        past = memory.judged.past
        incident = memory.judged.incident or (past[0] if past else None)
        failed = (DeliveryState.REFUSED, DeliveryState.GIVEN_UP)
        return MailFacts(
            ready=self._mail is not None,
            waiting=len(memory.waiting),
            refused=sum(
                one.state in failed and incident is not None and one.incident == incident.id
                for one in memory.deliveries.values()
            ),
            no_address=sum(not hit.person.email for hit in memory.hit),
        )

    def _facts(self) -> PageFacts:
        """What the page says now, but for mail, which takes counting."""
        now_ms = self._clock.now_ms()
        roster_ms = 0 if self._memory.roster is None else self._memory.roster.made_ms
        return PageFacts(
            judged=self._memory.judged,
            shift_ms=self._shift_ms(),
            now_ms=now_ms,
            paired=self._probe is not None,
            reached=self._reached,
            looked_ms=self._looked_ms,
            rang_ms=self._rang_ms,
            roster_ms=roster_ms,
            roster_old=now_ms - roster_ms > self._timings.roster_stale_ms,
            mail=MailFacts(ready=self._mail is not None),
            slept_ms=self._slept_ms if now_ms - self._slept_ms < OWN_TROUBLE_SHOWN_MS else 0,
            fault_ms=self._fault_ms if now_ms - self._fault_ms < OWN_TROUBLE_SHOWN_MS else 0,
            book_fails=self._memory.fails,
            book_lost=self._memory.lost,
            url=self._page_url,
        )
