"""Faults of the process and its connections: killed, half dead, screens that come and go, all at length."""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.acceptance.real_platform import OPEN
from tests.acceptance.tracing import STRACE, can_attach
from tests.faults.load import PATIENCE_S, Load, free_port, loaded
from tests.faults.outcome import Outcome, Pass, Size, memory_mb, of, share

SERVES_WITHIN_S: Final = 2.0
RINGS_WITHIN_S: Final = 3.0
"""Source of both: F1 of the list of fault tests. Reported; a slower machine breaks no promise."""

ENDS_WITHIN_S: Final = 12.0
"""F25 gives an end after 10 s; the watchdog looks once a second, so a look or two more may pass."""

SLOPE_PERCENT_MAX: Final = 1.0
"""Source: F33 of the list of fault tests."""


async def kill_nine(size: Size, folder: Path, seed: int) -> Outcome:
    """`kill -9` at random instants under load."""
    chance = random.Random(seed)
    away = []
    async with loaded(folder, sharers=20 + size.kills * 6, phones=6, seed=seed) as load:
        begun = time.monotonic()
        for _ in range(size.kills):
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            away.append(await load.strike("kill -9"))
        round_s = (time.monotonic() - begun) / size.kills
        verdict = await load.end()
    in_order, half = list(away), max(1, len(away) // 10)
    away.sort()
    slow = sum(one > SERVES_WITHIN_S for one in away)
    figures: dict[str, float] = {
        "kills": size.kills, "round_s": round_s, "serving_p50_s": share(away, 0.5),
        "serving_p90_s": share(away, 0.9), "serving_max_s": away[-1], "slower_than_2_s": slow,
        "first_tenth_s": sum(in_order[:half]) / half, "last_tenth_s": sum(in_order[-half:]) / half,
    }  # fmt: skip
    did = (
        f"{size.kills} kills; serving again after {share(away, 0.5):.1f} s in the middle, "
        f"{share(away, 0.9):.1f} s at the 90th of 100, {away[-1]:.1f} s at most; {slow} later than 2 s"
    )
    passes = (
        Pass("serving again, median s", share(away, 0.5), SERVES_WITHIN_S),
        Pass("serving again, max s", away[-1], SERVES_WITHIN_S),
        Pass("low to ring, p99 s", share(list(verdict.rung_ms), 0.99) / 1000, RINGS_WITHIN_S),
    )
    return of(did, verdict, figures, passes=passes)


def lives(load: Load) -> int:
    """How often its door was opened."""
    return sum(bool(OPEN.search(line)) for line in load.platform.said)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.05)


async def half_dead(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """The event loop stands in one system call and returns not: the platform begins anew by itself."""
    if not can_attach():
        return Outcome(skipped="needs strace and the right to attach it")

    def prepare(load: Load) -> None:
        load.first_port = free_port()

    async with loaded(folder, sharers=80, phones=3, seed=seed, prepare=prepare) as load:
        await asyncio.sleep(1)
        before = lives(load)
        calls = "epoll_wait,epoll_pwait"
        tracing = await asyncio.create_subprocess_exec(
            str(STRACE), "-o", str(folder / "trace"), "-e", f"trace={calls}",
            "-e", f"inject={calls}:delay_enter=600000000:when=3", "-p", str(load.platform.process.pid),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        begun = time.monotonic()
        try:
            # A tracer holds even a thread that is to end: it lets go once the platform has said that it ends.
            await until(lambda: any(b"platform.stuck" in line for line in load.platform.said))
            noticed_s = time.monotonic() - begun
        finally:
            with contextlib.suppress(ProcessLookupError):
                tracing.kill()
            await tracing.wait()
        await until(lambda: lives(load) > before)
        away_s = time.monotonic() - begun
        load.note("the loop stood", int(away_s * 1000))
        await asyncio.sleep(2)
        verdict = await load.end()
    did = f"noticed after {noticed_s:.1f} s, open again after {away_s:.1f} s"
    figures = {"noticed_s": noticed_s, "open_again_s": away_s}
    return of(did, verdict, figures, passes=[Pass("noticed, s", noticed_s, ENDS_WITHIN_S)])


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
        opened = lives(load)
        verdict = await load.end()
    broken = () if opened == 1 else ("it ended itself after a stop",)
    return of("stopped for 12 s and let go", verdict, {"stopped_s": 12}, *broken)


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
    return of(f"{count:,} connections broken off", verdict, {"reconnects": count})


async def soak(size: Size, folder: Path, seed: int) -> Outcome:
    """Load for long: a random fault a minute in the first third, then quiet, in which memory is looked at.

    What a process takes in its first minutes is no leak: the first part of the quiet is not looked at.
    """
    if not size.soak_s:
        return Outcome(skipped="only in full")
    chance = random.Random(seed)
    struck: Counter[str] = Counter()
    seen: list[tuple[float, float]] = []
    async with loaded(folder, sharers=1900, phones=6, seed=seed) as load:
        load.pause = 4.0
        begun = time.monotonic()
        quiet_from, looked_from = begun + size.soak_s / 3, begun + size.soak_s / 2
        strike_every_s = min(60.0, size.soak_s / 9)
        while time.monotonic() < quiet_from:
            await asyncio.sleep(chance.uniform(0.5, 1.5) * strike_every_s)
            struck[await _random_fault(load, chance)] += 1
        while time.monotonic() < begun + size.soak_s:
            await asyncio.sleep(2)
            if time.monotonic() > looked_from:
                seen.append((time.monotonic(), memory_mb(load.platform.process.pid)))
        verdict = await load.end()
    slope = slope_percent_an_hour(seen)
    figures: dict[str, float] = {
        "faults": struck.total(), "memory_percent_an_hour": slope, "looks": len(seen),
        "memory_first_mb": seen[0][1], "memory_last_mb": seen[-1][1],
    }  # fmt: skip
    did = (
        f"{size.soak_s / 60:.0f} minutes, {struck.total()} faults ({dict(struck)}), then quiet: memory "
        f"{seen[0][1]:.0f} to {seen[-1][1]:.0f} MB"
    )
    return of(did, verdict, figures, passes=[Pass("memory, % an hour", slope, SLOPE_PERCENT_MAX)])


async def _random_fault(load: Load, chance: random.Random) -> str:
    """Do something to it; what."""
    fault = chance.choice(("kill", "stop", "drop"))
    match fault:
        case "kill":
            await load.strike("kill -9")
        case "stop":
            load.platform.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(chance.uniform(0.5, 5))
            load.platform.process.send_signal(signal.SIGCONT)
            load.note("stopped")
        case _:
            load.drop_screen()
    return fault


def slope_percent_an_hour(seen: list[tuple[float, float]]) -> float:
    """The straight line through pairs of seconds and size, as a share of the mean an hour; 0 for too few."""
    if len(seen) < 3:
        return 0.0
    mean_s = sum(at for at, _ in seen) / len(seen)
    mean = sum(size for _, size in seen) / len(seen)
    rise = sum((at - mean_s) * (size - mean) for at, size in seen)
    return rise / sum((at - mean_s) ** 2 for at, _ in seen) * 3600 / mean * 100
