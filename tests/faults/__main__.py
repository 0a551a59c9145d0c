"""`make faults`: every fault in full, one after another. Prints the seed and the command that repeats each.

    python -m tests.faults [--small] [--seed N] [--only FAULT]... [--minutes N] [--folder DIR]

Each run keeps its history and its files under `build/faults` if anything was broken.
"""

# ruff: noqa: T201 a report is printed

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.every import FAULTS
from tests.faults.outcome import FULL, SMALL

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build" / "faults"


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
    print(f"seed {asked.seed}", flush=True)
    found: dict[str, object] = {"seed": asked.seed, "small": asked.small}
    failed = False
    for name in asked.only or FAULTS:
        folder = asked.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        begun = time.monotonic()
        outcome = asyncio.run(FAULTS[name](size, folder, asked.seed))
        took_s = round(time.monotonic() - begun, 1)
        found[name] = {**msgspec.to_builtins(outcome), "took_s": took_s}
        word = "BROKEN" if outcome.broken else f"skipped: {outcome.skipped}" if outcome.skipped else "kept"
        figures = " ".join(f"{key}={value:g}" for key, value in outcome.figures.items())
        print(f"{name:12} {word:8} {took_s:7.1f} s  {figures}", flush=True)
        for sentence in outcome.broken:
            print(f"    {sentence}", flush=True)
        if outcome.broken:
            failed = True
            small = " --small" if asked.small else ""
            print(f"    again: {sys.executable} -m tests.faults --only {name} --seed {asked.seed}{small}")
        else:
            shutil.rmtree(folder)
        (asked.folder / "faults.json").write_text(json.dumps(found, indent=1))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
