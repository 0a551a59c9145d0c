"""The disk under a folder: its room, its kind, and how long it takes to write something down for good."""

import os
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, NamedTuple

BLOCK_BYTES: Final = 4096
"""What is written before each fsync: a page, as SQLite's journal writes."""

START_BYTES_MIN: Final = 1_000_000
"""Each of five files wants 32 KiB for the index of its log, and pages for the log (sqlite.org/wal.html)."""

MOUNTS: Final = Path("/proc/self/mountinfo")


class Disk(NamedTuple):
    """The disk under a folder.

    Attributes:
        free_bytes: What this user may still write.
        kind: The file system, as `ext4`; empty if unknown.
        why_not: Why nothing can be written, empty if it can.
        syncs_ms: How long each write and fsync took, in order; empty if nothing can be written.
    """

    free_bytes: int
    kind: str
    why_not: str
    syncs_ms: tuple[float, ...]


def measure_disk(folder: Path, *, syncs: int) -> Disk:
    """Measure with a file of our own in the folder, which is removed again."""
    found = os.statvfs(folder)
    free_bytes = found.f_bavail * found.f_frsize
    try:
        taken_ms = _syncs_ms(folder, syncs)
    except OSError as error:
        return Disk(free_bytes, file_system(folder), error.strerror or str(error), ())
    return Disk(free_bytes, file_system(folder), "", taken_ms)


def free_bytes(folder: Path) -> int:
    """What this user may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def is_full(folder: Path) -> bool:
    """Whether there is no room for what a start itself writes, the logs of its files."""
    return free_bytes(folder) < START_BYTES_MIN


def size_bytes(path: Path) -> int:
    """What a folder holds, less what vanishes while we look."""
    total = 0
    for place, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def _syncs_ms(folder: Path, syncs: int) -> tuple[float, ...]:
    block = os.urandom(BLOCK_BYTES)
    taken_ms = []
    with NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(syncs):
            began_ns = time.perf_counter_ns()
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
            taken_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    return tuple(taken_ms)


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system a folder lies on: that of the innermost mount (proc(5), mountinfo)."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    place, best, kind = folder.resolve(), -1, ""
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if not dash or len(fields) < len(("id", "parent", "device", "root", "point")):
            continue
        point = Path(fields[4].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind
