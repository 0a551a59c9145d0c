"""Checkpoints as files: written beside, flushed to the disk, renamed over. Some 400 MB at a million sharers.

The file: "NBC2", the checksum of the rest, how many parts, the size of each, the parts.
"""

import asyncio
import mmap
import os
import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import structlog

_MAGIC: Final = b"NBC2"
_HEAD: Final = struct.Struct("<4sII")
_SIZE: Final = struct.Struct("<Q")
_PARTS_MAX: Final = 10_000
_NAME: Final = "fold"

PIECE_BYTES: Final = 8 << 20
"""So much is written and flushed at once, and then the disk is left alone for as long as that took: the
journal's flushes wait behind ours."""

_log = structlog.get_logger()


class FileCheckpoints:
    """Implements `alarm.ports.CheckpointStore` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def newest(self) -> Sequence[memoryview] | None:
        """The newest checkpoint, or None if there is none or it cannot be read (which is logged)."""
        return await asyncio.to_thread(self._read)

    async def keep(self, parts: Sequence[bytes]) -> None:
        """Replace it.

        Raises:
            OSError: It could not be written; the one before is untouched.
        """
        await asyncio.to_thread(self._write, parts)

    def _read(self) -> Sequence[memoryview] | None:
        try:
            with (self._folder / _NAME).open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    # Of an older version, say. The journal gives the same again.
                    _log.warning("checkpoint.refused", why="another form")
                    return None
                parts = _parts(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        except FileNotFoundError:
            return None
        except OSError:
            parts = None
        if parts is None:
            _log.warning("checkpoint.damaged")
        return parts

    def _write(self, parts: Sequence[bytes]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f"{_NAME}.new"
        sizes = b"".join(_SIZE.pack(len(part)) for part in parts)
        checksum = zlib.crc32(sizes)
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        with beside.open("wb") as file:
            file.write(_HEAD.pack(_MAGIC, checksum, len(parts)) + sizes)
            for part in parts:
                _write_gently(file, memoryview(part))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / _NAME)


def _write_gently(file: BinaryIO, part: memoryview) -> None:
    for start in range(0, len(part), PIECE_BYTES):
        file.write(part[start : start + PIECE_BYTES])
        if len(part) > PIECE_BYTES:
            began = time.monotonic()
            file.flush()
            os.fdatasync(file.fileno())
            time.sleep(time.monotonic() - began)


def _parts(whole: memoryview) -> list[memoryview] | None:
    """The parts of a file, if it is whole."""
    if len(whole) < _HEAD.size:
        return None
    _, checksum, count = _HEAD.unpack_from(whole)
    first = _HEAD.size + count * _SIZE.size
    if count > _PARTS_MAX or len(whole) < first:
        return None
    sizes = [size for (size,) in _SIZE.iter_unpack(whole[_HEAD.size : first])]
    if first + sum(sizes) != len(whole) or zlib.crc32(whole[_HEAD.size :]) != checksum:
        return None
    parts = []
    for size in sizes:
        parts.append(whole[first : first + size])
        first += size
    return parts
