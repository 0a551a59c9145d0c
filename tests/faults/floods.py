"""Faults that others bring: everybody's backlog at once, twice; and uploads that are poison."""

import asyncio
import time
from pathlib import Path
from typing import Final

import httpx

from tests.faults.load import PATIENCE_S, Load, loaded
from tests.faults.outcome import Outcome, Pass, Size, memory_mb, of, share
from tests.faults.record import Acked, Sent, now_ms

UPLOADS: Final = 6
HALF_HOUR: Final = 30
AT_ONCE: Final = 32
LIVE_P99_S_MAX: Final = 1.0
MEMORY_RISE_MAX: Final = 0.2
"""Source of both: F14 of the list of fault tests."""

FOLLOWED_S_MAX: Final = 2.0

POISON: Final = {
    "not a number": b'{"readings":[{"measured_at":%d,"glucose_mgdl":NaN}]}',
    "ten megabytes": b'{"readings":[' + b" " * 10_000_000 + b"]}",
    "deep": b'{"readings":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "below zero": b'{"readings":[{"measured_at":%d,"glucose_mgdl":-50}]}',
    "the future": b'{"readings":[{"measured_at":99999999999999,"glucose_mgdl":100}]}',
    "no text": b"\xff\xfe\x00\x01",
    "nothing": b"",
}


async def flood(size: Size, folder: Path, seed: int) -> Outcome:
    """Half an hour of readings, six times over, from every phone at once; again while that drains."""
    async with loaded(folder, sharers=300 + size.flooders, phones=4, seed=seed) as load:
        await asyncio.sleep(2)
        pid = load.platform.process.pid
        quiet = memory_mb(pid)
        live: list[float] = []
        over = asyncio.Event()
        asking = asyncio.create_task(_live(load, live, over))
        first = asyncio.create_task(_backlogs(load, size.flooders, 0))
        await asyncio.sleep(0.5)
        await asyncio.gather(first, _backlogs(load, size.flooders, UPLOADS))
        over.set()
        await asking
        loud = memory_mb(pid)
        verdict = await load.end()
    live.sort()
    p99_s, rise = share(live, 0.99), loud / quiet - 1
    broken = []
    if rise > MEMORY_RISE_MAX:
        broken.append(f"memory rose by {rise:.0%}")
    figures = {
        "late_readings": size.flooders * UPLOADS * HALF_HOUR * 2.0,
        "live_p99_s": p99_s,
        "memory_rise": rise,
    }
    did = f"{figures['late_readings']:,.0f} late readings from {size.flooders} phones, in two floods"
    passes = (Pass("live p99, s", p99_s, LIVE_P99_S_MAX), Pass("memory, share more", rise, MEMORY_RISE_MAX))
    return of(did, verdict, figures, *broken, passes=passes)


def _line(load: Load) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=AT_ONCE)
    return httpx.AsyncClient(base_url=load.platform.url, timeout=PATIENCE_S, trust_env=False, limits=limits)


async def _live(load: Load, took: list[float], over: asyncio.Event) -> None:
    """One more phone, which sends a live reading twenty times a second and notes how long each took."""
    sharer = load.sharers - 1
    at_ms = now_ms() // 1000 * 1000 - 14 * 60_000
    headers = {"authorization": f"Bearer {load.keys[sharer]}"}
    async with _line(load) as line:
        while not over.is_set():
            at_ms += 1000
            reading = {"measured_at": at_ms, "glucose_mgdl": 110}
            load.recorder.write(Sent(now_ms(), sharer, at_ms, 110, late=False))
            begun = time.monotonic()
            answer = await line.post("/v1/readings", json={"readings": [reading]}, headers=headers)
            if answer.status_code == 200:
                took.append(time.monotonic() - begun)
                load.recorder.write(Acked(now_ms(), sharer, at_ms, 110))
            await asyncio.sleep(0.05)
    load.measured_ms[sharer] = at_ms


async def _backlogs(load: Load, flooders: int, first: int) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(line: httpx.AsyncClient, sharer: int, upload: int) -> None:
        begin_ms = now_ms() // 1000 * 1000 - (2 + upload) * 3_600_000
        headers = {"authorization": f"Bearer {load.keys[sharer]}"}
        made = [(begin_ms + at * 60_000, 100 + at) for at in range(HALF_HOUR)]
        body = {"readings": [{"measured_at": at_ms, "glucose_mgdl": level} for at_ms, level in made]}
        for at_ms, level in made:
            load.recorder.write(Sent(now_ms(), sharer, at_ms, level, late=True))
        async with gate:
            while (await line.post("/v1/readings", json=body, headers=headers)).status_code != 200:
                await asyncio.sleep(0.2)
        for at_ms, level in made:
            load.recorder.write(Acked(now_ms(), sharer, at_ms, level))
        load.measured_ms.setdefault(sharer, 0)

    async with _line(load) as line:
        sharers = range(290, 290 + flooders)
        uploads = range(first, first + UPLOADS)
        await asyncio.gather(*(one(line, sharer, upload) for sharer in sharers for upload in uploads))


async def poison(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """What cannot be a reading: whoever sent it is told, and everybody else is served at once."""
    broken, slowest = [], 0.0
    async with loaded(folder, sharers=100, phones=3, seed=seed) as load, _line(load) as line:
        await asyncio.sleep(1)
        bad = {"authorization": f"Bearer {load.keys[99]}"}
        good = {"authorization": f"Bearer {load.keys[98]}"}
        at_ms = now_ms() // 1000 * 1000 - 10 * 60_000
        for name, body in POISON.items():
            text = body.replace(b"%d", str(now_ms()).encode())
            sending = asyncio.create_task(line.post("/v1/readings", content=text, headers=bad))
            await asyncio.sleep(0)
            at_ms += 1000
            begun = time.monotonic()
            reading = {"measured_at": at_ms, "glucose_mgdl": 101}
            load.recorder.write(Sent(now_ms(), 98, at_ms, 101, late=False))
            other = await line.post("/v1/readings", json={"readings": [reading]}, headers=good)
            slowest = max(slowest, time.monotonic() - begun)
            if other.status_code == 200:
                load.recorder.write(Acked(now_ms(), 98, at_ms, 101))
            else:
                broken.append(f"{name}: another was answered {other.status_code}")
            broken += [f"{name}: {why}" for why in await _told(sending)]
        verdict = await load.end()
    did = f"{len(POISON)} kinds of poison, each told to whoever sent it"
    passes = [Pass("another waited, s", slowest, FOLLOWED_S_MAX)]
    return of(did, verdict, {"others_max_s": slowest}, *broken, passes=passes)


async def _told(sending: asyncio.Task[httpx.Response]) -> list[str]:
    """Whether whoever sent poison was told so."""
    try:
        answer = await sending
    except httpx.TransportError:
        return []  # refused while it was still sending: the connection says it
    if answer.status_code == 200 and not answer.json()["refused"]:
        return ["it was taken"]
    return ["it was our failure"] if answer.status_code >= 500 else []
