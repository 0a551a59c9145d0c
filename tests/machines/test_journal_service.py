"""The journal as the rest of the platform meets it."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from nightbell.adapters.stores.memory.journal import MemoryDisk, MemoryJournalStore
from nightbell.journal.facts import SharerAdded
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.journal.lanes import LaneLimit, LaneLimits
from nightbell.journal.ports import Fault
from nightbell.journal.service import Journal
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.clock import ManualClock, SystemClock
from nightbell.words.errors import ErrorCode, PlatformError

NOW_MS = 1_795_346_306_000


class Gate:
    """A disk that writes only when it is let."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._loop = asyncio.get_running_loop()
        self._let = asyncio.Semaphore(0)
        self.knocks: asyncio.Queue[None] = asyncio.Queue()
        self.open = False
        disk.before_write = self._knock

    def let(self, writes: int = 1) -> None:
        for _ in range(writes):
            self._let.release()

    def let_all(self) -> None:
        self.open = True
        self.let()

    def _knock(self) -> None:
        self._loop.call_soon_threadsafe(self.knocks.put_nowait, None)
        if not self.open:
            asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()

    async def _wait(self) -> None:
        await self._let.acquire()


class Kept:
    """A consumer that remembers."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.ticked = asyncio.Event()

    def consume(self, group: Group) -> None:
        self.groups.append(group)
        if group.tick_ms:
            self.ticked.set()

    def sharers(self) -> list[list[int]]:
        return [group.readings["sharer"].tolist() for group in self.groups]


class Listener:
    """Remembers what was heard."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[int, PlatformError | None]] = asyncio.Queue()

    def hear(self, seq: int, error: PlatformError | None) -> None:
        self.heard.put_nowait((seq, error))


def reading(sharer: int = 1) -> Reading:
    return Reading(sharer, NOW_MS - 1000, NOW_MS, 100, 4, 1)


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def journal(disk: MemoryDisk, kept: Kept) -> AsyncIterator[Journal]:
    limits = LaneLimits(LaneLimit(100, 1 << 20), LaneLimit(50, 1 << 20), LaneLimit(5, 1 << 20))
    opened = Journal(MemoryJournalStore(disk), ManualClock(NOW_MS), limits=limits)
    await opened.start()
    opened.subscribe(kept.consume)
    yield opened
    disk.before_write = lambda: None
    await opened.close()


async def test_a_future_resolves_only_after_the_disk_and_the_consumers_have_it(
    journal: Journal, disk: MemoryDisk, kept: Kept
) -> None:
    gate = Gate(disk)
    future = journal.append(live=[reading()], backfill=())
    await gate.knocks.get()
    pending_while_writing = not future.done()
    seen_while_writing = len(kept.groups)
    done_when_consumed: list[bool] = []
    journal.subscribe(lambda _: done_when_consumed.append(future.done()))
    gate.let_all()

    seq = await future

    assert pending_while_writing
    assert seen_while_writing == 0
    assert seq == 1
    assert len(kept.groups) == 1
    assert done_when_consumed == [False]
    assert disk.highest_seq == 1


async def test_what_comes_while_a_commit_is_written_shares_the_next_one(
    journal: Journal, disk: MemoryDisk, kept: Kept
) -> None:
    gate = Gate(disk)
    first = journal.append(live=[reading(0)], backfill=())
    await gate.knocks.get()
    rest = [journal.append(live=[reading(sharer)], backfill=()) for sharer in range(1, 20)]
    gate.let_all()

    seqs = await asyncio.gather(first, *rest)

    assert seqs == [1] + [2] * 19
    assert kept.sharers() == [[0], list(range(1, 20))]


async def test_live_and_old_readings_never_share_a_commit_and_live_goes_first(
    journal: Journal, disk: MemoryDisk, kept: Kept
) -> None:
    gate = Gate(disk)
    first = journal.append(live=[reading(0)], backfill=())
    await gate.knocks.get()
    old = journal.append(live=(), backfill=[reading(1)])
    both = journal.append(live=[reading(2)], backfill=[reading(3)])
    fact = journal.append_fact(SharerAdded(NOW_MS, 4))
    gate.let_all()

    await asyncio.gather(first, old, both, fact)

    assert kept.sharers() == [[0], [2], [1, 3]]
    assert [len(group.facts) for group in kept.groups] == [0, 1, 0]
    assert both.result() == 3


async def test_a_full_lane_refuses_before_anything_is_queued(journal: Journal, disk: MemoryDisk) -> None:
    gate = Gate(disk)
    fill = journal.append(live=(), backfill=[reading()] * 50)

    with pytest.raises(PlatformError) as refused:
        journal.append(live=[reading()], backfill=[reading()])

    assert refused.value.code is ErrorCode.OVERLOADED
    assert refused.value.retry_after_s is not None
    assert 5 <= refused.value.retry_after_s <= 300
    assert (journal.health().live, journal.health().backfill) == (0, 50)
    gate.let_all()
    await fill


async def test_a_full_backfill_lane_leaves_live_open(journal: Journal, disk: MemoryDisk) -> None:
    gate = Gate(disk)
    fill = journal.append(live=(), backfill=[reading()] * 50)

    live = journal.append(live=[reading()], backfill=())

    gate.let_all()
    await asyncio.gather(fill, live)


async def test_those_refused_are_told_different_times_to_come_back(
    journal: Journal, disk: MemoryDisk
) -> None:
    gate = Gate(disk)
    fill = journal.append(live=[reading()] * 100, backfill=())
    waits = set()

    for _ in range(20):
        with pytest.raises(PlatformError) as refused:
            journal.append(live=[reading()], backfill=())
        waits.add(refused.value.retry_after_s)

    assert len(waits) > 4
    assert journal.health().refused == 20
    gate.let_all()
    await fill


async def test_a_backlog_in_columns_counts_in_how_soon_others_are_called_back(disk: MemoryDisk) -> None:
    journal = Journal(MemoryJournalStore(disk), SystemClock())
    await journal.start()
    for _ in range(30):
        await journal.append(live=(), backfill=np.array([reading()] * 9_000, READING_DTYPE))

    # At the 2,000 a second that are supposed before anything was measured, it is 300 s.
    assert max(journal.backfill_again_s(200_000) for _ in range(10)) < 150
    await journal.close()


async def test_facts_have_a_bound_of_their_own(journal: Journal, disk: MemoryDisk) -> None:
    gate = Gate(disk)
    facts = [journal.append_fact(SharerAdded(NOW_MS, number)) for number in range(5)]

    with pytest.raises(PlatformError) as refused:
        journal.append_fact(SharerAdded(NOW_MS, 5))

    assert refused.value.code is ErrorCode.OVERLOADED
    gate.let_all()
    await asyncio.gather(*facts)


async def test_a_commit_that_fails_is_not_confirmed_but_still_reaches_the_consumers_once(
    journal: Journal, disk: MemoryDisk, kept: Kept
) -> None:
    disk.broken = Fault.DISK_FULL
    future = journal.append(live=[reading(7)], backfill=())

    with pytest.raises(PlatformError) as failed:
        await future

    assert failed.value.code is ErrorCode.NOT_DURABLE
    assert failed.value.retry_after_s is not None
    assert [group.seq for group in kept.groups] == [VOLATILE_SEQ]
    assert kept.sharers() == [[7]]
    assert "full" in journal.health().failing
    assert journal.health().volatile == 1


async def test_after_a_failed_commit_the_next_one_takes_its_number(
    journal: Journal, disk: MemoryDisk, kept: Kept
) -> None:
    disk.broken = Fault.DISK_ERROR
    failed = journal.append(live=[reading(7)], backfill=())
    await asyncio.wait([failed])
    disk.broken = None

    seq = await journal.append(live=[reading(8)], backfill=())

    assert seq == 1
    assert [group.seq for group in kept.groups] == [VOLATILE_SEQ, 1]
    assert journal.health().failing == ""


async def test_ticks_go_on_while_nothing_can_be_saved(journal: Journal, disk: MemoryDisk, kept: Kept) -> None:
    disk.broken = Fault.DISK_ERROR
    for _ in range(5):
        kept.ticked.clear()
        journal.tick()
        await kept.ticked.wait()

    assert [group.tick_ms for group in kept.groups] == [NOW_MS] * 5
    assert {group.seq for group in kept.groups} == {VOLATILE_SEQ}


async def test_a_tick_comes_every_second_by_itself(kept: Kept) -> None:
    journal = Journal(MemoryJournalStore(), SystemClock())
    await journal.start()
    journal.subscribe(kept.consume)

    journal.begin()
    for _ in range(2):
        await kept.ticked.wait()
        kept.ticked.clear()
    await journal.close()

    ticks = [group.tick_ms for group in kept.groups]
    assert len(ticks) == 2
    assert 0 < ticks[1] - ticks[0] < 10_000


async def test_a_consumer_that_raises_stops_neither_the_others_nor_the_answer(
    journal: Journal,
) -> None:
    def broken(group: Group) -> None:
        raise ValueError(group.seq)

    later = Kept()
    journal.subscribe(broken)
    journal.subscribe(later.consume)

    seq = await journal.append(live=[reading(1)], backfill=())

    assert seq == 1
    assert len(later.groups) == 1
    assert sum(journal.health().consumer_failures.values()) == 1
    assert "broken" in journal.health().failing


async def test_a_caller_who_gives_up_takes_nobody_with_it(journal: Journal, disk: MemoryDisk) -> None:
    gate = Gate(disk)
    gone = journal.append(live=[reading(1)], backfill=())
    stays = journal.append(live=[reading(2)], backfill=())

    gone.cancel()
    gate.let_all()

    assert await stays == 1


async def test_settled_waits_for_all_that_was_in_flight(journal: Journal, disk: MemoryDisk) -> None:
    gate = Gate(disk)
    committing = journal.append(live=[reading(1)], backfill=())
    await gate.knocks.get()
    of_the_one_being_written = journal.settled()
    early_for_it = of_the_one_being_written.done()
    waiting = journal.append(live=[reading(2)], backfill=[reading(3)])
    settled = journal.settled()
    gate.let(1)
    await committing
    await gate.knocks.get()
    early = settled.done()
    gate.let_all()

    seq = await settled

    assert not early_for_it
    assert of_the_one_being_written.result() == 1
    assert not early
    assert waiting.done()
    assert seq == 3


async def test_settled_fails_when_something_in_flight_is_not_durable(
    journal: Journal, disk: MemoryDisk
) -> None:
    disk.broken = Fault.DISK_ERROR
    lost = journal.append(live=[reading(1)], backfill=())

    with pytest.raises(PlatformError) as failed:
        await journal.settled()

    assert failed.value.code is ErrorCode.NOT_DURABLE
    assert lost.exception() is not None


async def test_settled_is_done_at_once_when_nothing_waits(journal: Journal) -> None:
    seq = await journal.append(live=[reading(1)], backfill=())

    settled = journal.settled()

    assert settled.done()
    assert settled.result() == seq


async def test_a_reading_no_column_can_hold_harms_only_its_own_request(journal: Journal, kept: Kept) -> None:
    bad = journal.append(live=[reading(2**40)], backfill=())
    good = journal.append(live=[reading(5)], backfill=())

    with pytest.raises(PlatformError) as refused:
        await bad

    assert refused.value.code is ErrorCode.INTERNAL
    assert await good == 1
    assert kept.sharers() == [[5]]


async def test_closing_commits_what_waits_and_refuses_what_comes_after(disk: MemoryDisk) -> None:
    journal = Journal(MemoryJournalStore(disk), ManualClock(NOW_MS))
    await journal.start()
    waiting = journal.append(live=[reading(1)], backfill=[reading(2)])

    await journal.close()

    assert waiting.result() == 2
    with pytest.raises(PlatformError) as refused:
        journal.append(live=[reading(3)], backfill=())
    assert refused.value.code is ErrorCode.OVERLOADED


async def test_a_restart_replays_all_that_was_confirmed(disk: MemoryDisk) -> None:
    before = Journal(MemoryJournalStore(disk), ManualClock(NOW_MS))
    await before.start()
    for sharer in range(5):
        await before.append(live=[reading(sharer)], backfill=())
    await before.close()

    after = Journal(MemoryJournalStore(disk), ManualClock(NOW_MS))
    found = await after.start()
    replayed = [group.readings["sharer"].tolist() for group in after.replay(0)]
    seq = await after.append(live=[reading(9)], backfill=())
    await after.close()

    assert found.last_seq == 5
    assert replayed == [[0], [1], [2], [3], [4]]
    assert seq == 6


async def test_a_journal_that_cannot_be_opened_says_what_to_do() -> None:
    disk = MemoryDisk()
    disk.broken = Fault.NOT_WRITABLE

    with pytest.raises(PlatformError) as failed:
        await Journal(MemoryJournalStore(disk), ManualClock(NOW_MS)).start()

    assert "cannot be opened" in failed.value.sentence


async def test_it_is_heard_once_after_the_disk_and_the_consumers_have_it(
    journal: Journal, disk: MemoryDisk
) -> None:
    gate, listener = Gate(disk), Listener()
    journal.write(reading(1), listener.hear)
    await gate.knocks.get()
    heard_while_writing = listener.heard.qsize()
    heard_when_consumed: list[int] = []
    journal.subscribe(lambda _: heard_when_consumed.append(listener.heard.qsize()))
    gate.let_all()

    heard = await listener.heard.get()
    await journal.settled()

    assert (heard_while_writing, heard_when_consumed) == (0, [0])
    assert heard == (1, None)
    assert listener.heard.empty()
    assert disk.highest_seq == 1


async def test_whoever_hears_of_a_failure_is_told_a_time_of_their_own(
    journal: Journal, disk: MemoryDisk
) -> None:
    disk.broken = Fault.DISK_FULL
    listener = Listener()
    for sharer in range(20):
        journal.write(reading(sharer), listener.hear)

    errors = [error for _, error in [await listener.heard.get() for _ in range(20)] if error is not None]

    assert {error.code for error in errors} == {ErrorCode.NOT_DURABLE}
    assert len(errors) == 20
    assert len({error.retry_after_s for error in errors}) > 1


async def test_a_listener_that_fails_and_a_reading_that_fits_no_column_harm_nobody_else(
    journal: Journal, kept: Kept
) -> None:
    def fails(seq: int, error: PlatformError | None) -> None:
        raise ValueError(seq, error)

    bad, good = Listener(), Listener()
    journal.write(reading(3), fails)
    journal.write(reading(2**40), bad.hear)
    journal.write(reading(5), good.hear)

    (_, refused), heard = await bad.heard.get(), await good.heard.get()

    assert refused is not None
    assert refused.code is ErrorCode.INTERNAL
    assert bad.heard.empty()
    assert heard == (1, None)
    assert kept.sharers() == [[3, 5]]


async def test_a_full_lane_refuses_before_the_reading_is_queued(journal: Journal, disk: MemoryDisk) -> None:
    gate, listener = Gate(disk), Listener()
    for sharer in range(100):
        journal.write(reading(sharer), listener.hear)

    with pytest.raises(PlatformError) as refused:
        journal.write(reading(100), listener.hear)
    gate.let_all()
    heard = [await listener.heard.get() for _ in range(100)]

    assert refused.value.code is ErrorCode.OVERLOADED
    assert all(error is None for _, error in heard)
    assert listener.heard.empty()
