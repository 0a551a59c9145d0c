"""A platform that lives and evaluates nothing, with and without systemd to start it again."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nightbell.app.supervisor import ALIVE, READY
from nightbell.app.watchdog import EXIT_STUCK
from tests.faults.load import PATIENCE_S, Load, free_port, loaded
from tests.faults.outcome import Outcome, Pass, Size, of
from tests.faults.processes import ENDS_WITHIN_S, lives, until

MODULE: Final = "tests.faults.breakable"
WATCHDOG_US: Final = 2_000_000
SILENT_S: Final = 8.0
"""How long after evaluation stopped the last word may come: it counts as stopped after five seconds."""


async def no_seconds(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """No second is evaluated while the loop turns: by itself it begins anew; under systemd it ends.

    Readings are acknowledged all the time. Lows among them ring once it evaluates again.
    """
    broken: list[str] = []

    def prepare(load: Load) -> None:
        load.platform.module = MODULE
        load.first_port = free_port()

    async with loaded(folder, sharers=100, phones=3, seed=seed, prepare=prepare) as load:
        await asyncio.sleep(0.5)
        alone_s = await _alone(load)
        with _notified(load, folder / "notify") as systemd:
            await load.strike("under systemd")
            ended_s = await _under_systemd(load, systemd, broken)
        await asyncio.sleep(1)
        verdict = await load.end()
    did = f"by itself open again after {alone_s:.1f} s; under systemd it ended with 70 after {ended_s:.1f} s"
    figures = {"open_again_s": alone_s, "ended_s": ended_s}
    return of(did, verdict, figures, *broken, passes=[Pass("ended, s", ended_s, ENDS_WITHIN_S)])


async def _alone(load: Load) -> float:
    """How long until it has begun anew, in the same process."""
    pid, before, begun = load.platform.process.pid, lives(load), time.monotonic()
    load.platform.process.send_signal(signal.SIGUSR1)
    await until(lambda: lives(load) > before)
    load.note("no second was evaluated")
    assert load.platform.process.pid == pid
    assert load.platform.process.returncode is None
    return time.monotonic() - begun


async def _under_systemd(load: Load, systemd: socket.socket, broken: list[str]) -> float:
    """How long until it ends, so that systemd starts it again; which is done here."""
    await until(lambda: ALIVE in _words(systemd))
    begun = time.monotonic()
    load.platform.process.send_signal(signal.SIGUSR1)
    heard_s = begun
    async with asyncio.timeout(PATIENCE_S):
        while load.platform.process.returncode is None:
            if ALIVE in _words(systemd):
                heard_s = time.monotonic()
            await asyncio.sleep(0.05)
    ended_s = time.monotonic() - begun
    if (code := load.platform.process.returncode) != EXIT_STUCK:
        broken.append(f"under systemd it ended with {code}")
    if not any(b"platform.stuck" in line for line in load.platform.said):
        broken.append("it ended without a word")
    if heard_s - begun > SILENT_S:
        broken.append(f"it said that it was alive {heard_s - begun:.1f} s after it evaluated no more")
    port = load.platform.port
    await load.platform.kill()
    await load.platform.start(port)
    load.note("no second was evaluated: ended, and started again", int(ended_s * 1000))
    if READY not in _words(systemd):
        broken.append("it did not say that it is ready")
    return ended_s


@contextmanager
def _notified(load: Load, path: Path) -> Iterator[socket.socket]:
    """Start it from now on as systemd does; what it says to systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        name = f"\0nightbell-{path.parent.name}-{load.platform.process.pid}"
        ours.bind(name)
        ours.setblocking(False)
        asked = {"NOTIFY_SOCKET": name.replace("\0", "@"), "WATCHDOG_USEC": str(WATCHDOG_US)}
        load.platform.environment |= asked
        yield ours


def _words(systemd: socket.socket) -> list[str]:
    """What was said since the last look."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(systemd.recv(4096).decode())
    return found
