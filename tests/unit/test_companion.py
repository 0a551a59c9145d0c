"""The watcher beside the platform: one at a time, started again when it ends, ended with the platform."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nightbell.app.companion import (
    EXIT_ALREADY,
    Companion,
    WatcherRunningError,
    running_watcher,
    watch_command,
    watcher_lock,
)

pytestmark = pytest.mark.process

HOLD = """
import signal, sys
from pathlib import Path
from nightbell.app.companion import watcher_lock
try:
    with watcher_lock(Path(sys.argv[1])):
        print("holding", flush=True)
        signal.pause()
except Exception:
    sys.exit(4)
"""


def started(folder: Path) -> "subprocess.Popen[bytes]":
    """Such a watcher, holding the folder already."""
    process = subprocess.Popen(holder(folder), stdout=subprocess.PIPE)  # noqa: S603 our own interpreter
    assert process.stdout is not None
    assert process.stdout.readline() == b"holding\n"
    process.stdout.close()
    return process


def holder(folder: Path) -> list[str]:
    """A command that is a watcher as far as the lock goes."""
    return [sys.executable, "-c", HOLD, str(folder)]


def test_a_folder_has_one_watcher_at_a_time(tmp_path: Path) -> None:
    assert running_watcher(tmp_path / "watcher") is None

    with watcher_lock(tmp_path / "watcher"):
        assert running_watcher(tmp_path / "watcher") == os.getpid()
        with pytest.raises(WatcherRunningError, match="already"), watcher_lock(tmp_path / "watcher"):
            pass

    assert running_watcher(tmp_path / "watcher") is None


def test_the_lock_goes_with_the_process_however_it_ends(tmp_path: Path) -> None:
    process = started(tmp_path)
    assert running_watcher(tmp_path) == process.pid

    process.send_signal(signal.SIGKILL)
    process.wait()

    assert running_watcher(tmp_path) is None


async def test_a_watcher_that_ends_is_started_again_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    twice = asyncio.Event()

    def announce(log: str) -> None:
        said.append(log)
        if len(said) == 2:
            twice.set()

    command = [sys.executable, "-c", "print('I was here')"]
    companion = Companion(command, tmp_path / "watcher", announce, pause_s=0.01)
    task = asyncio.create_task(companion.run())
    await twice.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await companion.close()

    assert said == [str(tmp_path / "watcher" / "watcher.log")] * 2
    assert (tmp_path / "watcher" / "watcher.log").read_text().count("I was here") >= 2


async def test_the_watcher_lives_in_its_own_session_and_ends_with_close(tmp_path: Path) -> None:
    companion = Companion(holder(tmp_path), tmp_path, lambda _: None)
    task = asyncio.create_task(companion.run())
    pid = None
    while pid is None:
        await asyncio.sleep(0.01)  # until the child holds the lock; the test's timeout bounds it
        pid = running_watcher(tmp_path)

    session = os.getsid(pid)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await companion.close()

    assert session == pid
    assert running_watcher(tmp_path) is None


async def test_a_watcher_of_a_platform_before_is_left_alone_and_ended_with_us(tmp_path: Path) -> None:
    before = started(tmp_path)
    said: list[str] = []
    companion = Companion(holder(tmp_path), tmp_path, said.append, pause_s=0.01)

    second = await companion._live()
    alive = running_watcher(tmp_path) == before.pid
    await companion.close()
    before.wait()

    assert second == EXIT_ALREADY
    assert alive
    assert said == []
    assert before.returncode == -signal.SIGTERM


def test_the_watcher_is_started_by_the_command_line(tmp_path: Path) -> None:
    command = watch_command(tmp_path, "127.0.0.1:0")

    assert command[1:] == [
        "-m", "nightbell.cli.main", "watch", "--data", str(tmp_path), "--listen", "127.0.0.1:0",
    ]  # fmt: skip
