"""Faults of the process and its connections: killed, half dead, screens that come and go, all at length."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.acceptance.real_platform import OPEN
from tests.acceptance.tracing import STRACE, can_attach
from tests.faults.load import PATIENCE_S, Load, loaded
from tests.faults.outcome import Outcome, Size, memory_mb, of, share

SERVES_WITHIN_S: Final = 2.0
"""Source: F1 of the list of fault tests. Reported; a slower machine breaks no promise."""


async def kill_nine(size: Size, folder: Path, seed: int) -> Outcome:
    """`kill -9` at random instants under load."""
    chance = random.Random(seed)
    away = []
    async with loaded(folder, sharers=20 + size.kills * 4, phones=6, seed=seed) as load:
        for _ in range(size.kills):
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            away.append(await load.strike("kill -9"))
        verdict = await load.end()
    away.sort()
    slow = sum(one > SERVES_WITHIN_S for one in away)
    figures: dict[str, float] = {
        "kills": size.kills, "serving_p50_s": share(away, 0.5), "serving_max_s": away[-1],
        "slower_than_2_s": slow,
    }  # fmt: skip
    return of(verdict, figures)


def _lives(load: Load) -> int:
    """How often its door was opened."""
    return sum(bool(OPEN.search(line)) for line in load.platform.said)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.05)


async def half_dead(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """The event loop stands in one system call and returns not: the platform begins anew by itself."""
    if not can_attach():
        return Outcome({}, skipped="needs strace and the right to attach it")
    async with loaded(folder, sharers=80, phones=3, seed=seed) as load:
        await asyncio.sleep(1)
        # A fixed address, so that the one that takes over answers where the phones knock.
        await load.strike("a fixed port")
        lives = _lives(load)
        calls = "epoll_wait,epoll_pwait"
        tracing = await asyncio.create_subprocess_exec(
            str(STRACE), "-o", str(folder / "trace"), "-e", f"trace={calls}",
            "-e", f"inject={calls}:delay_enter=600000000:when=3", "-p", str(load.platform.process.pid),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        begun = time.monotonic()
        try:
            # A tracer holds even a thread that is to end: it lets go once the platform has said that it ends.
            await _until(lambda: any(b"platform.stuck" in line for line in load.platform.said))
            noticed_s = time.monotonic() - begun
        finally:
            with contextlib.suppress(ProcessLookupError):
                tracing.kill()
            await tracing.wait()
        await _until(lambda: _lives(load) > lives)
        away_s = time.monotonic() - begun
        load.note("the loop stood", int(away_s * 1000))
        await asyncio.sleep(2)
        verdict = await load.end()
    return of(verdict, {"noticed_s": noticed_s, "open_again_s": away_s})


async def stopped(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """SIGSTOP for longer than the watchdog bears, then on: as after sleep, nothing ends and all rings."""
    async with loaded(folder, sharers=60, phones=3, seed=seed) as load:
        await asyncio.sleep(1)
        process = load.platform.process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(12)
        process.send_signal(signal.SIGCONT)
        load.note("stopped", 12_000)
        await asyncio.sleep(3)
        lives = _lives(load)
        verdict = await load.end()
    broken = () if lives == 1 else ("it ended itself after a stop",)
    return of(verdict, {"stopped_s": 12}, *broken)


async def reconnects(size: Size, folder: Path, seed: int) -> Outcome:
    """The screen's connection breaks again and again; with the id of the last it heard it misses nothing."""
    chance = random.Random(seed)
    async with loaded(folder, sharers=120, phones=4, seed=seed) as load:
        load.screen_pause_s = 0
        while load.reconnects < size.reconnects:
            # Long enough for a snapshot to get through, now and then.
            await asyncio.sleep(chance.uniform(0, 0.04))
            load.drop_screen()
        count = load.reconnects
        load.screen_pause_s = 0.05
        verdict = await load.end()
    return of(verdict, {"reconnects": count})


async def soak(size: Size, folder: Path, seed: int) -> Outcome:
    """Load for long, with a random fault a minute; memory is looked at in the second half of each life."""
    if not size.soak_s:
        return Outcome({}, skipped="only in full")
    chance = random.Random(seed)
    async with loaded(folder, sharers=1900, phones=6, seed=seed) as load:
        load.pause = 4.0
        until = time.monotonic() + size.soak_s
        struck = 0
        seen: list[tuple[float, float]] = []
        fault_free_from = time.monotonic() + size.soak_s / 3
        while time.monotonic() < until:
            await asyncio.sleep(10)
            if time.monotonic() < fault_free_from and chance.random() < 1 / 6:
                await _random_fault(load, chance)
                struck += 1
            elif time.monotonic() > fault_free_from + 60:
                seen.append((time.monotonic(), memory_mb(load.platform.process.pid)))
        verdict = await load.end()
    return of(verdict, {"faults": struck, "memory_percent_an_hour": slope_percent_an_hour(seen)})


async def _random_fault(load: Load, chance: random.Random) -> None:
    match chance.choice(("kill", "stop", "drop")):
        case "kill":
            await load.strike("kill -9")
        case "stop":
            load.platform.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(0.5, 5))
            load.platform.process.send_signal(signal.SIGCONT)
            load.note("stopped")
        case _:
            load.drop_screen()


def slope_percent_an_hour(seen: list[tuple[float, float]]) -> float:
    """The straight line through pairs of seconds and size, as a share of the mean an hour; 0 for too few."""
    if len(seen) < 3:
        return 0.0
    mean_s = sum(at for at, _ in seen) / len(seen)
    mean = sum(size for _, size in seen) / len(seen)
    rise = sum((at - mean_s) * (size - mean) for at, size in seen)
    return rise / sum((at - mean_s) ** 2 for at, _ in seen) * 3600 / mean * 100
