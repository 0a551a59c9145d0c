"""A day of everybody in history, and how long reading one sharer's day takes under the live load.

`python -m benchmarks.day FOLDER` is the platform as it ships, and in it a reader: for `SECONDS` from each
SIGUSR1 on it reads a random sharer's day through the shipped history every `EVERY_S`, and prints how long
that took.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import uvloop

from benchmarks.figures import Bar, figure
from benchmarks.house import house
from benchmarks.processes import BUILD, BenchError, Sharers, telling_its_port
from benchmarks.running import Run, checked
from benchmarks.size import RATE, Measured, Say, Size
from nightbell.adapters.stores.sqlite.history import SqliteHistoryStore
from nightbell.app.logs import set_up_logs
from nightbell.app.platform import Platform
from nightbell.app.running import keeping_what_is_loaded, share_the_lock
from nightbell.app.settings import load
from nightbell.history.open_block import OpenBlock
from nightbell.history.ports import ClosedBlock, Flush, HistoryState
from nightbell.history.reading import BLOCK_MS, block_of
from nightbell.publish.reading import READING_DTYPE
from nightbell.words.clock import SystemClock

DAY_MS_MAX: Final = 5.0
DAY_MS: Final = 86_400_000
STEP_MS: Final = 300_000
BYTES_EACH_AT_MOST: Final = 8
COPIES: Final = 3
"""The day is made once, copied for each run, and grows a little."""

DAYS_OLD_MAX: Final = 60
"""A day made longer ago is made anew: history forgets after 90."""

EVERY_S: Final = 0.02
SECONDS_SPARE: Final = 1.0


class Read(msgspec.Struct, frozen=True):
    """How long the reads of one round took."""

    reads: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def stored_sharers(sharers: int) -> int:
    """For how many of them there is room on the disk."""
    free = shutil.disk_usage(BUILD).free
    return min(sharers, free // (COPIES * BYTES_EACH_AT_MOST * DAY_MS // STEP_MS))


def stored_day(sharers: int, say: Say) -> tuple[Path, int]:
    """A history with one whole day of so many sharers, made if it is not there, and when that day began."""
    today = SystemClock().now_ms() // DAY_MS
    for path in BUILD.glob(f"bench-day-{sharers}-*.sqlite"):
        day = int(path.stem.rpartition("-")[2])
        if today - day <= DAYS_OLD_MAX:
            return path, day * DAY_MS
        path.unlink()
    began = time.monotonic()
    path, making = BUILD / f"bench-day-{sharers}-{today - 1}.sqlite", BUILD / "bench-day-making.sqlite"
    for ending in ("", "-wal", "-shm"):
        making.with_name(making.name + ending).unlink(missing_ok=True)
    store = SqliteHistoryStore(making)
    store.open()
    chance = np.random.default_rng(3)
    phase_ms = chance.integers(0, STEP_MS, sharers)
    first = block_of((today - 1) * DAY_MS)
    for block in range(first, first + DAY_MS // BLOCK_MS):
        packed = _full_block(block, phase_ms, chance)
        state = HistoryState(closed_upto=block)
        store.write(Flush((ClosedBlock(block, packed.packs()),), (), state, b""))
    store.close()
    making.rename(path)
    say(f"day: stored for {sharers:,} sharers in {time.monotonic() - began:.0f} s")
    return path, (today - 1) * DAY_MS


def _full_block(
    block: int, phase_ms: "np.typing.NDArray[np.int64]", chance: np.random.Generator
) -> OpenBlock:
    """Three hours of everybody, a reading every five minutes."""
    sharers, steps = len(phase_ms), BLOCK_MS // STEP_MS
    filled = OpenBlock(block, sharers=sharers, rows=sharers * steps // 12)
    readings = np.zeros(sharers, READING_DTYPE)
    readings["sharer"] = np.arange(sharers)
    readings["source"] = 1 + np.arange(sharers)
    for step in range(steps):
        readings["measured_ms"] = block * BLOCK_MS + step * STEP_MS + phase_ms
        readings["received_ms"] = readings["measured_ms"] + 5_000
        readings["level"] = chance.integers(60, 300, sharers)
        readings["trend"] = chance.integers(1, 8, sharers)
        filled.add(readings, 1)
    return filled


def history_day(size: Size, say: Say) -> Measured:
    """Read random sharers' whole days while live readings come in at a million sharers' rate."""
    sharers = stored_sharers(size.sharers)
    day, day_ms = stored_day(sharers, say)
    folder = BUILD / "bench-run-day"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(house(size.sharers), folder)
    shutil.copyfile(day, folder / "history.sqlite")
    seconds = size.live_s
    command = [sys.executable, "-m", "benchmarks.day", str(folder), str(sharers), str(day_ms), str(seconds)]
    reads: list[Read] = []
    began = time.monotonic()
    with telling_its_port(command) as (child, port):
        run = Run(folder, Sharers(folder / "tokens"), child, port, time.monotonic() - began)
        run.acknowledged = 0
        child.until_quiet()
        assert child.process.stdout is not None
        for number in range(size.rounds):
            os.kill(child.pid, signal.SIGUSR1)
            load_ = run.load(rate=RATE, seconds=seconds + SECONDS_SPARE)
            reads.append(msgspec.json.decode(child.process.stdout.readline(), type=Read))
            one = reads[-1]
            say(
                f"history.day {number + 1}: {one.reads} read, p50 {one.p50_ms:.2f}, p99 {one.p99_ms:.2f}, "
                f"max {one.max_ms:.1f} ms; live p99 {load_.p99_ms:.1f} ms"
            )
        child.until_quiet()
    fewer = "" if sharers == size.sharers else f", for want of disk not {size.sharers:,}"
    note = f"a random one of {sharers:,} stored{fewer}; {RATE:,.0f} readings/s beside"
    found = [
        figure("history.day_ms_p50", [one.p50_ms for one in reads], "ms", note=note),
        figure(
            "history.day_ms_p99", [one.p99_ms for one in reads], "ms", bar=Bar(at_most=DAY_MS_MAX), note=note
        ),
    ]
    return Measured(found, [checked("history.day", run, size, since_ms=day_ms + DAY_MS)])


async def serve(folder: Path, sharers: int, day_ms: int, seconds: float) -> None:
    """Be the platform, and read when told to."""
    settings = load(folder, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    set_up_logs(settings)
    platform = Platform(folder, settings, tls=None)
    share_the_lock()
    with keeping_what_is_loaded():
        await platform.start()
    told, over = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, told.set)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    reader = asyncio.create_task(_read_when_told(platform, told, sharers, day_ms, seconds))
    print(platform.port, flush=True)
    await over.wait()
    reader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reader
    await platform.close()


async def _read_when_told(
    platform: Platform, told: asyncio.Event, sharers: int, day_ms: int, seconds: float
) -> None:
    chance = np.random.default_rng(4)
    while True:
        await told.wait()
        told.clear()
        took: list[float] = []
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            sharer = int(chance.integers(sharers))
            rows = await platform.history.readings(sharer=sharer, from_ms=day_ms, to_ms=day_ms + DAY_MS)
            took.append((time.perf_counter() - began) * 1_000)
            if len(rows) != DAY_MS // STEP_MS:
                raise BenchError(f"sharer {sharer} has {len(rows)} readings in that day")
            await asyncio.sleep(EVERY_S)
        p50, p99 = np.percentile(took, (50, 99)).tolist()
        print(msgspec.json.encode(Read(len(took), p50, p99, max(took))).decode(), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
