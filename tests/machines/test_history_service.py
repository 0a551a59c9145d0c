"""History as the rest of the platform meets it, through blocks that close, crashes and failing disks."""

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nightbell.adapters.stores.memory.history import MemoryHistoryDisk, MemoryHistoryStore
from nightbell.adapters.stores.sqlite.history import SqliteHistoryStore
from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.history.ports import HistoryStore
from nightbell.history.reading import BLOCK_MS
from nightbell.history.service import GRACE_MS, History
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.journal.ports import Fault, StoreFailedError
from nightbell.load.gate import Work
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode, PlatformError

BEGIN_MS = 166_232 * BLOCK_MS
MINUTE_MS = 60_000
DAY_MS = 86_400_000


def group(seq: int, recorded_ms: int, *readings: Reading) -> Group:
    return Group(seq, recorded_ms, (), np.array(list(readings), READING_DTYPE), recorded_ms)


def reading(measured_ms: int, *, late_ms: int = 5_000, sharer: int = 1, level: int = 100) -> Reading:
    return Reading(sharer, measured_ms, measured_ms + late_ms, level, 4, 12)


async def opened(store: HistoryStore, clock: ManualClock | None = None) -> History:
    history = History(store, clock or ManualClock(BEGIN_MS))
    await history.start()
    return history


async def levels(history: History, sharer: int = 1, *, most: int = 0) -> list[int]:
    rows = await history.readings(
        sharer=sharer, from_ms=BEGIN_MS - 40 * DAY_MS, to_ms=BEGIN_MS + 40 * DAY_MS, most=most
    )
    return [int(level) for level in rows["level"]]


def lived(history: History, groups: Iterable[Group]) -> None:
    for each in groups:
        history.consume(each)


def five_minutes(count: int, *, sharer: int = 1) -> list[Group]:
    return [
        group(
            seq,
            BEGIN_MS + seq * 5 * MINUTE_MS,
            reading(BEGIN_MS + seq * 5 * MINUTE_MS - 5_000, sharer=sharer, level=50 + seq),
        )
        for seq in range(1, count + 1)
    ]


async def test_what_was_just_committed_is_read_back_at_once() -> None:
    history = await opened(MemoryHistoryStore())

    history.consume(group(1, BEGIN_MS, reading(BEGIN_MS - 1000, level=93)))

    assert await levels(history) == [93]
    newest = history.newest(1)
    assert newest is not None
    assert (newest.level, newest.measured_ms) == (93, BEGIN_MS - 1000)
    await history.close()


async def test_volatile_groups_are_not_history() -> None:
    history = await opened(MemoryHistoryStore())

    history.consume(group(VOLATILE_SEQ, BEGIN_MS, reading(BEGIN_MS)))

    assert await levels(history) == []
    assert history.newest(1) is None
    await history.close()


async def test_a_days_readings_read_the_same_over_closed_and_open_blocks() -> None:
    disk = MemoryHistoryDisk()
    history = await opened(MemoryHistoryStore(disk))

    lived(history, five_minutes(288))
    await history.flush()

    assert len(disk.blocks) == 7
    assert await levels(history) == list(range(51, 51 + 288))
    assert await levels(history, most=3) == [336, 337, 338]
    await history.close()


async def test_a_reading_is_found_from_its_instant_and_not_before() -> None:
    history = await opened(MemoryHistoryStore())
    history.consume(group(1, BEGIN_MS + 10_000, reading(BEGIN_MS + 5_000)))

    at = BEGIN_MS + 5_000
    found = [
        len(await history.readings(sharer=1, from_ms=first, to_ms=last))
        for first, last in ((at, at + 1), (at - 1, at), (at + 1, at + 10_000), (at, at))
    ]

    assert found == [1, 0, 0, 0]
    await history.close()


async def test_late_readings_are_merged_in_their_place_and_say_when_they_came() -> None:
    history = await opened(MemoryHistoryStore())
    now_ms = BEGIN_MS + 2 * BLOCK_MS
    history.consume(group(1, BEGIN_MS + 1000, reading(BEGIN_MS, level=101)))
    history.consume(group(2, now_ms, reading(BEGIN_MS + 5 * MINUTE_MS, late_ms=now_ms - BEGIN_MS, level=102)))
    history.consume(group(3, now_ms, reading(now_ms - 5_000, level=103)))

    before = await history.readings(sharer=1, from_ms=BEGIN_MS, to_ms=now_ms)
    await history.flush()
    after = await history.readings(sharer=1, from_ms=BEGIN_MS, to_ms=now_ms)

    assert before["level"].tolist() == [101, 102, 103]
    assert before["received_ms"].tolist() == [0, now_ms + 5 * MINUTE_MS, 0]
    assert after.tolist() == before.tolist()
    await history.close()


async def test_a_restart_gives_the_same_readings_and_reads_only_what_is_needed_of_the_journal() -> None:
    disk = MemoryHistoryDisk()
    history = await opened(MemoryHistoryStore(disk))
    journal = five_minutes(288)
    lived(history, journal)
    await history.flush()
    flushed = history.flushed_seq()
    whole = await levels(history)
    newest = history.newest(1)
    await history.close()

    again = await opened(MemoryHistoryStore(disk))
    again.restore(each for each in journal if each.seq > flushed)

    assert 288 - 80 < flushed < 288
    assert await levels(again) == whole
    assert again.newest(1) == newest
    await again.close()


async def test_a_restart_stores_nothing_a_second_time() -> None:
    disk = MemoryHistoryDisk()
    history = await opened(MemoryHistoryStore(disk))
    slow = [
        group(each.seq, each.recorded_ms, reading(each.recorded_ms - 12 * MINUTE_MS, late_ms=12 * MINUTE_MS))
        for each in five_minutes(60)
    ]
    lived(history, slow)
    await history.flush()
    flushed = history.flushed_seq()
    await history.close()

    again = await opened(MemoryHistoryStore(disk))
    again.restore(each for each in slow if each.seq > flushed)
    await again.flush()

    assert len(disk.blocks) == 2
    assert disk.beside == {}
    assert len(await levels(again)) == 60
    await again.close()


async def test_a_restart_without_any_earlier_write_rebuilds_all_from_the_journal() -> None:
    disk = MemoryHistoryDisk()
    journal = five_minutes(288)

    history = await opened(MemoryHistoryStore(disk))
    history.restore(journal)

    assert await levels(history) == list(range(51, 51 + 288))
    assert len(disk.blocks) == 7
    await history.close()


async def test_the_same_group_twice_changes_nothing() -> None:
    history = await opened(MemoryHistoryStore())
    journal = five_minutes(40)

    lived(history, [*journal, *journal])

    assert history.health().open_readings == 40
    await history.close()


async def test_while_the_store_fails_nothing_is_lost_and_health_says_what_to_do() -> None:
    disk = MemoryHistoryDisk()
    clock = ManualClock(BEGIN_MS)
    history = await opened(MemoryHistoryStore(disk), clock)
    journal = five_minutes(80)
    lived(history, journal[:40])
    disk.broken = True

    lived(history, journal[40:])
    late = reading(BEGIN_MS - DAY_MS, late_ms=2 * DAY_MS, level=40)
    history.consume(group(81, BEGIN_MS + 81 * 5 * MINUTE_MS, late))
    await history.flush()
    failing = history.health().failing
    disk.broken = False
    kept = await levels(history)
    await history.flush()

    assert "journal" in failing
    assert kept == [40, *range(51, 131)]
    assert await levels(history) == kept
    assert history.health().failing == ""
    assert len(disk.blocks) == 2
    await history.close()


async def test_while_the_store_fails_late_readings_stop_before_memory_fills() -> None:
    disk = MemoryHistoryDisk()
    history = await opened(MemoryHistoryStore(disk))
    disk.broken = True
    late = [reading(BEGIN_MS - DAY_MS + at, late_ms=2 * DAY_MS) for at in range(10_000)]
    groups = 0
    while not history.behind and groups < 1_000:
        groups += 1
        history.consume(group(groups, BEGIN_MS, *late))

    assert 50 <= groups <= 60
    disk.broken = False
    await history.flush()
    assert not history.behind
    await history.close()


async def test_an_import_is_read_back_with_live_readings_and_twice_is_once() -> None:
    history = await opened(MemoryHistoryStore())
    lived(history, five_minutes(10))
    old = [reading(BEGIN_MS - DAY_MS + minute * MINUTE_MS, level=200 + minute) for minute in range(0, 20, 5)]

    await history.file_readings(old)
    await history.file_readings(old)

    assert await levels(history) == [200, 205, 210, 215, *range(51, 61)]
    await history.close()


async def test_an_import_that_cannot_be_kept_says_so() -> None:
    disk = MemoryHistoryDisk()
    history = await opened(MemoryHistoryStore(disk))
    disk.broken = True

    with pytest.raises(PlatformError) as failed:
        await history.file_readings([reading(BEGIN_MS)])

    assert failed.value.code is ErrorCode.NOT_DURABLE
    disk.broken = False
    assert await levels(history) == []
    await history.close()


async def test_readings_older_than_ninety_days_are_forgotten() -> None:
    disk = MemoryHistoryDisk()
    clock = ManualClock(BEGIN_MS)
    history = await opened(MemoryHistoryStore(disk), clock)
    lived(history, five_minutes(80))
    await history.flush()
    before = sorted(disk.blocks)
    later_ms = BEGIN_MS + 90 * DAY_MS + BLOCK_MS + 1
    clock.advance_ms(later_ms - BEGIN_MS)

    history.consume(group(1000, later_ms, reading(later_ms - 1000)))
    history.consume(group(1001, later_ms + BLOCK_MS + GRACE_MS, reading(later_ms + BLOCK_MS)))
    await history.flush()

    assert len(before) == 2
    assert before[0] not in disk.blocks
    assert before[1] in disk.blocks
    await history.close()


def model_of(groups: Iterable[Group]) -> dict[int, list[tuple[int, int]]]:
    """Second and level of every sharer's readings, worked out one by one."""
    kept: dict[int, set[tuple[int, int]]] = {}
    for each in groups:
        for row in each.readings.tolist():
            kept.setdefault(row[0], set()).add((row[1] // 1000 * 1000, row[3]))
    return {sharer: sorted(rows) for sharer, rows in kept.items()}


def random_life(rng: random.Random, length: int) -> list[Group]:
    """A journal with live, late, early, repeated and contradictory readings over a few blocks."""
    groups = []
    now_ms = BEGIN_MS
    for seq in range(1, length + 1):
        now_ms += rng.choice([1_000, MINUTE_MS, 5 * MINUTE_MS, 40 * MINUTE_MS])
        rows = []
        for _ in range(rng.randrange(6)):
            age_ms = rng.choice(
                [
                    0,
                    5_000,
                    14 * MINUTE_MS,
                    2 * 3_600_000,
                    9 * 3_600_000,
                    3 * DAY_MS,
                    -2 * MINUTE_MS,
                    -2 * DAY_MS,
                ]
            )
            measured_ms = (now_ms - age_ms) // MINUTE_MS * MINUTE_MS
            rows.append(
                Reading(rng.randrange(4), measured_ms, now_ms, rng.choice([60, 100]), 4, rng.randrange(2))
            )
        groups.append(group(seq, now_ms, *rows))
    return groups


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_and_whenever_it_crashes_history_is_what_the_journal_holds(
    seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    journal = random_life(rng, 150)
    disk = MemoryHistoryDisk()
    make: Callable[[], HistoryStore] = (
        (lambda: SqliteHistoryStore(tmp_path / "history.sqlite"))
        if seed % 4 == 0
        else (lambda: MemoryHistoryStore(disk))
    )
    store = make()
    history = await opened(store)
    upto = 0
    for each in journal:
        history.consume(each)
        upto = each.seq
        roll = rng.random()
        if roll < 0.05:
            await history.flush()
        elif roll < 0.10:
            # It dies here: what is in memory is gone, the store and the journal stay.
            if history._flush_task is not None:
                await history._flush_task
            store.close()
            store = make()
            history = await opened(store)
            flushed = history.flushed_seq()
            history.restore(one for one in journal if flushed < one.seq <= upto)

    wanted = model_of(journal)
    for sharer in range(4):
        rows: NDArray[np.void] = await history.readings(
            sharer=sharer, from_ms=BEGIN_MS - 9 * DAY_MS, to_ms=BEGIN_MS + 30 * DAY_MS
        )
        got = [(int(row["measured_ms"]), int(row["level"])) for row in rows]
        assert got == wanted.get(sharer, []), f"seed {seed}, sharer {sharer}"
    await history.close()


WEEK = 7 * 24 * 12
"""Groups of a week, one every five minutes."""

HELD_BYTES_MAX = 40_000


def week(sharers: int = 20) -> list[Group]:
    """A week of some sharers; every group holds a reading of each of them."""
    return [
        group(
            seq,
            BEGIN_MS + seq * 5 * MINUTE_MS,
            *(
                reading(
                    BEGIN_MS + seq * 5 * MINUTE_MS - 5_000, sharer=sharer, level=50 + (seq + sharer) % 300
                )
                for sharer in range(1, sharers + 1)
            ),
        )
        for seq in range(1, WEEK + 1)
    ]


async def broken_for_a_week(
    folder: Path, disk: MemoryHistoryDisk, clock: ManualClock
) -> tuple[History, SqliteJournalStore, list[Group]]:
    """History whose file fails for a virtual week, beside a journal that expires what nobody needs."""
    journal = SqliteJournalStore(folder)
    journal.open(now_ms=BEGIN_MS, seen_seq=0)
    history = History(MemoryHistoryStore(disk), clock, closed_bytes_max=HELD_BYTES_MAX)
    await history.start()
    history.reads_again(journal.again)
    groups = week()
    disk.broken = True
    for each in groups:
        journal.append(each)
        history.consume(each)
        clock.advance_ms(each.recorded_ms - clock.now_ms())
        if each.seq % 12 == 0:
            await history.flush()
            journal.expire(before_ms=each.recorded_ms - DAY_MS, needed_after=history.flushed_seq())
    return history, journal, groups


async def test_a_week_without_historys_file_fills_no_memory_and_is_whole_afterwards(tmp_path: Path) -> None:
    disk, clock = MemoryHistoryDisk(), ManualClock(BEGIN_MS)
    history, journal, groups = await broken_for_a_week(tmp_path, disk, clock)
    ill = history.health()

    disk.broken = False
    before = await levels_of_live(history)
    await history.flush()

    assert ill.open_readings < 20 * 12 * 3 * 8  # eight blocks of three hours, of fifty-six
    assert ill.journal_only > 45
    assert "journal only" in ill.failing
    assert len(before) < WEEK / 5
    for sharer in (1, 20):
        assert await levels(history, sharer) == [50 + (each.seq + sharer) % 300 for each in groups]
    assert (history.health().journal_only, history.health().failing) == (0, "")
    assert history.flushed_seq() > WEEK - 12 * 4
    await history.close()
    journal.close()


async def levels_of_live(history: History) -> list[int]:
    """What an old client that asks for the newest number is told."""
    rows = await history.readings(sharer=1, from_ms=BEGIN_MS, to_ms=BEGIN_MS + 8 * DAY_MS, work=Work.LIVE)
    return [int(level) for level in rows["level"]]


async def test_a_gap_that_is_only_ours_is_not_shown_as_one(tmp_path: Path) -> None:
    disk, clock = MemoryHistoryDisk(), ManualClock(BEGIN_MS)
    history, journal, _ = await broken_for_a_week(tmp_path, disk, clock)
    disk.broken = False

    with pytest.raises(PlatformError):
        await levels(history)

    assert (await levels_of_live(history))[-1] == 50 + (WEEK + 1) % 300
    await history.close()
    journal.close()


async def test_a_restart_within_the_week_loses_nothing(tmp_path: Path) -> None:
    disk, clock = MemoryHistoryDisk(), ManualClock(BEGIN_MS)
    history, journal, groups = await broken_for_a_week(tmp_path, disk, clock)
    disk.broken = False
    history.reads_again(lambda *_: iter(()))  # it is killed before it could read any of it again

    again = History(MemoryHistoryStore(disk), clock)
    again.restore(journal.replay(await again.start(), facts=False))

    assert await levels(again) == [50 + (each.seq + 1) % 300 for each in groups]
    await again.close()
    journal.close()


async def test_what_was_written_after_the_week_does_not_hide_what_was_not(tmp_path: Path) -> None:
    disk, clock = MemoryHistoryDisk(), ManualClock(BEGIN_MS)
    history, journal, groups = await broken_for_a_week(tmp_path, disk, clock)

    def damaged(after_seq: int, upto_seq: int) -> Iterator[Group]:
        raise StoreFailedError(Fault.DISK_ERROR, "planted", f"{after_seq} to {upto_seq}")
        yield

    disk.broken = False
    history.reads_again(damaged)
    await history.flush()
    unread = history.health()
    again = History(MemoryHistoryStore(disk), clock)
    again.restore(journal.replay(await again.start(), facts=False))

    assert len(disk.blocks) > 2  # what memory still held
    assert unread.journal_only > 45
    assert "Start Nightbell again" in unread.failing
    assert await levels(again) == [50 + (each.seq + 1) % 300 for each in groups]
    await again.close()
    await history.close()
    journal.close()
