"""The ledger in SQLite.

WAL with `synchronous=NORMAL`: a crash of the process loses nothing, a loss of power may lose the newest
commits, whole and in order. That is enough here and spares an fsync for every batch: the journal is the
durable truth, `upto_seq` goes back together with what was lost, and whatever came after it is told again
under the same ids.

One thread writes, another reads, so that a long timeline never delays an alarm.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import structlog

from nightbell.adapters.stores.sqlite.migrations import NewerFileError, migrate
from nightbell.alarm.effects import AlarmView, Entry, Notification
from nightbell.deliver.record import (
    Batch,
    Delivery,
    HandedOver,
    LedgerFault,
    Opened,
    Timeline,
    Told,
    Waiting,
)
from nightbell.load.again import AGAIN_S_MIN
from nightbell.load.service import refusal
from nightbell.tell.attempt import Attempt, Receipt
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError

_log = structlog.get_logger(__name__)

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

INSIDE_MAX: Final = 256
"""Questions and writes that wait for a thread; beyond, they are refused at once."""

_BUSY_TIMEOUT_S: Final = 5.0
"""Only a stray `sqlite3` shell ever holds a lock; SQLite's own default is 5 s as well."""

_WAL_BYTES_MAX: Final = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a burst."""

_MARK: Final = ".is-damaged"
"""Behind the file's name: damage was met while it was open, in a part that opening it does not read."""

_FAULTS: Final = {
    sqlite3.SQLITE_FULL: LedgerFault.DISK_FULL,
    sqlite3.SQLITE_READONLY: LedgerFault.READ_ONLY,
    sqlite3.SQLITE_PERM: LedgerFault.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: LedgerFault.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: LedgerFault.DAMAGED,
    sqlite3.SQLITE_NOTADB: LedgerFault.DAMAGED,
}
_NOTIFICATION_COLUMNS: Final = len(Notification.__struct_fields__)


@cache
def _queries() -> dict[str, str]:
    """The named statements."""
    text = resources.files(__package__).joinpath("ledger_queries.sql").read_text(encoding="utf-8")
    _, *parts = text.split("-- name: ")
    named = (part.partition("\n") for part in parts)
    return {name.strip(): statement.strip() for name, _, statement in named}


def _fault(error: sqlite3.Error) -> LedgerFault:
    """Which fault an error of SQLite is; the low byte of its code is the kind."""
    return _FAULTS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, LedgerFault.DISK_FAILED)


def _unwritable(fault: LedgerFault) -> PlatformError:
    sentence = catalogue().say(f"deliver.ledger_{fault}")
    return PlatformError(ErrorCode.NOT_DURABLE, sentence, fault=fault)


def _struct(kind: type[S], row: tuple[object, ...]) -> S:
    """A row as its struct; columns stand in the order of the fields."""
    return msgspec.convert(dict(zip(kind.__struct_fields__, row, strict=True)), kind, strict=False)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _rows(values: Sequence[msgspec.Struct]) -> str:
    """Structs as one JSON array of rows, which SQLite takes in one step."""
    return _json([msgspec.structs.astuple(value) for value in values])


class SqliteLedger:
    """A `deliver.ports.Ledger` in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._closed = False
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-write")
        self._inside = 0
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-read")

    async def open(self, now_ms: int) -> Opened:
        """Open the file, or make it; a damaged one is moved aside and a new one begun."""
        return await self._in(self._write_thread, lambda: self._open(now_ms))

    async def close(self) -> None:
        """Finish what runs, then close for good; once more changes nothing."""
        if self._closed:
            return
        await self._in(self._read_thread, self._close_reader)
        await self._in(self._write_thread, self._close_writer)
        self._closed = True
        self._read_thread.shutdown()
        self._write_thread.shutdown()

    async def write(self, batch: Batch) -> frozenset[str]:
        """Write the batch in one transaction."""
        return await self._in(self._write_thread, lambda: self._write(batch))

    async def waiting(self, *, limit: int) -> list[Waiting]:
        """Deliveries that wait, earliest due first."""
        rows = await self._read("waiting", limit)
        return [_waiting(row) for row in rows]

    async def handed_over(self, *, after_ms: int, limit: int) -> list[HandedOver]:
        """What providers took of open alarms, newest first."""
        rows = await self._read("handed_over", after_ms, limit)
        return [_handed_over(row) for row in rows]

    async def notification(self, notification_id: str) -> Notification | None:
        """One notification."""
        rows = await self._read("notification", notification_id)
        return _struct(Notification, rows[0]) if rows else None

    async def alarm(self, alarm_id: str) -> AlarmView | None:
        """One alarm."""
        rows = await self._read("alarm", alarm_id)
        return _struct(AlarmView, rows[0]) if rows else None

    async def alarms_of(self, *, sharer: int, limit: int) -> list[AlarmView]:
        """Alarms of a sharer, newest first."""
        rows = await self._read("alarms_of_sharer", sharer, limit)
        return [_struct(AlarmView, row) for row in rows]

    async def timeline(self, alarm_id: str, *, limit: int) -> Timeline | None:
        """Everything about one alarm, as one moment of the ledger."""
        return await self._in(self._read_thread, lambda: self._timeline(alarm_id, limit))

    async def forget(self, *, before_ms: int, limit: int) -> int:
        """Delete what was over before."""
        return await self._in(self._write_thread, lambda: self._forget(before_ms, limit))

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Run in a thread; errors of SQLite become ours here, once."""
        if self._closed:
            raise _unwritable(LedgerFault.CLOSED)
        if self._inside >= INSIDE_MAX:
            raise refusal(AGAIN_S_MIN)
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
                raise
            if _fault(error) is LedgerFault.DAMAGED:
                self._mark()
            raise _unwritable(_fault(error)) from error
        except OSError as error:
            raise _unwritable(LedgerFault.READ_ONLY) from error
        except NewerFileError as error:
            raise _unwritable(LedgerFault.NEWER) from error
        finally:
            self._inside -= 1

    async def _read(self, name: str, *values: object) -> list[tuple[object, ...]]:
        return await self._in(self._read_thread, lambda: self._select(self._reader, name, *values))

    # ---- below runs in the threads -------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_MAX}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, now_ms: int) -> Opened:
        self._close_writer()
        set_aside = ""
        if self._mark_path.exists():
            if self.path.exists():
                set_aside = self._set_aside(now_ms)
            self._mark_path.unlink()
        try:
            opened = self._open_once()
        except sqlite3.DatabaseError as error:
            if _fault(error) is not LedgerFault.DAMAGED:
                raise
            set_aside = self._set_aside(now_ms)
            opened = self._open_once()
        self._reader = self._connect()
        self._reader.execute("PRAGMA query_only = ON")
        return msgspec.structs.replace(opened, set_aside=set_aside)

    def _open_once(self) -> Opened:
        self._writer = self._connect()
        migrate(self._writer, "ledger")
        upto = self._select(self._writer, "upto")
        return Opened(
            upto_seq=msgspec.convert(upto[0][0], int) if upto else 0,
            set_aside="",
            open_alarms=tuple(_struct(AlarmView, row) for row in self._select(self._writer, "open_alarms")),
            newest=tuple(_struct(Notification, row) for row in self._select(self._writer, "newest")),
        )

    def _set_aside(self, now_ms: int) -> str:
        """Move the damaged file and its side files away; they are kept for whoever wants to look."""
        self._close_writer()
        aside = self.path.with_name(f"{self.path.name}.damaged-{now_ms}")
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            side = self.path.with_name(self.path.name + suffix)
            if side.exists():
                side.rename(aside.with_name(aside.name + suffix))
        _log.error("ledger.set_aside", path=str(aside))
        return str(aside)

    @property
    def _mark_path(self) -> Path:
        return self.path.with_name(self.path.name + _MARK)

    def _mark(self) -> None:
        """Have the next start set the file aside, as health says that it will."""
        with contextlib.suppress(OSError):
            self._mark_path.touch()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _select(
        self, connection: sqlite3.Connection | None, name: str, *values: object
    ) -> list[tuple[object, ...]]:
        if connection is None:
            raise _unwritable(LedgerFault.CLOSED)
        return connection.execute(_queries()[name], values).fetchall()

    def _write(self, batch: Batch) -> frozenset[str]:
        connection = self._writer
        if connection is None:
            raise _unwritable(LedgerFault.CLOSED)
        queries = _queries()
        connection.execute("BEGIN IMMEDIATE")
        try:
            new = self._unknown(connection, batch.notifications)
            for name, values in (
                ("write_alarm", batch.alarms),
                ("write_entry", batch.entries),
                ("write_notification", batch.notifications),
                ("write_delivery", batch.deliveries),
                ("write_attempt", batch.attempts),
                ("write_receipt", batch.receipts),
            ):
                if values:
                    connection.execute(queries[name], (_rows(values),))
            if batch.upto_seq >= 0:
                connection.execute(queries["write_upto"], (batch.upto_seq,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return new

    def _unknown(
        self, connection: sqlite3.Connection, notifications: Sequence[Notification]
    ) -> frozenset[str]:
        """The ids of those that are not in the ledger yet."""
        ids = [notification.id for notification in notifications]
        known = self._select(connection, "known_notifications", _json(ids)) if ids else []
        return frozenset(ids) - {str(row[0]) for row in known}

    def _timeline(self, alarm_id: str, limit: int) -> Timeline | None:
        reader = self._reader
        if reader is None:
            raise _unwritable(LedgerFault.CLOSED)
        reader.execute("BEGIN")
        try:
            alarms = self._select(reader, "alarm", alarm_id)
            if not alarms:
                return None
            entries = self._select(reader, "entries_of_alarm", alarm_id, limit + 1)
            rows = self._select(reader, "notifications_of_alarm", alarm_id, limit + 1)
            notifications = [_struct(Notification, row) for row in rows[:limit]]
            return Timeline(
                alarm=_struct(AlarmView, alarms[0]),
                entries=tuple(_struct(Entry, row) for row in reversed(entries[:limit])),
                told=tuple(self._told(reader, notification) for notification in reversed(notifications)),
                cut=len(entries) > limit or len(rows) > limit,
            )
        finally:
            reader.execute("COMMIT")

    def _told(self, reader: sqlite3.Connection, notification: Notification) -> Told:
        deliveries = self._select(reader, "deliveries_of_notification", notification.id)
        attempts = self._select(reader, "attempts_of_notification", notification.id)
        receipts = self._select(reader, "receipts_of_notification", notification.id)
        return Told(
            notification=notification,
            deliveries=tuple(_struct(Delivery, row) for row in deliveries),
            attempts=tuple(_struct(Attempt, row) for row in attempts),
            receipts=tuple(_struct(Receipt, row) for row in receipts),
        )

    def _forget(self, before_ms: int, limit: int) -> int:
        connection = self._writer
        if connection is None:
            raise _unwritable(LedgerFault.CLOSED)
        over = self._select(connection, "over_before", before_ms, limit)
        if not over:
            return 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            for what in ("receipts", "attempts", "deliveries", "notifications", "entries", "alarm"):
                connection.executemany(_queries()[f"forget_{what}"], over)
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return len(over)


def _handed_over(row: tuple[object, ...]) -> HandedOver:
    """A joined row: the notification's columns first, then way, provider's id, when, and whether it ended."""
    split = _NOTIFICATION_COLUMNS
    told = _struct(Notification, row[:split])
    way, provider_id, at_ms, ended = row[split:]
    return HandedOver(told, str(way), str(provider_id), int(str(at_ms)), bool(ended))


def _waiting(row: tuple[object, ...]) -> Waiting:
    """A joined row: the delivery's columns first, then the notification's."""
    split = len(row) - _NOTIFICATION_COLUMNS
    return Waiting(_struct(Delivery, row[:split]), _struct(Notification, row[split:]))
