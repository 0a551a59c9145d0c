"""Who hands the journal one reading and listens hears what a future would have said."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from nightbell.adapters.stores.memory.journal import MemoryDisk, MemoryJournalStore
from nightbell.journal.lanes import LaneLimit, LaneLimits
from nightbell.journal.ports import Fault
from nightbell.journal.service import Journal
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode, PlatformError
from tests.machines.test_journal_service import NOW_MS, Gate, Kept, reading

Heard = tuple[int, PlatformError | None]


class Listener:
    """Remembers what was heard."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Heard] = asyncio.Queue()

    def hear(self, seq: int, error: PlatformError | None) -> None:
        self.heard.put_nowait((seq, error))


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
