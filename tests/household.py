"""The cast of the tests and the services they live in: Ana shares; Ben and Cleo follow; Dan sees nothing."""

from collections.abc import Awaitable
from typing import Final, NamedTuple

import msgspec
import numpy as np
from argon2 import PasswordHasher
from numpy.typing import NDArray

from nightbell.account.identity import FOLLOW, Identity
from nightbell.account.person import Person
from nightbell.account.ports import AccountStore, KeyFolder
from nightbell.account.service import Accounts
from nightbell.adapters.passwords.pool import PasswordPool
from nightbell.adapters.stores.looks.gathered import GatheredLooks
from nightbell.adapters.stores.memory.accounts import (
    MemoryAccountStore,
    MemoryFollowStore,
    MemoryKeyFolder,
    MemoryLookStore,
)
from nightbell.alarm.tellings import Tellings
from nightbell.follow.access import Access
from nightbell.follow.follow import Follow
from nightbell.follow.packed import FollowColumns
from nightbell.follow.ports import FollowStore, LookStore
from nightbell.follow.service import Follows, NewFollow
from nightbell.follow.standing import Ended, Standing
from nightbell.journal.facts import FollowSet
from nightbell.words.errors import ErrorCode, PlatformError

NOW_MS: Final = 1_795_345_200_000
"""2026-11-22 11:00 UTC."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

ANAS_PASSWORD: Final = "ana's long password"
BENS_PASSWORD: Final = "ben's long password"


class KnownFacts(dict[int, Standing]):
    """What somebody knows who replays the facts, by follow number."""

    @property
    def newest(self) -> int:
        """The greatest number, -1 if none."""
        return max(self, default=-1)

    def suspects(self, columns: FollowColumns) -> NDArray[np.intp]:
        """What the alarms' own table finds that may stand otherwise."""
        tellings = Tellings()
        for standing in self.values():
            tellings.set(FollowSet(**msgspec.structs.asdict(standing)))
        return tellings.suspects(columns)


class FactsKept:
    """A journal that keeps what it was told, and can be full or fail to be durable."""

    def __init__(self) -> None:
        self.sharers: list[int] = []
        self.facts: list[Standing | Ended] = []
        self.full = False
        self.failing = False

    def sharer_added(self, sharer: int, at_ms: int) -> Awaitable[None]:
        """Keep a new sharer."""
        assert at_ms > 0
        self._refuse_if_full()
        if not self.failing:
            self.sharers.append(sharer)
        return self._durable()

    def append_fact(self, fact: Standing | Ended) -> Awaitable[None]:
        """Keep a follow's fact."""
        self._refuse_if_full()
        if not self.failing:
            self.facts.append(fact)
        return self._durable()

    def known(self) -> KnownFacts:
        """What somebody knows who replays the facts."""
        known = KnownFacts()
        for fact in self.facts:
            if isinstance(fact, Standing):
                known[fact.follow] = fact
            else:
                known.pop(fact.follow, None)
        return known

    def _refuse_if_full(self) -> None:
        if self.full:
            raise PlatformError(ErrorCode.OVERLOADED, "The journal is full.", retry_after_s=1)

    async def _durable(self) -> None:
        if self.failing:
            raise PlatformError(ErrorCode.NOT_DURABLE, "The journal could not be written.")


def quick_passwords() -> PasswordPool:
    """Passwords hashed by the same means with the least work, so that tests are quick."""
    return PasswordPool(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class Stores(NamedTuple):
    """Where everything durable is."""

    accounts: AccountStore
    keys: KeyFolder
    follows: FollowStore
    looks: LookStore


def memory_stores() -> Stores:
    """Fresh ones in memory."""
    return Stores(MemoryAccountStore(), MemoryKeyFolder(), MemoryFollowStore(), MemoryLookStore())


class House:
    """The services over some stores; starting a second one over the same stores is a restart."""

    def __init__(self, stores: Stores, journal: FactsKept) -> None:
        self.stores = stores
        self.journal = journal
        self.accounts = Accounts(stores.accounts, stores.keys, journal, quick_passwords())
        self.follows = Follows(stores.follows, journal, self.accounts)
        self.access = Access(self.accounts, self.follows, GatheredLooks(stores.looks))

    async def start(self) -> None:
        """Load what is stored and tell the journal what it does not know, as `app` does."""
        await self.accounts.start()
        await self.follows.start()
        await self.accounts.reconcile(np.array(self.journal.sharers, np.int64), NOW_MS)
        await self.follows.reconcile(self.journal.known(), NOW_MS)

    async def restarted(self) -> "House":
        """Another process over the same stores."""
        self.accounts.close()
        again = House(self.stores, self.journal)
        await again.start()
        return again


class Cast(NamedTuple):
    """Ana shares. Ben follows her and is told; Cleo follows and is not told. Dan sees nothing."""

    house: House
    ana: Person
    ben: Person
    cleo: Person
    dan: Person
    bens: Follow
    cleos: Follow

    @property
    def accounts(self) -> Accounts:
        """Who is who."""
        return self.house.accounts

    @property
    def follows(self) -> Follows:
        """Who follows whom."""
        return self.house.follows

    @property
    def access(self) -> Access:
        """The one door."""
        return self.house.access

    def as_follower(self, person: Person) -> Identity:
        """This person with a device that follows."""
        return Identity(person.id, frozenset({FOLLOW}), -1, 1)


async def assemble(house: House) -> Cast:
    """Bring the cast into a started house."""
    accounts = house.accounts
    ana = await accounts.add_person(name="Ana", password=ANAS_PASSWORD, now_ms=NOW_MS)
    ana = await accounts.make_sharer(ana.id, NOW_MS)
    ben = await accounts.add_person(
        name="Ben", password=BENS_PASSWORD, email="ben@example.org", zone="Europe/Lisbon", now_ms=NOW_MS
    )
    cleo = await accounts.add_person(name="Cleo", password=None, now_ms=NOW_MS)
    dan = await accounts.add_person(name="Dan", password=None, now_ms=NOW_MS)
    bens, cleos = await house.follows.add_many(
        [NewFollow(ana.id, ben.id), NewFollow(ana.id, cleo.id, may_see_graph=False, may_be_told=False)],
        NOW_MS,
    )
    return Cast(house, ana, ben, cleo, dan, bens, cleos)
