"""Each fault, small: 0 acknowledged readings lost, 0 alarms missed, told again only under the same id.

Each runs as `make faults` runs it, in a process of its own.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.faults.every import FAULTS

ROOT: Final = Path(__file__).resolve().parents[2]
SEED: Final = 20191129

pytestmark = [pytest.mark.process, pytest.mark.timeout(500)]


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "soak"])
def test_nothing_that_was_promised_is_lost(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults", "--small", "--only", name, "--seed", str(SEED)]

    done = subprocess.run(  # noqa: S603 ours
        [*command, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    if "skipped:" in done.stdout:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
