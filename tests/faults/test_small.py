"""Each fault, small: 0 acknowledged readings lost, 0 alarms missed, told again only under the same id.

Each runs as `make faults` runs it, in a process of its own; those of one group side by side, for most of them
mostly wait.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.faults.every import FAULTS

ROOT: Final = Path(__file__).resolve().parents[2]
SEED: Final = 20191129

GROUPS: Final = {
    "processes that stand or die": ("no-seconds", "half-dead", "stopped", "kill-nine"),
    "files and disks": ("damaged", "calls", "full-disk", "small-disk", "power-cut"),
    "what others bring": ("flood", "poison", "reconnects"),
}

ONLY_IN_FULL: Final = {"soak", "clock"}
"""The one is long; a process under libfaketime is so slow on a busy machine that graphs are refused for
minutes."""

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]


def tried(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults", "--small", "--only", name, "--seed", str(SEED)]
    return subprocess.run(  # noqa: S603 ours
        [*command, "--folder", str(folder / name)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_fault_is_tried_but_those_only_in_full() -> None:
    assert {name for group in GROUPS.values() for name in group} == set(FAULTS) - ONLY_IN_FULL


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_that_was_promised_is_lost(group: str, tmp_path: Path) -> None:
    names = GROUPS[group]
    with ThreadPoolExecutor(len(names)) as beside:
        done = list(beside.map(lambda name: tried(name, tmp_path), names))

    broken = [f"{one.stdout}\n{one.stderr[-2000:]}" for one in done if one.returncode]
    assert not broken, "\n".join(broken)
    reports = [json.loads((tmp_path / name / "faults.json").read_bytes()) for name in names]
    if all(report["faults"][name]["skipped"] for name, report in zip(names, reports, strict=True)):
        pytest.skip("none of them can be tried here")
