"""What every history store promises, whatever it is made of."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nightbell.adapters.stores.memory.history import MemoryHistoryDisk, MemoryHistoryStore
from nightbell.adapters.stores.sqlite.history import ROWS_AT_ONCE, SqliteHistoryStore
from nightbell.history.packing import Packed, pack_mixed, unpack
from nightbell.history.ports import ClosedBlock, Flush, HistoryState, HistoryStore
from nightbell.history.reading import BLOCK_MS, settled
from nightbell.publish.reading import READING_DTYPE, Reading

BLOCK = 166_232

MakeStore = Callable[[], HistoryStore]


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Opens the same place again each time, as a restart does."""
    if request.param == "memory":
        disk = MemoryHistoryDisk()
        return lambda: MemoryHistoryStore(disk)
    return lambda: SqliteHistoryStore(tmp_path / "history.sqlite")


def packs(*seconds: int, sharer: int = 1, block: int = BLOCK) -> list[Packed]:
    at = [block * BLOCK_MS + second * 1000 for second in seconds]
    return list(pack_mixed(np.array([Reading(sharer, ms, ms, 100, 4, 1) for ms in at], READING_DTYPE)))


def closed(block: int, *sharers: int) -> ClosedBlock:
    return ClosedBlock(
        block, [(sharer, packs(sharer, block=block, sharer=sharer)[0].packed) for sharer in sharers]
    )


def flush(
    *blocks: ClosedBlock, beside: Iterable[Packed] | None = None, state: HistoryState | None = None
) -> Flush:
    return Flush(blocks, beside or [], state or HistoryState(BLOCK, 10, 5), b"newest")


def seconds(store: HistoryStore, sharer: int, first: int = BLOCK - 5, last: int = BLOCK + 5) -> list[int]:
    parts = [unpack(each.packed, each.block) for each in store.read(sharer, first, last)]
    if not parts:
        return []
    return [int(ms % BLOCK_MS // 1000) for ms in settled(np.concatenate(parts))["measured_ms"]]


def test_an_empty_store_knows_nothing(make_store: MakeStore) -> None:
    store = make_store()

    state, newest, _ = store.open()

    assert (state, newest) == (HistoryState(), b"")
    assert store.read(1, 0, BLOCK) == []
    store.close()


def test_blocks_and_how_far_they_go_are_there_after_a_restart(make_store: MakeStore) -> None:
    store = make_store()
    store.open()
    store.write(flush(closed(BLOCK - 1, 1, 2), closed(BLOCK, 2)))
    store.close()

    store = make_store()
    state, newest, _ = store.open()

    assert state == HistoryState(BLOCK, 10, 5)
    assert newest == b"newest"
    assert [each.block for each in store.read(2, BLOCK - 1, BLOCK)] == [BLOCK - 1, BLOCK]
    assert [each.block for each in store.read(1, BLOCK - 1, BLOCK)] == [BLOCK - 1]
    assert store.read(3, BLOCK - 1, BLOCK) == []
    store.close()


def test_only_the_blocks_asked_for_are_read(make_store: MakeStore) -> None:
    store = make_store()
    store.open()
    store.write(flush(*(closed(block, 1) for block in range(BLOCK - 4, BLOCK + 1))))

    found = store.read(1, BLOCK - 3, BLOCK - 2)

    assert sorted(each.block for each in found) == [BLOCK - 3, BLOCK - 2]
    store.close()


def test_what_comes_late_is_merged_with_what_came_late_before(make_store: MakeStore) -> None:
    store = make_store()
    store.open()
    store.write(flush(closed(BLOCK, 1), beside=packs(50, 60)))
    store.write(flush(beside=[*packs(60, 70), *packs(3, sharer=2)]))

    assert seconds(store, 1) == [1, 50, 60, 70]
    assert seconds(store, 2) == [3]
    assert len(store.read(1, BLOCK, BLOCK)) == 2
    store.close()


def test_a_write_that_fails_half_way_leaves_nothing(make_store: MakeStore) -> None:
    def breaking() -> Iterator[Packed]:
        yield packs(50)[0]
        raise RuntimeError("half way")

    store = make_store()
    store.open()
    store.write(flush(closed(BLOCK - 1, 1)))

    with pytest.raises(RuntimeError, match="half way"):
        store.write(flush(closed(BLOCK, 1), beside=breaking(), state=HistoryState(BLOCK + 1, 20, 20)))
    store.close()
    store = make_store()

    assert store.open().state == HistoryState(BLOCK, 10, 5)
    assert store.read(1, BLOCK, BLOCK) == []
    store.write(flush(closed(BLOCK, 1)))
    assert len(store.read(1, BLOCK, BLOCK)) == 1
    store.close()


def test_an_import_filed_twice_is_there_once(make_store: MakeStore) -> None:
    store = make_store()
    store.open()
    store.file(packs(10, 20), filed_ms=1)
    store.file(packs(20, 30), filed_ms=2)
    assert seconds(store, 1) == [10, 20, 30]  # the first import of all, at once
    store.close()
    store = make_store()
    store.open()

    assert seconds(store, 1) == [10, 20, 30]
    assert len(store.read(1, BLOCK, BLOCK)) == 1
    store.close()


def test_forgetting_drops_old_blocks_and_imports_filed_long_ago_only(make_store: MakeStore) -> None:
    store = make_store()
    store.open()
    store.write(
        flush(*(closed(block, 1) for block in range(BLOCK - 2, BLOCK + 1)), beside=packs(5, block=BLOCK - 3))
    )
    store.file(packs(10, block=BLOCK - 3), filed_ms=100)
    store.file(packs(20, block=BLOCK - 2), filed_ms=200)

    gone = store.forget(before_block=BLOCK - 1, filed_before_ms=150)

    assert gone == 2
    assert {each.block: seconds(store, 1, each.block, each.block) for each in store.read(1, 0, BLOCK)} == {
        BLOCK - 2: [20],
        BLOCK - 1: [1],
        BLOCK: [1],
    }
    store.close()


def test_of_however_many_sharers_each_has_what_was_written_and_what_came_beside_it(
    make_store: MakeStore,
) -> None:
    store = make_store()
    store.open()
    sharers = range(1, 2 * ROWS_AT_ONCE + 2)

    store.write(flush(closed(BLOCK, *sharers)))
    for second in (3_000, 3_001):
        store.write(flush(beside=[packs(second, sharer=sharer)[0] for sharer in sharers]))

    assert [seconds(store, sharer) for sharer in sharers] == [[sharer, 3_000, 3_001] for sharer in sharers]
    store.close()
