"""A house under load: phones that repeat until they are acknowledged, and a screen, all in the history."""

import asyncio
import contextlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec

from nightbell.app.control_words import Health, Nothing
from nightbell.app.platform import Platform
from nightbell.app.settings import load as load_settings
from nightbell.follow.defaults import default_limits
from nightbell.follow.service import NewFollow
from nightbell.words.glucose import Unit
from tests.acceptance.real_platform import RealPlatform
from tests.faults.checker import Verdict
from tests.faults.record import Acked, Heard, House, Recorder, Sent, Shown, Struck, now_ms
from tests.simulators.screen import Event, Screen

PATIENCE_S: Final = 120
"""How long anything may take that takes a second here: a slow machine is no failure."""

REFUSED_S_MAX: Final = 5
FRESH_MAX: Final = 20

LOW_MGDL: Final = 48
NO_LOW_MGDL: Final = 104
STEPS_MGDL: Final = (112, LOW_MGDL, 120, 121)
"""What a phone says in one visit: a low, and two readings that end it."""

STEP_MS: Final = 170_000
"""Between two of them: readings nearer than 2.5 min count as one."""

BACKLOG: Final = 40
_BEGIN_BEFORE_MS: Final = 12 * 60_000
_DAY_MS: Final = 20 * 3_600_000


class Phone:
    """One sharer's phone at a time, each with one low: what is not acknowledged is sent again."""

    def __init__(self, load: "Load", chance: random.Random) -> None:
        self._load = load
        self._chance = chance
        self._line = httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False)

    async def run(self) -> None:
        """Visit sharer after sharer until the load is over; what was begun is brought to its end."""
        while not self._load.over:
            await self._visit(self._load.next_sharer())
        await self._line.aclose()

    async def _visit(self, sharer: int) -> None:
        first_ms = max(now_ms() // 1000 * 1000 - _BEGIN_BEFORE_MS, self._load.measured_ms.get(sharer, 0))
        for number, usual in enumerate(STEPS_MGDL):
            level = NO_LOW_MGDL if usual == LOW_MGDL and self._load.without_lows else usual
            await asyncio.sleep(self._chance.uniform(0.02, 0.4) * self._load.pause)
            at_ms = first_ms + number * STEP_MS
            self._load.measured_ms[sharer] = at_ms + STEP_MS
            while at_ms > now_ms() and not self._load.over:
                await asyncio.sleep(0.1)
            if at_ms > now_ms():
                return
            await self._until_acked(sharer, [(at_ms, level)], late=False)
            if level == LOW_MGDL:
                with contextlib.suppress(TimeoutError):  # the checker sees that it did not ring
                    await asyncio.wait_for(self._load.rang[sharer].wait(), PATIENCE_S)
        old_ms = first_ms - _DAY_MS
        await self._until_acked(sharer, [(old_ms + at * 1000, 90 + at) for at in range(BACKLOG)], late=True)
        self._load.rang[sharer].clear()

    async def _until_acked(self, sharer: int, readings: Sequence[tuple[int, int]], *, late: bool) -> None:
        write = self._load.recorder.write
        for at_ms, level in readings:
            write(Sent(now_ms(), sharer, at_ms, level, late))
        body = {"readings": [{"measured_at": at_ms, "glucose_mgdl": level} for at_ms, level in readings]}
        while not await self._try(sharer, body, len(readings)):
            if late and self._load.over:
                return  # on a busy machine backlogs give way for minutes, as they should
            await asyncio.sleep(self._chance.uniform(0.02, 0.1))
        for at_ms, level in readings:
            write(Acked(now_ms(), sharer, at_ms, level))
        self._load.acked += len(readings)

    async def _try(self, sharer: int, body: object, count: int) -> bool:
        headers = {"authorization": f"Bearer {self._load.keys[sharer]}"}
        try:
            answer = await self._line.post(
                f"{self._load.platform.url}/v1/readings", json=body, headers=headers
            )
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["accepted"] == count


async def furnished(folder: Path, sharers: int) -> tuple[list[str], str]:
    """Make a house in which Ben and Cleo follow everybody with alarms; the sharers' keys, and Ben's grant."""
    settings = load_settings(folder, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    platform = Platform(folder, settings, tls=None)
    await platform.start()
    accounts, at_ms = platform.accounts, platform.clock.now_ms()
    people = await accounts.add_people([f"Ana {n}" for n in range(sharers)], share=True, now_ms=at_ms)
    told = await accounts.add_people(["Ben", "Cleo"], share=False, now_ms=at_ms)
    limits = default_limits(Unit.MGDL)
    await platform.follows.add_many(
        [NewFollow(ana.id, follower.id, limits) for ana in people for follower in told], at_ms
    )
    keys = [key.secret for key in await accounts.add_publish_keys(people, at_ms)]
    (grant, *_) = await accounts.add_grants(told, "phone", at_ms)
    await platform.close()
    return keys, grant.token


class Load:
    """A furnished house, its platform, its phones and one follower's screen."""

    def __init__(
        self, folder: Path, *, sharers: int, phones: int, seed: int, data: Path | None = None
    ) -> None:
        self.folder = folder
        self.sharers = sharers
        self.phones = phones
        self.rang = [asyncio.Event() for _ in range(sharers)]
        self.measured_ms: dict[int, int] = {}
        self._next = 0
        self.seed = seed
        self.data = data or folder / "data"
        self.history = folder / "history.jsonl"
        self.platform = RealPlatform(self.data)
        self.pause = 1.0
        self.over = False
        self.reconnects = 0
        self.unshown = 0
        self.acked = 0
        self.without_lows = False
        self.first_port = 0
        self.under: Sequence[str] = ()
        self.screen_pause_s = 0.02
        self._screen: Screen | None = None

    async def begin(self, prepare: Callable[["Load"], None]) -> None:
        """Furnish, prepare what is special, start, and begin to send."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.keys, self.follower = await furnished(self.data, self.sharers)
        self.recorder = Recorder(self.history)
        self.recorder.write(House(self.seed, 2))
        prepare(self)
        await self.platform.start(self.first_port, under=self.under)
        self.speak()

    def speak(self) -> None:
        """Phones send, and the screen listens."""
        chance = random.Random(self.seed)
        phones = [Phone(self, random.Random(chance.random())) for _ in range(self.phones)]
        self._listening = asyncio.create_task(self._listen())
        self._sending = [asyncio.create_task(phone.run()) for phone in phones]

    def copied(self, folder: Path) -> "Load":
        """The same house with the same past, once its platform has ended: a load of its own."""
        copy = Load(folder, sharers=self.sharers, phones=self.phones, seed=self.seed)
        shutil.copytree(self.data, copy.data, ignore=shutil.ignore_patterns("*.sock"))
        shutil.copy(self.history, copy.history)
        copy.keys, copy.follower, copy.recorder = self.keys, self.follower, Recorder(copy.history)
        copy.measured_ms, copy._next = dict(self.measured_ms), self._next
        return copy

    def next_sharer(self) -> int:
        """Whose phone speaks next: all of them in turn."""
        self._next = (self._next + 1) % self.sharers
        return self._next

    async def strike(self, fault: str, *, under: Sequence[str] = (), how: int = signal.SIGKILL) -> float:
        """Kill it and start it again; how long from the start until its door was open, seconds."""
        port = self.platform.port
        await self.platform.kill(how)
        started = time.monotonic()
        await self.platform.start(port, under=under)
        away_s = time.monotonic() - started
        self.note(fault, int(away_s * 1000))
        return away_s

    def note(self, fault: str, away_ms: int = -1) -> None:
        """Something was done to the platform."""
        self.recorder.write(Struck(now_ms(), fault, away_ms))

    def drop_screen(self) -> None:
        """Break the screen's connection off."""
        if self._screen is not None:
            self._screen._writer.transport.abort()

    async def settle(self, *, may_fail: bool = False) -> None:
        """Every phone is through, and all that it sent is evaluated. If graphs may fail, they are counted."""
        self.over = True
        await asyncio.gather(*self._sending)
        end_ms = now_ms()
        async with asyncio.timeout(PATIENCE_S):
            while self.health().evaluated_tick_ms <= end_ms:
                await asyncio.sleep(0.1)
        await self._look(may_fail=may_fail)

    def health(self) -> Health:
        """What it says of itself."""
        return self.platform.ask("health", Nothing(), Health)

    async def end(self) -> Verdict:
        """Settle, stop in order, and have the history checked in a process of its own."""
        await self.leave()
        return await self.judged()

    async def judged(self) -> Verdict:
        """What the checker says, once the platform has ended."""
        return await asyncio.to_thread(checked, self.history, self.data)

    async def leave(self) -> None:
        """Settle, and stop in order."""
        await self.settle()
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self.drop_screen()
        await self.platform.kill(signal.SIGTERM)
        self.recorder.close()

    async def _look(self, *, may_fail: bool = False) -> None:
        """As a follower would, at every graph."""
        headers = {"authorization": f"Bearer {self.follower}"}
        async with httpx.AsyncClient(
            base_url=self.platform.url, headers=headers, timeout=PATIENCE_S, trust_env=False
        ) as line:
            people = (await line.get("/v1/people")).json()["people"]
            for tile in people:
                if tile["sharer"] not in self.measured_ms:
                    continue
                answer = await self._graph(line, tile["id"])
                if not answer.is_success:
                    assert may_fail, f"a graph was asked for: {answer.status_code} {answer.text[:400]}"
                    self.unshown += 1
                    continue
                points = tuple(
                    (point["measured_ms"] // 1000, point["glucose_mgdl"]) for point in answer.json()["points"]
                )
                self.recorder.write(Shown(now_ms(), tile["sharer"], points))

    async def _graph(self, line: httpx.AsyncClient, person: str) -> httpx.Response:
        """One graph, asked for again while others go first; where that lasts, of a fresh platform.

        On a busy machine graphs are refused for minutes, as they should be; what they show is the same.
        """
        answer = httpx.Response(503)
        for _ in range(FRESH_MAX):
            until = time.monotonic() + REFUSED_S_MAX
            while time.monotonic() < until:
                answer = await line.get(f"/v1/people/{person}/readings", params={"hours": 24})
                if b'"overloaded"' not in answer.content:
                    return answer
                await asyncio.sleep(1)
            await self.strike("to be asked for graphs in calm", how=signal.SIGTERM)
        return answer

    async def _listen(self) -> None:
        """One follower's screen: comes back after every break, with the id of the last it heard."""
        last = ""
        while True:
            try:
                await self._connect(last)
                assert self._screen is not None
                while True:
                    event = await self._screen.event()
                    last = event.id
                    self._take(event)
            except (OSError, EOFError):
                self.reconnects += 1
                if self._screen is not None:
                    await self._screen.close()
                await asyncio.sleep(self.screen_pause_s)

    async def _connect(self, last: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.platform.port, limit=1 << 22)
        resume = f"Last-Event-ID: {last}\r\n" if last else ""
        bearer = f"Authorization: Bearer {self.follower}\r\n"
        writer.write(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\n{bearer}{resume}\r\n".encode())
        self._screen = Screen(reader, writer)
        await self._screen.begin()
        if self._screen.status != 200:
            raise EOFError

    def _take(self, event: Event) -> None:
        if event.name == "notification":
            self._heard(event.data, snapshot=False)
        elif event.name == "snapshot":
            for person in event.data["people"]:
                for told in person["told"]:
                    self._heard(told, snapshot=True)

    def _heard(self, told: dict[str, object], *, snapshot: bool) -> None:
        found = msgspec.convert({**told, "at_ms": now_ms(), "snapshot": snapshot, "what": "heard"}, Heard)
        self.recorder.write(found)
        if "low" in str(told["condition"]) and told["urgent"]:
            self.rang[found.sharer].set()


def free_port() -> int:
    """A port that nobody uses now: one that begins anew must answer where the phones knock."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def checked(history: Path, data: Path) -> Verdict:
    """What the checker says, in a process that shares nothing with the load."""
    command = [sys.executable, "-m", "tests.faults.checker", str(history), str(data)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 ours
    assert done.stdout, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Verdict)


@asynccontextmanager
async def loaded(
    folder: Path,
    *,
    sharers: int,
    phones: int,
    seed: int,
    data: Path | None = None,
    prepare: Callable[[Load], None] = lambda _: None,
) -> AsyncIterator[Load]:
    """A house under load, its files in `data` if that is somewhere else.

    What is special about its platform is set by `prepare`, once the house is furnished and before it starts.
    """
    load = Load(folder, sharers=sharers, phones=phones, seed=seed, data=data)
    async with never_left(load):
        await load.begin(prepare)
        yield load


@asynccontextmanager
async def never_left(load: Load) -> AsyncIterator[None]:
    """Whatever happens, no process stays behind."""
    try:
        yield
    finally:
        load.over = True
        process = getattr(load.platform, "process", None)
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        (load.folder / "said.log").write_bytes(b"".join(load.platform.said))
