"""Ways: any number for each person, named, proven, lost, found again."""

import msgspec
import numpy as np
import pytest

from nightbell.account.packed import bound_to, never_sealed, packed_ways
from nightbell.account.person import Person
from nightbell.account.ports import StoredWay
from nightbell.account.way import (
    ADDRESS_BYTES_MAX,
    LABEL_CHARS_MAX,
    REFUSED,
    WAYS_OF_ONE_MAX,
    ProvenBy,
    Way,
)
from nightbell.account.way_book import WASTED_BYTES_MAX, WayBook
from nightbell.account.way_service import PROVEN_AGAIN_MS, WRITTEN_AT_ONCE, Ways
from nightbell.adapters.stores.memory.accounts import MemoryWayStore
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from tests.household import NOW_MS, Cast

PHONE, OTHER_PHONE = "+351912345678", "+351987654321"
BENS_EMAIL = "ben@example.org"


def anything(text: str) -> bool:
    """A channel that takes every address but one."""
    return text != "wrong"


FITS = {"sms": anything, "push": anything, "email": anything, "webhook": anything}


class Reached:
    """The cast with their ways, and the store behind them."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.store = MemoryWayStore()
        self.ways = Ways(self.store, cast.accounts, FITS)

    def ben(self) -> Person:
        person = self.cast.accounts.person(self.cast.ben.id)
        assert person is not None
        return person

    def of_ben(self) -> list[Way]:
        return self.ways.of(self.ben())

    async def add(self, channel: str = "sms", address: str = PHONE, label: str = "") -> Way:
        return await self.ways.add(
            person_id=self.cast.ben.id, channel=channel, address=address, label=label, now_ms=NOW_MS
        )

    async def remove(self, channel: str, address: str = "", number: int = 0) -> None:
        await self.ways.remove(
            person_id=self.cast.ben.id, channel=channel, address=address, number=number, now_ms=NOW_MS
        )

    async def after_restart(self) -> list[Way]:
        again = Ways(self.store, self.cast.accounts, FITS)
        await again.start()
        return again.of(self.ben())


@pytest.fixture
def reached(cast: Cast) -> Reached:
    return Reached(cast)


async def test_a_persons_own_address_is_a_way_without_anything_stored(reached: Reached) -> None:
    assert reached.of_ben() == [Way("email", 1, BENS_EMAIL)]
    assert reached.ways.of(reached.cast.cleo) == []
    assert len(reached.ways) == 0


async def test_the_same_address_twice_is_one_way_and_its_name_can_change(reached: Reached) -> None:
    first = await reached.add(label="phone")
    await reached.add(label="Ben's phone")
    await reached.add()
    second = await reached.add(address=OTHER_PHONE)

    assert [(way.channel, way.number) for way in reached.of_ben()[1:]] == [
        ("sms", 1),
        ("sms", 2),
    ]
    assert (first.number, second.number) == (1, 2)
    assert reached.of_ben()[1].label == "Ben's phone"
    assert await reached.after_restart() == reached.of_ben()


async def test_a_number_stays_with_its_way_when_others_go(reached: Reached) -> None:
    await reached.add()
    await reached.add(address=OTHER_PHONE)

    await reached.remove("sms", PHONE)
    third = await reached.add(address=PHONE)

    assert [(way.number, way.address) for way in reached.of_ben()[1:]] == [(2, OTHER_PHONE), (3, PHONE)]
    assert third.number == 3
    assert await reached.after_restart() == reached.of_ben()


async def test_a_first_address_becomes_the_persons_own_and_more_are_beside_it(reached: Reached) -> None:
    await reached.add("email", "ben.two@example.org", "Work")
    await reached.add("webhook", "https://example.org/hook", "House")

    assert [(way.channel, way.number, way.label) for way in reached.of_ben()] == [
        ("email", 1, ""),
        ("webhook", 1, "House"),
        ("email", 2, "Work"),
    ]
    assert reached.ben().webhook == "https://example.org/hook"
    await reached.remove("email", number=1)
    assert reached.ben().email == ""
    assert [way.address for way in reached.of_ben()] == ["https://example.org/hook", "ben.two@example.org"]
    assert await reached.after_restart() == reached.of_ben()


async def test_an_address_that_becomes_the_persons_own_is_told_once_and_removed_once(
    reached: Reached,
) -> None:
    await reached.add("email", "ben.two@example.org")
    await reached.cast.accounts.set_person(reached.cast.ben.id, now_ms=NOW_MS, email="ben.two@example.org")

    assert [way.address for way in reached.of_ben()] == ["ben.two@example.org"]
    await reached.remove("email", "ben.two@example.org")
    assert reached.of_ben() == []
    assert await reached.after_restart() == []


async def test_what_was_known_of_an_address_ends_when_it_is_another(reached: Reached) -> None:
    reached.ways.lost(reached.cast.ben.id, "email", 1, BENS_EMAIL, NOW_MS)
    assert reached.of_ben()[0].lost_ms == NOW_MS

    await reached.cast.accounts.set_person(reached.cast.ben.id, now_ms=NOW_MS, email="new@example.org")

    assert reached.of_ben() == [Way("email", 1, "new@example.org")]


@pytest.mark.parametrize(
    ("channel", "address", "label"),
    [
        ("pigeon", PHONE, ""),
        ("sms", "wrong", ""),
        ("sms", "", ""),
        ("sms", "x" * (ADDRESS_BYTES_MAX + 1), ""),
        ("sms", "\N{EURO SIGN}" * (ADDRESS_BYTES_MAX // 3 + 1), ""),
        ("sms", "one\x1ftwo", ""),
        ("sms", PHONE, "x" * (LABEL_CHARS_MAX + 1)),
        ("sms", PHONE, "one\x1etwo"),
        ("sms", PHONE, "one\ntwo"),
    ],
)
async def test_what_cannot_be_a_way_is_refused_and_nothing_is_stored(
    reached: Reached, channel: str, address: str, label: str
) -> None:
    with pytest.raises(CallerError) as refused:
        await reached.add(channel, address, label)

    assert refused.value.code is ErrorCode.MALFORMED
    assert reached.store.ways == {}


async def test_a_person_has_at_most_so_many_ways_and_may_still_name_those(reached: Reached) -> None:
    for number in range(WAYS_OF_ONE_MAX - 1):  # and their own e-mail
        await reached.add(address=f"+3519{number:08d}")

    with pytest.raises(CallerError) as refused:
        await reached.add(address=PHONE)

    assert refused.value.code is ErrorCode.TOO_MANY
    assert (await reached.add(address="+351900000003", label="Third")).label == "Third"
    await reached.remove("sms", number=2)
    assert (await reached.add(address=PHONE)).address == PHONE


async def test_a_way_that_is_not_there_is_not_removed(reached: Reached) -> None:
    await reached.add()
    for channel, address, number in (("sms", OTHER_PHONE, 0), ("sms", "", 7), ("push", PHONE, 0)):
        with pytest.raises(CallerError) as refused:
            await reached.remove(channel, address, number)
        assert refused.value.code is ErrorCode.NOT_FOUND
    assert len(reached.of_ben()) == 2


async def test_what_was_not_saved_is_not_a_way(reached: Reached) -> None:
    await reached.add()
    reached.store.broken = True

    with pytest.raises(PlatformError):
        await reached.add(address=OTHER_PHONE)
    with pytest.raises(PlatformError):
        await reached.remove("sms", PHONE)

    assert [way.address for way in reached.of_ben()] == [BENS_EMAIL, PHONE]


# Proven and lost


async def test_a_way_is_lost_until_it_works_again_or_is_given_again(reached: Reached) -> None:
    ben = reached.cast.ben.id
    await reached.add()
    reached.ways.lost(ben, "sms", 1, OTHER_PHONE, NOW_MS)  # of an address that is no longer there
    assert reached.of_ben()[1].lost_ms == 0

    reached.ways.lost(ben, "sms", 1, PHONE, NOW_MS)
    assert (reached.of_ben()[1].lost_ms, reached.of_ben()[1].lost_why) == (NOW_MS, REFUSED)
    reached.ways.works(ben, "sms", 1, PHONE)
    assert reached.of_ben()[1].lost_ms == 0
    reached.ways.lost(ben, "sms", 1, "", NOW_MS)
    assert (await reached.add()).lost_ms == 0
    reached.ways.lost(ben, "sms", 1, PHONE, NOW_MS)
    reached.ways.proven(ben, "sms", 1, ProvenBy.DELIVERED, NOW_MS + 1)

    assert (reached.of_ben()[1].lost_ms, reached.of_ben()[1].proven_ms) == (0, NOW_MS + 1)
    assert reached.of_ben()[1].lost_why == ""


async def test_a_better_proof_counts_at_once_and_the_same_one_after_an_hour(reached: Reached) -> None:
    ben = reached.cast.ben.id
    await reached.add()
    steps = [
        (ProvenBy.DELIVERED, 0, ProvenBy.DELIVERED, 0),
        (ProvenBy.SEEN, 10, ProvenBy.SEEN, 10),
        (ProvenBy.DELIVERED, 20, ProvenBy.SEEN, 10),
        (ProvenBy.ANSWERED, 30, ProvenBy.ANSWERED, 30),
        (ProvenBy.DELIVERED, 30 + PROVEN_AGAIN_MS, ProvenBy.DELIVERED, 30 + PROVEN_AGAIN_MS),
    ]
    for by, after_ms, kept, kept_ms in steps:
        reached.ways.proven(ben, "sms", 1, by, NOW_MS + after_ms)
        way = reached.of_ben()[1]
        assert (way.proven_by, way.proven_ms) == (kept, NOW_MS + kept_ms)


async def test_what_became_known_is_written_a_little_later_and_kept_where_that_fails(
    reached: Reached,
) -> None:
    await reached.add()
    reached.ways.proven(reached.cast.ben.id, "sms", 1, ProvenBy.SEEN, NOW_MS)
    reached.store.broken = True
    with pytest.raises(PlatformError):
        await reached.ways.tend(NOW_MS)
    reached.store.broken = False
    assert (await reached.after_restart())[1].proven_ms == 0

    await reached.ways.tend(NOW_MS)

    assert (await reached.after_restart())[1].proven_by is ProvenBy.SEEN
    await reached.remove("sms", PHONE)
    reached.ways.proven(reached.cast.ben.id, "sms", 1, ProvenBy.SEEN, NOW_MS)
    await reached.ways.tend(NOW_MS)
    assert reached.store.ways == {}


async def test_a_storm_of_receipts_is_written_in_bounded_pieces(cast: Cast) -> None:
    people = await cast.accounts.add_people(
        [f"P{n}" for n in range(WRITTEN_AT_ONCE + 5)], share=False, now_ms=1
    )
    reached = Reached(cast)
    sizes: list[int] = []
    commit = reached.store.commit

    async def counted(change: object) -> None:
        sizes.append(len(change.ways))  # type: ignore[attr-defined]
        await commit(change)  # type: ignore[arg-type]

    for person in people:
        await reached.ways.add(person_id=person.id, channel="sms", address=PHONE, label="", now_ms=1)
    reached.store.commit = counted  # type: ignore[method-assign]
    for person in people:
        reached.ways.proven(person.id, "sms", 1, ProvenBy.DELIVERED, NOW_MS)
    await reached.ways.tend(NOW_MS)

    assert sizes == [WRITTEN_AT_ONCE, 5]


# In memory


def stored(number: int, address: str = PHONE) -> StoredWay:
    return StoredWay(f"{number:08d}-0000-4000-8000-{number:012d}", Way("push", 1, address, added_ms=5))


def test_an_address_is_opened_only_for_whom_it_is_asked() -> None:
    asked: list[str] = []

    def opened(kept: str, bound: str) -> str:
        asked.append(bound)
        return never_sealed(kept, bound)

    book = WayBook(opened)
    book.load(packed_ways([stored(number) for number in range(1000)]))
    assert asked == []

    assert book.of_person(stored(7).person) == [stored(7).way]
    assert asked == [bound_to(stored(7).person, "push:1")]


def test_replaced_texts_do_not_fill_memory() -> None:
    book = WayBook(never_sealed)
    for number in range(50):
        book.put(stored(number, "x" * 4000))
    for turn in range(3 * WASTED_BYTES_MAX // 4000):
        book.put(stored(turn % 50, f"{turn:04000d}"))

    assert len(book._texts._all) < 2 * WASTED_BYTES_MAX
    last = 3 * WASTED_BYTES_MAX // 4000 - 1
    assert book.of_person(stored(last % 50).person)[0].address == f"{last:04000d}"


def test_a_place_that_was_given_up_is_used_again() -> None:
    book = WayBook(never_sealed)
    for turn in range(100):
        book.put(stored(turn))
        book.drop(stored(turn).person, "push", 1)
        assert book.of_person(stored(turn).person) == []

    assert book._table.count == 1
    assert len(book) == 0


def test_a_hundred_thousand_ways_take_little_beside_their_addresses() -> None:
    some = [stored(number, "x" * 300) for number in range(100_000)]
    book = WayBook(never_sealed)
    book.load(packed_ways(some))

    columns = sum(column.nbytes for column in book._table.columns.values())
    index = book._of_person._keys.nbytes + book._of_person._rows.nbytes

    assert (columns + index) / len(some) < 110  # bytes a way
    assert book.of_person(some[99_999].person) == [some[99_999].way]
    assert np.count_nonzero(book._of_person._rows >= 0) == len(some)
    assert msgspec.structs.replace(some[5].way, label="") == book.of_person(some[5].person)[0]
