"""Which pages of a SQLite file each row of a table cannot be read without.

Source: sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (b-tree pages), 1.7 (overflow).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

_INTERIOR: Final = 5
_LEAF: Final = 13
_HEADER: Final = 100


class Pages:
    """The pages of one file that was closed in order, numbered from 1."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as file:
            self._roots = dict(file.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
        self._content = path.read_bytes()
        self.size = int.from_bytes(self._content[16:18], "big")
        self._usable = self.size - self._content[20]

    def touched(self, start: int, length: int) -> set[int]:
        """The pages in which these bytes lie."""
        return set(range(start // self.size + 1, (start + length - 1) // self.size + 2))

    def of_table(self, name: str) -> set[int]:
        """All pages of a small table, and the one that says that it is there."""
        return {1}.union(*(pages for _, pages in self.rows(name)))

    def rows(self, table: str) -> Iterator[tuple[int, frozenset[int]]]:
        """Each row's number, with the pages on the way to it and those that it fills."""
        yield from self._below(self._roots[table], frozenset({1}))

    def _below(self, page: int, way: frozenset[int]) -> Iterator[tuple[int, frozenset[int]]]:
        way |= {page}
        at = (page - 1) * self.size
        head = at + (_HEADER if page == 1 else 0)
        kind, count = self._content[head], int.from_bytes(self._content[head + 3 : head + 5], "big")
        assert kind in {_INTERIOR, _LEAF}, f"page {page} is no page of a table"
        first = head + (12 if kind == _INTERIOR else 8)
        for number in range(count):
            place = first + 2 * number
            cell = at + int.from_bytes(self._content[place : place + 2], "big")
            if kind == _INTERIOR:
                yield from self._below(int.from_bytes(self._content[cell : cell + 4], "big"), way)
            else:
                size, after = self._varint(cell)
                row, after = self._varint(after)
                yield row, way | self._overflow(size, after)
        if kind == _INTERIOR:
            yield from self._below(int.from_bytes(self._content[head + 8 : head + 12], "big"), way)

    def _overflow(self, size: int, at: int) -> frozenset[int]:
        """The pages in which the rest of a row of this size lies, whose beginning is here."""
        room = self._usable - 35
        if size <= room:
            return frozenset()
        least = (self._usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (self._usable - 4)
        at += here if here <= room else least
        found = set()
        while page := int.from_bytes(self._content[at : at + 4], "big"):
            found.add(page)
            at = (page - 1) * self.size
        return frozenset(found)

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for number in range(8):
            byte = self._content[at + number]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, at + number + 1
        return value << 8 | self._content[at + 8], at + 9
