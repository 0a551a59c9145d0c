"""Work that nobody waits for any more is not done: looked at before it begins, after its own queue."""

import asyncio
import contextvars
from collections.abc import Iterator
from threading import Event

import pytest

from nightbell.adapters.passwords.pool import AT_ONCE, PasswordPool
from nightbell.adapters.stores.memory.history import MemoryHistoryDisk, MemoryHistoryStore
from nightbell.history.packing import Packed
from nightbell.history.service import READS_WAITING_MAX, History
from nightbell.load import deadline
from nightbell.load.gate import Level, Work
from nightbell.load.service import Admission
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode, PlatformError
from tests.unit.test_account_passwords import HeldHasher

NOW_MS = 1_795_312_800_000


@pytest.fixture
def held() -> Iterator[HeldHasher]:
    hasher = HeldHasher()
    yield hasher
    hasher.go.set()


@pytest.mark.parametrize(
    ("said", "left"),
    [(b"1500", 1500), (b"0", 0), (b"", None), (b"-5", None), (b"soon", None), (b"9" * 30, None)],
)
def test_a_deadline_is_a_span_and_nonsense_is_none(said: bytes, left: int | None) -> None:
    assert deadline.left_ms(said) == left


def test_somebody_is_gone_when_we_made_them_wait_longer_than_they_said() -> None:
    assert deadline.is_over(100, 100.0)
    assert not deadline.is_over(100, 99.0)
    assert not deadline.is_over(None, 1e9)


async def test_a_password_whose_owner_has_gone_is_not_hashed(held: HeldHasher) -> None:
    pool = PasswordPool(held)
    await pool.start()
    stored = await pool.hashed("a long password")
    before = [asyncio.ensure_future(pool.matches(stored, f"guess {at}")) for at in range(AT_ONCE)]
    await asyncio.sleep(0.05)

    def ask_in_a_hurry() -> asyncio.Future[bool]:
        deadline.begin(30, asyncio.get_running_loop().time())
        return asyncio.ensure_future(pool.matches(stored, "a long password"))

    hurried = contextvars.copy_context().run(ask_in_a_hurry)
    await asyncio.sleep(0.1)
    held.go.set()

    with pytest.raises(PlatformError) as refused:
        await hurried
    assert refused.value.code is ErrorCode.OVERLOADED
    assert not any(await asyncio.gather(*before))
    assert held.verified == AT_ONCE  # the third was never looked at
    assert await pool.matches(stored, "a long password")  # who did not hurry is served


async def test_a_full_line_of_passwords_is_told_by_how_fast_hashes_go(held: HeldHasher) -> None:
    pool = PasswordPool(held, waiting_max=40)
    await pool.start()
    stored = await pool.hashed("a long password")
    inside = [asyncio.ensure_future(pool.matches(stored, "x")) for _ in range(AT_ONCE + 40)]
    await asyncio.sleep(0)

    waits = {pool.full_s for _ in range(50)}

    assert len(waits) > 3
    assert min(waits) >= 5
    assert max(waits) <= 120
    held.go.set()
    await asyncio.gather(*inside)
    assert pool.full_s == 0


class SlowStore(MemoryHistoryStore):
    """A store whose reads wait until they are let, and are counted."""

    def __init__(self, go: Event) -> None:
        super().__init__(MemoryHistoryDisk())
        self.reads = 0
        self._go = go

    def read(self, sharer: int, first_block: int, last_block: int) -> list[Packed]:
        assert self._go.wait(30)
        self.reads += 1
        return super().read(sharer, first_block, last_block)


async def test_history_that_nobody_waits_for_is_not_read_and_its_line_is_bounded() -> None:
    go = Event()
    store = SlowStore(go)
    history = History(store, ManualClock(NOW_MS))
    await history.start()

    def ask(left_ms: int | None) -> asyncio.Future[object]:
        deadline.begin(left_ms, asyncio.get_running_loop().time())
        return asyncio.ensure_future(history.readings(sharer=1, from_ms=NOW_MS - 1, to_ms=NOW_MS))

    first = contextvars.copy_context().run(ask, None)
    await asyncio.sleep(0.05)
    hurried = contextvars.copy_context().run(ask, 20)
    rest = [contextvars.copy_context().run(ask, None) for _ in range(READS_WAITING_MAX - 2)]
    await asyncio.sleep(0)
    with pytest.raises(PlatformError) as full:
        await history.readings(sharer=1, from_ms=NOW_MS - 1, to_ms=NOW_MS)
    await asyncio.sleep(0.1)
    go.set()

    with pytest.raises(PlatformError) as late:
        await hurried
    await asyncio.gather(first, *rest)
    assert full.value.code is late.value.code is ErrorCode.OVERLOADED
    assert store.reads == READS_WAITING_MAX - 1
    await history.close()


async def test_graphs_give_way_under_load_and_the_newest_number_does_not() -> None:
    admission = Admission(ManualClock(NOW_MS))
    history = History(MemoryHistoryStore(MemoryHistoryDisk()), ManualClock(NOW_MS), admission=admission)
    await history.start()
    admission.take(Level(200, "loop_lag_ms"))

    with pytest.raises(PlatformError) as refused:
        await history.readings(sharer=1, from_ms=NOW_MS - 1, to_ms=NOW_MS)

    assert refused.value.code is ErrorCode.OVERLOADED
    assert len(await history.readings(sharer=1, from_ms=0, to_ms=NOW_MS, work=Work.LIVE)) == 0
    assert history.newest(1) is None
    await history.close()
