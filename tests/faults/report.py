"""What became of all faults of one run, as a file and as a table for docs/faults.md."""

import os
import platform
from importlib.metadata import version

import msgspec

from nightbell.words.clock import from_ms
from tests.faults.outcome import Outcome
from tests.faults.record import now_ms

HEAD = (
    "fault", "seed", "what happened", "acknowledged", "lost", "missed", "told twice (same id, another)",
    "pass figure", "met",
)  # fmt: skip


class Report(msgspec.Struct):
    """Every fault's outcome, and how long each took, seconds."""

    seed: int
    small: bool
    conditions: dict[str, str]
    faults: dict[str, Outcome] = {}
    took_s: dict[str, float] = {}


def conditions() -> dict[str, str]:
    """Of what machine the figures speak, and how busy it was at the beginning."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "at": from_ms(now_ms()).isoformat(timespec="seconds"),
        "nightbell": version("nightbell"),
        "python": platform.python_version(),
        "system": platform.release(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory_gb": f"{pages / 2**30:.1f}",
        "load_average_before": " ".join(f"{one:.1f}" for one in os.getloadavg()),
    }


def failed(report: Report) -> bool:
    """Whether any promise was broken."""
    return any(outcome.broken for outcome in report.faults.values())


def line(name: str, outcome: Outcome, took_s: float) -> str:
    """One fault, as it ends."""
    word = "BROKEN" if outcome.broken else f"skipped: {outcome.skipped}" if outcome.skipped else "kept"
    figures = " ".join(f"{key}={value:g}" for key, value in outcome.figures.items())
    return f"{name:12} {word:8} {took_s:7.1f} s  acked={outcome.acked} lows={outcome.lows} {figures}"


def table(report: Report) -> str:
    """All of them, as rows between bars."""
    rows = [HEAD, ("---",) * len(HEAD)]
    rows += [_row(name, report) for name in report.faults]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, report: Report) -> tuple[str, ...]:
    outcome, seed = report.faults[name], str(report.seed)
    if outcome.skipped:
        return (f"`{name}`", seed, f"skipped: {outcome.skipped}", *("",) * 5, "not tried")
    late = [one for one in outcome.passes if not one.met]
    met = "BROKEN" if outcome.broken else f"not: {', '.join(one.what for one in late)}" if late else "yes"
    return (
        f"`{name}`",
        seed,
        f"{outcome.did}; {report.took_s[name]:.0f} s",
        f"{outcome.acked:,}, {outcome.lows:,} lows",
        f"{outcome.lost:,}",
        f"{outcome.missed:,}",
        f"{outcome.same_id:,}, {outcome.other_id:,}",
        "; ".join(f"{one.what} {one.measured:.3g} (at most {one.at_most:g})" for one in outcome.passes)
        or "0 lost, 0 missed",
        met,
    )
