"""Clock, memory, limits and processes of this machine, as Linux tells them."""

import ctypes
import os
import resource
import time
from pathlib import Path
from typing import Final, NamedTuple

TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")
SOMAXCONN: Final = Path("/proc/sys/net/core/somaxconn")

_STATUS_AT: Final = 40
"""Where `status` lies in `struct timex` with 64-bit longs (adjtimex(2))."""

_TIMEX_BYTES: Final = 208
_UNSYNCED: Final = 0x40
"""STA_UNSYNC (adjtimex(2))."""

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Moment(NamedTuple):
    """The time of day and steady time, read together."""

    wall_ms: float
    steady_ms: float


def moment() -> Moment:
    """Both clocks now."""
    return Moment(time.time_ns() / 1e6, time.monotonic_ns() / 1e6)


class Limits(NamedTuple):
    """What the system lets us have.

    Attributes:
        files: Open files a process may have.
        files_hard: Up to what it may ask for more.
        backlog: Connections that may wait to be taken; 0 if unknown.
        cores: Processors this process may use.
        memory_mb: Memory that can be had without swapping, MB; 0 if unknown.
    """

    files: int
    files_hard: int
    backlog: int
    cores: int
    memory_mb: float


def measure_limits() -> Limits:
    """Ask the system."""
    files, files_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        backlog = int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        backlog = 0
    return Limits(files, files_hard, backlog, len(os.sched_getaffinity(0)), _available_mb())


def _available_mb() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return 0.0


def clock_synced() -> bool | None:
    """Whether something keeps the clock right: the kernel says so, or systemd does; None if nobody tells."""
    if TIMESYNC.exists():
        return True
    try:
        library = ctypes.CDLL(None, use_errno=True)
        asked = ctypes.create_string_buffer(_TIMEX_BYTES)
        if ctypes.sizeof(ctypes.c_long) != 8 or library.adjtimex(asked) < 0:  # noqa: PLR2004 bytes
            return None
    except (OSError, AttributeError):
        return None
    status = int.from_bytes(asked.raw[_STATUS_AT : _STATUS_AT + 4], "little")
    return not status & _UNSYNCED


def cpu_s(pid: int) -> float:
    """Processor time a process has used, all threads, seconds.

    Raises:
        OSError: It is gone.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mb(pid: int) -> float:
    """What a process has held in memory at most, MB.

    Raises:
        OSError: It is gone.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def pause(seconds: float) -> None:
    """Let this thread wait."""
    time.sleep(seconds)
