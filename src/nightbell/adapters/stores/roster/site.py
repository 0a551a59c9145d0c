"""The status page as files, and the same bytes in memory for our own server."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nightbell.adapters.stores.roster.folder import PRIVATE, PUBLIC, make_folder, write_whole
from nightbell.words.errors import ErrorCode, PlatformError

STATUS_FOLDER: Final = "status"
HEALTH_NAME: Final = "health.json"
PUBLIC_FOLDER: Final = 0o755


class FolderSite:
    """`DIR/watcher/status/`, to be served from anywhere, and `DIR/watcher/health.json` beside it.

    Attributes:
        files: What was last put, by path.
        health: The health that was last put.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: Mapping[str, bytes] = {}
        self.health = b""

    async def put(self, files: Mapping[str, bytes], health: bytes) -> None:
        """Show these files.

        Raises:
            PlatformError: NOT_DURABLE: not written; what is in memory is new all the same.
        """
        self.files, self.health = files, health
        try:
            await asyncio.to_thread(self._write, files, health)
        except OSError as error:
            sentence = (
                f"The status page in {self._folder} cannot be written: {error.strerror}. Make room there."
            )
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence) from error

    def _write(self, files: Mapping[str, bytes], health: bytes) -> None:
        for path, content in files.items():
            whole = self._folder / STATUS_FOLDER / path
            make_folder(whole.parent, PUBLIC_FOLDER)
            write_whole(whole, content, mode=PUBLIC, durable=False)
        write_whole(self._folder / HEALTH_NAME, health, mode=PRIVATE, durable=False)
