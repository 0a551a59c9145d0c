"""Each fault, small: 0 acknowledged readings lost, 0 alarms missed, told again only under the same id."""

from pathlib import Path
from typing import Final

import pytest

from tests.faults.every import FAULTS
from tests.faults.outcome import SMALL

SEED: Final = 20191129

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "soak"])
async def test_nothing_that_was_promised_is_lost(name: str, tmp_path: Path) -> None:
    outcome = await FAULTS[name](SMALL, tmp_path, SEED)

    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.broken == (), f"again: python -m tests.faults --small --only {name} --seed {SEED}"
