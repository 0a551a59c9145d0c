"""A loaded house for benchmarks, furnished by `nightbell.app.furnish` and kept until its stores change."""

import asyncio
import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.processes import BUILD, ROOT
from nightbell.app.furnish import furnish

FURNISH_S_MAX: Final = 3_600

SOURCE: Final = ROOT / "src" / "nightbell"
ROOMS: Final = (
    "account", "follow", "journal/facts.py", "journal/packing.py", "evaluate", "alarm", "adapters/stores",
)  # fmt: skip
"""What decides how a house lies on the disk."""


def version_of_stores() -> str:
    """A hash of the code that decides how a house lies on the disk: one of another version is made anew."""
    digest = hashlib.blake2b(digest_size=8)
    for room in ROOMS:
        place = SOURCE / room
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in {".py", ".sql"}:
                digest.update(path.read_bytes())
    digest.update((SOURCE / "app" / "furnish.py").read_bytes())
    return digest.hexdigest()


@cache
def house(sharers: int) -> Path:
    """The folder of a furnished house, made if it is not there; copy it, never run on it.

    Raises:
        subprocess.CalledProcessError: It could not be made.
    """
    folder = BUILD / f"bench-house-{sharers}"
    version = f"{version_of_stores()}\n"
    stamp = folder / "version"
    if stamp.exists() and stamp.read_text() == version:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (BUILD / "bench-house.log").open("wb") as log:
        command = [sys.executable, "-m", "benchmarks.house", str(folder), str(sharers)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=log, stderr=log, timeout=FURNISH_S_MAX)
    stamp.write_text(version)
    return folder


if __name__ == "__main__":
    asyncio.run(
        furnish(
            Path(sys.argv[1]),
            int(sys.argv[2]),
            lambda made: print(f"{made} sharers", file=sys.stderr, flush=True),
        )
    )
