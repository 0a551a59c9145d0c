"""`nightbell bench`: run the measurements of a source checkout."""

import argparse
import subprocess
import sys
from pathlib import Path

import nightbell
from nightbell.cli.speak import CommandError, Speaker, say


def bench(asked: argparse.Namespace, _speaker: Speaker) -> None:
    """Run `python -m benchmarks` with what was asked, where the source is.

    Raises:
        CommandError: This is no checkout, or a measurement failed.
    """
    assert nightbell.__file__ is not None
    root = Path(nightbell.__file__).resolve().parents[2]
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise CommandError(say("bench_no_checkout"), code="no_checkout")
    done = subprocess.run(  # noqa: S603 our own program beside our own package
        [sys.executable, "-m", "benchmarks", *asked.rest], cwd=root, check=False
    )
    if done.returncode != 0:
        raise CommandError(say("bench_failed", code=done.returncode), code="bench_failed")
