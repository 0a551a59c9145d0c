"""Faults of the disk: calls of every writer that fail, and files that were damaged while nothing ran."""

import asyncio
import contextlib
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.acceptance.test_platform_faults import journal_files
from tests.acceptance.tracing import can_attach, tampered
from tests.faults.load import LOW_MGDL, PATIENCE_S, Load, Phone, loaded
from tests.faults.outcome import Outcome, Size, of
from tests.faults.record import now_ms

_ENDINGS: Final = ("", "-wal", "-shm", "-journal")


def _of(name: str) -> Callable[[Path], list[Path]]:
    return lambda data: [data / f"{name}{ending}" for ending in _ENDINGS]


WRITERS: Final[dict[str, Callable[[Path], list[Path]]]] = {
    "journal": lambda data: journal_files(data / "journal"),
    "ledger": _of("ledger.sqlite"),
    "history": _of("history.sqlite"),
    "accounts": _of("accounts.sqlite"),
}
CALLS: Final = ("pwrite64", "fdatasync,fsync", "pwrite64,fdatasync,fsync,ftruncate")
ERRORS: Final = ("EIO", "ENOSPC", "EROFS", "EINTR")
FAILS_S: Final = 1.5
DOES: Final = re.compile(r"\b(Free|Check|Make|Stop|Restart|Look|Start)\b")


async def calls(size: Size, folder: Path, seed: int) -> Outcome:
    """Every n-th call of one writer fails for a while, then works again; which, how and when by chance."""
    if not can_attach():
        return Outcome(skipped="needs strace and the right to attach it")
    chance = random.Random(seed)
    broken, untouched = [], 0
    async with loaded(folder, sharers=100 + 8 * size.call_rounds, phones=6, seed=seed) as load:
        for number in range(size.call_rounds):
            writer = list(WRITERS)[number % len(WRITERS)]
            inject = (
                f"{chance.choice(CALLS)}:error={chance.choice(ERRORS)}"
                f":when={chance.randint(1, 4)}+{chance.randint(1, 5)}"
            )
            paths = [path for path in WRITERS[writer](load.data) if writer == "journal" or path.exists()]
            said = ""
            try:
                async with tampered(
                    load.platform.process, inject, paths=paths, trace=folder / f"trace-{number}"
                ):
                    load.note(f"{writer}: {inject}")
                    await asyncio.sleep(FAILS_S)
                    said = load.health().failing
            except AssertionError:
                untouched += 1  # this writer made no such call meanwhile
            if said and not DOES.search(said):
                broken.append(f"{writer}: {inject}: does not say what to do: {said}")
            if load.platform.process.returncode is not None:
                broken.append(f"{writer}: {inject}: the process ended")
                await load.strike("started again")
        async with asyncio.timeout(PATIENCE_S):
            while not load.health().well:
                await asyncio.sleep(0.2)
        verdict = await load.end()
    return of(verdict, {"rounds": size.call_rounds, "untouched": untouched}, *broken)


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
    return of(verdict, {"faults": 3}, *broken)
