"""A backup of a data directory, made while the platform runs, or beside it when it is stopped.

The order is the design: what is derived from the journal comes before it, what the journal names after it.
So the checkpoint has told no more than the ledger holds; ledger and history are behind the journal, and the
next start fills them up from it; accounts are ahead of it, and the next start journals what it misses. The
other way round a sharer's number in the journal might be given to somebody else. Keys and what was withdrawn
come last of all: of two moments, the one that lets in fewer.

The watcher's list of whom to tell is left out: it is a sealed copy which the platform gives it anew within
half a minute, and its key would have to come along. The pairing goes with the secrets, so that a watcher
elsewhere goes on watching. Logs, the status page and files that were set aside as damaged are left out too.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec

from nightbell.adapters.stores.backup.archive import SEALED, Advance, ArchiveWriter, Manifest
from nightbell.adapters.stores.backup.seal import sealed
from nightbell.adapters.stores.backup.snapshot import copy_running, copy_stopped, last_seq, log_of
from nightbell.adapters.stores.sqlite.journal import LOCK_NAME, listed_segments
from nightbell.app.leftovers import PARTIALS, holding, sweep
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock, from_ms

ACCOUNTS: Final = "accounts.sqlite"
LEDGER: Final = "ledger.sqlite"
HISTORY: Final = "history.sqlite"
JOURNAL: Final = "journal"
CHECKPOINT: Final = "checkpoint/fold"
SECRETS: Final = (
    "settings.toml",  # it may hold the password of the mail server
    "keys/grant.key",
    "keys/grant.previous.pub",
    "keys/revoked",
    "keys/webhook",
    "keys/contacts",  # without it nobody's address can be read
    "keys/vapid.key",  # without it everybody turns push on again
    "watcher/pairing.json",
)
SECRET_BYTES_MAX: Final = 64 << 20

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class BackupError(Exception):
    """It was not done, and nothing was left behind.

    Attributes:
        code: A word for programs, and the key of the sentence.
        sentence: What happened and what to do.
    """

    def __init__(self, code: str, **slots: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = catalogue().say(f"backup.{code}", **slots)


class Made(msgspec.Struct, frozen=True):
    """What was made.

    Attributes:
        file: Where it lies.
        size_bytes: How large it is.
        began_ms: Everything acknowledged before is in it.
        seq: The newest group of the journal in it.
        keys: Whether the keys are in it.
        removed: What a backup that was killed had left there; it is gone.
        left: The same, but we could not tell whether it is still in use.
    """

    file: str
    size_bytes: int
    began_ms: int
    seq: int
    keys: bool
    removed: list[str] = []
    left: list[str] = []


StillAccounts = Callable[[], AbstractContextManager[None]]
"""While its block runs, a running platform writes nothing into the accounts' file, only into its log."""


def total_bytes(folder: Path) -> int:
    """About how much there is to copy, for a bar."""
    files = [folder / ACCOUNTS, folder / LEDGER, folder / HISTORY, folder / CHECKPOINT]
    files += listed_segments(folder / JOURNAL)
    return sum(file.stat().st_size for file in files if file.is_file())


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a platform from starting on a folder meanwhile: the lock that keeps two of them apart.

    Raises:
        BackupError: There is nothing, or something has it.
    """
    try:
        handle = os.open(folder / JOURNAL / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BackupError("nothing_there", folder=str(folder)) from None
    except OSError as error:
        raise BackupError("unreadable", file=str(folder), why=error.strerror or str(error)) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupError("between", folder=str(folder)) from None
    finally:
        os.close(handle)


def make_backup(
    folder: Path,
    target: Path,
    *,
    passphrase: str,
    still: StillAccounts | None,
    nightbell: str,
    clock: Clock,
    advance: Advance = lambda _: None,
) -> Made:
    """Make a backup; durable, complete and under its name when this returns.

    Args:
        folder: The data directory.
        target: A file that does not exist yet, or a folder.
        passphrase: Seals the keys; empty leaves them out.
        still: Of the platform that runs; None where none does, and the lock is held.
        nightbell: Our own version.
        clock: The time of day.
        advance: Called with how many bytes were copied.

    Raises:
        BackupError: It could not be made; nothing is left of it.
    """
    began_ms = clock.now_ms()
    path = _path(target, began_ms)
    swept = sweep(path.parent, PARTIALS)
    work = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        work.mkdir(mode=0o700)
    except OSError as error:
        raise BackupError("unwritable", file=str(path), why=error.strerror or str(error)) from None
    try:
        with holding(work):
            taking = _Taking(folder, work, still, clock, advance)
            manifest = taking.archive(began_ms, passphrase, nightbell)
            size_bytes = taking.path.stat().st_size
            _put_in_place(taking.path, path)
    except FileExistsError:
        raise BackupError("exists", file=str(path)) from None
    except (OSError, sqlite3.Error) as error:
        raise failure_of(error, path) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    kept = {"removed": list(swept.removed), "left": list(swept.left)}
    return Made(str(path), size_bytes, began_ms, manifest.seq, manifest.has_secrets, **kept)


def failure_of(error: OSError | sqlite3.Error, place: Path) -> BackupError:
    """Words for what the disk or SQLite said."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or (isinstance(error, OSError) and error.errno in FULL) or _is_full(place):
        return BackupError("disk_full", place=str(place.parent))
    why = (error.strerror if isinstance(error, OSError) else None) or f"{error} {name}".strip()
    return BackupError("failed", why=why)


def _is_full(place: Path) -> bool:
    try:
        room = os.statvfs(place.parent)
    except OSError:
        return False
    return room.f_bavail == 0


def _path(target: Path, now_ms: int) -> Path:
    if target.is_dir():
        target = target / f"nightbell-{from_ms(now_ms):%Y%m%dT%H%M%SZ}.tar"
    if target.exists() or target.is_symlink():
        raise BackupError("exists", file=str(target))
    return target.absolute()


def _put_in_place(made: Path, path: Path) -> None:
    """Give it its name, and never take that of another.

    Raises:
        FileExistsError: There is one by now.
        OSError: It cannot be done.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links, as on a stick: reserve the name first.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        made.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Taking:
    """One backup being made."""

    def __init__(
        self, folder: Path, work: Path, still: StillAccounts | None, clock: Clock, advance: Advance
    ) -> None:
        self._folder = folder
        self._work = work
        self._still = still
        self._clock = clock
        self._advance = advance
        self._seq = 0
        self.path = work / "archive.tar"

    def archive(self, began_ms: int, passphrase: str, nightbell: str) -> Manifest:
        """Write all of it, in the one order that lets the files agree afterwards."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            writer = ArchiveWriter(file)
            self._plain(writer, CHECKPOINT)
            self._database(writer, LEDGER)
            self._database(writer, HISTORY)
            self._journal(writer)
            self._accounts(writer)
            if passphrase:
                self._secrets(writer, began_ms, passphrase)
            return writer.finish(
                nightbell=nightbell, began_ms=began_ms, made_ms=self._clock.now_ms(), seq=self._seq
            )

    def _plain(self, writer: ArchiveWriter, name: str) -> None:
        """A file that is only ever replaced whole, or not written any more; none is none."""
        with contextlib.suppress(FileNotFoundError), (self._folder / name).open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            writer.add(name, source, size, taken_ms=self._clock.now_ms(), advance=self._advance)

    def _database(self, writer: ArchiveWriter, name: str, *, newest: bool = False) -> None:
        """A file of SQLite, as it is now."""
        source, copy = self._folder / name, self._work / "copy.sqlite"
        if not source.exists():
            return
        taken_ms = self._clock.now_ms()
        copying = copy_stopped if self._still is None else copy_running
        copying(source, copy, self._advance)
        if newest:
            self._seq = last_seq(copy)
        with copy.open("rb") as file:
            writer.add(name, file, copy.stat().st_size, taken_ms=taken_ms, advance=lambda _: None)
        for part in (copy, log_of(copy)):
            part.unlink(missing_ok=True)

    def _journal(self, writer: ArchiveWriter) -> None:
        """Every file of the journal, oldest first, and those that are begun meanwhile."""
        taken: set[Path] = set()
        while waiting := [path for path in listed_segments(self._folder / JOURNAL) if path not in taken]:
            for path in waiting:
                name = f"{JOURNAL}/{path.name}"
                newest = path == waiting[-1]
                if newest or log_of(path).exists():
                    self._database(writer, name, newest=newest)
                else:
                    self._plain(writer, name)  # nobody writes to it any more
                taken.add(path)

    def _accounts(self, writer: ArchiveWriter) -> None:
        if not (self._folder / ACCOUNTS).exists():
            raise BackupError("lost", file=str(self._folder / ACCOUNTS))
        if self._still is None:
            self._database(writer, ACCOUNTS)
            return
        with self._still():
            self._plain(writer, ACCOUNTS)

    def _secrets(self, writer: ArchiveWriter, began_ms: int, passphrase: str) -> None:
        found: dict[str, bytes] = {}
        for name in SECRETS:
            with contextlib.suppress(FileNotFoundError), (self._folder / name).open("rb") as file:
                found[name] = file.read(SECRET_BYTES_MAX)
        content = self._work / SEALED
        content.write_bytes(sealed(found, passphrase, bound_to=str(began_ms).encode()))
        with content.open("rb") as file:
            size = content.stat().st_size
            writer.add(SEALED, file, size, taken_ms=self._clock.now_ms(), advance=lambda _: None)
