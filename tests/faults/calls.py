"""Every single n-th system call of each writer fails, once each; the others around it work.

With a stride of five there are five rounds: in round r the calls r, r + 5, r + 10 ... fail. So after five
rounds every call of a writer has failed, each between four that worked, up to as many as the shortest round
made. What writes seldom is tried where it surely writes: history and checkpoint when the platform is told
to stop, one call in one stop, until a stop makes no such call; accounts while keys are made; the roster in a
watcher with hurried clocks, beside a small platform that only publishes and rings.
"""

import asyncio
import itertools
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from nightbell.cli.speak import CommandError
from nightbell.watch.page import Headline
from tests.acceptance.test_platform_faults import journal_files
from tests.acceptance.test_watcher import Stage
from tests.acceptance.tracing import can_attach, tampered
from tests.faults.disks import DOES
from tests.faults.load import PATIENCE_S, Load, loaded
from tests.faults.outcome import Outcome, Size, of
from tests.simulators.mail_host import MailHost

_ENDINGS: Final = ("", "-wal", "-shm", "-journal")
STRIDE_SMALL: Final = 3
ROSTER_ROUNDS_S: Final = 4.0
ORDINARY_S: Final = 60


def _of(name: str) -> Callable[[Path], list[Path]]:
    return lambda data: [data / f"{name}{ending}" for ending in _ENDINGS]


BUSY: Final[dict[str, Callable[[Path], list[Path]]]] = {
    "journal": lambda data: journal_files(data / "journal"),
    "ledger": _of("ledger.sqlite"),
    "accounts": _of("accounts.sqlite"),
}
AT_THE_END: Final[dict[str, Callable[[Path], list[Path]]]] = {
    "history": _of("history.sqlite"),
    "checkpoint": lambda data: [
        data / "checkpoint",
        *(data / "checkpoint" / n for n in ("fold", "fold.new")),
    ],
}
ROSTER: Final = _of("watcher/roster.sqlite")

CALLS: Final = "pwrite64,fdatasync,fsync,ftruncate"
CALLS_OF_FILES: Final = "openat,write,pwrite64,fdatasync,fsync,ftruncate,rename"
ERRORS: Final = ("EIO", "ENOSPC", "EROFS", "EINTR")


class Tally:
    """What was tried, by writer."""

    def __init__(self) -> None:
        self.calls: dict[str, list[int]] = {}
        self.failed: Counter[str] = Counter()
        self.broken: list[str] = []
        self.untouched: Counter[str] = Counter()

    @asynccontextmanager
    async def failing(
        self, writer: str, process: asyncio.subprocess.Process, inject: str, paths: list[Path], trace: Path
    ) -> AsyncIterator[None]:
        """Have calls fail, and count them. A writer that made no such call is noted and is no fault."""
        begun = False
        try:
            async with tampered(process, inject, paths=paths, trace=trace):
                begun = True
                yield
        except AssertionError as error:
            if not begun or "nothing failed" not in str(error):
                raise
            self.untouched[writer] += 1
        said = await asyncio.to_thread(trace.read_bytes)
        self.calls.setdefault(writer, []).append(said.count(b") = "))
        self.failed[writer] += said.count(b"(INJECTED)")
        await asyncio.to_thread(trace.unlink)

    def each_upto(self, writer: str) -> int:
        """Up to which number every single call failed once."""
        return min(self.calls.get(writer, [0]))


async def calls(size: Size, folder: Path, seed: int) -> Outcome:
    """Every n-th call of every writer: see above."""
    if not can_attach():
        return Outcome(skipped="needs strace and the right to attach it")
    tally = Tally()
    async with loaded(folder, sharers=120 + 60 * size.call_stride, phones=6, seed=seed) as load:
        keys = await _while_busy(load, size, folder, tally)
        async with asyncio.timeout(PATIENCE_S):
            while not load.health().well:
                await asyncio.sleep(0.2)
        for writer in AT_THE_END:
            await _at_the_end(load, writer, size.checkpoint_calls, folder, tally)
        tally.broken += await _refused(load, keys)
        verdict = await load.end()
    await _roster(size, folder, tally)
    figures: dict[str, float] = {}
    parts = []
    for writer in (*BUSY, *AT_THE_END, "roster"):
        figures[f"{writer}_failed"] = tally.failed[writer]
        at_the_end = writer in AT_THE_END
        upto = tally.failed[writer] if at_the_end else tally.each_upto(writer)
        figures[f"{writer}_each_upto"] = upto if size.call_stride or at_the_end else 0
        parts.append(f"{writer} {tally.failed[writer]} failed, each of the first {upto}")
    did = "; ".join(parts) if size.call_stride else f"{tally.failed.total()} calls failed of 6 writers"
    return of(did, verdict, figures, *tally.broken)


async def _while_busy(load: Load, size: Size, folder: Path, tally: Tally) -> list[str]:
    """Journal, ledger and accounts under load; the keys that were given out meanwhile."""
    keys: list[str] = []
    errors = itertools.cycle(ERRORS)
    stride = size.call_stride or STRIDE_SMALL
    for writer, files in BUSY.items():
        paths = [path for path in files(load.data) if writer == "journal" or path.exists()]
        for first in range(1, (size.call_stride or 1) + 1):
            inject = f"{CALLS}:error={next(errors)}:when={first}+{stride}"
            load.note(f"{writer}: {inject}")
            async with tally.failing(writer, load.platform.process, inject, paths, folder / "trace"):
                until = asyncio.get_running_loop().time() + size.calls_s
                while asyncio.get_running_loop().time() < until:
                    if writer == "accounts":
                        keys += await _key(load)
                    await asyncio.sleep(0.1)
                said = load.health().failing
            if said and not DOES.search(said):
                tally.broken.append(f"{writer}: {inject}: does not say what to do: {said}")
            if load.platform.process.returncode is not None:
                tally.broken.append(f"{writer}: {inject}: the process ended")
                await load.strike("started again")
    return keys


async def _key(load: Load) -> list[str]:
    """One more key for a sharer, if it can be had."""
    try:
        return [await asyncio.to_thread(load.platform.add_key, "Ana 0", "publish")]
    except CommandError:
        return []  # refused, with a sentence


async def _refused(load: Load, keys: list[str]) -> list[str]:
    """Keys that were given out and are not known any more."""
    gone = 0
    for key in keys:
        async with load.platform.client(key) as client:
            gone += (await client.post("/v1/readings", json={"readings": []})).status_code == 401
    return [f"accounts: {gone} of {len(keys)} keys that were given out are not known"] if gone else []


async def _at_the_end(load: Load, writer: str, calls_max: int, folder: Path, tally: Tally) -> None:
    """Call after call of what is written when the platform is told to stop."""
    errors = itertools.cycle(ERRORS)
    paths = AT_THE_END[writer](load.data)
    for number in range(1, calls_max + 1):
        port, process = load.platform.port, load.platform.process
        inject = f"{CALLS_OF_FILES}:error={next(errors)}:when={number}"
        load.note(f"{writer}, at the end: {inject}")
        async with tally.failing(writer, process, inject, paths, folder / "trace"):
            await load.platform.kill(signal.SIGTERM)
        if process.returncode != 0:
            tally.broken.append(f"{writer}, at the end: {inject}: it ended with {process.returncode}")
        await load.platform.start(port)
        if tally.untouched[writer]:
            return
        await asyncio.sleep(0.4)


async def _roster(size: Size, folder: Path, tally: Tally) -> None:
    """The watcher goes on watching whatever its own file does, and says at once when we are gone."""
    stage = Stage(folder / "watched")
    stride = size.call_stride or STRIDE_SMALL
    watcher: asyncio.subprocess.Process | None = None
    async with MailHost() as mail:
        try:
            house = stage.platform()
            watcher = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.simulators.hurried_watcher", str(stage.data), str(mail.port),
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await _until_state(stage, Headline.QUIET)
            for first in range(1, (size.call_stride or 1) + 1):
                inject = f"{CALLS}:error={ERRORS[first % len(ERRORS)]}:when={first}+{stride}"
                async with tally.failing("roster", watcher, inject, ROSTER(stage.data), folder / "trace"):
                    await asyncio.sleep(ROSTER_ROUNDS_S)
                if watcher.returncode is not None:
                    tally.broken.append(f"roster: {inject}: the watcher ended")
                    return
            await _until_state(stage, Headline.QUIET)
            house.kill()
            await _until_state(stage, Headline.INCIDENT)
        finally:
            for process in stage.processes:
                process.kill()
                process.wait()
            if watcher is not None and watcher.returncode is None:
                watcher.kill()
                await watcher.wait()


async def _until_state(stage: Stage, state: Headline) -> None:
    """Wait until the watcher says this."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while stage.state() is not state:
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"the watcher says {stage.state()}, not {state}") from None
