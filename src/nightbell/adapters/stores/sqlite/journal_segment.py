"""One file of the SQLite journal: opened, inspected after a crash, read in order, saved when damaged."""

import contextlib
import errno
import os
import shutil
import sqlite3
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from nightbell.adapters.stores.sqlite.migrations import NewerFileError, pending
from nightbell.journal.group import Group
from nightbell.journal.packing import HEADER_BYTES, Damaged, decode, facts_left_out
from nightbell.journal.ports import Fault, StoreFailedError

APPLICATION_ID: Final = 0x4E424A31

_CHECKPOINT_PAGES: Final = 4000
"""How long the write-ahead log grows, pages of 4 KiB: 16 MB, so that copying it back stays under 0.1 s."""

_TAIL: Final = 256
"""How many of the newest records are checked at every start; replay checks whatever it reads."""

_CHUNK: Final = 64
_LONG_BYTES: Final = 16_384
"""A record that is longer may hold many facts: whoever wants none looks at its beginning first."""

_PROBES_MAX: Final = 100_000
"""How many seqs in a row are looked for one by one behind a damaged page."""

_SEQ_MAX: Final = 1 << 62
"""No seq comes near it: a greater number is garbage."""

_FULL_BELOW_BYTES: Final = 1 << 20
"""A file system with less room than this is full, whatever the error is called."""

_WAL_HEADER: Final = struct.Struct(">8I")
_WAL_MAGIC: Final = (0x377F0682, 0x377F0683)
_WAL_FRAME_HEADER: Final = 24


_OS_FAULTS: Final = {
    errno.ENOSPC: Fault.DISK_FULL,
    errno.EDQUOT: Fault.DISK_FULL,
    errno.EIO: Fault.DISK_ERROR,
    errno.EACCES: Fault.NOT_WRITABLE,
    errno.EPERM: Fault.NOT_WRITABLE,
    errno.EROFS: Fault.NOT_WRITABLE,
}
"""What a failing call of the file system itself means to whoever has to do something about it."""


_MX_FRAME: Final = slice(16, 20)
"""Where the index of the log says how many frames are whole, in the byte order of the machine."""


class UnreadableError(Exception):
    """A file, or a record in it, is damaged. The text says what was found."""


class Tail(NamedTuple):
    """What lies in a write-ahead log behind the last transaction that SQLite accepts.

    Attributes:
        torn: Something does: a write that had not finished.
        lost_commits: More than one transaction does, this many: confirmed ones among them are lost. Else 0.
    """

    torn: bool
    lost_commits: int


class Inspected(NamedTuple):
    """What one file holds. `low` and `high` are 0 if it holds no group."""

    first_seq: int
    low: int
    high: int
    tail: Tail


def as_failure(error: sqlite3.Error | OSError, place: Path) -> StoreFailedError:
    """Map a failure of SQLite or of the file system to what the journal knows."""
    name = error.sqlite_errorname if isinstance(error, sqlite3.Error) and _has_name(error) else ""
    detail = f"{error} {name}".strip()
    if name == "SQLITE_FULL" or _is_full(place):
        fault = Fault.DISK_FULL
    elif isinstance(error, OSError):
        fault = _OS_FAULTS.get(error.errno or 0, Fault.OTHER)
    elif name.startswith("SQLITE_IOERR"):
        fault = Fault.DISK_ERROR
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        fault = Fault.NOT_WRITABLE
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        fault = Fault.LOCKED
    else:
        fault = Fault.OTHER
    return StoreFailedError(fault, detail, str(place))


def _has_name(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", None) is not None


def _is_full(place: Path) -> bool:
    try:
        room = os.statvfs(place if place.is_dir() else place.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _FULL_BELOW_BYTES


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a file with every commit synced before it returns.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"file:{path.as_posix()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = bytes  # there is no text in it: what says so is garbage, and not to be decoded
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: past the disk's own cache
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create(path: Path, *, first_seq: int, opened_ms: int) -> sqlite3.Connection:
    """Begin a new file; durable when this returns.

    Raises:
        sqlite3.Error: It cannot be made.
        OSError: The folder cannot be synced.
    """
    connection = connect(path, create=True)
    try:
        connection.executescript(f"BEGIN;\n{pending('journal', 0)}")
        connection.execute("INSERT INTO segment VALUES (?, ?)", (first_seq, opened_ms))
        connection.execute("COMMIT")
        sync_folder(path.parent)
    except (sqlite3.Error, OSError):
        connection.close()
        raise
    return connection


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def companions(path: Path) -> tuple[Path, Path]:
    """The write-ahead log and the shared-memory file that SQLite keeps beside a file."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def remove(path: Path) -> None:
    """Delete a file and its companions."""
    for part in (path, *companions(path)):
        part.unlink(missing_ok=True)


def inspect(path: Path, damaged: Path) -> Inspected:
    """Recover a file after a crash, make what was recovered durable, and check its newest records.

    Args:
        path: The file.
        damaged: Folder for a copy of a write-ahead log that lost confirmed transactions.

    Raises:
        UnreadableError: It is damaged.
        StoreFailedError: A newer version made it, or the disk refuses.
    """
    log = companions(path)[0]
    frames = _frames(log)
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(path)
        _check_kind(connection, path)
        accepted = _accepted(connection, path)
        tail = _tail(frames, max(0, accepted))
        if tail.lost_commits:
            shutil.copyfile(log, damaged / log.name)
        with contextlib.suppress(sqlite3.OperationalError):
            # After this, nothing recovered depends on pages that may never have reached the disk. On a full
            # disk it cannot be done; what was confirmed is there all the same.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        first_seq, low, high = _extent(connection)
        for seq, packed in connection.execute(
            "SELECT seq, packed FROM record ORDER BY seq DESC LIMIT ?", (_TAIL,)
        ):
            sound(seq, packed)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise UnreadableError(str(error)) from error
        raise as_failure(error, path) from error
    finally:
        if connection is not None:
            connection.close()
    return Inspected(first_seq, low, high, tail)


def _accepted(connection: sqlite3.Connection, path: Path) -> int:
    """How many frames of its log SQLite takes for whole.

    A checkpoint says so. On a full disk it fails, for it may not even make the file longer; by then SQLite
    has read the log, and its index of it says the same (sqlite.org/walformat.html, `mxFrame`).
    """
    try:
        return int(connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_FULL":
            raise
    return frames_by_index(path)


def frames_by_index(path: Path) -> int:
    """How many frames of the log are whole, as the index says that lies beside it."""
    return int.from_bytes(companions(path)[1].read_bytes()[_MX_FRAME], sys.byteorder)


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    if kind != APPLICATION_ID:
        raise UnreadableError("it is not a file of the journal")
    try:
        pending("journal", _form(connection))
    except NewerFileError as error:
        raise StoreFailedError(Fault.OTHER, str(error), str(path)) from error


def _form(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_of_today(connection: sqlite3.Connection) -> bool:
    """Whether records of today's kinds may be added. A file of an older form is read as it is, and ends.

    It is not brought to today's form: on a full disk that could not be written, and the bell must start.
    """
    return not pending("journal", _form(connection))


def _extent(connection: sqlite3.Connection) -> tuple[int, int, int]:
    begun = connection.execute("SELECT first_seq FROM segment").fetchone()
    if begun is None:
        raise UnreadableError("it does not say where it begins")
    low, high = connection.execute(
        "SELECT (SELECT min(seq) FROM record), (SELECT max(seq) FROM record)"
    ).fetchone()
    return begun[0], low or 0, high or 0


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault, not the disk or the moment."""
    name = getattr(error, "sqlite_errorname", "") or ""
    # "no such table" is SQLITE_ERROR: the schema is gone.
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"))


def sound(seq: int, packed: object, *, facts: bool = True) -> Group:
    """Decode a record.

    Raises:
        UnreadableError: It is damaged, or another's.
        StoreFailedError: A newer version wrote it: nothing is wrong with it, and it must not be set aside.
    """
    if not isinstance(packed, bytes):
        raise UnreadableError(f"record {seq}: it is none")
    group = decode(packed, facts=facts)
    if isinstance(group, Damaged) and group.newer:
        detail = f"a newer Nightbell wrote record {seq}: {group.reason}. Use that one"
        raise StoreFailedError(Fault.OTHER, detail, f"record {seq}")
    if isinstance(group, Damaged):
        raise UnreadableError(f"record {seq}: {group.reason}")
    if group.seq != seq:
        raise UnreadableError(f"record {seq}: it says it is {group.seq}")
    return group


def read(connection: sqlite3.Connection, after_seq: int, *, facts: bool = True) -> Iterator[Group]:
    """Groups of one file above `after_seq`, in order, a few at a time.

    Raises:
        UnreadableError: The next one is damaged.
        sqlite3.DatabaseError: The file is damaged, or the disk refuses.
    """
    whole_upto = sys.maxsize if facts else _LONG_BYTES
    while True:
        rows = connection.execute(
            "SELECT seq, CASE WHEN length(packed) <= ? THEN packed END FROM record"
            " WHERE seq > ? ORDER BY seq LIMIT ?",
            (whole_upto, after_seq, _CHUNK),
        ).fetchall()
        for seq, packed in rows:
            if seq != after_seq + 1:
                _check_gap(connection, after_seq, seq)
            yield _long_without_facts(connection, seq) if packed is None else sound(seq, packed, facts=facts)
            after_seq = seq
        if len(rows) < _CHUNK:
            return


def _check_gap(connection: sqlite3.Connection, after_seq: int, seq: int) -> None:
    """A gap is what a repair left, or a page in the wrong place: then its records are still found by seq.

    Raises:
        UnreadableError: It is the latter, or a page that leads back to itself, which has no end.
    """
    hidden = any(_packed(connection, one) is not None for one in (after_seq + 1, seq - 1) if one < seq)
    if seq <= after_seq or hidden:
        raise UnreadableError(f"record {seq}: it stands behind {after_seq}")


def _long_without_facts(connection: sqlite3.Connection, seq: int) -> Group:
    """A long record without its facts; where it holds nothing else, they are not even read.

    Raises:
        UnreadableError: It is damaged.
        sqlite3.DatabaseError: The file is damaged, or the disk refuses.
    """
    with connection.blobopen("record", "packed", seq, readonly=True) as record:
        group = facts_left_out(record.read(HEADER_BYTES), len(record))
        if group is not None and group.seq == seq:
            return group
        record.seek(0)
        return sound(seq, record.read(), facts=False)


def readable(path: Path, keep: Callable[[int, bytes], None]) -> int:
    """Give everything sound in a damaged file to `keep`, in order, before and behind the damage.

    Garbage can look like a page: then it names rows that never were or stand elsewhere, or none, or says that
    the file ends early. So each record is asked for by its own seq (in one file they follow one another),
    nothing is believed but a sound one, and we go on until nothing is found for long.

    Returns:
        The highest seq seen in it, sound or not; -1 if that cannot be known.
    """
    try:
        connection = connect(path)
    except sqlite3.Error:
        return -1
    try:
        if not _has_records(connection):
            return -1
        said = _number(connection, "SELECT max(seq) FROM record")
        newest = 0
        seq = _number(connection, "SELECT first_seq FROM segment")
        seq = _number(connection, "SELECT min(seq) FROM record") if seq < 1 else seq
        missed = 0
        while missed < _PROBES_MAX and not (missed and newest == said):
            packed = _packed(connection, seq)
            if packed is not None and _is_sound(seq, packed):
                keep(seq, packed)
                newest, missed = seq, 0
            else:
                missed += 1
            seq += 1
    finally:
        connection.close()
    return said if newest <= said <= newest + _PROBES_MAX else -1


def _is_sound(seq: int, packed: bytes) -> bool:
    group = decode(packed)
    return not isinstance(group, Damaged) and group.seq == seq


class Kept(NamedTuple):
    """What a rebuilt file holds; `lost_*` lie around its gaps, 0 where there is no such group."""

    groups: int
    low: int
    high: int
    lost_after: int
    lost_before: int


def rebuild(source: Path, target: Path, *, first_seq: int) -> tuple[Kept, int]:
    """Write everything sound in a damaged file to a new one, complete and durable when this returns.

    Returns:
        What was kept, and the highest seq seen; -1 if that cannot be known.
    """
    kept = Kept(0, 0, 0, 0, 0)
    connection = create(target, first_seq=first_seq, opened_ms=0)

    def keep(seq: int, packed: bytes) -> None:
        nonlocal kept
        gap = kept.groups > 0 and seq != kept.high + 1
        kept = Kept(
            groups=kept.groups + 1,
            low=kept.low or seq,
            high=seq,
            lost_after=kept.lost_after or (kept.high if gap else 0),
            lost_before=seq if gap else kept.lost_before,
        )
        connection.execute("INSERT INTO record VALUES (?, ?)", (seq, packed))

    try:
        connection.execute("BEGIN")
        highest = readable(source, keep)
        if not first_seq:
            connection.execute("UPDATE segment SET first_seq = ?", (kept.low,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if kept.groups and not kept.lost_after and highest != kept.high:
        kept = kept._replace(lost_after=kept.high)
    return kept, highest


def _has_records(connection: sqlite3.Connection) -> bool:
    """Whether the file still says where its records are."""
    try:
        connection.execute("SELECT seq, packed FROM record LIMIT 0")
    except sqlite3.Error:
        return False
    return True


def _number(connection: sqlite3.Connection, question: str) -> int:
    """The number that answers; -1 if the damage hides it."""
    try:
        (found,) = connection.execute(question).fetchone() or (0,)
    except sqlite3.Error:
        return -1
    return found if isinstance(found, int) and 0 <= found < _SEQ_MAX else 0 if found is None else -1


def _packed(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """One record; None if it is not there, or cannot be read."""
    try:
        row = connection.execute("SELECT packed FROM record WHERE seq = ?", (seq,)).fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def _frames(log: Path) -> list[bool]:
    """For each frame of the newest generation in a write-ahead log: whether it ends a transaction.

    Source: sqlite.org/fileformat2.html, section 4.1.
    """
    try:
        raw = log.read_bytes()
    except FileNotFoundError:
        return []
    if len(raw) < _WAL_HEADER.size:
        return []
    magic, _, page_size, _, salt_1, salt_2, _, _ = _WAL_HEADER.unpack_from(raw)
    if magic not in _WAL_MAGIC:
        return []
    frame = _WAL_FRAME_HEADER + page_size
    count = -(-(len(raw) - _WAL_HEADER.size) // frame)
    padded = raw[_WAL_HEADER.size :].ljust(count * frame, b"\0")
    heads = np.frombuffer(padded, np.uint8).reshape(count, frame)[:, :16].copy().view(">u4")
    current = (heads[:, 2] == salt_1) & (heads[:, 3] == salt_2)
    newest = int(np.argmin(current)) if not current.all() else count
    return [bool(size) for size in heads[:newest, 1]]


def _tail(frames: list[bool], accepted: int) -> Tail:
    """What lies behind the `accepted` first frames: at most one transaction if nothing confirmed is lost."""
    behind = frames[accepted:]
    commits = sum(behind)
    lost = commits > 1 or (commits == 1 and not behind[-1])
    return Tail(torn=bool(behind), lost_commits=commits if lost else 0)
