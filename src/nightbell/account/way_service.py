"""Ways: how each person is reached. Memory answers; the store is the durable copy and comes first.

The e-mail and the webhook of a `Person` are ways too: the first of their channels. What is known of them
stands beside the address it was known of, so that it ends when the address changes.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from nightbell.account.person import Person
from nightbell.account.ports import PackedWays, StoredWay, WayChange, WayStore
from nightbell.account.way import (
    EMAIL,
    FIRST,
    LABEL_CHARS_MAX,
    PROOFS,
    REFUSED,
    WAYS_OF_ONE_MAX,
    WEBHOOK,
    ProvenBy,
    Way,
    after_loss,
    after_proof,
    after_success,
    found,
    is_label,
    is_text,
    next_number,
    numbered,
)
from nightbell.account.way_book import WayBook
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode

PROVEN_AGAIN_MS: Final = 60 * 60_000
"""What is no better than what was proven this long ago is not kept anew: a ring must not be a write."""

WRITTEN_AT_ONCE: Final = 1_000

FitsChannel = Callable[[str], bool]
"""Whether a text can be an address of a channel: each channel's folder has its own."""


class KnowsPeople(Protocol):
    """The accounts, as far as ways need them."""

    def person(self, person_id: str) -> Person | None:
        """The person of this id."""
        ...

    async def set_person(
        self, person_id: str, *, now_ms: int, email: str | None = None, webhook: str | None = None
    ) -> Person:
        """Change what is given."""
        ...


class Ways:
    """Who is reached how. All methods run on one event loop.

    Args:
        store: The durable copy.
        accounts: Who there is.
        fits: The channels that are set up, each with what an address of it looks like.
    """

    def __init__(self, store: WayStore, accounts: KnowsPeople, fits: Mapping[str, FitsChannel]) -> None:
        self._store = store
        self._accounts = accounts
        self._fits = fits
        self._book = WayBook(store.opened)
        self._changing = asyncio.Lock()
        self._unwritten: dict[tuple[str, str, int], None] = {}
        self._reading: asyncio.Future[PackedWays] | None = None

    def read(self) -> None:
        """Begin to read what is stored; `start` then takes it over."""
        self._reading = asyncio.ensure_future(self._store.load())
        # Where a start fails before it waits for this, that failure is what people hear of.
        self._reading.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def start(self) -> None:
        """Take everything over.

        Raises:
            PlatformError: It cannot be read.
        """
        self._book.load(await (self._reading or self._store.load()))
        self._reading = None

    def __len__(self) -> int:
        return len(self._book)

    def of(self, person: Person) -> list[Way]:
        """How this person is reached: their own e-mail and webhook first."""
        known = self._book.of_person(person.id)
        own = [
            _own(known, channel, address)
            for channel, address in ((EMAIL, person.email), (WEBHOOK, person.webhook))
            if address
        ]
        return own + [way for way in known if not _is_own(way) and not found(own, way.channel, way.address)]

    # What a person says

    async def add(self, *, person_id: str, channel: str, address: str, label: str, now_ms: int) -> Way:
        """Add a way, or name a known one anew. Whoever gives an address again says that it is good.

        Raises:
            CallerError: There is no such person or channel, it cannot be an address or a label
                (`MALFORMED`), or there are too many (`TOO_MANY`).
            PlatformError: It was not saved.
        """
        fits = self._fits.get(channel)
        if fits is None:
            raise _wrong(ErrorCode.MALFORMED, "account.way_not_set_up")
        if not is_text(address) or not fits(address):
            raise _wrong(ErrorCode.MALFORMED, "account.way_malformed")
        if not is_label(label):
            sentence = catalogue().say("account.way_label_malformed", most=LABEL_CHARS_MAX)
            raise CallerError(ErrorCode.MALFORMED, sentence)
        async with self._changing:
            person = self._known(person_id)
            ways = self.of(person)
            way = found(ways, channel, address)
            if way is not None:
                named = msgspec.structs.replace(after_success(way), label=label or way.label)
                return way if named == way else await self._keep(person_id, named)
            if len(ways) >= WAYS_OF_ONE_MAX:
                sentence = catalogue().say("account.too_many_ways", most=WAYS_OF_ONE_MAX)
                raise CallerError(ErrorCode.TOO_MANY, sentence)
            if (channel == EMAIL and not person.email) or (channel == WEBHOOK and not person.webhook):
                await self._set_own(person_id, channel, address, now_ms)
                return await self._keep(person_id, Way(channel, FIRST, address, label, now_ms))
            number = next_number([*ways, *self._book.of_person(person_id)], channel)
            return await self._keep(person_id, Way(channel, number, address, label, now_ms))

    async def remove(
        self, *, person_id: str, channel: str, address: str = "", number: int = 0, now_ms: int
    ) -> None:
        """Take a way away, named by its address or by its number.

        Raises:
            CallerError: There is no such way.
            PlatformError: It was not saved.
        """
        async with self._changing:
            ways = self.of(self._known(person_id))
            way = found(ways, channel, address) if address else numbered(ways, channel, number)
            if way is None:
                raise _wrong(ErrorCode.NOT_FOUND, "account.no_such_way")
            if _is_own(way):
                await self._set_own(person_id, channel, "", now_ms)
            same = [
                (person_id, channel, one.number)
                for one in self._book.of_person(person_id)
                if one.channel == channel and (one.number == way.number or one.address == way.address)
            ]
            await self._store.commit(WayChange(dropped=tuple(same)))
            for gone in same:
                self._book.drop(*gone)
                self._unwritten.pop(gone, None)

    # What the world says: kept in memory at once, written with the next `tend`.

    def proven(self, person_id: str, channel: str, number: int, by: ProvenBy, now_ms: int) -> None:
        """Something arrived by this way, was seen or answered there."""
        way = self._way(person_id, channel, number)
        if way is None:
            return
        fresh = now_ms - way.proven_ms < PROVEN_AGAIN_MS and not way.lost_ms
        if not fresh or PROOFS.index(by) > PROOFS.index(way.proven_by):
            self._note(person_id, after_proof(way, by, now_ms))

    def lost(self, person_id: str, channel: str, number: int, address: str, now_ms: int) -> None:
        """The provider says that this address is dead. Empty says it of the address that we have now."""
        way = self._way(person_id, channel, number)
        if way is not None and (not address or way.address == address):
            self._note(person_id, after_loss(way, REFUSED, now_ms))

    def works(self, person_id: str, channel: str, number: int, address: str) -> None:
        """The provider took something for this address: it is not dead."""
        way = self._way(person_id, channel, number)
        if way is not None and way.lost_ms and way.address == address:
            self._note(person_id, after_success(way))

    async def tend(self, _now_ms: int = 0) -> None:
        """Write what became known since; to be called about once a minute and at the end.

        Raises:
            PlatformError: It was not saved; it is tried again the next time.
        """
        while self._unwritten:
            some = list(self._unwritten)[:WRITTEN_AT_ONCE]
            stored = [
                StoredWay(person, way)
                for person, channel, number in some
                if (way := numbered(self._book.of_person(person), channel, number)) is not None
            ]
            for one in some:
                del self._unwritten[one]  # what becomes known while we write is written the next time
            try:
                await self._store.commit(WayChange(ways=tuple(stored)))
            except BaseException:
                self._unwritten.update(dict.fromkeys(some))
                raise

    def _way(self, person_id: str, channel: str, number: int) -> Way | None:
        person = self._accounts.person(person_id)
        way = None if person is None else numbered(self.of(person), channel, number)
        return way if way is not None and way.address else None  # one that does not open stays as it is

    def _note(self, person_id: str, way: Way) -> None:
        self._book.put(StoredWay(person_id, way))
        self._unwritten[person_id, way.channel, way.number] = None

    def _known(self, person_id: str) -> Person:
        person = self._accounts.person(person_id)
        if person is None:
            raise _wrong(ErrorCode.NOT_FOUND, "account.no_such_person")
        return person

    async def _set_own(self, person_id: str, channel: str, address: str, now_ms: int) -> None:
        if channel == EMAIL:
            await self._accounts.set_person(person_id, now_ms=now_ms, email=address)
        else:
            await self._accounts.set_person(person_id, now_ms=now_ms, webhook=address)

    async def _keep(self, person_id: str, way: Way) -> Way:
        await self._store.commit(WayChange(ways=(StoredWay(person_id, way),)))
        self._book.put(StoredWay(person_id, way))
        self._unwritten.pop((person_id, way.channel, way.number), None)
        return way


def _is_own(way: Way) -> bool:
    """Whether it is the way that stands in `Person`."""
    return way.number == FIRST and way.channel in {EMAIL, WEBHOOK}


def _own(known: Sequence[Way], channel: str, address: str) -> Way:
    """A person's own way, with what is known of this very address."""
    kept = numbered(known, channel, FIRST)
    return kept if kept is not None and kept.address == address else Way(channel, FIRST, address)


def _wrong(code: ErrorCode, key: str) -> CallerError:
    return CallerError(code, catalogue().say(key))
