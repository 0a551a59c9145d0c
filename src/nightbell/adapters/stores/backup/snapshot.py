"""Copies of SQLite files that others may be writing to, each as it was at one moment.

With a platform running, SQLite's online backup copies a few pages at a time. The moment is held by a read
transaction: without one the copy begins anew at every commit of somebody else, and under load it would never
end. In WAL mode a reader holds up no writer. Between the steps we sleep as long as a step took, so that half
of the disk's time is left to whoever has something urgent.

Without a platform, under its lock, the file and its write-ahead log are copied as they are, and SQLite
recovers the copy: the original is not touched, so that the next start still sees what a crash left.
"""

import contextlib
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Final

from nightbell.adapters.stores.backup.archive import Advance

STEP_PAGES: Final = 512
"""2 MiB of the usual pages: some milliseconds."""

BUSY_TIMEOUT_S: Final = 10.0
WAL: Final = "-wal"


def log_of(path: Path) -> Path:
    """The write-ahead log beside a file."""
    return path.with_name(path.name + WAL)


def copy_running(source: Path, target: Path, advance: Advance) -> None:
    """Copy a file that a platform has open.

    Raises:
        sqlite3.Error: It cannot be read, or the copy cannot be written.
    """
    # For reading only: closing it writes nothing back into the platform's file.
    address = f"{source.absolute().as_uri()}?mode=ro"
    reading = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    with contextlib.closing(reading):
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment
        page_bytes = reading.execute("PRAGMA page_size").fetchone()[0]
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing:
            writing.execute("PRAGMA synchronous = OFF")
            done, stepped_at = 0, time.monotonic()

            def step(_status: int, remaining: int, total: int) -> None:
                nonlocal done, stepped_at
                advance((total - remaining - done) * page_bytes)
                done = total - remaining
                if remaining:
                    time.sleep(time.monotonic() - stepped_at)
                stepped_at = time.monotonic()

            reading.backup(writing, pages=STEP_PAGES, progress=step)


def copy_stopped(source: Path, target: Path, advance: Advance) -> None:
    """Copy a file that nobody has open, and let SQLite recover the copy.

    Raises:
        sqlite3.Error: The copy cannot be recovered.
        OSError: It cannot be read, or the copy cannot be written.
    """
    shutil.copyfile(source, target)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(log_of(source), log_of(target))
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("SELECT count(*) FROM sqlite_master").fetchone()
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    advance(target.stat().st_size)


def last_seq(segment: Path) -> int:
    """The newest group in a copy of a journal's file; what comes before it if it holds none.

    Raises:
        sqlite3.Error: It is no file of a journal.
    """
    address = f"{segment.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as reading:
        newest = reading.execute("SELECT max(seq) FROM record").fetchone()[0]
        return int(newest or reading.execute("SELECT first_seq - 1 FROM segment").fetchone()[0])
