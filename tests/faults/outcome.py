"""What a fault came to, and how much of it is tried."""

import re
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.checker import Verdict


class Size(msgspec.Struct, frozen=True):
    """How much of each fault is tried: `SMALL` with every `make test`, `FULL` by `make faults`."""

    kills: int
    cuts: int
    starts_after_cuts: int
    call_rounds: int
    damages: int
    reconnects: int
    flooders: int
    soak_s: float


SMALL: Final = Size(
    kills=5, cuts=25, starts_after_cuts=1, call_rounds=4, damages=1, reconnects=300, flooders=60, soak_s=0
)
FULL: Final = Size(
    kills=200, cuts=500, starts_after_cuts=25, call_rounds=60, damages=8, reconnects=10_000, flooders=600,
    soak_s=20 * 60,
)  # fmt: skip


class Outcome(msgspec.Struct, frozen=True):
    """What was measured, and every promise that was not kept."""

    figures: dict[str, float]
    broken: tuple[str, ...] = ()
    skipped: str = ""


def of(verdict: Verdict, figures: dict[str, float], *broken: str) -> Outcome:
    """What the checker found, with what the fault itself measured."""
    found: dict[str, float] = {
        "acked": verdict.acked,
        "lows": verdict.lows,
        "rung_max_s": verdict.rung_ms[-1] / 1000 if verdict.rung_ms else -1,
        "repeated_on_stream": verdict.repeated_on_stream,
        "late_twice_in_journal": verdict.journaled_twice_late,
    }
    return Outcome(figures | found, (*verdict.violations, *broken))


def share(ordered: list[float], part: float) -> float:
    """A percentile of ascending figures."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def memory_mb(pid: int) -> float:
    """What a process holds of memory now, from Linux."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
