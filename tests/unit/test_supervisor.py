"""What systemd is told, over a real socket: ready with the open door, alive only while alarms are decided."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightbell.app.platform import WELL_MS_MAX, Platform
from nightbell.app.settings import load
from nightbell.app.supervisor import Supervisor
from nightbell.words.clock import ManualClock
from tests.acceptance.real_platform import RealPlatform

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

START_MS = 1_763_800_000_000
PATIENCE_US = "200000"


class Systemd:
    """The other end of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    @property
    def environ(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": PATIENCE_US}

    async def word(self, within_s: float = 30) -> str:
        """The next word."""
        async with asyncio.timeout(within_s):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode()

    def forget(self) -> None:
        """Pass over what was said so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(4096)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path / "notify")
    yield made
    made.close()


async def test_the_watchdog_is_fed_while_alarms_are_decided_and_starves_when_they_are_not(
    systemd: Systemd,
) -> None:
    deciding = True
    reassuring = asyncio.create_task(Supervisor(systemd.environ).reassure(lambda: deciding))
    fed = [await systemd.word() for _ in range(3)]

    deciding = False
    await asyncio.sleep(0.1)
    systemd.forget()
    with pytest.raises(TimeoutError):
        await systemd.word(within_s=0.5)
    deciding = True
    again = await systemd.word()
    reassuring.cancel()

    assert fed == ["WATCHDOG=1"] * 3
    assert again == "WATCHDOG=1"


async def test_a_platform_whose_evaluation_stopped_does_not_say_that_it_is_alive(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    settings = load(tmp_path, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    platform = Platform(tmp_path, settings, tls=None, clock=clock)
    await platform.start()
    async with asyncio.timeout(30):
        while not platform.is_deciding():
            await asyncio.sleep(0.01)

    platform.evaluation.tasks[0].cancel()
    await asyncio.sleep(0)
    clock.advance_ms(WELL_MS_MAX + 1)
    await asyncio.sleep(1.5)  # the journal goes on ticking; nobody folds

    assert not platform.is_deciding()
    await platform.close()


async def test_words_meant_for_another_process_and_nonsense_lead_to_silence(systemd: Systemd) -> None:
    others = systemd.environ | {"WATCHDOG_PID": str(os.getpid() + 1)}
    nonsense = systemd.environ | {"WATCHDOG_USEC": "soon"}

    tasks = [
        asyncio.create_task(Supervisor(environ).reassure(lambda: True)) for environ in (others, nonsense, {})
    ]
    with pytest.raises(TimeoutError):
        await systemd.word(within_s=0.5)

    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()


async def test_a_supervisor_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")})

    supervisor.ready()
    supervisor.stopping()


@pytest.mark.process
async def test_a_real_platform_says_ready_when_its_door_is_open_then_alive_then_that_it_stops(
    systemd: Systemd, tmp_path: Path
) -> None:
    platform = RealPlatform(tmp_path / "bell", **systemd.environ)
    await platform.start()
    said = [await systemd.word(), await systemd.word()]
    async with platform.client() as client:
        status = (await client.post("/v1/readings", content=b"")).status_code
    await platform.kill(15)
    last = said[-1]
    while last != "STOPPING=1":
        last = await systemd.word()

    assert said == ["READY=1", "WATCHDOG=1"]
    assert status == 401
