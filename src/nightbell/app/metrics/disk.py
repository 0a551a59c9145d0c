"""How large our files are and how much room is left, asked in a thread: a disk that hangs stops nothing."""

import asyncio
import os
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import structlog

from nightbell.app.metrics.definitions import FILES
from nightbell.app.watcher_health import FILE_NAME
from nightbell.watch.health import Health

PATIENCE_S: Final = 2.0
"""A stat takes microseconds; a disk that needs longer is what the operator must hear of."""

_log = structlog.get_logger()
_PLACES: Final = {
    "accounts": "accounts.sqlite*",
    "journal": "journal/*",
    "history": "history.sqlite*",
    "ledger": "ledger.sqlite*",
    "checkpoint": "checkpoint/*",
    "watcher": "watcher/*",
}
assert tuple(_PLACES) == FILES


class DiskFacts(NamedTuple):
    """What was found.

    Attributes:
        bytes_of: Size by what is kept.
        free_bytes: Room for us on that disk.
        watcher: What the watcher last said of itself; None if there was never one, or it cannot be read.
        watcher_broken: Whether there is something that cannot be read.
    """

    bytes_of: dict[str, int]
    free_bytes: int
    watcher: Health | None
    watcher_broken: bool


def disk_facts(folder: Path) -> DiskFacts:
    """Look now.

    Raises:
        OSError: The disk does not let us.
    """
    found = {}
    for name, pattern in _PLACES.items():
        total = 0
        for path in folder.glob(pattern):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue  # gone since it was listed, as write-ahead logs go
        found[name] = total
    room = os.statvfs(folder)
    watcher, broken = None, False
    try:
        watcher = msgspec.json.decode((folder / "watcher" / FILE_NAME).read_bytes(), type=Health)
    except FileNotFoundError:
        pass  # there was never one
    except (OSError, msgspec.DecodeError):
        broken = True
    return DiskFacts(found, room.f_bavail * room.f_frsize, watcher, broken)


class Disk:
    """Looks at the disk, one look at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looking: asyncio.Task[DiskFacts] | None = None

    async def look(self) -> DiskFacts | None:
        """What is there, or None if the disk does not answer in time."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(disk_facts, self._folder))
        await asyncio.wait({self._looking}, timeout=PATIENCE_S)
        if not self._looking.done():
            return None
        error = self._looking.exception()
        if error is not None:
            _log.warning("disk.unread", error=type(error).__name__)
            return None
        return self._looking.result()
