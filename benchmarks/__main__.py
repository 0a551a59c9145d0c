"""`python -m benchmarks`, which is what `make bench` runs: measure, print a table, write `build/bench.json`.

Ends with 1 if something was lost or could not be measured. A missed bar is printed, and ends with 0: on a
slow or busy machine that is a fact and no fault.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import backlog, day, foresight, ladders, letters, running, still, streams
from benchmarks.figures import Counts, Figure, Standing, row
from benchmarks.machine import Machine, machine
from benchmarks.processes import BUILD
from benchmarks.running import joined
from benchmarks.size import SMALL, WHOLE, Measured, Say, Size

MEASURES: Final[dict[str, Callable[[Size, Say], Measured]]] = {
    "saturation": running.saturation,
    "live": running.live,
    "screen": running.screen,
    "backfill": backlog.backfill,
    "mixed": backlog.mixed,
    "streams": streams.streams,
    "evaluate": still.evaluate,
    "history": still.history,
    "day": day.history_day,
    "letters": letters.letters,
    "ladders": ladders.ladders,
    "low_soon": foresight.low_soon,
    "oracle": foresight.oracle,
}

_LOOKS: Final = {Standing.MET: "green", Standing.MISSED: "red", Standing.VOID: "yellow"}


class Report(msgspec.Struct, frozen=True):
    """What `build/bench.json` holds."""

    machine: Machine
    load_after: tuple[float, float, float]
    size: dict[str, float]
    took_s: float
    figures: list[Figure]
    counts: list[Counts]
    failures: list[str]


def asked() -> argparse.Namespace:
    """The command line."""
    reader = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    reader.add_argument("--small", action="store_true", help="a small house, short rounds")
    reader.add_argument(
        "--sharers", type=int, metavar="N", help="so many sharers in the house, three follows each"
    )
    reader.add_argument("--only", action="append", choices=list(MEASURES), help="only this; may be repeated")
    reader.add_argument("--out", type=Path, default=BUILD / "bench.json", help="where the report goes")
    return reader.parse_args()


def table(figures: list[Figure]) -> Table:
    """All figures."""
    shown = Table(title="Nightbell, measured")
    for head, justify in (("figure", "left"), ("median", "right"), ("", "left"), ("bar", "right")):
        shown.add_column(head, justify="right" if justify == "right" else "left", no_wrap=True)
    shown.add_column("", no_wrap=True)
    shown.add_column("rounds; conditions")
    for one in figures:
        key, value, unit, bar, standing, told = row(one)
        look = _LOOKS.get(one.standing, "")
        shown.add_row(key, value, unit, bar, f"[{look}]{standing}[/]" if look else "", told)
    return shown


def measure_all(
    names: list[str], size: Size, console: Console
) -> tuple[list[Figure], list[Counts], list[str]]:
    """Every measurement; one that fails does not stop the others."""
    figures: list[Figure] = []
    found: list[Counts] = []
    failures: list[str] = []

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, highlight=False)

    for name in names:
        say(f"-- {name} (load {os.getloadavg()[0]:.1f})")
        try:
            measured = MEASURES[name](size, say)
        except Exception as error:  # noqa: BLE001 one that fails must not take the others' figures with it
            failures.append(f"{name}: {type(error).__name__}: {error}")
            say(failures[-1])
            continue
        figures += measured.figures
        found += measured.counts
        for counts in measured.counts:
            agreeing = ", ".join(f"{key} {pair[0]:,}" for key, pair in counts.pairs.items())
            say(f"counts after {counts.where}: {agreeing}")
    return joined(figures), found, failures


def main() -> int:
    """Measure and report. Returns the exit code."""
    wanted = asked()
    size = SMALL if wanted.small else WHOLE
    if wanted.sharers:
        size = size._replace(sharers=wanted.sharers)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))  # every stream is an open file
    console = Console(width=None if sys.stdout.isatty() else 160)
    BUILD.mkdir(exist_ok=True)
    before, began = machine(BUILD), time.monotonic()
    names = wanted.only or list(MEASURES)
    figures, found, failures = measure_all(names, size, console)
    failures += [mismatch for counts in found for mismatch in counts.mismatches()]
    report = Report(
        before,
        os.getloadavg(),
        size._asdict(),
        round(time.monotonic() - began, 1),
        figures,
        found,
        failures,
    )
    wanted.out.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    console.print(table(figures))
    load = ", ".join(f"{value:.1f}" for value in before.load_before)
    console.print(f"{before.cores} cores, {before.processor}, {before.python}, load before: {load}")
    console.print(f"Written to {wanted.out}", highlight=False)
    for failure in failures:
        console.print(f"FAILED: {failure}", style="red", markup=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
