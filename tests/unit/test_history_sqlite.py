"""The SQLite history after damage."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from nightbell.adapters.stores.sqlite.history import SqliteHistoryStore
from nightbell.history.packing import pack_mixed
from nightbell.history.ports import ClosedBlock, Flush, HistoryFailedError, HistoryState
from nightbell.history.reading import BLOCK_MS
from nightbell.history.service import History
from nightbell.journal.group import Group
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.clock import ManualClock
from nightbell.words.errors import PlatformError

BLOCK = 166_232
BEGIN_MS = BLOCK * BLOCK_MS


def reading(measured_ms: int) -> Reading:
    return Reading(1, measured_ms, measured_ms + 5_000, 100, 4, 12)


def written(path: Path) -> None:
    store = SqliteHistoryStore(path)
    store.open()
    (pack,) = pack_mixed(np.array([reading(BEGIN_MS)], READING_DTYPE))
    store.write(Flush((ClosedBlock(BLOCK, [(1, pack.packed)]),), (), HistoryState(BLOCK, 9, 9), b""))
    store.close()


async def test_a_damaged_file_is_set_aside_and_the_journal_gives_the_last_days_again(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    written(path)
    path.write_bytes(b"\xaa" * path.stat().st_size)
    journal = [Group(1, BEGIN_MS + 5_000, (), np.array([reading(BEGIN_MS)], READING_DTYPE), 0)]

    history = History(SqliteHistoryStore(path), ManualClock(BEGIN_MS))
    replay_after = await history.start()
    history.restore(journal)

    assert replay_after == 0
    assert len(await history.readings(sharer=1, from_ms=BEGIN_MS, to_ms=BEGIN_MS + 1)) == 1
    assert "history.sqlite.damaged-1" in history.health().failing
    assert (tmp_path / "history.sqlite.damaged-1").exists()
    await history.close()


async def test_a_graph_that_damage_hides_is_said_in_health_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    written(path)
    with sqlite3.connect(path) as file:
        (root,) = file.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (f"block_{BLOCK}",)
        ).fetchone()
    file.close()
    with path.open("r+b") as raw:
        raw.seek((root - 1) * 8192)
        raw.write(b"\xaa" * 8192)

    history = History(SqliteHistoryStore(path), ManualClock(BEGIN_MS))
    await history.start()
    assert history.health().failing == ""
    with pytest.raises(PlatformError):
        await history.readings(sharer=1, from_ms=BEGIN_MS, to_ms=BEGIN_MS + 1)

    assert "move that file to another folder" in history.health().failing
    await history.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    written(path)
    store = SqliteHistoryStore(path)
    store.open()
    store._writing.execute("PRAGMA user_version = 2")
    store.close()

    with pytest.raises(HistoryFailedError, match="newer"):
        SqliteHistoryStore(path).open()

    assert path.exists()


async def test_a_block_written_while_the_clock_was_wrong_is_merged_with_what_truly_belongs_to_it(
    tmp_path: Path,
) -> None:
    history = History(SqliteHistoryStore(tmp_path / "history.sqlite"), ManualClock(BEGIN_MS))
    await history.start()
    ahead_ms = BEGIN_MS + 100 * BLOCK_MS
    times = [BEGIN_MS, ahead_ms, BEGIN_MS + 60_000, BEGIN_MS + 120_000, BEGIN_MS + 2 * BLOCK_MS]

    for seq, now_ms in enumerate(times, 1):
        readings = [] if now_ms == ahead_ms else [reading(now_ms)]
        history.consume(Group(seq, now_ms, (), np.array(readings, READING_DTYPE), now_ms))
        await history.flush()

    rows = await history.readings(sharer=1, from_ms=BEGIN_MS, to_ms=ahead_ms)
    assert rows["measured_ms"].tolist() == [BEGIN_MS, BEGIN_MS + 60_000, BEGIN_MS + 120_000, times[-1]]
    assert history._store.read(1, BLOCK, BLOCK)[0].packed is not None
    assert len(history._store.read(1, BLOCK, BLOCK)) == 1
    await history.close()
