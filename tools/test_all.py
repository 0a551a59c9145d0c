"""Run every test here, then the tests of the core on every other Python found, and say what ran.

`make test` calls this from the finished environment. The main interpreter runs the whole suite. Each other
one gets its own environment from the same locks under `.venvs/` and runs the unit, machine and contract
tests: those need neither a browser nor a second process, so they stay quick.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CLAIMED = ("3.11", "3.12", "3.13")
"""What we claim: failing to set one of these up is a failure. A newer one is tried, and reported."""

ELSEWHERE = ("tests/unit", "tests/machines", "tests/contracts")
LOCKS = ("requirements-build.lock", "requirements-test.lock", "pyproject.toml")


class Python(NamedTuple):
    """An interpreter: `3.12` and where it is."""

    version: str
    path: str


class Outcome(NamedTuple):
    """What one interpreter did."""

    version: str
    word: str
    failed: bool


def found() -> list[Python]:
    """Every interpreter that can be used, by `tools/find_python.sh`."""
    listed = subprocess.run(
        ["/bin/sh", "tools/find_python.sh"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [Python(*line.split(" ", 1)) for line in listed.splitlines()]


def stamp() -> str:
    """What the environments are made from."""
    digest = hashlib.sha256()
    for name in LOCKS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def start_setup(python: Python, wanted: str) -> subprocess.Popen[str] | None:
    """Begin to set an environment up; None if it stands already."""
    venv = ROOT / ".venvs" / python.version
    ready = venv / ".ready"
    if ready.is_file() and ready.read_text() == wanted:
        return None
    return subprocess.Popen(
        ["/usr/bin/env", "bash", "tools/setup.sh", python.path, str(venv), "requirements-test.lock"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def set_up(pythons: Sequence[Python]) -> dict[str, str]:
    """Set all environments up side by side. The value is empty, or the last lines of what went wrong."""
    wanted = stamp()
    started = [(python, start_setup(python, wanted)) for python in pythons]
    problems: dict[str, str] = {}
    for python, process in started:
        problems[python.version] = ""
        if process is None:
            continue
        said, _ = process.communicate()
        if process.returncode == 0:
            (ROOT / ".venvs" / python.version / ".ready").write_text(wanted)
        else:
            problems[python.version] = "\n".join(said.splitlines()[-8:])
    return problems


def pytest(executable: str, paths: Sequence[str], jobs: str, extra: Sequence[str]) -> int:
    """Run pytest with its own output; its closing lines stay visible."""
    return subprocess.run(
        [executable, "-m", "pytest", "-q", "-n", jobs, *extra, *paths], cwd=ROOT, check=False, env=os.environ
    ).returncode


def chromium() -> None:
    """Find or install a browser for the browser tests; without one they skip and say so."""
    done = subprocess.run(
        ["/usr/bin/env", "bash", "tools/chromium.sh", "--install"],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode == 0:
        os.environ["NIGHTBELL_CHROMIUM"] = done.stdout.strip()


def elsewhere(pythons: Sequence[Python], jobs: str) -> list[Outcome]:
    """The tests of the core on other interpreters."""
    outcomes = []
    problems = set_up(pythons)
    for python in pythons:
        if problem := problems[python.version]:
            claimed = python.version in CLAIMED
            print(f"\n== Python {python.version}: could not be set up\n{problem}", flush=True)
            outcomes.append(Outcome(python.version, "could not be set up", claimed))
            continue
        paths = [path for path in ELSEWHERE if any((ROOT / path).rglob("test_*.py"))]
        print(f"\n== Python {python.version}: {' '.join(paths)}", flush=True)
        executable = str(ROOT / ".venvs" / python.version / "bin" / "python")
        failed = pytest(executable, paths, jobs, []) != 0
        outcomes.append(Outcome(python.version, "FAILED" if failed else "core passed", failed))
    return outcomes


def main() -> int:
    """Run it all; 0 if everything passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="auto", help="how many test processes, as for pytest -n")
    parser.add_argument("--here-only", action="store_true", help="only this interpreter")
    parser.add_argument("extra", nargs="*", help="more for pytest on this interpreter, after --")
    asked = parser.parse_args()

    chromium()
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"== Python {here}: everything", flush=True)
    failed = pytest(sys.executable, [], asked.jobs, asked.extra) != 0
    outcomes = [Outcome(here, "FAILED" if failed else "everything passed", failed)]
    if not asked.here_only:
        outcomes += elsewhere([python for python in found() if python.version != here], asked.jobs)

    print("\n== What ran")
    for outcome in outcomes:
        print(f"   Python {outcome.version}: {outcome.word}")
    for version in sorted(set(CLAIMED) - {outcome.version for outcome in outcomes}):
        print(f"   Python {version}: not on this machine, so not tested")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
