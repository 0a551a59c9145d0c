"""Texts of a million rows in one piece of memory, and keys to look them up by."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

TEXT_END: Final = "\x1e"
FIELD_END: Final = "\x1f"
"""What texts and their fields are joined by (ASCII's record and unit separators); none may contain them."""

_BASE: Final = 0x100000001B3
"""An odd number (FNV's prime, draft-eastlake-fnv) whose powers weigh the bytes of a text."""

_WRAP: Final = 2**64


class Texts:
    """Texts that are appended and never moved; a replaced one stays until the next start."""

    def __init__(self) -> None:
        self._all = bytearray()

    def put(self, text: bytes) -> tuple[int, int]:
        """Keep one; where it begins and how long it is."""
        start = len(self._all)
        self._all += text
        return start, len(text)

    def at(self, start: int, size: int) -> bytes:
        """The text that lies there."""
        return bytes(self._all[start : start + size])


def spans(joined: bytes, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of `count` texts, joined by `TEXT_END`, starts and ends.

    Raises:
        ValueError: There are not so many.
    """
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ends = np.append(np.flatnonzero(np.frombuffer(joined, np.uint8) == ord(TEXT_END)), len(joined))
    if len(ends) != count:
        raise ValueError(f"{len(ends)} texts, not {count}")
    starts = np.concatenate(([0], ends[:-1] + 1))
    return starts.astype(np.int64), ends.astype(np.int64)


def text_keys(joined: bytes, count: int) -> NDArray[np.uint64]:
    """64 bits of each text, to look it up by; whoever finds one compares the text itself."""
    starts, ends = spans(joined, count)
    letters = np.frombuffer(joined, np.uint8)
    keys = np.zeros(count, np.uint64)
    longest = int((ends - starts).max(initial=0))
    weights = _weights(longest)
    # Texts are short and letters many: place by place, for all texts that are long enough.
    for place in range(longest):
        there = np.flatnonzero(ends - starts > place)
        keys[there] += letters[starts[there] + place].astype(np.uint64) * np.uint64(weights[place])
    return keys


def text_key(text: bytes) -> int:
    """`text_keys` of one text."""
    return sum(letter * weight for letter, weight in zip(text, _weights(len(text)), strict=True)) % _WRAP


@lru_cache(maxsize=512)
def _weights(count: int) -> list[int]:
    return [pow(_BASE, place + 1, _WRAP) for place in range(count)]
