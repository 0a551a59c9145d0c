"""The watcher's book: one SQLite file, every value sealed. One thread of its own does all the work."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from nightbell.adapters.stores.roster.folder import make_folder, sync_folder
from nightbell.adapters.stores.roster.seal import Seal, own_seal
from nightbell.watch.canary import Flock
from nightbell.watch.delivery import NoticeDelivery
from nightbell.watch.judge import Judged
from nightbell.watch.ports import Change, Kept
from nightbell.watch.roster import Roster
from nightbell.words.errors import ErrorCode, PlatformError

Got = TypeVar("Got")
Noun = TypeVar("Noun", Judged, Flock, Roster)

BOOK_NAME: Final = "roster.sqlite"
KEY_NAME: Final = "key"
DAMAGED_SUFFIX: Final = ".damaged"
BUSY_MS: Final = 2_000

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
    key TEXT PRIMARY KEY, made_ms INTEGER NOT NULL, sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

FORM: Final = 1
"""`user_version` of the file; version 0.1 wrote none. A newer one is set aside as a damaged one is: it is a
copy of what the platform gives again within half a minute, and a watcher must never refuse to watch."""

_encode: Final = msgspec.msgpack.Encoder().encode


class SqliteBook:
    """`DIR/watcher/roster.sqlite`, with the key in `DIR/watcher/key`.

    Args:
        folder: The watcher's own folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / BOOK_NAME
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watcher-book")
        self._connection: sqlite3.Connection | None = None
        self._seal: Seal | None = None

    async def open(self, *, forget_before_ms: int) -> Kept:
        """Open; what cannot be read is set aside and named on the page.

        Raises:
            PlatformError: NOT_DURABLE.
        """
        return await self._on_thread(lambda: self._open(forget_before_ms))

    async def write(self, change: Change) -> None:
        """Write all of it in one transaction, or nothing.

        Raises:
            PlatformError: NOT_DURABLE.
        """
        await self._on_thread(lambda: self._write(change))

    async def close(self) -> None:
        """Close."""
        await self._on_thread(self._close)
        self._thread.shutdown()

    async def _on_thread(self, work: Callable[[], Got]) -> Got:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            sentence = f"The watcher's file {self._path} cannot be used: {error}. Look at its disk."
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence) from error

    def _open(self, forget_before_ms: int) -> Kept:
        make_folder(self._folder)
        self._seal = own_seal(self._folder / KEY_NAME)
        lost = False
        try:
            self._connection = self._connect()
            kept = self._read(forget_before_ms)
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._set_aside()
            lost = True
            self._connection = self._connect()
            kept = self._read(forget_before_ms)
        return msgspec.structs.replace(kept, lost=lost)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            _bring_to_form(connection)
            self._path.chmod(0o600)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        """Keep a damaged file for whoever wants to look, out of the way. An older one makes room."""
        self._close()
        self._path.replace(self._path.with_name(BOOK_NAME + DAMAGED_SUFFIX))
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(BOOK_NAME + suffix).unlink()
        sync_folder(self._folder)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> tuple[sqlite3.Connection, Seal]:
        if self._connection is None or self._seal is None:
            raise sqlite3.OperationalError("it is not open")
        return self._connection, self._seal

    def _read(self, forget_before_ms: int) -> Kept:
        connection, seal = self._opened()
        connection.execute("DELETE FROM delivery WHERE made_ms < ?", (forget_before_ms,))
        rows = connection.execute("SELECT key, sealed FROM delivery ORDER BY made_ms, key").fetchall()
        judged = self._part("judged", Judged)
        flock = self._part("flock", Flock)
        return Kept(
            judged=Judged() if judged is None else judged,
            flock=Flock() if flock is None else flock,
            roster=self._part("roster", Roster),
            deliveries=tuple(
                _decoded(seal.open_up(sealed, f"delivery:{key}"), NoticeDelivery) for key, sealed in rows
            ),
            lost=False,
        )

    def _part(self, name: str, kind: type[Noun]) -> Noun | None:
        connection, seal = self._opened()
        row = connection.execute("SELECT sealed FROM part WHERE name = ?", (name,)).fetchone()
        return None if row is None else _decoded(seal.open_up(row[0], f"part:{name}"), kind)

    def _write(self, change: Change) -> None:
        connection, seal = self._opened()
        parts = (("judged", change.judged), ("flock", change.flock), ("roster", change.roster))
        connection.execute("BEGIN IMMEDIATE")
        try:
            for name, noun in parts:
                if noun is not None:
                    sealed = seal.close_up(_encode(noun), f"part:{name}")
                    connection.execute("REPLACE INTO part (name, sealed) VALUES (?, ?)", (name, sealed))
            for delivery in change.deliveries:
                sealed = seal.close_up(_encode(delivery), f"delivery:{delivery.key}")
                connection.execute(
                    "REPLACE INTO delivery (key, made_ms, sealed) VALUES (?, ?, ?)",
                    (delivery.key, delivery.made_ms, sealed),
                )
            connection.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _bring_to_form(connection: sqlite3.Connection) -> None:
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form > FORM:
        raise ValueError(f"a newer Nightbell made it: form {form}")
    if form < FORM:
        connection.executescript(f"BEGIN IMMEDIATE;\n{SCHEMA}\nPRAGMA user_version = {FORM};\nCOMMIT;")


Decoded = TypeVar("Decoded", Judged, Flock, Roster, NoticeDelivery)


def _decoded(raw: bytes, kind: type[Decoded]) -> Decoded:
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from None
