"""The SQLite journal after crashes, damage and failing disks."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from nightbell.adapters.stores.sqlite import journal_segment as segment
from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.journal.group import Group
from nightbell.journal.packing import encode
from nightbell.journal.ports import Fault, StoreFailedError
from nightbell.journal.recovery import Recovery, recovery_sentences
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.catalogue import catalogue

DAY_MS = 86_400_000
NOON_MS = 1_795_305_600_000 + DAY_MS // 2
"""2026-11-22T12:00Z."""

TODAY = "2026-11-22.sqlite"


def group(seq: int, *, at_ms: int = NOON_MS, sharer: int = 1, readings: int = 40) -> Group:
    rows = [Reading(sharer, at_ms - 1000, at_ms, 100, 4, 1)] * readings
    return Group(seq, at_ms, (), np.array(rows, READING_DTYPE), 0)


def open_store(
    folder: Path, *, at_ms: int = NOON_MS, seen_seq: int = 0
) -> tuple[SqliteJournalStore, Recovery]:
    store = SqliteJournalStore(folder)
    return store, store.open(now_ms=at_ms, seen_seq=seen_seq)


def filled(folder: Path, seqs: range, *, at_ms: int = NOON_MS) -> None:
    store, _ = open_store(folder, at_ms=at_ms)
    for seq in seqs:
        store.append(group(seq, at_ms=at_ms))
    store.close()


def crashed(folder: Path, seqs: range, target: Path) -> Path:
    """What lies on the disk when the machine stops after the last of `seqs`."""
    store, _ = open_store(folder)
    for seq in seqs:
        store.append(group(seq))
    target.mkdir()
    for path in folder.iterdir():
        if path.is_file() and not path.name.endswith("-shm"):
            (target / path.name).write_bytes(path.read_bytes())
    store.close()
    return target


def seqs_in(store: SqliteJournalStore, after: int = 0) -> list[int]:
    return [each.seq for each in store.replay(after)]


def test_after_a_crash_everything_confirmed_is_there_and_nothing_is_called_torn(tmp_path: Path) -> None:
    folder = crashed(tmp_path / "a", range(1, 50), tmp_path / "b")

    store, found = open_store(folder)

    assert seqs_in(store) == list(range(1, 50))
    assert (found.last_seq, found.torn, found.set_aside, found.missing) == (49, (), (), ())
    store.close()


@pytest.mark.parametrize("cut", [1, 100, 4000, 4119])
def test_a_torn_last_write_is_found_said_and_costs_nothing_before_it(tmp_path: Path, cut: int) -> None:
    folder = crashed(tmp_path / "a", range(1, 50), tmp_path / "b")
    log = folder / f"{TODAY}-wal"
    log.write_bytes(log.read_bytes()[:-cut])

    store, found = open_store(folder)

    assert seqs_in(store) == list(range(1, 49))
    assert found.torn == (TODAY,)
    assert found.set_aside == ()
    assert found.next_seq == 49
    (sentence,) = recovery_sentences(found, catalogue())
    assert TODAY in sentence
    store.close()


def test_confirmed_writes_lost_in_a_damaged_log_are_named_kept_aside_and_their_seqs_not_used_again(
    tmp_path: Path,
) -> None:
    folder = crashed(tmp_path / "a", range(1, 50), tmp_path / "b")
    log = folder / f"{TODAY}-wal"
    raw = bytearray(log.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    log.write_bytes(raw)

    store, found = open_store(folder)

    kept = seqs_in(store)
    assert kept == list(range(1, found.last_seq + 1))
    assert 0 < found.last_seq < 48
    assert [each.file for each in found.set_aside] == [log.name]
    assert found.next_seq == 50
    assert (folder / "damaged" / log.name).read_bytes() == raw
    store.close()


def test_a_damaged_record_in_the_middle_of_a_day_loses_only_itself(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 400))
    filled(tmp_path, range(400, 410), at_ms=NOON_MS + DAY_MS)
    connection = sqlite3.connect(tmp_path / TODAY)
    packed = bytearray(encode(group(50)))
    packed[60] ^= 1
    connection.execute("UPDATE record SET packed = ? WHERE seq = 50", (bytes(packed),))
    connection.commit()
    connection.close()

    store, found = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)
    replayed = seqs_in(store)

    assert found.set_aside == ()  # deep damage is met by replay, not by a quick start
    assert replayed == [*range(1, 50), *range(51, 410)]
    (aside,) = store.recovery().set_aside
    assert (aside.file, aside.moved_to, aside.kept) == (TODAY, f"damaged/{TODAY}", 398)
    assert (aside.lost_after, aside.lost_before) == (49, 51)
    assert store.recovery().missing == ((49, 51),)
    assert (tmp_path / "damaged" / TODAY).exists()
    assert seqs_in(store) == replayed
    store.close()


@pytest.mark.parametrize("place", [0, 8, 32, 36, 5_000])
def test_damage_in_a_long_record_is_met_also_by_who_wants_no_facts(tmp_path: Path, place: int) -> None:
    """The beginning of a record that says it holds no readings is not believed where its length says more."""
    filled(tmp_path, range(1, 5))
    store, _ = open_store(tmp_path)
    store.append(group(5, readings=1_000))
    packed = bytearray(encode(group(5, readings=1_000)))
    packed[place : place + 4] = bytes(4) if any(packed[place : place + 4]) else b"\x01\0\0\0"
    with sqlite3.connect(tmp_path / TODAY) as connection:
        connection.execute("UPDATE record SET packed = ? WHERE seq = 5", (bytes(packed),))
    connection.close()

    replayed = [each.seq for each in store.replay(0, facts=False)]

    assert replayed == [1, 2, 3, 4]
    assert [aside.file for aside in store.recovery().set_aside] == [TODAY]
    store.close()


def test_damage_in_todays_file_is_repaired_by_replay_and_appending_goes_on(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 400))
    connection = sqlite3.connect(tmp_path / TODAY)
    connection.execute("UPDATE record SET packed = x'00' WHERE seq = 100")
    connection.commit()
    connection.close()

    store, _ = open_store(tmp_path)
    replayed = seqs_in(store)
    store.append(group(400))
    store.close()
    store, found = open_store(tmp_path)

    assert replayed == [*range(1, 100), *range(101, 400)]
    assert found.last_seq == 400
    assert seqs_in(store) == [*range(1, 100), *range(101, 401)]
    store.close()


def test_a_day_of_garbage_is_set_aside_and_no_seq_comes_twice(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 10))
    filled(tmp_path, range(10, 20), at_ms=NOON_MS + DAY_MS)
    broken = tmp_path / "2026-11-23.sqlite"
    broken.write_bytes(b"\xaa" * broken.stat().st_size)

    store, found = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)

    assert seqs_in(store) == list(range(1, 10))
    assert [each.file for each in found.set_aside] == [broken.name]
    assert found.next_seq > 20
    store.append(group(found.next_seq, at_ms=NOON_MS + DAY_MS))
    store.close()
    store, found = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)
    assert found.set_aside == ()
    assert len(found.missing) == 1
    store.close()


def test_damaged_pages_lose_only_what_lies_in_them(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 400))
    path = tmp_path / TODAY
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 4096] = b"\x00" * 4096
    path.write_bytes(raw)

    store, _ = open_store(tmp_path)
    replayed = seqs_in(store)

    assert 380 <= len(replayed) < 399
    assert replayed == sorted(replayed)
    assert len(store.recovery().set_aside) == 1
    store.close()


def test_damage_to_the_newest_page_loses_only_what_lies_in_it(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 400))
    path = tmp_path / TODAY
    raw = bytearray(path.read_bytes())
    raw[-4096:] = b"\xaa" * 4096
    path.write_bytes(raw)

    store, found = open_store(tmp_path)
    replayed = seqs_in(store)

    assert replayed == list(range(1, len(replayed) + 1))
    assert 380 <= len(replayed) < 399
    assert found.next_seq > 399, "how many were in that page nobody knows: no number comes twice"
    assert len(found.set_aside) == 1
    store.close()


def test_a_crash_while_damage_is_being_saved_loses_nothing(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 10))
    damaged = tmp_path / "damaged"
    damaged.mkdir(exist_ok=True)
    (tmp_path / f"{TODAY}.saving").write_text(TODAY)
    (tmp_path / TODAY).replace(damaged / TODAY)
    (tmp_path / f"{TODAY}.building").write_bytes(b"half")

    store, found = open_store(tmp_path)

    assert seqs_in(store) == list(range(1, 10))
    assert found.next_seq == 10
    store.close()
    assert not list(tmp_path.glob("*.saving"))


def test_a_crash_while_a_days_file_is_begun_is_not_called_damage(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 10))
    (tmp_path / "2026-11-23.sqlite.beginning").touch()
    (tmp_path / "2026-11-23.sqlite").write_bytes(b"")

    store, found = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)

    assert found.set_aside == ()
    assert found.next_seq == 10
    store.append(group(10, at_ms=NOON_MS + DAY_MS))
    assert seqs_in(store) == list(range(1, 11))
    store.close()


def test_what_was_written_while_the_disk_failed_never_comes_back(tmp_path: Path) -> None:
    # Group 10 failed and was never confirmed, yet it lies in the old file; its number went to another group.
    filled(tmp_path, range(1, 11))
    connection = segment.create(tmp_path / "2026-11-22.1.sqlite", first_seq=10, opened_ms=NOON_MS)
    connection.execute("INSERT INTO record VALUES (10, ?)", (encode(group(10, sharer=99)),))
    connection.close()

    store, found = open_store(tmp_path)

    sharers = {each.seq: int(each.readings["sharer"][0]) for each in store.replay(0)}
    assert list(sharers) == list(range(1, 11))
    assert sharers[10] == 99
    assert found.missing == ()
    store.close()


def test_after_a_failed_commit_a_fresh_file_takes_the_same_number(tmp_path: Path) -> None:
    store, _ = open_store(tmp_path)
    store.append(group(1))
    store._connection.close()  # type: ignore[union-attr]  # the file is gone under it

    with pytest.raises(StoreFailedError):
        store.append(group(2))
    store.append(group(2, sharer=5))
    replayed = [int(each.readings["sharer"][0]) for each in store.replay(0)]
    store.close()

    assert replayed == [1, 5]
    assert (tmp_path / "2026-11-22.1.sqlite").exists()


def test_a_days_file_stays_the_days_on_which_it_was_begun_when_the_clock_goes_back(tmp_path: Path) -> None:
    store, _ = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)
    store.append(group(1, at_ms=NOON_MS + DAY_MS))
    store.append(group(2, at_ms=NOON_MS))
    store.append(group(3, at_ms=NOON_MS + 2 * DAY_MS))
    store.close()

    assert sorted(path.name for path in tmp_path.glob("*.sqlite")) == [
        "2026-11-23.sqlite",
        "2026-11-24.sqlite",
    ]


def test_a_clock_that_was_days_ahead_does_not_hold_the_journal_in_one_file(tmp_path: Path) -> None:
    store, _ = open_store(tmp_path, at_ms=NOON_MS + 5000 * DAY_MS)
    store.append(group(1, at_ms=NOON_MS + 5000 * DAY_MS))
    store.append(group(2, at_ms=NOON_MS))
    store.append(group(3, at_ms=NOON_MS + DAY_MS))
    store.close()

    store, found = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)

    assert seqs_in(store) == [1, 2, 3]
    assert found.missing == ()
    assert {TODAY, "2026-11-23.sqlite"} < {path.name for path in tmp_path.glob("*.sqlite")}
    store.close()


def test_it_opens_on_a_full_disk_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, range(1, 10))

    def full(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(segment, "create", full)
        store, found = open_store(tmp_path, at_ms=NOON_MS + DAY_MS)
        with pytest.raises(StoreFailedError):
            store.append(group(10, at_ms=NOON_MS + DAY_MS))
    store.append(group(10, at_ms=NOON_MS + DAY_MS))

    assert found.last_seq == 9
    assert seqs_in(store) == list(range(1, 11))
    store.close()


def test_two_platforms_cannot_write_one_journal(tmp_path: Path) -> None:
    first, _ = open_store(tmp_path)

    with pytest.raises(StoreFailedError) as refused:
        open_store(tmp_path)

    assert refused.value.fault is Fault.LOCKED
    first.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 10))
    connection = sqlite3.connect(tmp_path / TODAY)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StoreFailedError) as refused:
        open_store(tmp_path)

    assert "newer" in refused.value.detail
    assert (tmp_path / TODAY).exists()


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (errno.EIO, Fault.DISK_ERROR),
        (errno.ENOSPC, Fault.DISK_FULL),
        (errno.EDQUOT, Fault.DISK_FULL),
        (errno.EACCES, Fault.NOT_WRITABLE),
        (errno.EROFS, Fault.NOT_WRITABLE),
        (errno.ENOENT, Fault.OTHER),
    ],
)
def test_a_call_that_the_system_refuses_is_named_for_what_has_to_be_done(
    code: int, fault: Fault, tmp_path: Path
) -> None:
    refused = OSError(code, os.strerror(code))

    assert segment.as_failure(refused, tmp_path).fault is fault


def test_the_index_of_the_log_says_how_much_of_it_is_whole_where_no_checkpoint_can(tmp_path: Path) -> None:
    path = tmp_path / "2026-11-22.sqlite"
    connection = segment.create(path, first_seq=1, opened_ms=NOON_MS)
    for seq in range(1, 8):
        connection.execute("INSERT INTO record VALUES (?, ?)", (seq, b"x" * 9_000))

    by_index = segment.frames_by_index(path)
    _, by_checkpoint, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    connection.close()

    assert by_index == by_checkpoint > 14


def test_a_file_of_an_older_form_is_read_and_not_written_to(tmp_path: Path) -> None:
    filled(tmp_path, range(1, 10))
    with closing(sqlite3.connect(tmp_path / TODAY)) as connection:
        connection.execute("PRAGMA user_version = 1")
    before = (tmp_path / TODAY).read_bytes()

    store, found = open_store(tmp_path)
    store.append(group(10))
    kept = [one.seq for one in store.replay(0)]
    store.close()

    assert found.last_seq == 9
    assert kept == list(range(1, 11))
    assert (tmp_path / TODAY).read_bytes() == before
