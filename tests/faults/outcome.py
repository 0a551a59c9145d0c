"""What a fault came to, and how much of it is tried."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.checker import Verdict


class Size(msgspec.Struct, frozen=True):
    """How much of each fault is tried: `SMALL` with every `make test`, `FULL` by `make faults`."""

    kills: int
    cuts: int
    starts_after_cuts: int
    call_stride: int
    calls_s: float
    checkpoint_calls: int
    damages: int
    reconnects: int
    flooders: int
    soak_s: float
    power_s: float


SMALL: Final = Size(
    kills=3, cuts=25, starts_after_cuts=1, call_stride=0, calls_s=2, checkpoint_calls=1, damages=1,
    reconnects=150, flooders=60, soak_s=0, power_s=3,
)  # fmt: skip
FULL: Final = Size(
    kills=200, cuts=500, starts_after_cuts=25, call_stride=5, calls_s=12, checkpoint_calls=30, damages=8,
    reconnects=10_000, flooders=600, soak_s=20 * 60, power_s=6,
)  # fmt: skip


class Pass(msgspec.Struct, frozen=True):
    """A pass figure of the list of fault tests: what was measured, and how much it may be at most."""

    what: str
    measured: float
    at_most: float

    @property
    def met(self) -> bool:
        """Whether it is within."""
        return self.measured <= self.at_most


class Outcome(msgspec.Struct, frozen=True):
    """What was done and measured, what the checker counted, and every promise that was not kept.

    A pass figure that is a time and not met breaks no promise: the machine may be busy. The report says it.
    """

    did: str = ""
    acked: int = 0
    lows: int = 0
    lost: int = 0
    missed: int = 0
    same_id: int = 0
    other_id: int = 0
    figures: dict[str, float] = {}
    passes: tuple[Pass, ...] = ()
    broken: tuple[str, ...] = ()
    skipped: str = ""


def of(
    did: str,
    verdicts: Verdict | Sequence[Verdict],
    figures: dict[str, float],
    *broken: str,
    passes: Sequence[Pass] = (),
) -> Outcome:
    """What the checker found, in one run or in several, with what the fault itself measured."""
    runs = [verdicts] if isinstance(verdicts, Verdict) else verdicts
    slowest_ms = max((run.rung_ms[-1] for run in runs if run.rung_ms), default=-1000)
    late_twice = sum(run.journaled_twice_late for run in runs)
    found: dict[str, float] = {"rung_max_s": slowest_ms / 1000, "late_twice_in_journal": late_twice}
    return Outcome(
        did=did,
        acked=sum(run.acked for run in runs),
        lows=sum(run.lows for run in runs),
        lost=sum(run.lost for run in runs),
        missed=sum(run.missed for run in runs),
        same_id=sum(run.repeated_on_stream for run in runs),
        other_id=sum(run.doubled for run in runs),
        figures=figures | found,
        passes=tuple(passes),
        broken=(*(one for run in runs for one in run.violations), *broken),
    )


def share(ordered: list[float], part: float) -> float:
    """A percentile of ascending figures."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def memory_mb(pid: int) -> float:
    """What a process holds of memory now, from Linux."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
