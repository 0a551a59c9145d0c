"""Small files of the watcher's folder: written whole or not at all, read with a limit."""

import contextlib
import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
PRIVATE_FOLDER: Final = 0o700


def make_folder(path: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Make a folder and those above it; what exists stays as it is."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)


def write_whole(path: Path, content: bytes, *, mode: int, durable: bool = True) -> None:
    """Replace a file at once: a reader sees the old one or the new one, never half of one.

    Args:
        path: Which file.
        content: What it holds.
        mode: Who may read it.
        durable: Whether it must outlive a power cut. A page that is written anew in seconds need not.

    Raises:
        OSError: It could not be written; the old one is still there.
    """
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a rename or a new file durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_small(path: Path, *, bytes_max: int) -> bytes:
    """Read a file, at most one byte more than the limit, so that the caller sees when it is too large.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return file.read(bytes_max + 1)
