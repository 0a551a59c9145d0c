"""The pairing's file: written by the platform, read by its watcher, and by nobody else."""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from nightbell.adapters.stores.roster.folder import PRIVATE, make_folder, read_small, write_whole
from nightbell.watch.pairing import PAIRING_BYTES_MAX, Pairing, read_pairing, written_pairing

log: Final = structlog.get_logger("nightbell.watch")

PAIRING_NAME: Final = "pairing.json"


class FilePairings:
    """`DIR/watcher/pairing.json`.

    Args:
        folder: The watcher's own folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / PAIRING_NAME
        self._complained = ""

    async def read(self) -> Pairing | None:
        """The pairing as it is now; None if there is none that can be used, and the log says why."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Pairing | None:
        try:
            pairing = read_pairing(read_small(self._path, bytes_max=PAIRING_BYTES_MAX))
        except FileNotFoundError:
            return None  # not paired yet
        except (OSError, ValueError) as error:
            if str(error) != self._complained:
                self._complained = str(error)
                log.warning("pairing.unusable", why=str(error))
            return None
        self._complained = ""
        return pairing

    def write(self, pairing: Pairing) -> None:
        """Write it, readable by its owner only.

        Raises:
            OSError: It could not be written.
        """
        make_folder(self._path.parent)
        write_whole(self._path, written_pairing(pairing), mode=PRIVATE)
