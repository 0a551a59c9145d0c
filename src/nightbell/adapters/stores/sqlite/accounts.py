"""accounts.sqlite: the durable copy of people, credentials and follows; WAL, flushed at every commit.

One connection in one thread of its own, so the loop never waits for the disk. A file that was taken away or
swapped while we run is noticed before a commit: what SQLite writes into a deleted file is not durable.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import structlog

from nightbell.account.packed import SCOPES, bound_to, ids_of_texts
from nightbell.account.person import folded
from nightbell.account.ports import (
    AccountChange,
    LoadedAccounts,
    PackedKeys,
    PackedPeople,
    PackedSessions,
    PackedShares,
    StoredPerson,
    StoredShare,
)
from nightbell.account.texts import FIELD_END, TEXT_END
from nightbell.account.way import EMAIL, WEBHOOK
from nightbell.adapters.stores.sqlite.columns import Joined, numbers, numbers_of, packed_columns, texts_of
from nightbell.adapters.stores.sqlite.migrations import NewerFileError, migrate
from nightbell.adapters.stores.sqlite.sealing import KEY_NAME, ContactSeal, seal_people
from nightbell.load.again import AGAIN_S_MIN
from nightbell.load.service import refusal
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError

RETRY_AFTER_S: Final = 30
INSIDE_MAX: Final = 256
"""Questions and writes that wait for a thread; beyond, they are refused at once."""

BUSY_TIMEOUT_S: Final = 5.0

CACHE_KIB: Final = 65536
"""Ids are random, so new rows go everywhere in the indexes; with SQLite's usual 2 MB each costs a read."""
LOG_PAGES: Final = 1_000
"""How long the log grows before it is copied back: SQLite's own default."""

NUMBERS_LEAP: Final = 1_000_000
"""How many credentials may have been given out after a backup, at most."""

KEY_FOLDER: Final = "keys"
_OWNER_ONLY: Final = 0o600
_MAGIC: Final = b"SQLite format 3\x00"

_log: Final = structlog.get_logger()

Answer = TypeVar("Answer")


_END, _FIELD = f"char({ord(TEXT_END)})", f"char({ord(FIELD_END)})"

_TEXTS: Final = f" || {_FIELD} || ".join(("name", "email", "unit", "zone", "webhook", "password"))
"""In the order of `packed.text_of_person`."""

_PEOPLE: Final = (
    Joined("group_concat(id, '')", ids_of_texts),
    numbers_of("sharer", np.int32),
    numbers_of("hidden", np.bool_),
    numbers_of("created_ms", np.int64),
    texts_of(_TEXTS, _END),
    texts_of("name_folded", _END),
)

_KEYS: Final = (
    Joined("group_concat(id, '')", ids_of_texts),
    numbers_of("credential", np.int32),
    Joined("group_concat(person, '')", ids_of_texts),
    numbers_of(f"scope <> '{SCOPES[0]}'", np.int8),
    texts_of("label", _END),
    Joined("group_concat(hex(secret_hash), '')", bytes.fromhex),
    numbers_of("created_ms", np.int64),
)


_SHARES: Final = (
    Joined("group_concat(account, '')", ids_of_texts),
    Joined("group_concat(person, '')", ids_of_texts),
    numbers_of("credential", np.int32),
    numbers_of("created_ms", np.int64),
    texts_of(f"name || {_FIELD} || password", _END),
    texts_of("name_folded", _END),
)

_SESSIONS: Final = (
    Joined("group_concat(hex(id_hash), '')", bytes.fromhex),
    Joined("group_concat(account, '')", ids_of_texts),
    numbers_of("opened_ms", np.int64),
    numbers_of("used_ms", np.int64),
)


class AccountsFile:
    """The file and its thread; the stores below share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seal = ContactSeal(path.parent / KEY_FOLDER / KEY_NAME)
        self._inside = 0
        self._thread = ThreadPoolExecutor(1, "accounts")
        self._connection: sqlite3.Connection | None = None
        self._peek = -1

    async def start(self) -> None:
        """Open the file, make it if there is none, and bring it to the newest form.

        Raises:
            PlatformError: It cannot be read, or a newer version of us made it.
        """
        await self._apart(self._open)

    async def close(self) -> None:
        """Close the file; what was committed is in it."""
        await self._apart(self._close)
        self._thread.shutdown()

    async def read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Read in the thread.

        Raises:
            PlatformError: The file failed (`NOT_DURABLE`).
        """
        return await self._apart(lambda: self._work(work))

    async def write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Write in one transaction in the thread; durable when this returns.

        Raises:
            PlatformError: The file failed (`NOT_DURABLE`); nothing was changed.
        """
        return await self._apart(lambda: self._work(lambda connection: self._commit(connection, work)))

    async def hold_still(self) -> None:
        """Write everything into the file itself, and from now on only into the log beside it.

        Until `let_go` the file does not change, so that another process can copy it while we go on.

        Raises:
            PlatformError: The file failed (`NOT_DURABLE`).
        """
        await self.read(_hold_still)

    async def let_go(self) -> None:
        """Bring the log back into the file as usual.

        Raises:
            PlatformError: The file failed (`NOT_DURABLE`).
        """
        await self.read(lambda connection: _set_log_pages(connection, LOG_PAGES))

    async def _apart(self, work: Callable[[], Answer]) -> Answer:
        if self._inside >= INSIDE_MAX:
            raise refusal(AGAIN_S_MIN)
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._inside -= 1

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Kept open for as long as we run: closing it would give up the locks SQLite holds on the file.
            self._peek = os.open(self._path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            # Ours alone, before WAL begins: the index of the WAL then lies in our own memory. Shared, it is
            # a mapped file, and whoever cuts that file short kills the process that has it mapped.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA secure_delete = ON")  # what was deleted is not to be found
            migrate(self._connection, "accounts")
            self.seal.start(self._connection)
            self._seal_people(self._connection)
        except (sqlite3.Error, OSError) as error:
            self._close()
            _log.error("accounts.unreadable", error=str(error))
            raise PlatformError(ErrorCode.INTERNAL, catalogue().say("account.store_unreadable")) from error
        except NewerFileError as error:
            self._close()
            raise PlatformError(ErrorCode.INTERNAL, catalogue().say("account.store_newer")) from error

    def _seal_people(self, connection: sqlite3.Connection) -> None:
        """Seal what an older version wrote; a full disk keeps nobody from ringing, the next start goes on."""
        try:
            if count := seal_people(connection, self.seal):
                _log.info("contacts.sealed", people=count)
        except sqlite3.Error as error:
            _log.warning("contacts.not_sealed", error=str(error))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._peek >= 0:
            os.close(self._peek)
            self._peek = -1

    def _work(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return work(self._intact())
        except (sqlite3.Error, OSError) as error:
            _log.error("accounts.failed", error=str(error))
            sentence = catalogue().say("account.store_failed")
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence, retry_after_s=RETRY_AFTER_S) from error

    def _intact(self) -> sqlite3.Connection:
        """The connection, if the file under its name is still the one we opened, and still a database."""
        opened, found = os.fstat(self._peek), self._path.stat()
        if self._connection is None or (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
            raise FileNotFoundError(self._path.name)
        if os.pread(self._peek, len(_MAGIC), 0) != _MAGIC:
            raise sqlite3.DatabaseError("overwritten")
        return self._connection

    def _commit(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        connection.execute("BEGIN IMMEDIATE")
        try:
            answer = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return answer


def _hold_still(connection: sqlite3.Connection) -> None:
    _set_log_pages(connection, 0)
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        _set_log_pages(connection, LOG_PAGES)
        raise sqlite3.OperationalError("the log could not be copied back")


def _set_log_pages(connection: sqlite3.Connection, pages: int) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchone()


def keep_numbers_free(path: Path) -> None:
    """Leap over the credential numbers that may have been given out after this copy was made.

    Grants of then still hold, so a number of theirs must not be somebody else's too: whoever signed out would
    sign out both.

    Raises:
        sqlite3.Error: It is no file of accounts, or cannot be written.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE credentials_reserved SET reserved = reserved + {NUMBERS_LEAP}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


class SqliteAccountStore:
    """People, keys, Share credentials and sessions in the file."""

    def __init__(self, file: AccountsFile) -> None:
        self._file = file

    async def load(self) -> LoadedAccounts:
        """Everything that is stored.

        Raises:
            PlatformError: The file cannot be read.
        """
        return await self._file.read(_load)

    async def commit(self, change: AccountChange) -> None:
        """Write all of a change or nothing of it.

        Raises:
            PlatformError: The file failed; nothing was changed.
        """
        await self._file.write(lambda connection: _write(connection, change, self._file.seal))

    def opened(self, kept: str, bound_to: str) -> str:
        """A text that is kept sealed, as it was written; empty if our key does not open it."""
        return self._file.seal.opened(kept, bound_to)

    async def reserve_credentials(self, count: int) -> int:
        """The first of `count` numbers that nobody got or will get.

        Raises:
            PlatformError: The file failed.
        """
        return await self._file.write(lambda connection: _reserve(connection, count))


def _load(connection: sqlite3.Connection) -> LoadedAccounts:
    (reserved,) = connection.execute("SELECT reserved FROM credentials_reserved").fetchone()
    return LoadedAccounts(
        _people(connection), _keys(connection), _shares(connection), _sessions(connection), reserved
    )


def _people(connection: sqlite3.Connection) -> PackedPeople:
    ids, sharers, hidden, created_ms, texts, names = packed_columns(connection, "person", _PEOPLE)
    return PackedPeople(
        ids=b"".join(ids),
        sharers=numbers(sharers, np.int32),
        hidden=numbers(hidden, np.bool_),
        created_ms=numbers(created_ms, np.int64),
        texts=TEXT_END.encode().join(texts),
        folded=TEXT_END.encode().join(names),
    )


def _keys(connection: sqlite3.Connection) -> PackedKeys:
    # A revoked key opens nothing: it stays in the file for whoever asks what a credential number was.
    ids, credentials, people, scopes, labels, hashes, created_ms = packed_columns(
        connection, "key", _KEYS, where="revoked_ms = 0"
    )
    return PackedKeys(
        ids=b"".join(ids),
        credentials=numbers(credentials, np.int32),
        people=b"".join(people),
        scopes=numbers(scopes, np.int8),
        labels=TEXT_END.encode().join(labels),
        hashes=b"".join(hashes),
        created_ms=numbers(created_ms, np.int64),
    )


def _shares(connection: sqlite3.Connection) -> PackedShares:
    ids, people, credentials, created_ms, texts, names = packed_columns(connection, "share", _SHARES)
    return PackedShares(
        ids=b"".join(ids),
        people=b"".join(people),
        credentials=numbers(credentials, np.int32),
        created_ms=numbers(created_ms, np.int64),
        texts=TEXT_END.encode().join(texts),
        folded=TEXT_END.encode().join(names),
    )


def _sessions(connection: sqlite3.Connection) -> PackedSessions:
    hashes, accounts, opened_ms, used_ms = packed_columns(connection, "share_session", _SESSIONS)
    return PackedSessions(
        hashes=b"".join(hashes),
        accounts=b"".join(accounts),
        opened_ms=numbers(opened_ms, np.int64),
        used_ms=numbers(used_ms, np.int64),
    )


def _write(connection: sqlite3.Connection, change: AccountChange, seal: ContactSeal) -> None:
    # Without its key an address reads as empty: what is there then stays.
    kept = "excluded.{0}" if seal.ready else "CASE excluded.{0} WHEN '' THEN person.{0} ELSE excluded.{0} END"
    connection.executemany(
        "INSERT INTO person VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        f" name = excluded.name, name_folded = excluded.name_folded, email = {kept.format('email')},"
        " unit = excluded.unit, zone = excluded.zone, sharer = excluded.sharer,"
        f" hidden = excluded.hidden, password = excluded.password, webhook = {kept.format('webhook')}",
        (_person_row(stored, seal) for stored in change.people),
    )
    connection.executemany(
        "INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " label = excluded.label, revoked_ms = excluded.revoked_ms",
        (
            (
                key.id,
                key.credential,
                key.person,
                key.scope,
                key.label,
                key.secret_hash,
                key.created_ms,
                key.revoked_ms,
            )
            for key in change.keys
        ),
    )
    connection.executemany(
        "INSERT INTO share VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET"
        " password = excluded.password",
        (_share_row(stored) for stored in change.shares),
    )
    connection.executemany(
        "INSERT INTO share_session VALUES (?, ?, ?, ?) ON CONFLICT (id_hash) DO UPDATE SET"
        " used_ms = excluded.used_ms",
        ((one.id_hash, one.account, one.opened_ms, one.used_ms) for one in change.sessions),
    )
    connection.executemany(
        "DELETE FROM share_session WHERE id_hash = ?", ((hashed,) for hashed in change.sessions_dropped)
    )


def _person_row(stored: StoredPerson, seal: ContactSeal) -> tuple[str | int, ...]:
    person = stored.person
    return (
        person.id,
        person.name,
        folded(person.name),
        seal.sealed(person.email, bound_to(person.id, EMAIL)),
        person.unit.value,
        person.zone,
        person.sharer,
        int(person.hidden),
        person.created_ms,
        stored.password,
        seal.sealed(person.webhook, bound_to(person.id, WEBHOOK)),
    )


def _share_row(stored: StoredShare) -> tuple[str | int, ...]:
    share = stored.share
    return (
        share.account,
        share.name,
        folded(share.name),
        share.person,
        share.credential,
        share.created_ms,
        stored.password,
    )


def _reserve(connection: sqlite3.Connection, count: int) -> int:
    (reserved,) = connection.execute(
        "UPDATE credentials_reserved SET reserved = reserved + ? RETURNING reserved", (count,)
    ).fetchone()
    return int(reserved) - count + 1
