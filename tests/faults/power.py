"""Power cuts: the files as they may lie on the disk at any instant, rebuilt from a trace of the system calls.

While the platform runs under load, strace writes down every write to its files, with what was written, and
every sync. A power cut at an instant then leaves: all that a finished sync of that file covers, and of each
later write all, nothing, or some of its sectors, as chance has it. Names are taken as
kept in order, as journaling file systems do. The shared-memory files are lost: SQLite makes them anew.
"""

import asyncio
import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from nightbell.app.control_words import Health, Nothing
from tests.acceptance.real_platform import RealPlatform
from tests.acceptance.tracing import STRACE, can_trace
from tests.faults.checker import journal_of
from tests.faults.load import Load, loaded
from tests.faults.outcome import Outcome, Size, of
from tests.faults.record import Acked, lines

SECTOR: Final = 512
_CALLS: Final = "pwrite64,write,ftruncate,fdatasync,fsync,rename,unlink"

_LINE: Final = re.compile(r"^\d+ +(\d+\.\d+) (.*)$")
_WRITE: Final = re.compile(r'^(pwrite64|write)\(\d+<([^>]*)>, "([^"]*)", \d+(?:, (\d+))?')
_CUT: Final = re.compile(r"^ftruncate\(\d+<([^>]*)>, (\d+)")
_SYNC: Final = re.compile(r"^f(?:data)?sync\(\d+<([^>]*)>")
_RENAME: Final = re.compile(r'^rename\("([^"]*)", "([^"]*)"')
_UNLINK: Final = re.compile(r'^unlink\("([^"]*)"')
_BYTES: Final = re.compile(r"\\x(..)")


class Change(NamedTuple):
    """One thing that was done to a file. `kind` is write, truncate, sync, rename or unlink."""

    at_ms: float
    kind: str
    path: str
    offset: int = 0
    content: bytes = b""
    to: str = ""


def _plain(hexed: str) -> str:
    return _BYTES.sub(lambda found: chr(int(found[1], 16)), hexed)


def changes(trace: Path, folder: Path) -> Iterator[Change]:
    """What a trace says was done to the files of a folder, in order. A sync counts from its return."""
    syncing: dict[str, str] = {}
    with trace.open() as file:
        for line in file:
            found = _LINE.match(line)
            if found is None:
                continue
            at_ms, call, thread = float(found[1]) * 1000, found[2], line.split(" ", 1)[0]
            if "resumed>" in call and thread in syncing:
                yield Change(at_ms, "sync", syncing.pop(thread))
                continue
            change = _change(at_ms, call)
            if change is None or not change.path.startswith(str(folder)) or change.path.endswith("-shm"):
                continue
            if Path(change.path).is_dir():
                continue
            if change.kind == "sync" and "<unfinished" in call:
                syncing[thread] = change.path
            else:
                yield change


def _change(at_ms: float, call: str) -> Change | None:  # noqa: PLR0911 one for each call
    if found := _WRITE.match(call):
        if found[1] == "write":
            return None  # small files made whole, then renamed: they stay as they were before
        content = bytes.fromhex(found[3].replace("\\x", ""))
        return Change(at_ms, "write", _plain(found[2]), int(found[4]), content)
    if found := _CUT.match(call):
        return Change(at_ms, "truncate", _plain(found[1]), int(found[2]))
    if found := _SYNC.match(call):
        return Change(at_ms, "sync", _plain(found[1]))
    if found := _RENAME.match(call):
        return Change(at_ms, "rename", _plain(found[1]), to=_plain(found[2]))
    if found := _UNLINK.match(call):
        return Change(at_ms, "unlink", _plain(found[1]))
    return None


class Disk:
    """The files as they surely are, and what was written since their last sync."""

    def __init__(self, surely: dict[str, bytearray]) -> None:
        self._surely = surely
        self._since: dict[str, list[Change]] = {}

    def take(self, change: Change) -> None:
        """Something was done."""
        match change.kind:
            case "write" | "truncate":
                self._since.setdefault(change.path, []).append(change)
            case "sync":
                content = self._surely.setdefault(change.path, bytearray())
                for one in self._since.pop(change.path, []):
                    _apply(content, one)
            case "rename":
                for held in (self._surely, self._since):
                    if change.path in held:
                        held[change.to] = held.pop(change.path)  # type: ignore[assignment] # one kind each
            case _:
                self._surely.pop(change.path, None)
                self._since.pop(change.path, None)

    def after_cut(self, chance: random.Random) -> dict[str, bytes]:
        """What the disk holds if the power fails now."""
        left = {}
        for path in self._surely.keys() | self._since.keys():
            content = bytearray(self._surely.get(path, b""))
            for change in self._since.get(path, []):
                for part in _survivors(change, chance):
                    _apply(content, part)
            left[path] = bytes(content)
        return left


def _survivors(change: Change, chance: random.Random) -> Iterator[Change]:
    fate = chance.choice(("all", "nothing", "some"))
    if fate == "all" or (fate == "some" and change.kind == "truncate"):
        yield change
    elif fate == "some":
        for start in range(0, len(change.content), SECTOR):
            if chance.random() < 0.5:
                part = change.content[start : start + SECTOR]
                yield change._replace(offset=change.offset + start, content=part)


def _apply(content: bytearray, change: Change) -> None:
    end = change.offset + len(change.content)
    if change.kind == "truncate":
        del content[change.offset :]
        end = change.offset
    if len(content) < end:
        content.extend(b"\0" * (end - len(content)))
    content[change.offset : change.offset + len(change.content)] = change.content


def _files(folder: Path) -> dict[str, bytearray]:
    return {str(path): bytearray(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def lay_out(left: dict[str, bytes], source: Path, target: Path) -> None:
    """Write the files of a cut as a data directory of their own."""
    shutil.rmtree(target, ignore_errors=True)
    for path, content in left.items():
        place = target / Path(path).relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_bytes(content)
        place.chmod(0o600)


def unsound(folder: Path, acked: set[tuple[int, int, int]]) -> Iterator[str]:
    """What a cut broke: acknowledged readings that are gone, torn records, files that do not open."""
    held, torn = journal_of(folder / "journal")
    yield from (f"torn: {found}" for _, found in torn)
    gone = [reading for reading in acked if not held[reading]]
    if gone:
        yield f"{len(gone)} acknowledged readings are gone, one is {gone[0]}"
    for name in ("ledger.sqlite", "accounts.sqlite", "history.sqlite"):
        with closing(sqlite3.connect(folder / name)) as file:
            said = file.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok":
                yield f"{name}: {said}"


async def _starts(folder: Path) -> str:
    """Why a platform does not start well on these files; empty if it does."""
    platform = RealPlatform(folder)
    await platform.start()
    health = platform.ask("health", Nothing(), Health)
    try:
        async with asyncio.timeout(60):
            while not (health := platform.ask("health", Nothing(), Health)).well:
                await asyncio.sleep(0.2)
    except TimeoutError:
        return health.failing
    finally:
        await platform.kill()
    return ""


async def power_cut(size: Size, folder: Path, seed: int) -> Outcome:
    """Un-synced bytes dropped or torn at random instants."""
    if not can_trace():
        return Outcome(skipped="needs strace and the right to trace")
    trace = folder / "trace"
    before: dict[str, bytearray] = {}

    def prepare(load: Load) -> None:
        before.update(_files(load.data))
        load.under = [
            str(STRACE), "-f", "-D", "--seccomp-bpf", "-y", "-xx", "-s", "1000000", "-ttt", "-o", str(trace),
            "-e", f"trace={_CALLS}",
        ]  # fmt: skip

    async with loaded(folder, sharers=120, phones=6, seed=seed, prepare=prepare) as load:
        await asyncio.sleep(size.power_s)
        verdict = await load.end()
    done = list(changes(trace, load.data))
    acked = [line for line in lines(load.history) if isinstance(line, Acked)]
    chance = random.Random(seed)
    at = sorted(chance.sample(range(len(done)), min(size.cuts, len(done))))
    started_on = set(chance.sample(at, min(size.starts_after_cuts, len(at))))
    disk, broken = Disk(before), []
    for number, change in enumerate(done):
        disk.take(change)
        if number not in at:
            continue
        target = folder / "cut"
        lay_out(disk.after_cut(chance), load.data, target)
        known = {(a.sharer, a.measured_ms // 1000, a.level) for a in acked if a.at_ms < change.at_ms}
        found = [f"start: {why}" for why in [await _starts(target)] if why] if number in started_on else []
        found += unsound(target, known)
        broken += [f"cut {number}: {one}" for one in found]
    did = f"{len(at)} cuts among {len(done):,} writes, syncs and names, started on {len(started_on)}"
    figures: dict[str, float] = {"cuts": len(at), "changes": len(done), "starts": len(started_on)}
    return of(did, verdict, figures, *broken)
