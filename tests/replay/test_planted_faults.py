"""Faults planted in a copy of the evaluator: the comparison with the oracle catches each.

So the comparison can fail, and the journals it runs on reach what they must reach. A fault is a line of the
product's source in other words; where the source has moved on, plant the fault anew.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Final, NamedTuple

import pytest

from nightbell import evaluate
from nightbell.journal.group import Group
from tests.oracle.compare import Folding, batches, oracle_says, parting
from tests.oracle.oracle import Transition
from tests.oracle.scripts import play, random_moves

JOURNALS_MAX: Final = 200


class Fault(NamedTuple):
    """One fault: what would go wrong in somebody's night, and which line does it."""

    promise_broken: str
    file: str
    line: str
    planted: str


FAULTS: Final = (
    Fault(
        "a reading exactly at the limit is not low",
        "conditions.py",
        "return level <= limit if side < 0 else level >= limit",
        "return level < limit if side < 0 else level >= limit",
    ),
    Fault(
        "a low ends at its first clear reading",
        "conditions.py",
        "ends = holds & part.counts & clear & marked",
        "ends = holds & part.counts & clear",
    ),
    Fault(
        "the lower of two contradicting readings is not told",
        "conditions.py",
        "sees = part.counts | part.near if side < 0 else part.counts",
        "sees = part.counts",
    ),
    Fault(
        "urgent low soon is not quiet after urgent low",
        "conditions.py",
        "quiet_column[rows] = np.where(urgent, np.maximum(quiet_ms, quiet_until_ms), quiet_ms)",
        "quiet_column[rows] = quiet_ms",
    ),
    Fault(
        "falling fast rings far from the limit",
        "conditions.py",
        "(away <= rules.FAST_MATTERS_MGDL)",
        "(away <= 2 * rules.FAST_MATTERS_MGDL)",
    ),
    Fault(
        "a slope reaches across LOW",
        "readings.py",
        "goes_on = (chain > 0) & (gap_ms <= rules.CHAIN_GAP_MS_MAX) & number",
        "goes_on = (chain > 0) & (gap_ms <= rules.CHAIN_GAP_MS_MAX)",
    ),
    Fault(
        "a late reading rings as if it were now",
        "readings.py",
        "late = ~repeated & (batch.received_ms - batch.measured_ms > LIVE_AGE_MS_MAX)",
        "late = ~repeated & (batch.received_ms - batch.measured_ms > 2 * LIVE_AGE_MS_MAX)",
    ),
    Fault(
        "a forecast reaches across a late reading",
        "readings.py",
        "_break_chains(columns, batch.sharer[late & newest])",
        "_break_chains(columns, batch.sharer[:0])",
    ),
    Fault(
        "two readings of one sharer in one batch do not see each other",
        "readings.py",
        "if len(starts) == len(sharer):",
        "if len(starts) >= 0:",
    ),
    Fault(
        "a backlog hides its newest reading",
        "readings.py",
        "dominated[:-1] |= neighbours & (measured[1:] >= measured[:-1] + 1000)",
        "dominated[1:] |= neighbours & (measured[1:] >= measured[:-1] + 1000)",
    ),
    Fault("the trend is damped too much", "rules.py", "SLOPE_OLD: Final = 2_800", "SLOPE_OLD: Final = 2_700"),
    Fault(
        "a trend reaches across four missed readings",
        "rules.py",
        "CHAIN_GAP_MS_MAX: Final = 930_000",
        "CHAIN_GAP_MS_MAX: Final = 1_230_000",
    ),
    Fault(
        "two points make a speed", "rules.py", "RATE_READINGS_MIN: Final = 3", "RATE_READINGS_MIN: Final = 2"
    ),
    Fault(
        "silence is told a tick late",
        "deadlines.py",
        "come = some <= at_ms",
        "come = some < at_ms",
    ),
    Fault("a low that goes silent ends", "silence.py", "held | SILENT", "held & ~np.uint16(0b1110) | SILENT"),
    Fault("our own outage is their silence", "silence.py", "    columns.door_open_ms = at_ms\n", ""),
    Fault(
        "a changed limit waits for the next reading",
        "facts.py",
        "now = before & kept | _judged_anew(columns, fact, before) & ~kept",
        "now = before",
    ),
    Fault(
        "an old reading rings because a limit was changed",
        "facts.py",
        "(fresh or before >> condition & 1)",
        "(not fresh or fresh)",
    ),
    Fault(
        "a restart forgets that the door was closed",
        "fold.py",
        "columns.door_open_ms, columns.last_tick_ms = dump.door_open_ms, dump.last_tick_ms",
        "columns.last_tick_ms = dump.last_tick_ms",
    ),
    Fault(
        "one cause says things in no order",
        "transition.py",
        'transitions["began"], transitions["follow"], causes',
        'transitions["began"], causes',
    ),
)


def copied(place: Path, name: str, fault: Fault | None) -> ModuleType:
    """A copy of the evaluator under another name, with a fault or without; its `fold` module."""
    folder = place / name
    folder.mkdir()
    for source in Path(evaluate.__path__[0]).glob("*.py"):
        text = source.read_text(encoding="utf-8").replace("nightbell.evaluate", name)
        if fault is not None and source.name == fault.file:
            assert fault.line in text, f"plant anew: {fault.promise_broken}"
            text = text.replace(fault.line, fault.planted)
            assert fault.line not in text.replace(fault.planted, "") or not fault.planted
        (folder / source.name).write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
    return importlib.import_module(f"{name}.fold")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where copies are made and imported from; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("planted_"):
            del sys.modules[name]


@cache
def journal(seed: int) -> tuple[Sequence[Group], Sequence[Transition]]:
    """A journal and what the oracle says of it."""
    groups = play(random_moves(seed, 120))
    return groups, oracle_says(groups)


def said_by(module: ModuleType, groups: Sequence[Group], seed: int) -> list[Transition]:
    """What a copy says, in batches, with a restart before each."""
    said: list[Transition] = []
    fold: Folding = module.Fold()
    for batch in batches(groups, Random(seed)):
        fold = module.Fold.load(fold.dump())
        said += [Transition(*row) for row in fold.fold(batch).tolist()]
    return said


def caught_by(module: ModuleType, journals: int) -> int | None:
    """The first journal on which a copy parts from the oracle, if there is one."""
    for seed in range(journals):
        groups, expected = journal(seed)
        if parting(expected, said_by(module, groups, seed)):
            return seed
    return None


def test_a_copy_without_a_fault_says_what_the_oracle_says(place: Path) -> None:
    assert caught_by(copied(place, "planted_none", None), 20) is None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.promise_broken)
def test_the_comparison_catches_a_planted_fault(fault: Fault, place: Path) -> None:
    module = copied(place, f"planted_{FAULTS.index(fault)}", fault)

    assert caught_by(module, JOURNALS_MAX) is not None, fault.promise_broken
