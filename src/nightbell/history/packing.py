"""How three hours of one sharer lie on the disk.

    kind     1 byte: bit 0, lateness follows; bit 1, sources follow
    source   4 bytes: where all readings came from, or the first of them
    readings 4 bytes each: second within the block (16 bits), level (10 bits), trend (4 bits), 2 spare
    lateness 4 bytes each, if any was late: seconds from measured to received, 0 where in time
    sources  4 bytes each, if they differ

A sharer with a reading every five minutes and one phone takes 5 + 36 x 4 bytes.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.history.reading import BLOCK_MS, HISTORY_DTYPE, settled
from nightbell.publish.reading import LIVE_AGE_MS_MAX

HEADER: Final = struct.Struct("<Bi")
PAIR_BYTES: Final = 4
LEVEL_BITS: Final = 0x3FF
TREND_SHIFT: Final = 10
TREND_BITS: Final = 0xF

_BLOCKS_IN_KEY: Final = 256
"""32 days: what is beside is at most 30 days old; an import may be older."""

_LATE: Final = 1
_SOURCES: Final = 2


def codes(level: NDArray[np.int16], trend: NDArray[np.int8]) -> NDArray[np.uint16]:
    """Level and trend in 14 bits."""
    packed = (level.astype(np.uint16) & LEVEL_BITS) | ((trend.astype(np.uint16) & TREND_BITS) << TREND_SHIFT)
    return packed.astype(np.uint16)


class Columns(NamedTuple):
    """Readings of many sharers and blocks, those of one lying together.

    Attributes:
        pairs: Second within the block, and code; shape `(n, 2)`.
        lateness: Seconds from measured to received, 0 where in time; shape `(n,)`.
        sources: Shape `(n,)`.
        starts: Where each sharer's block begins, ascending from 0.
    """

    pairs: NDArray[np.uint16]
    lateness: NDArray[np.int64]
    sources: NDArray[np.int32]
    starts: NDArray[np.intp]


def packs(columns: Columns) -> Iterator[bytes]:
    """One packed block for each of `starts`."""
    pairs, lateness, sources, starts = columns
    counts = np.diff(np.append(starts, len(pairs)))
    heads = np.zeros(len(starts), np.dtype([("kind", "<u1"), ("source", "<i4")]))
    heads["source"] = sources[starts]
    differ = sources != np.repeat(sources[starts], counts)
    heads["kind"] += (_LATE * np.logical_or.reduceat(lateness > 0, starts)).astype(np.uint8)
    heads["kind"] += (_SOURCES * np.logical_or.reduceat(differ, starts)).astype(np.uint8)
    kinds = heads["kind"].tolist()
    head, body = heads.tobytes(), pairs.astype("<u2").tobytes()
    late = lateness.astype("<u4").tobytes() if any(kinds) else b""
    origin = sources.astype("<i4").tobytes() if any(kinds) else b""
    begins = (starts * 4).tolist()
    ends = ((starts + counts) * 4).tolist()
    size = HEADER.size
    for index, (kind, begin, end) in enumerate(zip(kinds, begins, ends, strict=True)):
        packed = head[index * size : (index + 1) * size] + body[begin:end]
        if kind & _LATE:
            packed += late[begin:end]
        if kind & _SOURCES:
            packed += origin[begin:end]
        yield packed


def pack(rows: NDArray[np.void], block: int) -> bytes:
    """Pack readings of one sharer that lie in one block."""
    assert len(rows) > 0
    measured = rows["measured_ms"]
    assert (measured // BLOCK_MS == block).all()
    lateness = np.where(rows["received_ms"] > 0, (rows["received_ms"] - measured) // 1000, 0)
    pairs = np.column_stack(((measured % BLOCK_MS) // 1000, codes(rows["level"], rows["trend"])))
    return next(packs(Columns(pairs.astype(np.uint16), lateness, rows["source"], np.zeros(1, np.intp))))


class Packed(NamedTuple):
    """Three hours of one sharer."""

    block: int
    sharer: int
    packed: bytes


def pack_mixed(readings: NDArray[np.void]) -> Iterator[Packed]:
    """Pack readings of anybody from any time (`READING_DTYPE`), by block and sharer, each reading once."""
    if not len(readings):
        return
    measured_ms = np.ascontiguousarray(readings["measured_ms"])
    block = measured_ms // BLOCK_MS
    second = measured_ms // 1000 - block * (BLOCK_MS // 1000)
    lateness = readings["received_ms"] - measured_ms
    lateness = np.where(lateness > LIVE_AGE_MS_MAX, lateness // 1000, 0)
    sharer, level = readings["sharer"].astype(np.int64), readings["level"].astype(np.int64)
    code = codes(readings["level"], readings["trend"])
    source = np.ascontiguousarray(readings["source"])
    order = _in_order(block, sharer, second, level, lateness)
    block, sharer, second, level = block[order], sharer[order], second[order], level[order]
    first, again = np.ones(len(order), np.bool_), np.zeros(len(order), np.bool_)
    first[1:] = (block[1:] != block[:-1]) | (sharer[1:] != sharer[:-1])
    again[1:] = ~first[1:] & (second[1:] == second[:-1]) & (level[1:] == level[:-1])
    if again.any():
        once = ~again
        order, first, second = order[once], first[once], second[once]
        block, sharer = block[once], sharer[once]
    starts = np.flatnonzero(first)
    pairs = np.empty((len(order), 2), np.uint16)
    pairs[:, 0], pairs[:, 1] = second, code[order]
    packed = packs(Columns(pairs, lateness[order], source[order], starts))
    yield from map(Packed, block[starts].tolist(), sharer[starts].tolist(), packed)


def _in_order(
    block: NDArray[np.int64],
    sharer: NDArray[np.int64],
    second: NDArray[np.int64],
    level: NDArray[np.int64],
    lateness: NDArray[np.int64],
) -> NDArray[np.intp]:
    """By block, sharer, second and level; of two that are the same the one that came sooner first."""
    since = block - block.min()
    if int(since.max()) < _BLOCKS_IN_KEY:
        # All but the lateness fits one number, which sorts several times faster than five columns.
        key = ((since << 31 | sharer) << 14 | second) << 10 | level
        order = np.argsort(key, kind="stable")  # uploads come in runs: a tenth of the time
        in_order = key[order]
        if not (in_order[1:] == in_order[:-1]).any():
            return order
    return np.lexsort((lateness, level, second, sharer, block))


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
