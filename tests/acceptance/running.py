"""A platform in a process of its own, started and stopped as a person would."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENDS_S_MAX = 30


def nightbell(folder: Path, *arguments: str, stdin: str = "", code: int = 0) -> str:
    """Run one command against the platform on this folder; what it printed."""
    done = subprocess.run(  # noqa: S603 our own command
        [sys.executable, "-m", "nightbell.cli.main", *arguments, "--data", str(folder)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def asked(folder: Path, *arguments: str, stdin: str = "") -> Any:
    """The same as JSON."""
    return json.loads(nightbell(folder, *arguments, "--json", stdin=stdin))


@contextmanager
def running(folder: Path, *options: str, said: str = "") -> Iterator[str]:
    """A platform on a free port, without a watcher; its address, once it has said the given words."""
    process = start(folder, *options)
    try:
        yield address_of(process, said)
    finally:
        process.terminate()
        process.wait(ENDS_S_MAX)
        assert process.stdout is not None
        process.stdout.close()


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    """Begin to start one."""
    command: Sequence[str] = [
        sys.executable, "-m", "nightbell.cli.main", "up", "--data", str(folder), "--listen", "127.0.0.1:0",
        "--no-watcher", *options,
    ]  # fmt: skip
    return subprocess.Popen(  # noqa: S603 our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def address_of(process: "subprocess.Popen[str]", said: str = "") -> str:
    """Wait until it says where it answers, and the given words."""
    assert process.stdout is not None
    address = ""
    for line in process.stdout:
        if not address and (found := re.search(r"https?://\S+", line)):
            address = found.group().rstrip(".")
        if address and said in line:
            return address
    raise AssertionError(f"the platform ended with {process.wait()} before it was open")
