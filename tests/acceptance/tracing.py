"""strace, to make system calls of a process fail from outside."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

STRACE: Final = shutil.which("strace")

_ASKS_S_MAX: Final = 30
"""How long strace may take to begin and to end, seconds: it takes milliseconds."""


def can_trace() -> bool:
    """A container may have strace and yet not let it trace."""
    if STRACE is None:
        return False
    tried = subprocess.run([STRACE, "-o", "/dev/null", "true"], check=False, capture_output=True)  # noqa: S603 ours
    return tried.returncode == 0


def can_attach() -> bool:
    """Many systems let strace trace what it starts, but no process that runs already."""
    if STRACE is None:
        return False
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:  # noqa: S603 ours
        command = [STRACE, "-o", "/dev/null", "-p", str(other.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as tracing:  # noqa: S603 ours
            assert tracing.stderr is not None
            first = tracing.stderr.readline()
            tracing.send_signal(signal.SIGINT)
            tracing.stderr.read()
        other.kill()
    return b" attached" in first


needs_strace = pytest.mark.skipif(not can_trace(), reason="needs strace and the right to trace")


def _strace(inject: str, paths: Sequence[Path], trace: Path) -> list[str]:
    calls = inject.partition(":")[0]
    only = [word for path in paths for word in ("-P", str(path))]
    return [str(STRACE), "-f", "-o", str(trace), "-e", f"trace={calls}", "-e", f"inject={inject}", *only]


def tampered_from_birth(inject: str, *, paths: Sequence[Path], trace: Path) -> list[str]:
    """What to put before a command to have its system calls fail for all its life, as in `tampered`.

    The command stays what was started, and strace its grandchild: a kill meets the command.
    """
    return [*_strace(inject, paths, trace), "-D"]


@asynccontextmanager
async def tampered(
    process: asyncio.subprocess.Process, inject: str, *, paths: Sequence[Path], trace: Path
) -> AsyncIterator[None]:
    """Have system calls of a running process, on these files only, fail until the block is left.

    Args:
        process: Whose; all its threads.
        inject: Calls and fault as strace writes them: `pwrite64,fsync:error=EIO`.
        paths: The files; whatever they are. All that the calls touch if there are none.
        trace: Where strace writes what it saw.
    """
    tracing = await asyncio.create_subprocess_exec(
        *_strace(inject, paths, trace), "-p", str(process.pid), stderr=asyncio.subprocess.PIPE
    )
    assert tracing.stderr is not None
    try:
        async with asyncio.timeout(_ASKS_S_MAX):
            said = await tracing.stderr.readline()
        assert b" attached" in said, said.decode()
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ends with what it traces
            tracing.send_signal(signal.SIGINT)
        async with asyncio.timeout(_ASKS_S_MAX):
            await tracing.communicate()
    said = await asyncio.to_thread(trace.read_bytes)
    assert b"(INJECTED)" in said or b"(DELAYED)" in said, "nothing failed, so nothing was tried"
