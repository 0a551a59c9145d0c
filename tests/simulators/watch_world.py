"""A world for the watcher in virtual time: a platform that behaves, breaks and comes back; mail; a book.

Time passes only when nobody has anything to do, so an hour takes a moment. Nothing here is a mock: the
platform opens and clears alarms by the rules, refuses, hangs and rings late like a real one.
"""

import asyncio
import random
import selectors
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Self, TypeVar

import msgspec

from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Sent, Unavailable
from nightbell.watch.canary import Flock
from nightbell.watch.delivery import NoticeDelivery
from nightbell.watch.evidence import Lost, Opened, Pulse, Why
from nightbell.watch.health import Health
from nightbell.watch.judge import Judged
from nightbell.watch.pairing import CANARIES, PairedCanary, Pairing
from nightbell.watch.ports import Change, Done, Failed, Kept, Ring, StreamWord
from nightbell.watch.roster import Roster, RosterPerson, RosterSharer
from nightbell.watch.service import Watch
from nightbell.watch.timings import Timings
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import EpochMs
from nightbell.words.errors import ErrorCode, PlatformError
from nightbell.words.glucose import Unit

Got = TypeVar("Got")

NIGHT_MS = 1_795_312_800_000  # 2026-11-22 02:00:00 UTC
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

ANA, BEN, CLEO, DAN = "ana", "ben", "cleo", "dan"


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._jumped_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._jumped_s

    def jump(self, seconds: float) -> None:
        """Let time pass while nothing runs: also what a stalled process lives through."""
        self._jumped_s += seconds


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen again")
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready


def in_virtual_time(work: Callable[[], Awaitable[Got]]) -> Got:
    """Run it on a loop whose time jumps."""

    async def main() -> Got:
        return await work()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main())


class LoopClock:
    """The time of the loop, as epoch ms; `ahead_ms` is how far somebody has set the clock."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms

    def now_ms(self) -> EpochMs:
        return EpochMs(NIGHT_MS + self.ahead_ms + round(asyncio.get_running_loop().time() * 1000))


async def pass_ms(duration_ms: float) -> None:
    """Let that much time pass."""
    await asyncio.sleep(duration_ms / 1000)


class Mode(StrEnum):
    """How the platform is."""

    UP = "up"
    DOWN = "down"  # nobody listens
    HUNG = "hung"  # it accepts and says nothing
    UNREACHABLE = "unreachable"  # our own network is gone


class Platform:
    """A platform behind the `Probe` port.

    Attributes:
        mode: How it is.
        rings: Whether alarms go out.
        answers: Whether answers are taken.
        watching: What its heartbeats say.
        fails: Asked before each request: whether this one fails for no reason, a blip.
    """

    def __init__(self, timings: Timings, *, seed: int = 1) -> None:
        self.mode = Mode.UP
        self.rings = True
        self.answers = True
        self.watching = True
        self.fails: Callable[[], bool] = lambda: False
        self.answered: list[str] = []
        self.published: list[tuple[str, int, int]] = []
        self.roster_now = family()
        self._timings = timings
        self._chance = random.Random(seed)
        self._listeners: set[asyncio.Queue[StreamWord]] = set()
        self._open: dict[str, str] = {}
        self._clears: dict[str, list[int]] = {}
        self._alarms = 0

    def kill(self) -> None:
        """As by `kill -9`: every connection breaks at once."""
        self.mode = Mode.DOWN
        self.break_streams(Why.BROKEN)

    def break_streams(self, why: Why) -> None:
        for listener in self._listeners:
            listener.put_nowait(Lost(why))
        self._listeners.clear()

    async def beat(self) -> None:
        """Heartbeats, for ever."""
        while True:
            await pass_ms(10 * SECOND)
            if self.mode is Mode.UP:
                for listener in self._listeners:
                    listener.put_nowait(Pulse(self.watching, self._chance.randrange(1500)))

    async def _reached(self) -> Failed | None:
        await pass_ms(self._chance.uniform(5, 400))
        match self.mode:
            case Mode.DOWN:
                return Failed(Why.REFUSED, untaken=True)
            case Mode.UNREACHABLE:
                return Failed(Why.UNREACHABLE, untaken=True)
            case Mode.HUNG:
                await pass_ms(self._timings.request_within_ms)
                return Failed(Why.LATE, untaken=False)
            case Mode.UP:
                return Failed(Why.STATUS, untaken=False) if self.fails() else None

    async def publish(self, canary: str, *, level: int, measured_ms: int) -> Done | Failed:
        failed = await self._reached()
        if failed is not None:
            return failed
        self.published.append((canary, level, measured_ms))
        if level < 70:
            self._clears[canary] = []
            if canary not in self._open:
                self._alarms += 1
                self._open[canary] = f"alarm{self._alarms}"
                if self.rings:
                    asyncio.get_running_loop().call_later(self._chance.uniform(0.05, 1.5), self._ring, canary)
        elif canary in self._open:
            # The uploader says what its clock shows, so a wrong one is corrected: our own time counts.
            clears, now_ms = self._clears[canary], LoopClock().now_ms()
            if not clears or now_ms - clears[-1] >= 150 * SECOND:
                clears.append(now_ms)
            if len(clears) >= 2:
                del self._open[canary]
        return Done()

    def leave_open(self, canary: str) -> None:
        """An alarm that is open from before."""
        self._open[canary] = f"old-{canary}"
        self._clears[canary] = []

    def _ring(self, canary: str) -> None:
        if self.mode is Mode.UP:
            for listener in self._listeners:
                listener.put_nowait(Ring(canary, self._open[canary]))

    async def listen(self) -> AsyncGenerator[StreamWord, None]:
        failed = await self._reached()
        if failed is not None:
            yield Lost(failed.why)
            return
        words: asyncio.Queue[StreamWord] = asyncio.Queue()
        self._listeners.add(words)
        yield Opened()
        while True:
            try:
                async with asyncio.timeout(self._timings.heartbeat_overdue_ms / 1000):
                    word = await words.get()
            except TimeoutError:
                word = Lost(Why.SILENT)
            yield word
            if isinstance(word, Lost):
                self._listeners.discard(words)
                return

    async def answer(self, alarm: str) -> Done | Failed:
        failed = await self._reached()
        if failed is not None:
            return failed
        if not self.answers:
            return Failed(Why.STATUS, untaken=False)
        self.answered.append(alarm)
        return Done()

    async def roster(self) -> Roster | Failed:
        failed = await self._reached()
        if failed is not None:
            return failed
        return Roster(LoopClock().now_ms(), self.roster_now.sharers, self.roster_now.people)

    async def close(self) -> None:
        self._listeners.clear()


def family(*, ana_urgent: bool = False) -> Roster:
    """Ana and Cleo share; Ben follows Ana, Cleo follows Ana; Dan follows nobody."""
    return Roster(
        made_ms=NIGHT_MS,
        sharers=(RosterSharer(ANA, NIGHT_MS, ana_urgent), RosterSharer(CLEO, NIGHT_MS, urgent=False)),
        people=(
            RosterPerson(ANA, "Ana", "ana@example.org", Unit.MGDL, "UTC"),
            RosterPerson(BEN, "Ben", "ben@example.org", Unit.MMOL, "Europe/Lisbon", (ANA,)),
            RosterPerson(CLEO, "Cleo", "cleo@example.org", Unit.MGDL, "America/New_York"),
            RosterPerson(DAN, "Dan", "dan@example.org", Unit.MGDL, "UTC"),
        ),
    )


class Mailbox:
    """A mail server and the mailboxes behind it.

    Attributes:
        mails: What it took: when, to whom, the message, the key.
        up: Whether it takes anything.
        dead: Set when the process that uses it is gone: nothing arrives any more.
    """

    name = "email"
    checklist = Checklist(Proof.NOTHING, True, False, 0, "notice.page")

    def __init__(self) -> None:
        self.mails: list[tuple[int, str, Message, str]] = []
        self.up = True

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        await pass_ms(300)
        if not self.up:
            return Unavailable("the mail server does not answer")
        self.mails.append((LoopClock().now_ms(), address, message, idempotency_key))
        return Sent()

    def to(self, address: str) -> list[str]:
        """Subjects that reached an address, in order."""
        return [message.subject for _, to, message, _ in self.mails if to == address]


class Shelf:
    """A book in memory that outlives the watcher that wrote it, as a disk does."""

    def __init__(self) -> None:
        self.judged = Judged()
        self.flock = Flock()
        self.roster: Roster | None = None
        self.deliveries: dict[str, NoticeDelivery] = {}


class ShelfBook:
    """One process's handle on the shelf; after `dead` is set its writes reach nothing."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.dead = False
        self.full = False

    async def open(self, *, forget_before_ms: int) -> Kept:
        shelf = self._shelf
        kept = tuple(one for one in shelf.deliveries.values() if one.made_ms >= forget_before_ms)
        return Kept(shelf.judged, shelf.flock, shelf.roster, kept, lost=False)

    async def write(self, change: Change) -> None:
        await pass_ms(5)
        if self.full:
            raise PlatformError(ErrorCode.NOT_DURABLE, "no room left")
        if self.dead:
            return
        shelf = self._shelf
        shelf.judged = change.judged or shelf.judged
        shelf.flock = change.flock or shelf.flock
        shelf.roster = change.roster or shelf.roster
        shelf.deliveries.update({one.key: one for one in change.deliveries})

    async def close(self) -> None:
        self.dead = True


class Wall:
    """Where the page hangs."""

    def __init__(self) -> None:
        self.files: Mapping[str, bytes] = {}
        self.health: Health | None = None
        self.heads: list[tuple[int, str]] = []

    async def put(self, files: Mapping[str, bytes], health: bytes) -> None:
        self.files = files
        self.health = msgspec.json.decode(health, type=Health)
        if not self.heads or self.heads[-1][1] != self.health.state:
            self.heads.append((LoopClock().now_ms(), str(self.health.state)))

    @property
    def page(self) -> str:
        return self.files["index.html"].decode()


class OnePairing:
    """A pairing that is there."""

    def __init__(self, pairing: Pairing | None) -> None:
        self.pairing = pairing

    async def read(self) -> Pairing | None:
        return self.pairing


PAIRED = Pairing(
    base_url="http://127.0.0.1:1",
    follower="follower",
    follower_key="f",
    roster_key="r",
    canaries=tuple(PairedCanary(f"canary{number}", number, "k") for number in range(CANARIES)),
)


class World:
    """A platform, a watcher beside it, and everybody's mailboxes."""

    def __init__(self, *, seed: int = 1, mail: bool = True, timings: Timings | None = None) -> None:
        self.timings = timings or Timings()
        self.platform = Platform(self.timings, seed=seed)
        self.mailbox = Mailbox()
        self.shelf = Shelf()
        self.wall = Wall()
        self.clock = LoopClock()
        self.pairings = OnePairing(PAIRED)
        self.with_mail = mail
        self.unusable = False
        self._book: ShelfBook | None = None
        self._watching: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    @property
    def book(self) -> ShelfBook:
        assert self._book is not None
        return self._book

    async def __aenter__(self) -> Self:
        self._beating = asyncio.create_task(self.platform.beat())
        self.start_watcher()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill_watcher()
        for task in (self._watching, self._beating):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def start_watcher(self) -> None:
        """A new watcher process on the same folder."""
        self._book = ShelfBook(self.shelf)
        watch = Watch(
            pairings=self.pairings,
            make_probe=self._probe,
            book=self._book,
            mail=self.mailbox if self.with_mail else None,
            site=self.wall,
            steady=LoopClock(),
            clock=self.clock,
            words=catalogue(),
            timings=self.timings,
            page_url="https://watch.example.org",
        )
        self._watching = asyncio.create_task(watch.run())

    def _probe(self, _: Pairing) -> Platform:
        if self.unusable:
            raise FileNotFoundError("the certificate")
        return self.platform

    def kill_watcher(self) -> None:
        """As by `kill -9`: nothing it still does reaches the disk; the task dies at its next step."""
        if self._book is not None:
            self._book.dead = True
        if self._watching is not None:
            self._watching.cancel()
        self.platform.break_streams(Why.BROKEN)

    def now_ms(self) -> int:
        return LoopClock().now_ms()


AFFECTED = ("ana@example.org", "ben@example.org", "cleo@example.org")
"""Everybody whom a failure concerns, by address: Dan is not."""


def first_words(world: World) -> list[str]:
    """Addresses that were told "NOT being watched", in order."""
    return [
        address
        for _, address, message, _ in world.mailbox.mails
        if message.subject.startswith("You are NOT being watched")
    ]


def all_clears(world: World) -> list[str]:
    """Addresses that were told "watching again", in order."""
    return [to for _, to, message, _ in world.mailbox.mails if message.subject.startswith("We are watching")]
