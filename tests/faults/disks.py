"""Faults of the whole disk: every call fails; and a small disk that is really full and really read-only."""

import asyncio
import errno
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Final

from tests.acceptance.tracing import can_attach, tampered
from tests.faults.load import LOW_MGDL, PATIENCE_S, STEP_MS, Load, Phone, loaded
from tests.faults.outcome import Outcome, Size, of
from tests.faults.record import now_ms

MOUNT: Final = shutil.which("mount")
DISK_MB: Final = 16
DOES: Final = re.compile(r"\b(Free|Keep|Put|Check|Make|Stop|Restart|Look|Start)\b")


async def full_disk(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """Every write finds no room, then a disk that may only be read, then syncs of half a second."""
    if not can_attach():
        return Outcome(skipped="needs strace and the right to attach it")
    broken = []
    async with loaded(folder, sharers=120, phones=4, seed=seed) as load:
        for number, inject in enumerate(
            (
                "pwrite64,ftruncate:error=ENOSPC",
                "pwrite64,ftruncate,fdatasync,fsync:error=EROFS",
                "fdatasync,fsync:delay_exit=500000",
            )
        ):
            async with tampered(load.platform.process, inject, paths=(), trace=folder / f"trace-{number}"):
                load.note(inject)
                await asyncio.sleep(4)
                said = load.health()
            if "error" in inject and (said.well or not DOES.search(said.failing)):
                broken.append(f"{inject}: it does not say what to do: {said.failing}")
            async with asyncio.timeout(PATIENCE_S):
                while not load.health().well:
                    await asyncio.sleep(0.2)
        verdict = await load.end()
    did = "no room, read-only, syncs of 0.5 s: calls on every file"
    return of(did, verdict, {"faults": 3}, *broken)


async def small_disk(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """A file system of its own that is really filled to the last byte while we run, then freed.

    While it lasts nothing is acknowledged, lows ring, and health says what to do; then it recovers alone, and
    nothing was stopped or started. Then it is really read-only at a start (Linux lets nobody make it so while
    files are open for writing): the platform starts, or says what to do and starts once that is done.
    """
    place = folder / "disk"
    place.mkdir()
    if why := await _mount(place, f"size={DISK_MB}m"):
        return Outcome(skipped=f"needs the right to mount a tmpfs: {why}")
    broken: list[str] = []
    try:
        async with loaded(folder, sharers=120, phones=4, seed=seed, data=place / "data") as load:
            await asyncio.sleep(1)
            well_again_s = await _filled(load, place, broken)
            await asyncio.sleep(1)
            started = await _read_only(load, place, broken)
            await asyncio.sleep(1)
            verdict = await load.end()
    finally:
        await _unmount(place)
    did = (
        f"a tmpfs filled to the last byte: it recovered alone, well {well_again_s:.1f} s after there was "
        f"room; read-only at a start: it {'started' if started else 'refused and said what to do'}"
    )
    return of(did, verdict, {"well_again_s": well_again_s}, *broken)


async def _filled(load: Load, place: Path, broken: list[str]) -> float:
    """No room, then room; how long until all is well again, seconds."""
    if why := await asyncio.to_thread(_fill, place / "ballast"):
        broken.append(f"it could not be filled: {why}")
    load.note("full")
    said = await _said(load)
    sharer, at_ms = load.sharers - 1, now_ms() // 1000 * 1000
    load.measured_ms[sharer] = at_ms + STEP_MS
    phone = Phone(load, random.Random(load.seed))
    sending = asyncio.create_task(phone._until_acked(sharer, [(at_ms, LOW_MGDL)], late=False))
    try:
        await asyncio.wait_for(load.rang[sharer].wait(), PATIENCE_S / 4)
    except TimeoutError:
        broken.append("full: a low did not ring")
    before, after = load.acked, load.acked
    if said:
        await asyncio.sleep(1)  # what was under way is through
        before = load.acked
        await asyncio.sleep(3)
        after = load.acked
    await asyncio.to_thread((place / "ballast").unlink)
    load.note("room again")
    begun = time.monotonic()
    await sending
    if not DOES.search(said):
        broken.append(f"full: health does not say what to do: {said}")
    if after != before:
        broken.append(f"full: {after - before} readings were acknowledged on a disk that takes nothing")
    async with asyncio.timeout(PATIENCE_S):
        while not load.health().well:
            await asyncio.sleep(0.2)
    well_again_s = time.monotonic() - begun
    if load.platform.process.returncode is not None:
        broken.append("full: it ended")
    return well_again_s


async def _read_only(load: Load, place: Path, broken: list[str]) -> bool:
    """A start on a disk that can only be read, then on the same disk; whether the first one went well."""
    port, started = load.platform.port, True
    await load.platform.kill(signal.SIGTERM)
    if why := await _mount(place, "remount,ro"):
        broken.append(f"it could not be made read-only: {why}")
    load.note("read-only")
    try:
        await load.platform.start(port)
    except AssertionError as refusal:
        started = False
        if not DOES.search(str(refusal)):
            broken.append(f"read-only: it does not say what to do: {refusal}"[-600:])
    if why := await _mount(place, "remount,rw"):
        broken.append(f"it could not be made writable: {why}")
    load.note("writable again")
    if not started:
        await load.platform.start(port)
    return started


async def _said(load: Load) -> str:
    """What it says is wrong, once it says so; nothing if it says nothing for long."""
    until = time.monotonic() + PATIENCE_S / 4
    while time.monotonic() < until:
        if said := load.health().failing:
            return said
        await asyncio.sleep(0.1)
    return ""


async def _mount(place: Path, options: str) -> str:
    """Mount a small file system in memory, or change it; why that cannot be, else nothing."""
    if MOUNT is None:
        return "there is no mount"
    kind = ("-t", "tmpfs", "nightbell") if "remount" not in options else ()
    asked = await asyncio.create_subprocess_exec(
        MOUNT, "-o", options, *kind, str(place), stderr=asyncio.subprocess.PIPE
    )
    _, said = await asked.communicate()
    return said.decode().strip() if asked.returncode else ""


async def _unmount(place: Path) -> None:
    """At once if it can be, else as soon as nobody uses it."""
    for how in ((), ("-l",)):
        asked = await asyncio.create_subprocess_exec("umount", *how, str(place))
        if await asked.wait() == 0:
            return


def _fill(ballast: Path) -> str:
    """Take all the room there is; why that cannot be, else nothing."""
    with ballast.open("wb", buffering=0) as file:
        for length in (1 << 16, 1):
            try:
                while True:
                    file.write(b"\0" * length)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    return str(error)
    return ""
