"""Where a figure was measured: the machine, the versions, and how busy it was before."""

import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path

import msgspec

PACKAGES = ("nightbell", "uvicorn", "uvloop", "httptools", "msgspec", "numpy", "litestar")


class Machine(msgspec.Struct, frozen=True):
    """The conditions of a run."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    sqlite: str
    packages: dict[str, str]
    file_system: str
    load_before: tuple[float, float, float]


def machine(folder: Path) -> Machine:
    """This machine now; `folder` is where the measured files lie."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        sqlite=sqlite3.sqlite_version,
        packages={name: metadata.version(name) for name in PACKAGES},
        file_system=_file_system(folder),
        load_before=os.getloadavg(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The kind of file system that a folder lies on: the mount with the longest path above it."""
    best, kind = "", "unknown"
    where = str(folder.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        inside = where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind
