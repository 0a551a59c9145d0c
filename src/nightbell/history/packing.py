"""How three hours of one sharer lie on the disk.

    kind     1 byte: bit 0, lateness follows; bit 1, sources follow
    source   4 bytes: where all readings came from, or the first of them
    readings 4 bytes each: second within the block (16 bits), level (10 bits), trend (4 bits), 2 spare
    lateness 4 bytes each, if any was late: seconds from measured to received, 0 where in time
    sources  4 bytes each, if they differ

A sharer with a reading every five minutes and one phone takes 5 + 36 x 4 bytes.
"""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.history.reading import BLOCK_MS, HISTORY_DTYPE, settled

HEADER: Final = struct.Struct("<Bi")
PAIR_BYTES: Final = 4
LEVEL_BITS: Final = 0x3FF
TREND_SHIFT: Final = 10
TREND_BITS: Final = 0xF

_LATE: Final = 1
_SOURCES: Final = 2


def pack(rows: NDArray[np.void], block: int) -> bytes:
    """Pack readings of one sharer that lie in one block."""
    assert len(rows) > 0
    measured = rows["measured_ms"]
    assert (measured // BLOCK_MS == block).all()
    pairs = np.empty((len(rows), 2), "<u2")
    pairs[:, 0] = (measured - block * BLOCK_MS) // 1000
    pairs[:, 1] = codes(rows["level"], rows["trend"])
    lateness = np.where(rows["received_ms"] > 0, (rows["received_ms"] - measured) // 1000, 0)
    return join(pairs.tobytes(), lateness=lateness, sources=rows["source"])


def codes(level: NDArray[np.int16], trend: NDArray[np.int8]) -> NDArray[np.uint16]:
    """Level and trend in 14 bits."""
    packed = (level.astype(np.uint16) & LEVEL_BITS) | ((trend.astype(np.uint16) & TREND_BITS) << TREND_SHIFT)
    return packed.astype(np.uint16)


def join(pairs: bytes, *, lateness: NDArray[np.int64], sources: NDArray[np.int32]) -> bytes:
    """Put the parts of a block together, leaving out what says nothing."""
    late = bool(lateness.any())
    differ = bool((sources != sources[0]).any())
    return b"".join(
        (
            HEADER.pack(_LATE * late + _SOURCES * differ, int(sources[0])),
            pairs,
            lateness.astype("<u4").tobytes() if late else b"",
            sources.astype("<i4").tobytes() if differ else b"",
        )
    )


def unpack(packed: bytes, block: int) -> NDArray[np.void]:
    """The readings of a block, in the order they were packed."""
    kind, source = HEADER.unpack_from(packed)
    width = PAIR_BYTES + 4 * bool(kind & _LATE) + 4 * bool(kind & _SOURCES)
    count = (len(packed) - HEADER.size) // width
    rows = np.empty(count, HISTORY_DTYPE)
    pairs = np.frombuffer(packed, "<u2", 2 * count, HEADER.size)
    measured = pairs[0::2].astype(np.int64) * 1000 + block * BLOCK_MS
    rows["measured_ms"] = measured
    rows["level"] = pairs[1::2] & LEVEL_BITS
    rows["trend"] = (pairs[1::2] >> TREND_SHIFT) & TREND_BITS
    end = HEADER.size + count * PAIR_BYTES
    if kind & _LATE:
        lateness = np.frombuffer(packed, "<u4", count, end).astype(np.int64)
        rows["received_ms"] = np.where(lateness > 0, measured + lateness * 1000, 0)
        end += 4 * count
    else:
        rows["received_ms"] = 0
    rows["source"] = np.frombuffer(packed, "<i4", count, end) if kind & _SOURCES else source
    return rows


def merge(one: bytes, other: bytes, block: int) -> bytes:
    """Both, each reading once."""
    return pack(settled(np.concatenate((unpack(one, block), unpack(other, block)))), block)
