"""What every journal store promises, whatever it is made of."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nightbell.adapters.stores.memory.journal import MemoryDisk, MemoryJournalStore
from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.journal.facts import DoorOpened, SharerAdded
from nightbell.journal.group import Group
from nightbell.journal.packing import encode
from nightbell.journal.ports import JournalStore
from nightbell.publish.reading import READING_DTYPE, Reading

DAY_MS = 86_400_000
NOON_MS = 1_795_305_600_000 + DAY_MS // 2
"""2026-11-22T12:00Z."""

MakeStore = Callable[[], JournalStore]


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Opens the same place again each time, as a restart does."""
    if request.param == "memory":
        disk = MemoryDisk()
        return lambda: MemoryJournalStore(disk)
    return lambda: SqliteJournalStore(tmp_path / "journal")


def group(seq: int, *, at_ms: int = NOON_MS, readings: int = 2) -> Group:
    rows = [Reading(sharer, at_ms - 1000, at_ms, 100 + sharer, 4, 1) for sharer in range(readings)]
    facts = (SharerAdded(at_ms, seq), DoorOpened(at_ms)) if seq % 3 == 0 else ()
    return Group(seq, at_ms + seq, facts, np.array(rows, READING_DTYPE), at_ms if seq % 2 else 0)


def filled(make_store: MakeStore, seqs: range, *, at_ms: int = NOON_MS) -> None:
    store = make_store()
    store.open(now_ms=at_ms, seen_seq=0)
    for seq in seqs:
        store.append(group(seq, at_ms=at_ms))
    store.close()


def read(store: JournalStore, after_seq: int = 0) -> list[bytes]:
    return [encode(each) for each in store.replay(after_seq)]


def test_an_empty_journal_opens_and_begins_at_one(make_store: MakeStore) -> None:
    store = make_store()

    found = store.open(now_ms=NOON_MS, seen_seq=0)

    assert (found.first_seq, found.last_seq, found.next_seq) == (0, 0, 1)
    assert read(store) == []
    store.close()


def test_what_was_appended_is_there_after_a_restart_exactly_and_in_order(make_store: MakeStore) -> None:
    filled(make_store, range(1, 200))

    store = make_store()
    found = store.open(now_ms=NOON_MS, seen_seq=0)

    assert (found.first_seq, found.last_seq, found.next_seq) == (1, 199, 200)
    assert read(store) == [encode(group(seq)) for seq in range(1, 200)]
    assert (found.missing, found.set_aside, found.torn) == ((), (), ())
    store.close()


def test_replay_gives_only_what_comes_after(make_store: MakeStore) -> None:
    filled(make_store, range(1, 100))
    store = make_store()
    store.open(now_ms=NOON_MS, seen_seq=0)

    seqs = [each.seq for each in store.replay(90)]

    assert seqs == list(range(91, 100))
    assert list(store.replay(99)) == []
    store.close()


def test_who_wants_no_facts_gets_every_group_without_them_however_long(make_store: MakeStore) -> None:
    many = tuple(SharerAdded(NOON_MS, sharer) for sharer in range(1_000))
    long = [group(seq, readings=seq % 2 * seq * 300)._replace(facts=many) for seq in range(1, 9)]
    some = [*long, group(9), group(10, readings=3_000)]
    store = make_store()
    store.open(now_ms=NOON_MS, seen_seq=0)
    for each in some:
        store.append(each)

    found = [encode(each) for each in store.replay(0, facts=False)]

    assert found == [encode(each._replace(facts=())) for each in some]
    store.close()


def test_the_order_goes_on_over_midnight(make_store: MakeStore) -> None:
    filled(make_store, range(1, 10))
    filled(make_store, range(10, 20), at_ms=NOON_MS + DAY_MS)

    store = make_store()
    found = store.open(now_ms=NOON_MS + DAY_MS, seen_seq=0)

    assert [each.seq for each in store.replay(0)] == list(range(1, 20))
    assert found.files == 2
    store.close()


def test_the_order_goes_on_when_the_clock_is_set_back(make_store: MakeStore) -> None:
    filled(make_store, range(1, 10), at_ms=NOON_MS + 3 * DAY_MS)
    filled(make_store, range(10, 20), at_ms=NOON_MS)
    filled(make_store, range(20, 30), at_ms=NOON_MS + DAY_MS)

    store = make_store()
    found = store.open(now_ms=NOON_MS, seen_seq=0)

    assert [each.seq for each in store.replay(0)] == list(range(1, 30))
    assert found.missing == ()
    store.close()


def test_no_seq_comes_twice_when_others_remember_more_than_the_journal(make_store: MakeStore) -> None:
    filled(make_store, range(1, 10))
    store = make_store()

    found = store.open(now_ms=NOON_MS, seen_seq=50)

    assert found.next_seq == 51
    store.close()


def test_what_is_not_there_is_named(make_store: MakeStore) -> None:
    filled(make_store, range(1, 10))
    filled(make_store, range(15, 20), at_ms=NOON_MS + DAY_MS)

    store = make_store()
    found = store.open(now_ms=NOON_MS + DAY_MS, seen_seq=0)

    assert found.missing == ((9, 15),)
    store.close()


def test_old_days_go_and_the_newest_stays_however_old(make_store: MakeStore) -> None:
    for day in range(4):
        filled(make_store, range(10 * day + 1, 10 * day + 11), at_ms=NOON_MS + day * DAY_MS)
    store = make_store()
    store.open(now_ms=NOON_MS + 3 * DAY_MS, seen_seq=0)

    first = store.expire(before_ms=NOON_MS + 2 * DAY_MS, needed_after=40)
    after_first = [each.seq for each in store.replay(0)]
    store.expire(before_ms=NOON_MS + 90 * DAY_MS, needed_after=40)
    after_second = [each.seq for each in store.replay(0)]

    assert len(first) == 2
    assert after_first == list(range(21, 41))
    assert after_second == list(range(31, 41))
    assert store.recovery().first_seq == 31
    store.close()


def test_what_somebody_still_needs_is_never_deleted(make_store: MakeStore) -> None:
    for day in range(3):
        filled(make_store, range(10 * day + 1, 10 * day + 11), at_ms=NOON_MS + day * DAY_MS)
    store = make_store()
    store.open(now_ms=NOON_MS + 2 * DAY_MS, seen_seq=0)

    gone = store.expire(before_ms=NOON_MS + 90 * DAY_MS, needed_after=15)

    assert len(gone) == 1
    assert [each.seq for each in store.replay(0)] == list(range(11, 31))
    store.close()


def test_some_groups_are_read_again_while_others_are_written(make_store: MakeStore) -> None:
    filled(make_store, range(1, 11))
    store = make_store()
    store.open(now_ms=NOON_MS + DAY_MS, seen_seq=0)
    found = []

    for each in store.again(3, 12):
        found.append((each.seq, len(each.facts), len(each.readings)))
        if each.seq <= 8:
            store.append(group(each.seq + 7, at_ms=NOON_MS + DAY_MS))

    assert found[:7] == [(seq, 0, 2) for seq in range(4, 11)]
    assert [each.seq for each in store.again(3, 12)] == list(range(4, 13))
    assert [each.seq for each in store.again(9, 9)] == []
    store.close()
