"""`make faults`: every fault in full, one after another. Prints the seed and the command that repeats each.

    python -m tests.faults [--small] [--seed N] [--only FAULT]... [--minutes N] [--folder DIR]

All of them together write `build/faults.json`; some of them, `faults.json` in the folder of the runs. A run
keeps its history and its files there if anything was broken. A fault that fails stops no other.
"""

# ruff: noqa: T201 a report is printed

import argparse
import asyncio
import random
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.every import FAULTS
from tests.faults.outcome import FULL, SMALL, Outcome, Size
from tests.faults.report import Report, conditions, failed, line, table

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build" / "faults"
FAULT_S_MAX: Final = 20 * 60
"""How long one fault may take, the soak apart: what hangs is broken, and the others are still tried."""


async def _tried(name: str, size: Size, folder: Path, seed: int) -> Outcome:
    """One fault; what goes wrong in the trying is an outcome too."""
    try:
        return await asyncio.wait_for(FAULTS[name](size, folder, seed), FAULT_S_MAX + size.soak_s)
    except TimeoutError:
        traceback.print_exc()
        return Outcome(did="it did not come to its end", broken=("what it waited for did not come",))
    except Exception as error:  # noqa: BLE001 one fault must not stop the others
        traceback.print_exc()
        why = f"{type(error).__name__}: {error}"[-600:]
        return Outcome(did="it did not come to its end", broken=(why,))


def main() -> int:
    """Run what was asked for; 0 if everything was kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="as much as make test does")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**8))
    parser.add_argument("--only", action="append", choices=FAULTS, default=[])
    parser.add_argument("--minutes", type=float, default=FULL.soak_s / 60, help="how long the soak is")
    parser.add_argument("--folder", type=Path, default=BUILD, help="where runs and faults.json lie")
    asked = parser.parse_args()
    size = SMALL if asked.small else msgspec.structs.replace(FULL, soak_s=asked.minutes * 60)
    asked.folder.mkdir(parents=True, exist_ok=True)
    place = BUILD.parent if not asked.only and asked.folder == BUILD else asked.folder
    report = Report(asked.seed, asked.small, conditions())
    print(f"seed {asked.seed}", flush=True)
    for name in asked.only or FAULTS:
        folder = asked.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        begun = time.monotonic()
        outcome = asyncio.run(_tried(name, size, folder, asked.seed))
        report.took_s[name] = round(time.monotonic() - begun, 1)
        report.faults[name] = outcome
        print(line(name, outcome, report.took_s[name]), flush=True)
        for sentence in outcome.broken:
            print(f"    {sentence}", flush=True)
        if outcome.broken:
            small = " --small" if asked.small else ""
            print(f"    again: {sys.executable} -m tests.faults --only {name} --seed {asked.seed}{small}")
        else:
            shutil.rmtree(folder)
        (place / "faults.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    print(f"\n{table(report)}\n\n{place / 'faults.json'}")
    return int(failed(report))


if __name__ == "__main__":
    sys.exit(main())
