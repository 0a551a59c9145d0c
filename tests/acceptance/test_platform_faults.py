"""Goal: whatever call of the append path fails, `nightbell up` acknowledges only what it kept, and rings.

Method: a real platform, Ana's phone and Ben's screen over real connections. While it runs, strace makes
system calls on the journal's files fail, or a limit cuts every write short. Then the fault is taken away, the
phone sends again what it still has, the platform is killed and started, and everything is counted.
"""

import asyncio
import resource
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.app.control_words import Health, Nothing
from nightbell.words.clock import from_ms
from tests.acceptance.real_platform import RealPlatform
from tests.acceptance.tracing import can_attach, tampered, tampered_from_birth
from tests.simulators.screen import Event, Screen

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

PATIENCE_S: Final = 60
"""How long anything may take that takes a second here: a slow machine is no failure."""

STEP_MS: Final = 60_000
"""Between two readings, so that all of them are live."""

needs_attaching = pytest.mark.skipif(not can_attach(), reason="needs strace and the right to attach it")


class Phone:
    """Ana's phone: what was not acknowledged it keeps and sends again."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._next_ms = time.time_ns() // 1_000_000_000 * 1000 - 12 * STEP_MS
        self.owed: dict[int, int] = {}
        self.acknowledged: list[int] = []

    async def measure(self, level: int) -> httpx.Response:
        """Send one new reading, once."""
        self._next_ms += STEP_MS
        self.owed[self._next_ms] = level
        return await self._send(self._next_ms)

    async def send_what_is_owed(self) -> None:
        """Until all is acknowledged."""
        async with asyncio.timeout(PATIENCE_S):
            while self.owed:
                await self._send(min(self.owed))
                await asyncio.sleep(0.05)

    async def _send(self, at_ms: int) -> httpx.Response:
        reading = {"measured_at": at_ms, "glucose_mgdl": self.owed[at_ms]}
        answer = await self._client.post("/v1/readings", json={"readings": [reading]})
        if answer.is_success:
            assert answer.json()["accepted"] == 1
            del self.owed[at_ms]
            self.acknowledged.append(at_ms)
        return answer


class Scene:
    """The platform, Ana with her phone, and Ben with a screen."""

    def __init__(self, platform: RealPlatform) -> None:
        self.platform = platform
        self.ana = platform.add_person("Ana")
        platform.add_person("Ben")
        platform.let_follow("Ana", "Ben")
        self.ben_key = platform.add_key("Ben", "follow")
        self.ben = platform.client(self.ben_key)
        self._phone_line = platform.client(platform.add_key("Ana", "publish"))
        self._phone_line.timeout = PATIENCE_S
        self.phone = Phone(self._phone_line)
        self.screen: Screen

    async def open_screen(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.platform.port)
        head = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.ben_key}\r\n\r\n"
        writer.write(head.encode())
        self.screen = Screen(reader, writer)
        await self.screen.begin()
        assert self.screen.status == 200

    async def heard(self, name: str, true: Callable[[dict[str, object]], object]) -> Event:
        """The next event of this name on Ben's screen of which that is true."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self.screen.next(name)
                if true(event.data):
                    return event

    async def rang(self) -> Event:
        """The urgent low has rung on Ben's screen."""
        return await self.heard("notification", lambda told: told["condition"] == "urgent_low")

    async def until_health(self, true: Callable[[Health], bool]) -> Health:
        async with asyncio.timeout(PATIENCE_S):
            while not true(found := self.platform.ask("health", Nothing(), Health)):
                await asyncio.sleep(0.1)
        return found

    async def killed_and_started(self) -> None:
        port = self.platform.port
        await self.platform.kill()
        await self.platform.start(port)

    async def stopped_and_started(self, *, under: Sequence[str]) -> None:
        port = self.platform.port
        await self.platform.kill(signal.SIGTERM)
        await self.platform.start(port, under=under)

    async def kept(self) -> Counter[int]:
        """How often Ben finds each reading, by when it was measured."""
        answer = await self.ben.get(f"/v1/people/{self.ana.person}/readings", params={"hours": 1})
        return Counter(point["measured_ms"] // 1000 * 1000 for point in answer.json()["points"])

    async def lows(self) -> list[str]:
        """The states of Ana's low alarms, as Ben sees them."""
        answer = await self.ben.get(f"/v1/people/{self.ana.person}/alarms")
        return [alarm["state"] for alarm in answer.json()["alarms"] if alarm["family"] == "low"]

    async def leave(self) -> None:
        await self.screen.close()
        await self.ben.aclose()
        await self._phone_line.aclose()


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """All is well: a first reading is acknowledged, and Ben's screen shows it."""
    async with RealPlatform(folder) as platform:
        opened = Scene(platform)
        await opened.open_screen()
        try:
            assert (await opened.phone.measure(112)).status_code == 200
            await opened.heard("reading", lambda reading: reading["level_mgdl"] == 112 and reading["kept"])
            yield opened
        finally:
            await opened.leave()


def journal_files(folder: Path) -> list[Path]:
    """Every file the journal may write in the next hours, and its folder.

    After a failed sync a fresh file is begun, so one name is not enough.
    """
    today = from_ms(time.time_ns() // 1_000_000).date()
    days = (today, today + timedelta(days=1))
    names = [f"{day}{number}.sqlite" for day in days for number in ("", ".1", ".2", ".3")]
    endings = ("", "-wal", "-shm", "-journal", ".beginning")
    return [folder, *(folder / f"{name}{ending}" for name in names for ending in endings)]


def in_journal(folder: Path) -> Counter[int]:
    """How often each reading is in the journal of a platform that ended, by when it was measured."""
    store = SqliteJournalStore(folder)
    store.open(now_ms=time.time_ns() // 1_000_000, seen_seq=0)
    found: Counter[int] = Counter()
    for group in store.replay(0):
        found.update((group.readings["measured_ms"] // 1000 * 1000).tolist())
    store.close()
    return found


def assert_refused(answer: httpx.Response) -> None:
    """As a phone must hear it: not kept, why, and when to try again."""
    assert answer.status_code == 503, answer.text
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= 60
    problem = answer.json()
    assert problem["code"] == "not_durable"
    assert "could not write the readings down" in problem["detail"]
    assert f"send all of it again in {seconds} seconds" in problem["detail"]


async def assert_heals_and_kept_all_once(scene: Scene) -> None:
    """The fault is gone: nothing has to be done by anybody, and nothing promised was lost."""
    await scene.phone.send_what_is_owed()
    assert (await scene.phone.measure(49)).status_code == 200
    await scene.until_health(lambda health: health.well)
    assert scene.platform.process.returncode is None, "it ran all the time"

    await scene.killed_and_started()

    kept = await scene.kept()
    assert {at_ms: kept[at_ms] for at_ms in scene.phone.acknowledged} == dict.fromkeys(
        scene.phone.acknowledged, 1
    )
    assert "ringing" in await scene.lows()
    await scene.platform.kill()
    held = in_journal(scene.platform.folder / "journal")
    assert [at_ms for at_ms in scene.phone.acknowledged if held[at_ms] != 1] == []


@needs_attaching
async def test_a_low_that_was_never_kept_rings_on_after_a_kill_though_no_phone_sends_it_again(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    async with scene(data) as ana:
        async with tampered(
            ana.platform.process,
            "pwrite64:error=ENOSPC",
            paths=journal_files(data / "journal"),
            trace=tmp_path / "trace",
        ):
            assert_refused(await ana.phone.measure(50))
            before = await ana.rang()
            # The ledger holds that it rang; the journal does not hold why.
            async with asyncio.timeout(PATIENCE_S):
                while await ana.lows() != ["ringing"]:
                    await asyncio.sleep(0.1)
            await ana.killed_and_started()
        await ana.screen.close()
        await ana.open_screen()

        shown = await ana.screen.next("snapshot")
        if not shown.data["people"][0]["alarms"]:
            assert (await ana.rang()).data["alarm"] != before.data["alarm"]
        assert await ana.lows() == ["ringing", "resolved"]
        await assert_heals_and_kept_all_once(ana)


@needs_attaching
async def test_a_platform_that_starts_while_the_disk_refuses_opens_its_door_and_rings(tmp_path: Path) -> None:
    data = tmp_path / "data"
    refusing = tampered_from_birth(
        "fdatasync,fsync:error=EIO", paths=journal_files(data / "journal"), trace=tmp_path / "trace"
    )
    async with scene(data) as ana:
        await ana.stopped_and_started(under=refusing)
        await ana.screen.close()
        await ana.open_screen()

        assert_refused(await ana.phone.measure(50))
        assert (await ana.rang()).data["urgent"]
        health = await ana.until_health(lambda health: not health.well)

        assert BROKEN in health.failing
        await ana.killed_and_started()
        await assert_heals_and_kept_all_once(ana)


FULL: Final = "Free some space on that disk"
BROKEN: Final = "Check the disk."

STANDING: Final = {
    "writes: EIO": ("pwrite64:error=EIO", BROKEN),
    "writes: ENOSPC": ("pwrite64:error=ENOSPC", FULL),
    "syncs: EIO": ("fdatasync,fsync:error=EIO", BROKEN),
    "syncs: ENOSPC": ("fdatasync,fsync:error=ENOSPC", BROKEN),
    "everything: EIO": (
        "openat,unlink,ftruncate,pread64,pwrite64,fdatasync,fsync:error=EIO",
        BROKEN,
    ),
}


@needs_attaching
@pytest.mark.parametrize(("inject", "what_to_do"), STANDING.values(), ids=STANDING)
async def test_while_the_journal_cannot_be_written_nothing_is_acknowledged_and_a_low_rings(
    inject: str, what_to_do: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with scene(data) as ana:
        async with tampered(
            ana.platform.process, inject, paths=journal_files(data / "journal"), trace=tmp_path / "trace"
        ):
            refused = [await ana.phone.measure(level) for level in (104, 50)]
            told = await ana.rang()
            health = await ana.until_health(lambda health: not health.well)
            beat = await ana.heard("hb", lambda beat: beat["server_ms"])
            taken = await ana.ben.post(f"/v1/alarms/{told.data['alarm']}/answer")

        for answer in refused:
            assert_refused(answer)
        assert told.data["urgent"]
        assert what_to_do in health.failing
        assert "Alarms still work." in health.failing
        assert beat.data["watching"], "alarms are evaluated"
        assert taken.status_code == 503, "an answer that is not kept would be forgotten, and nobody go"
        await assert_heals_and_kept_all_once(ana)


PASSING: Final = {
    "every other write: EINTR": "pwrite64:error=EINTR:when=1+2",
    "every third write: EIO": "pwrite64:error=EIO:when=2+3",
    "every other sync: EINTR": "fdatasync,fsync:error=EINTR:when=1+2",
    "every fifth sync: ENOSPC": "fdatasync,fsync:error=ENOSPC:when=2+5",
}


@needs_attaching
@pytest.mark.parametrize("inject", PASSING.values(), ids=PASSING)
async def test_a_fault_that_comes_and_goes_costs_no_acknowledged_reading_and_no_alarm(
    inject: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with scene(data) as ana:
        async with tampered(
            ana.platform.process, inject, paths=journal_files(data / "journal"), trace=tmp_path / "trace"
        ):
            answers = [await ana.phone.measure(level) for level in (104, 50, 51, 52, 51, 50)]
            await ana.rang()

        for answer in answers:
            if answer.status_code != 200:
                assert_refused(answer)
        if "pwrite64:error=EINTR" in inject:
            assert ana.phone.owed == {}, "an interrupted write is repeated, not refused"
        await assert_heals_and_kept_all_once(ana)


async def test_writes_cut_short_everywhere_cost_no_acknowledged_reading_and_no_alarm(tmp_path: Path) -> None:
    """Of a write beyond the limit the kernel writes a part or nothing; the ledger and history suffer too."""
    async with scene(tmp_path) as ana:
        pid, (_, hard) = ana.platform.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (2_000, hard))
        refused = [await ana.phone.measure(level) for level in (104, 50)]
        told = await ana.rang()
        health = await ana.until_health(lambda health: "Alarms still work." in health.failing)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

        for answer in refused:
            assert_refused(answer)
        assert told.data["urgent"]
        assert BROKEN in health.failing
        await assert_heals_and_kept_all_once(ana)


@needs_attaching
async def test_a_disk_that_takes_half_a_second_for_each_sync_refuses_and_silences_nothing(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    slow = "fdatasync,fsync:delay_exit=500000"
    async with scene(data) as ana:
        async with tampered(ana.platform.process, slow, paths=(), trace=tmp_path / "trace"):
            answers = [await ana.phone.measure(level) for level in (104, 50)]
            await ana.rang()

        assert [answer.status_code for answer in answers] == [200, 200]
        await assert_heals_and_kept_all_once(ana)
