"""What a process of ours that was killed left behind: folders that nobody works in any more.

Whoever makes such a folder holds a lock in it, which the system lets go when the process ends, however it
ends. So a folder whose lock can be had is nobody's and is removed; one without a lock was begun by an older
version, or in the instant of the kill, and is only named: a guess could take what somebody is still writing.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from nightbell.adapters.stores.sqlite.journal import LOCK_NAME

HELD_NAME: Final = ".held"
JOURNAL_LOCK: Final = f"journal/{LOCK_NAME}"
"""A made-up house may still have its bell in it when the doctor is gone."""

SHADOWS: Final = re.compile(r"shadow-[a-z0-9_]{8}")
"""Of `nightbell doctor --load`."""

PARTIALS: Final = re.compile(r"\..+\.(partial|restoring)-[0-9]+")
"""Of `nightbell backup` and `nightbell restore`."""


class Swept(NamedTuple):
    """What was found: folders that are gone now, and folders of which we cannot say whose they are."""

    removed: tuple[str, ...]
    left: tuple[str, ...]


@contextlib.contextmanager
def holding(place: Path) -> Iterator[None]:
    """Hold a folder of our own until the block or the process ends; without locks it is never removed."""
    begun = place / f"{HELD_NAME}-{os.getpid()}"
    handle = os.open(begun, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            begun.rename(
                place / HELD_NAME
            )  # only now: a lock that is not held yet would be taken for a free one
        yield
    finally:
        os.close(handle)


def sweep(folder: Path, pattern: re.Pattern[str]) -> Swept:
    """Remove what nobody holds among the folders of this name; never one whose process lives."""
    removed: list[str] = []
    left: list[str] = []
    for place in _named(folder, pattern):
        if not (place / HELD_NAME).is_file():
            left.append(str(place))
            continue
        with _free(place / HELD_NAME) as nobodys, _free(place / JOURNAL_LOCK) as silent:
            if nobodys and silent:
                shutil.rmtree(place, ignore_errors=True)
                (left if place.exists() else removed).append(str(place))
    return Swept(tuple(removed), tuple(left))


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            names = [one.name for one in found if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder / name for name in sorted(names) if pattern.fullmatch(name)]


@contextlib.contextmanager
def _free(lock: Path) -> Iterator[bool]:
    """Whether nobody holds this lock, which is ours for the block; one that is not there is free."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
