"""The journal in SQLite: one file a day, one packed row a commit, synced before the commit returns.

Rules:
1. A file is begun with the seq at which it begins. What an earlier file holds at or above that is void: it
was
   written while the disk failed, and never confirmed.
2. After a failed sync nobody knows what is on the disk, so the file is left and a fresh one is begun. A
full disk
   is different: SQLite rolled back cleanly, and the same file goes on when there is room.
3. A file belongs to the day on which it was begun. When the clock goes back a day or less, the newest file
   goes on.
4. A damaged file moves to `damaged/`; everything sound in it is written to a new file in its place first.

EINTR and short writes need nothing from us: SQLite repeats the call (unixWrite, robust_fdatasync).
"""

import contextlib
import fcntl
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from nightbell.adapters.stores.sqlite import journal_segment as segment
from nightbell.adapters.stores.sqlite.journal_segment import UnreadableError, as_failure
from nightbell.journal.group import Group
from nightbell.journal.packing import encode
from nightbell.journal.ports import Fault, StoreFailedError
from nightbell.journal.recovery import Recovery, SetAside
from nightbell.words.clock import from_ms

_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.sqlite")
LOCK_NAME: Final = "lock"
"""In the folder; whoever holds it may write there."""

_SAVING: Final = ".saving"
"""Beside a damaged file while it is being saved; holds the name it moves to."""

_BUILDING: Final = ".building"
_BEGINNING: Final = ".beginning"
"""Beside a file until it is complete: a file cut short by a crash is then known from a damaged one."""

_CLOCK_SLACK_MS: Final = 86_400_000
"""A clock set back by more was wrong before: then a file of the true day is begun."""

_LEAP: Final = 1_000_000_000
"""How far seq jumps when the newest one cannot be known: more commits than fit in a day, so no seq comes
twice."""


class _File(NamedTuple):
    """One file. The order of the journal is that of `first_seq`; names only say when a file was begun."""

    day: str
    number: int
    path: Path
    first_seq: int = 0
    low: int = 0
    high: int = 0


class SqliteJournalStore:
    """A `JournalStore` in a folder of SQLite files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._damaged = folder / "damaged"
        self._lock = threading.RLock()
        self._lock_file = -1
        self._files: list[_File] = []
        self._connection: sqlite3.Connection | None = None
        self._last_seq = 0
        self._next_seq = 1
        self._torn: list[str] = []
        self._missing: set[tuple[int, int]] = set()
        self._set_aside: list[SetAside] = []

    def open(self, *, now_ms: int, seen_seq: int) -> Recovery:
        """As the port says."""
        with self._lock:
            try:
                self._damaged.mkdir(parents=True, exist_ok=True)
                self._hold_folder()
                self._finish_what_a_crash_cut()
                for file in self._listed():
                    self._recover(file)
                self._files.sort(key=lambda file: (file.first_seq, file.day, file.number))
                self._drop_void()
                self._next_seq = max(self._next_seq, self._last_seq + 1, seen_seq + 1)
                self._begin_or_go_on(now_ms)
            except (sqlite3.Error, OSError) as error:
                self.close()
                raise as_failure(error, self._folder) from error
            except StoreFailedError:
                self.close()
                raise
        return self.recovery()

    def append(self, group: Group) -> None:
        """As the port says."""
        packed = encode(group)
        with self._lock:
            if self._connection is None or self._is_over(self._files[-1], group.recorded_ms):
                self._begin(group.recorded_ms, group.seq)
            assert self._connection is not None
            try:
                self._connection.execute("INSERT INTO record VALUES (?, ?)", (group.seq, packed))
            except sqlite3.Error as error:
                failure = as_failure(error, self._files[-1].path)
                if getattr(error, "sqlite_errorname", "") != "SQLITE_FULL":
                    self._leave()
                raise failure from error
            newest = self._files[-1]
            self._files[-1] = newest._replace(low=newest.low or group.seq, high=group.seq)
            self._last_seq = group.seq
            self._next_seq = group.seq + 1

    def replay(self, after_seq: int, *, facts: bool = True) -> Iterator[Group]:
        """As the port says."""
        read = 0  # newest group read, 0 before the first: what was expired is not missing
        for index in range(len(self._files)):
            saved = False
            while self._files[index].high > max(after_seq, read):
                try:
                    for group in self._read(self._files[index], max(after_seq, read), facts=facts):
                        self._note_missing(read, group.seq)
                        read = group.seq
                        yield group
                    break
                except UnreadableError as error:
                    assert not saved, "a saved file holds only what was read"
                    self._save_in_place(index, str(error))
                    saved = True

    def again(self, after_seq: int, upto_seq: int) -> Iterator[Group]:
        """As the port says."""
        with self._lock:
            files = list(self._files)
        for file in files:
            if file.high <= after_seq or file.low > upto_seq:
                continue
            try:
                for group in self._read(file, after_seq, facts=False):
                    if group.seq > upto_seq:
                        break
                    yield group
            except UnreadableError as error:
                raise StoreFailedError(Fault.DISK_ERROR, str(error), str(file.path)) from error

    def recovery(self) -> Recovery:
        """As the port says."""
        with self._lock:
            return Recovery(
                first_seq=next((file.low for file in self._files if file.low), 0),
                last_seq=self._last_seq,
                next_seq=self._next_seq,
                files=len(self._files),
                torn=tuple(self._torn),
                missing=tuple(sorted(self._missing)),
                set_aside=tuple(self._set_aside),
            )

    def expire(self, *, before_ms: int, needed_after: int) -> tuple[str, ...]:
        """As the port says."""
        before_day = _day(before_ms)
        with self._lock:
            gone = [file for file in self._files[:-1] if file.day < before_day and file.high <= needed_after]
            self._files = [file for file in self._files if file not in gone]
        for file in gone:
            try:
                segment.remove(file.path)
            except OSError as error:
                raise as_failure(error, file.path) from error
        return tuple(file.path.name for file in gone)

    def close(self) -> None:
        """As the port says."""
        with self._lock:
            self._leave()
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1

    def _hold_folder(self) -> None:
        """Two journals in one folder would give one seq to two groups."""
        handle = os.open(self._folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise StoreFailedError(Fault.LOCKED, "another Nightbell uses it", str(self._folder)) from error
        self._lock_file = handle

    def _listed(self) -> list[_File]:
        return _named(self._folder)

    def _recover(self, file: _File) -> None:
        """Open one file after the ones before it."""
        try:
            found = segment.inspect(file.path, self._damaged)
        except UnreadableError as error:
            saved = self._save(file, str(error))
            if saved is not None:
                self._files.append(saved)
            return
        if found.tail.lost_commits:
            self._next_seq = max(self._next_seq, found.high + found.tail.lost_commits + 1)
            log = segment.companions(file.path)[0]
            self._set_aside.append(
                SetAside(
                    file=log.name,
                    moved_to=f"damaged/{log.name}",
                    why=f"{found.tail.lost_commits} writes in it cannot be read",
                    kept=0,
                    lost_after=found.high,
                    lost_before=0,
                )
            )
        elif found.tail.torn:
            self._torn.append(file.path.name)
        self._files.append(file._replace(first_seq=found.first_seq, low=found.low, high=found.high))

    def _drop_void(self) -> None:
        """Rule 1; then see that the files follow one another."""
        for index, (file, after) in enumerate(pairwise(self._files)):
            if file.high >= after.first_seq > 0:
                connection = segment.connect(file.path)
                try:
                    connection.execute("DELETE FROM record WHERE seq >= ?", (after.first_seq,))
                    high = connection.execute("SELECT max(seq) FROM record").fetchone()[0] or 0
                finally:
                    connection.close()
                self._files[index] = file._replace(low=file.low if high else 0, high=high)
        before = 0
        for file in self._files:
            if file.low:
                self._note_missing(before, file.low)
                before = file.high
        self._last_seq = before
        self._next_seq = max(self._next_seq, *(file.first_seq for file in self._files), 1)

    def _note_missing(self, before: int, low: int) -> None:
        if before and low != before + 1:
            self._missing.add((before, low))

    def _begin_or_go_on(self, now_ms: int) -> None:
        """Open a file for appending.

        A disk that refuses now must not keep the platform from starting, and alarms from ringing: `append`
        tries again. After damage the next seq may lie higher; a fresh file remembers that.
        """
        newest = self._files[-1] if self._files else None
        with contextlib.suppress(StoreFailedError, sqlite3.Error):
            if (
                newest is not None
                and not self._is_over(newest, now_ms)
                and self._next_seq in (newest.first_seq, self._last_seq + 1)
            ):
                connection = segment.connect(newest.path)
                if segment.is_of_today(connection):
                    self._connection = connection
                    return
                connection.close()
            self._begin(now_ms, self._next_seq)

    @staticmethod
    def _is_over(newest: _File, now_ms: int) -> bool:
        """Whether another day has come. A clock that goes back a day or less does not bring one: rule 3."""
        return _day(now_ms) > newest.day or _day(now_ms + _CLOCK_SLACK_MS) < newest.day

    def _begin(self, now_ms: int, first_seq: int) -> None:
        """Begin a fresh file, which is the newest from now on.

        Raises:
            StoreFailedError: It cannot be made; what was begun of it is gone.
        """
        self._leave()
        try:
            path, number = self._free_name(_day(now_ms))
        except OSError as error:
            raise as_failure(error, self._folder) from error
        beginning = _beside(path, _BEGINNING)
        try:
            beginning.touch()
            self._connection = segment.create(path, first_seq=first_seq, opened_ms=now_ms)
            beginning.unlink()
            if self._files and not self._files[-1].high:
                # Nothing was ever confirmed in it.
                segment.remove(self._files.pop().path)
        except (sqlite3.Error, OSError) as error:
            self._leave()
            failure = as_failure(error, path)
            with contextlib.suppress(OSError):
                # If even this fails, the next start does it.
                segment.remove(path)
                beginning.unlink(missing_ok=True)
            raise failure from error
        self._files.append(_File(_day(now_ms), number, path, first_seq))

    def _free_name(self, day: str) -> tuple[Path, int]:
        number = 0
        while True:
            name = f"{day}.{number}.sqlite" if number else f"{day}.sqlite"
            path = self._folder / name
            if not any(taken.exists() for taken in (path, self._damaged / name, _beside(path, _BEGINNING))):
                return path, number
            number += 1

    def _leave(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(sqlite3.Error):
                # If the disk fails here too: what was confirmed is on it, and the next start recovers it.
                connection.close()

    def _read(self, file: _File, after_seq: int, *, facts: bool = True) -> Iterator[Group]:
        try:
            connection = segment.connect(file.path)
            try:
                yield from segment.read(connection, after_seq, facts=facts)
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            if segment.is_damage(error):
                raise UnreadableError(str(error)) from error
            raise as_failure(error, file.path) from error

    def _save_in_place(self, index: int, why: str) -> None:
        """Damage was met by replay, also in the newest file, which is open for appending."""
        with self._lock:
            newest = index == len(self._files) - 1
            file = self._files[index]
            try:
                if newest:
                    self._leave()
                saved = self._save(file, why, always=True)
                assert saved is not None
                self._files[index] = saved._replace(first_seq=file.first_seq)
                if newest:
                    self._connection = segment.connect(saved.path)
            except (sqlite3.Error, OSError) as error:
                raise as_failure(error, file.path) from error

    def _save(self, file: _File, why: str, *, always: bool = False) -> _File | None:
        """Rule 4. The order of steps is such that a crash between any two is made good at the next start.

        Returns:
            The file that takes its place; None if nothing could be kept and it is not `always` wanted.
        """
        target = _free(self._damaged, file.path.name)
        marker = _beside(file.path, _SAVING)
        marker.write_text(target.name, encoding="utf-8")
        segment.sync_folder(self._folder)
        saved = self._move_and_build(file, target, why, always=always)
        marker.unlink()
        return saved

    def _move_and_build(self, file: _File, target: Path, why: str, *, always: bool) -> _File | None:
        for part, to in zip(
            (file.path, *segment.companions(file.path)), (target, *segment.companions(target)), strict=True
        ):
            if part.exists():
                part.replace(to)
        building = _beside(file.path, _BUILDING)
        segment.remove(building)
        kept, highest = segment.rebuild(target, building, first_seq=file.first_seq)
        newest = max(highest, kept.high) if highest >= 0 else -1
        before = max((known.high for known in self._files), default=0)
        self._next_seq = max(self._next_seq, newest + 1 if newest >= 0 else before + _LEAP)
        self._set_aside.append(
            SetAside(
                file=file.path.name,
                moved_to=f"damaged/{target.name}",
                why=why,
                kept=kept.groups,
                lost_after=kept.lost_after,
                lost_before=kept.lost_before,
            )
        )
        if not kept.groups and not always:
            segment.remove(building)
            return None
        building.replace(file.path)
        segment.sync_folder(self._folder)
        return file._replace(first_seq=file.first_seq or kept.low, low=kept.low, high=kept.high)

    def _finish_what_a_crash_cut(self) -> None:
        for marker in sorted(self._folder.glob(f"*{_BEGINNING}")):
            # Nothing was ever written to it but its first page.
            segment.remove(marker.with_name(marker.name.removesuffix(_BEGINNING)))
            marker.unlink()
        for marker in sorted(self._folder.glob(f"*{_SAVING}")):
            path = marker.with_name(marker.name.removesuffix(_SAVING))
            target = self._damaged / marker.read_text(encoding="utf-8")
            match = _NAME.fullmatch(path.name)
            if match and not path.exists() and target.is_file():
                file = _File(match[1], int(match[2] or 0), path)
                self._move_and_build(file, target, "it was found damaged at an earlier start", always=False)
            marker.unlink()


def listed_segments(folder: Path) -> list[Path]:
    """The files of a journal in the order in which they were begun; none that is only being made."""
    unmade = (_BEGINNING, _SAVING)
    return [
        file.path
        for file in _named(folder)
        if not any(_beside(file.path, ending).exists() for ending in unmade)
    ]


def _named(folder: Path) -> list[_File]:
    named = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(_File(match[1], int(match[2] or 0), path) for match, path in named if match)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _free(folder: Path, name: str) -> Path:
    """A name nothing has in a folder."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name}.{number}"
    return path


def _day(at_ms: int) -> str:
    """The day of an instant, in UTC."""
    day: date = from_ms(at_ms).date()
    return day.isoformat()
