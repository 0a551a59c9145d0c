"""Checkpoints as files: written beside, flushed to the disk, renamed over."""

import asyncio
import os
import zlib
from pathlib import Path
from typing import Final

import structlog

_CRC_BYTES: Final = 4
_NAME: Final = "fold"

_log = structlog.get_logger()


class FileCheckpoints:
    """Implements `alarm.ports.CheckpointStore` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def newest(self) -> bytes | None:
        """The newest checkpoint, or None if there is none or it is damaged (which is logged)."""
        return await asyncio.to_thread(self._read)

    async def keep(self, dumped: bytes) -> None:
        """Replace it.

        Raises:
            OSError: It could not be written; the one before is untouched.
        """
        await asyncio.to_thread(self._write, dumped)

    def _read(self) -> bytes | None:
        try:
            kept = (self._folder / _NAME).read_bytes()
        except FileNotFoundError:
            return None
        dumped = kept[_CRC_BYTES:]
        if len(kept) < _CRC_BYTES or zlib.crc32(dumped) != int.from_bytes(kept[:_CRC_BYTES], "little"):
            _log.warning("checkpoint.damaged")
            return None
        return dumped

    def _write(self, dumped: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f"{_NAME}.new"
        with beside.open("wb") as file:
            file.write(zlib.crc32(dumped).to_bytes(_CRC_BYTES, "little"))
            file.write(dumped)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / _NAME)
