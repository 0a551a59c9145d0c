"""History in SQLite: a table for each block of time.

Writing is in the order of sharers, and forgetting is dropping a table. The journal is the durable copy of
what `write` gets, so a commit need not be synced: after a power cut SQLite is at an earlier state, which says
how far it is, and the journal gives the rest again. Imports have no other copy here, so `file` syncs.
"""

import contextlib
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Final

from nightbell.adapters.stores.sqlite.migrations import NewerFileError, migrate
from nightbell.history.packing import Packed, merge
from nightbell.history.ports import Flush, HistoryFailedError, HistoryState, Opened

_APPLICATION_ID: Final = 0x4E424831
_TABLE: Final = re.compile(r"(block|beside)_(\d+)")
_ROWS: Final = "(sharer INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT"
_WAL_BYTES_KEPT: Final = 64 << 20

TABLES_AT_ONCE: Final = 64
"""Tables read in one statement: a week, a tenth of what SQLite would take."""

ROWS_AT_ONCE: Final = 256
"""Rows written in one statement: at each one this thread lets Python's lock go and waits to have it back."""


class SqliteHistoryStore:
    """A `HistoryStore` in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._tables: dict[int, tuple[str, ...]] = {}
        self._any_filed = False
        self._writing: sqlite3.Connection
        self._reading: sqlite3.Connection

    def open(self) -> Opened:
        """As the port says."""
        set_aside = ""
        with self._failing_plainly():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                state, newest = self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                set_aside = self._move_away()
                state, newest = self._open()
        return Opened(state, newest, set_aside)

    def write(self, flush: Flush) -> None:
        """As the port says."""
        with self._failing_plainly(), self._write_lock:
            with self._transaction() as connection:
                for closed in flush.closed:
                    _insert(connection, f"block_{closed.block}", closed.block, closed.packs)
                for block, packs in groupby(flush.beside, key=attrgetter("block")):
                    rows = ((sharer, packed) for _, sharer, packed in packs)
                    _insert(connection, f"beside_{block}", block, rows)
                state = flush.state
                connection.execute(
                    "UPDATE state SET closed_upto = ?, beside_seq = ?, replay_after = ?",
                    (state.closed_upto, state.beside_seq, state.replay_after),
                )
                if flush.newest:
                    connection.execute("INSERT OR REPLACE INTO newest VALUES (1, ?)", (flush.newest,))
            self._note_tables()

    def file(self, packs: Iterable[Packed], filed_ms: int) -> None:
        """As the port says."""
        with self._failing_plainly(), self._write_lock:
            self._any_filed = True
            self._writing.execute("PRAGMA synchronous = FULL")
            try:
                with self._transaction() as connection:
                    connection.executemany(
                        "INSERT INTO filed VALUES (?, ?, ?, ?) ON CONFLICT (sharer, block) DO UPDATE SET"
                        " packed = merged(packed, excluded.packed, block), filed_ms = excluded.filed_ms",
                        ((sharer, block, packed, filed_ms) for block, sharer, packed in packs),
                    )
            finally:
                self._writing.execute("PRAGMA synchronous = NORMAL")

    def read(self, sharer: int, first_block: int, last_block: int) -> list[Packed]:
        """As the port says."""
        with self._failing_plainly(), self._read_lock:
            blocks = self._blocks(first_block, last_block)
            tables = [(block, table) for block in blocks for table in self._tables[block]]
            found: list[Packed] = []
            for some in _cut(tables):
                found += self._packed(some, sharer)
            if self._any_filed:  # a statement costs two waits for Python's lock
                filed = "SELECT block, packed FROM filed WHERE sharer = ? AND block BETWEEN ? AND ?"
                rows = self._reading.execute(filed, (sharer, first_block, last_block)).fetchall()
                found += [Packed(block, sharer, packed) for block, packed in rows]
        return found

    def forget(self, *, before_block: int, filed_before_ms: int) -> int:
        """As the port says."""
        with self._failing_plainly(), self._write_lock:
            old = [block for block in self._tables if block < before_block]
            for table in [table for block in old for table in self._tables[block]]:
                # One transaction each: the write-ahead log stays short.
                self._writing.execute(f"DROP TABLE {table}")
            self._writing.execute("DELETE FROM filed WHERE filed_ms < ?", (filed_before_ms,))
            self._note_tables()
        return len(old)

    def close(self) -> None:
        """As the port says."""
        with self._write_lock, self._read_lock, contextlib.suppress(sqlite3.Error):
            self._reading.close()
            self._writing.close()

    def _open(self) -> tuple[HistoryState, bytes]:
        self._writing = self._connect()
        self._reading = self._connect()
        self._writing.create_function("merged", 3, merge, deterministic=True)
        self._note_tables()
        state = self._writing.execute("SELECT closed_upto, beside_seq, replay_after FROM state").fetchone()
        newest = self._writing.execute("SELECT readings FROM newest").fetchone()
        return HistoryState(*state), newest[0] if newest else b""

    def _move_away(self) -> str:
        """Set a damaged file aside, under a name nothing has."""
        number = 1
        while (target := self._path.with_name(f"{self._path.name}.damaged-{number}")).exists():
            number += 1
        for ending in ("-wal", "-shm", ""):
            part = self._path.with_name(self._path.name + ending)
            if part.exists():
                part.replace(target.with_name(target.name + ending))
        return str(target)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}").fetchone()
        kind = connection.execute("PRAGMA application_id").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if kind != _APPLICATION_ID and not (kind == 0 and empty):
            raise HistoryFailedError("it is not a history of Nightbell", str(self._path))
        try:
            migrate(connection, "history")
        except NewerFileError as error:
            raise HistoryFailedError(str(error), str(self._path)) from error

    def _packed(self, tables: Sequence[tuple[int, str]], sharer: int) -> list[Packed]:
        """What these tables hold of a sharer, in one row.

        Whenever SQLite steps, this thread lets Python's lock go and may wait 5 ms to have it back.
        """
        columns = ", ".join(f"(SELECT packed FROM {table} WHERE sharer = ?)" for _, table in tables)
        try:
            row = self._reading.execute(f"SELECT {columns}", (sharer,) * len(tables)).fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            if len(tables) == 1:
                return []  # forgotten this moment
            return [packed for one in tables for packed in self._packed([one], sharer)]
        return [
            Packed(block, sharer, packed)
            for (block, _), packed in zip(tables, row, strict=True)
            if packed is not None
        ]

    def _note_tables(self) -> None:
        names = self._writing.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables: dict[int, tuple[str, ...]] = {}
        for match in (_TABLE.fullmatch(name) for (name,) in names):
            if match:
                block = int(match[2])
                tables[block] = (*tables.get(block, ()), match[0])
        self._tables = tables
        self._any_filed = bool(self._writing.execute("SELECT EXISTS (SELECT 1 FROM filed)").fetchone()[0])

    def _blocks(self, first: int, last: int) -> list[int]:
        """Blocks in a range of which there is a table."""
        tables = self._tables
        if last - first < len(tables):
            return [block for block in range(first, last + 1) if block in tables]
        return [block for block in tables if first <= block <= last]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            yield self._writing
            self._writing.execute("COMMIT")
        except BaseException:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _failing_plainly(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            name = getattr(error, "sqlite_errorname", None) or ""
            damaged = name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
            raise HistoryFailedError(f"{error} {name}".strip(), str(self._path), damaged=damaged) from error


def _insert(
    connection: sqlite3.Connection, table: str, block: int, rows: Iterable[tuple[int, bytes]]
) -> None:
    """Put rows into a table that may not be there yet, merging with what a sharer has in it."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} {_ROWS}")
    every = iter(rows)
    while some := list(islice(every, ROWS_AT_ONCE)):
        values = ", ".join(["(?, ?)"] * len(some))
        connection.execute(
            f"INSERT INTO {table} VALUES {values} ON CONFLICT (sharer)"
            f" DO UPDATE SET packed = merged(packed, excluded.packed, {block})",
            list(chain.from_iterable(some)),
        )


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"))


def _cut(tables: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    for start in range(0, len(tables), TABLES_AT_ONCE):
        yield tables[start : start + TABLES_AT_ONCE]
