"""Keeps a watcher running beside the platform, as a process of its own that outlives the platform's death.

The watcher runs in its own session and writes to its own log, so that nothing the platform does to itself
ends it. It holds a lock on its folder: a platform that starts again finds the watcher of the one before and
leaves it alone, and takes over when that one ends.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

LOCK_NAME: Final = "lock"
LOG_NAME: Final = "watcher.log"
LOG_BYTES_MAX: Final = 10 * 1024 * 1024
EXIT_ALREADY: Final = 4
"""What `nightbell watch` ends with when another watcher holds the folder."""

PAUSE_S_FIRST: Final = 1.0
PAUSE_S_MAX: Final = 30.0
ADOPTED_S: Final = 5.0
"""How often we look whether a watcher that is not our child still lives."""

ENDS_S_MAX: Final = 10.0

log = structlog.get_logger()


class WatcherRunningError(Exception):
    """Another watcher holds this folder."""


@contextlib.contextmanager
def watcher_lock(folder: Path) -> Iterator[None]:
    """Hold the watcher's folder while it runs; the system lets go of it however the process ends.

    Raises:
        WatcherRunningError: Another watcher holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WatcherRunningError(f"a watcher is running on {folder} already") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def running_watcher(folder: Path) -> int | None:
    """The process id of the watcher that holds the folder, or None."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(descriptor)


def watch_command(data: Path, listen: str) -> list[str]:
    """How the watcher of a data directory is started."""
    return [sys.executable, "-m", "nightbell.cli.main", "watch", "--data", str(data), "--listen", listen]


class Companion:
    """Starts the watcher, starts it again when it ends, and ends it with the platform."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        announce: Callable[[str], None],
        *,
        pause_s: float = PAUSE_S_FIRST,
    ) -> None:
        self._pause_s = pause_s
        self._command = list(command)
        self._folder = folder
        self._announce = announce
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep one running until cancelled."""
        pause_s = self._pause_s
        while True:
            code = await self._live()
            if code == EXIT_ALREADY:
                pause_s = self._pause_s
                await asyncio.sleep(ADOPTED_S)
                continue
            log.warning("watcher.ended", code=code)
            self._announce(str(self._folder / LOG_NAME))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    async def close(self) -> None:
        """End the watcher, ours or one we found: whoever stops the platform by hand stops both."""
        pid = running_watcher(self._folder)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.pid != pid:
            process.terminate()
        try:
            async with asyncio.timeout(ENDS_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _live(self) -> int:
        """Start one and wait for its end; its exit code."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / LOG_NAME
        fresh = path.is_file() and path.stat().st_size > LOG_BYTES_MAX
        with path.open("wb" if fresh else "ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return await self._process.wait()
