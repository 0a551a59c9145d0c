"""Accounts: people, sign-in, grants and keys. Memory answers; the store is the durable copy and comes first.

A grant is verified from memory alone: the store may be gone. Passkeys will come in beside `sign_in`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from nightbell.account.bearers import KEY_PREFIX, Bearers
from nightbell.account.book import Keys, People, identity_of
from nightbell.account.checks import check_email, check_webhook, check_zone, checked_name
from nightbell.account.counts import SignInCounts
from nightbell.account.grant_service import Grants
from nightbell.account.grants import renew_ms
from nightbell.account.identity import KEY_SCOPES, PUBLISH
from nightbell.account.patience import Patience
from nightbell.account.person import NOT_A_SHARER, Person, changed, folded
from nightbell.account.ports import (
    AccountChange,
    AccountJournal,
    AccountStore,
    KeyFolder,
    LoadedAccounts,
    Passwords,
    StoredKey,
    StoredPerson,
)
from nightbell.account.share import ShareCredential
from nightbell.account.share_service import ShareAccounts
from nightbell.account.sign_in import Key, SignedIn, shown
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.glucose import Unit
from nightbell.words.identity import new_secret, new_uuid, secret_hash

KEYS_OF_ONE_MAX: Final = 20
LABEL_CHARS_MAX: Final = 80
RESERVED_AT_ONCE: Final = 256
"""Credential numbers taken from the store ahead, so that a sign-in does not need the store."""

TOLD_AT_ONCE: Final = 500
"""Sharers handed to the journal before it is waited for: well below what its queue holds."""


class Accounts:
    """Who is who. All methods run on one event loop."""

    def __init__(
        self,
        store: AccountStore,
        folder: KeyFolder,
        journal: AccountJournal,
        passwords: Passwords,
        *,
        admission: Admission | None = None,
    ) -> None:
        self._admission = admission or open_to_all()
        self._store = store
        self._folder = folder
        self._journal = journal
        self._passwords = passwords
        self._people = People(store.opened)
        self.ids, self.sharer_rows = self._people.ids, self._people.sharer_rows
        self._keys = Keys()
        self._grants = Grants(folder, asyncio.Lock())
        bearers = Bearers(self._people, self._keys, self._grants)
        self.identify, self.uploader = bearers.identify, bearers.uploader
        self._patience = Patience()
        self.sign_ins = SignInCounts()
        self._read: LoadedAccounts | None = None
        self._numbers = iter(range(0))
        self._changing = asyncio.Lock()
        self._reserving = asyncio.Lock()
        self._unjournaled: set[int] = set()
        self._listeners: list[Callable[[Person, int], Awaitable[None]]] = []
        self.share = ShareAccounts(
            store, passwords, self._patience, self._people, asyncio.Lock(), self._admission
        )

    async def read(self) -> LoadedAccounts:
        """Ask the store for everything, as `start` does: apart, others can read while we take it over."""
        loaded = await self._store.load()
        if loaded.credentials_reserved == 0 and await self._folder.exists():  # lost, not new: grants are out
            raise PlatformError(ErrorCode.INTERNAL, catalogue().say("account.store_lost"))
        with contextlib.suppress(*([PlatformError] if loaded.credentials_reserved else [])):
            # A full disk keeps nobody from ringing: who signs in next asks for numbers again, and is told.
            await self._reserve()
        self._read = loaded
        return loaded

    async def start(self) -> None:
        """Take everything over; make keys at the very first start.

        Raises:
            PlatformError: The accounts or a key cannot be read, or the accounts are gone while keys exist.
        """
        loaded, self._read = self._read or await self.read(), None
        self._people.load(loaded.people)
        self._keys.load(loaded.keys)
        self.share.load(loaded)
        await self._grants.start()
        await self._passwords.start()

    def close(self) -> None:
        """Let the password pool finish."""
        self._passwords.close()

    @property
    def failing(self) -> str:
        """What an operator must do, empty if all is well."""
        return self._grants.failing

    def subscribe(self, listener: Callable[[Person, int], Awaitable[None]]) -> None:
        """Call this after a person changed, with the person and the time, before the change is answered."""
        self._listeners.append(listener)

    # People

    def person(self, person_id: str) -> Person | None:
        """The person of this id."""
        return self._people.person(person_id)

    def person_named(self, name: str) -> Person | None:
        """The person of this name, whatever its case."""
        return self._people.named(name)

    def sharer(self, sharer: int) -> Person | None:
        """The person who has this sharer number."""
        return self._people.sharer(sharer)

    @property
    def count(self) -> int:
        """How many people there are."""
        return len(self._people)

    def people(self) -> Iterable[Person]:
        """Everybody."""
        return self._people.everybody()

    async def add_person(
        self,
        *,
        name: str,
        password: str | None,
        now_ms: int,
        email: str = "",
        unit: Unit = Unit.MGDL,
        zone: str = "UTC",
        hidden: bool = False,
    ) -> Person:
        """Add somebody; without a password they do not sign in.

        Raises:
            CallerError: The name is taken (`CONFLICT`), or something cannot be (`MALFORMED`).
            PlatformError: It was not saved.
        """
        tidied = checked_name(name)
        check_email(email)
        check_zone(zone)
        hashed = "" if password is None else await self._passwords.hashed(password)
        person = Person(new_uuid(), tidied, email, unit, zone, NOT_A_SHARER, hidden, now_ms)
        async with self._changing:
            if self._people.named(tidied) is not None:
                raise CallerError(ErrorCode.CONFLICT, catalogue().say("account.name_taken"))
            await self._keep(StoredPerson(person, hashed))
        return person

    async def add_people(self, names: Sequence[str], *, share: bool, now_ms: int) -> list[Person]:
        """Add many at once, who do not sign in, as sharers or not: one transaction, for imports and figures.

        Raises:
            CallerError: A name is taken or cannot be one; nobody was added.
            PlatformError: It was not saved; nobody was added.
        """
        async with self._changing:
            tidied = [checked_name(name) for name in names]
            folds = {folded(name) for name in tidied}
            if len(folds) < len(tidied) or any(self._people.named(name) for name in tidied):
                raise CallerError(ErrorCode.CONFLICT, catalogue().say("account.name_taken"))
            first = self._people.next_sharer
            people = [
                Person(new_uuid(), name, "", Unit.MGDL, "UTC", first + at if share else -1, False, now_ms)
                for at, name in enumerate(tidied)
            ]
            stored = tuple(StoredPerson(person, "") for person in people)
            await self._store.commit(AccountChange(people=stored))
            for one in stored:
                self._people.put(one)
        await self._tell_many(range(first, first + len(people)) if share else (), now_ms)
        return people

    async def make_sharer(self, person_id: str, now_ms: int) -> Person:
        """Give this person a sharer number, once.

        Raises:
            CallerError: There is no such person.
            PlatformError: It was not saved.
        """
        async with self._changing:
            person = self._known(person_id)
            if person.sharer == NOT_A_SHARER:
                person = changed(person, sharer=self._people.next_sharer)
                await self._keep(self._people.stored(person))
                self._unjournaled.add(person.sharer)
        if person.sharer in self._unjournaled:
            await self._tell(person.sharer, now_ms)
        return person

    async def set_person(
        self,
        person_id: str,
        *,
        now_ms: int,
        email: str | None = None,
        unit: Unit | None = None,
        zone: str | None = None,
        webhook: str | None = None,
    ) -> Person:
        """Change what is given. Follows hear of it before this returns: hours follow the zone.

        Raises:
            CallerError: There is no such person, or something cannot be.
            PlatformError: It was not saved.
        """
        if email is not None:
            check_email(email)
        if zone is not None:
            check_zone(zone)
        check_webhook(webhook or "")
        async with self._changing:
            old = self._known(person_id)
            person = changed(old, email=email, unit=unit, zone=zone, webhook=webhook)
            if person == old:
                return old
            await self._keep(self._people.stored(person))
        for listener in self._listeners:
            await listener(person, now_ms)
        return person

    async def set_password(self, person_id: str, password: str, now_ms: int) -> None:
        """Set a new password and sign out everywhere.

        Raises:
            CallerError: There is no such person, or the password cannot be one.
            PlatformError: It was not saved, or the pool is full.
        """
        hashed = await self._passwords.hashed(password)
        async with self._changing:
            await self._keep(StoredPerson(self._known(person_id), hashed))
        await self.sign_out_everywhere(person_id, now_ms)

    # Signing in

    async def sign_in(self, *, name: str, password: str, device: str, peer: str, now_ms: int) -> SignedIn:
        """Give a device a grant for a name and a password.

        An unknown name and a wrong password get the same answer after the same work.

        Raises:
            CallerError: They do not go together (`WRONG_PASSWORD`), or it is too soon (`TRY_LATER`, with the
                field `retry_after_s`).
            PlatformError: Too many are signing in, or other work goes first (`OVERLOADED`).
        """
        self._admission.check(Work.SIGN_IN, folded(name))
        wait_ms = self._patience.wait_ms(folded(name), peer, now_ms)
        if wait_ms > 0:
            self.sign_ins.too_soon += 1
            seconds = -(-wait_ms // 1000)
            sentence = catalogue().say("account.try_later", seconds=seconds)
            raise CallerError(ErrorCode.TRY_LATER, sentence, retry_after_s=seconds)
        person = self._people.named(name)
        self._patience.begin(folded(name), peer, now_ms)
        stored = None if person is None else self._people.password(person.id) or None
        try:
            right = await self._passwords.matches(stored, password)
        except PlatformError:
            self.sign_ins.busy += 1
            self._patience.forgive(folded(name), peer)  # nobody looked at the password
            raise
        if person is None or not right:
            self.sign_ins.refused += 1
            raise CallerError(ErrorCode.WRONG_PASSWORD, catalogue().say("account.wrong_password"))
        self._patience.forgive(folded(name), peer)
        self.sign_ins.signed_in += 1
        return self._granted(person.id, device, await self._next_credential(), now_ms)

    async def renew(self, bearer: str, now_ms: int) -> SignedIn:
        """A new grant for a device that holds one. The old one stays good until it runs out.

        Raises:
            NightbellError: The old one does not hold (`NOT_SIGNED_IN`), or others go first (`OVERLOADED`).
        """
        grant = self._grants.holding(bearer, now_ms)
        if grant is None or self._people.person(grant.person) is None:
            raise CallerError(ErrorCode.NOT_SIGNED_IN, catalogue().say("account.not_signed_in"))
        self._admission.check(Work.RENEWAL, grant.person)
        return self._granted(grant.person, grant.device, grant.credential, now_ms)

    async def add_grants(self, people: Sequence[Person], device: str, now_ms: int) -> list[SignedIn]:
        """A grant for a device of each of many people, for imports and figures.

        Raises:
            PlatformError: No numbers for their credentials could be had; nobody got one.
        """
        first = await self._store.reserve_credentials(len(people))
        return [self._granted(one.id, device, first + at, now_ms) for at, one in enumerate(people)]

    async def sign_out(self, bearer: str, now_ms: int) -> None:
        """Withdraw every grant of this device, at once and for good.

        Raises:
            PlatformError: The list could not be written; in this process it is withdrawn all the same.
        """
        grant = self._grants.holding(bearer, now_ms)
        if grant is not None:
            await self._grants.withdraw_device(grant.credential, now_ms)

    async def sign_out_everywhere(self, person_id: str, now_ms: int) -> None:
        """Withdraw every grant this person's devices hold, as after a lost phone.

        Raises:
            PlatformError: The list could not be written; in this process they are withdrawn all the same.
        """
        await self._grants.withdraw_person(person_id, now_ms)

    # Keys

    async def add_key(self, *, person_id: str, scope: str, label: str, now_ms: int) -> Key:
        """Make a key for an old or native client. Its secret is in this answer and nowhere else.

        Raises:
            CallerError: No such person, scope or label; or a publish key for somebody who does not share.
            PlatformError: It was not saved.
        """
        if scope not in KEY_SCOPES or len(label) > LABEL_CHARS_MAX or not label.isprintable():
            raise CallerError(ErrorCode.MALFORMED, catalogue().say("account.key_malformed"))
        secret = new_secret(KEY_PREFIX)
        number = await self._next_credential()
        async with self._changing:
            person = self._known(person_id)
            if scope == PUBLISH and person.sharer == NOT_A_SHARER:
                raise CallerError(ErrorCode.CONFLICT, catalogue().say("account.not_a_sharer"))
            if len(self._keys.of_person(person_id)) >= KEYS_OF_ONE_MAX:
                sentence = catalogue().say("account.too_many_keys", most=KEYS_OF_ONE_MAX)
                raise CallerError(ErrorCode.TOO_MANY, sentence)
            stored = StoredKey(new_uuid(), number, person.id, scope, label, secret_hash(secret), now_ms, 0)
            await self._store.commit(AccountChange(keys=(stored,)))
            self._keys.put(stored)
        return shown(stored, secret)

    async def add_publish_keys(self, people: Sequence[Person], now_ms: int) -> list[Key]:
        """A publish key for each of many sharers in one transaction, for imports and figures.

        Raises:
            PlatformError: It was not saved; nobody got one.
        """
        async with self._changing:
            first = await self._store.reserve_credentials(len(people))
            secrets = [new_secret(KEY_PREFIX) for _ in people]
            stored = tuple(
                StoredKey(new_uuid(), first + at, person.id, PUBLISH, "", secret_hash(secret), now_ms, 0)
                for at, (person, secret) in enumerate(zip(people, secrets, strict=True))
            )
            await self._store.commit(AccountChange(keys=stored))
            for key in stored:
                self._keys.put(key)
        return [shown(key, secret) for key, secret in zip(stored, secrets, strict=True)]

    def keys_of(self, person_id: str) -> list[Key]:
        """One person's keys, without their secrets."""
        return [shown(key, "") for key in self._keys.of_person(person_id)]

    async def revoke_key(self, *, key_id: str, now_ms: int) -> None:
        """Withdraw a key, at once and for good.

        Raises:
            CallerError: There is no such key.
            PlatformError: It was not saved; in this process it is withdrawn all the same.
        """
        async with self._changing:
            key = self._keys.key(key_id)
            if key is None:
                raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("account.no_such_key"))
            revoked = msgspec.structs.replace(key, revoked_ms=now_ms)
            self._keys.put(revoked)
            # Both, so that an old copy of the accounts put back in place does not bring it back.
            await self._grants.withdraw_key(key.credential, now_ms)
            await self._store.commit(AccountChange(keys=(revoked,)))

    # Share

    async def add_share_credential(self, *, name: str, password: str, now_ms: int) -> ShareCredential:
        """A Share credential for the person of this name, who is added and made a sharer if need be.

        Raises:
            CallerError: There is one of this name (`CONFLICT`), or something cannot be.
            PlatformError: It was not saved.
        """
        self.share.check_free(name)
        hashed = await self._passwords.hashed(password)
        person = self._people.named(name) or await self.add_person(name=name, password=None, now_ms=now_ms)
        person = await self.make_sharer(person.id, now_ms)
        number = await self._next_credential()
        return await self.share.add(name=name, person=person, hashed=hashed, credential=number, now_ms=now_ms)

    # Keeping

    async def tend(self, now_ms: int) -> None:
        """What has to be done now and then, about once a minute: nothing a caller waits for.

        Raises:
            PlatformError: Something was not saved; it is tried again the next time.
        """
        failed = None
        for work in (
            self._tell_many(sorted(self._unjournaled), now_ms),
            self._grants.tend(),
            self.share.tend(now_ms),
        ):
            try:
                await work
            except PlatformError as error:
                failed = failed or error  # one of them down does not stop the others
        if failed is not None:
            raise failed

    async def reconcile(self, known: NDArray[np.int64], now_ms: int) -> int:
        """Journal every sharer the journal does not know, after a crash between store and journal; how many.

        Raises:
            PlatformError: The journal did not take one.
        """
        missing = self._people.sharers_but(known)
        await self._tell_many(missing, now_ms)
        return len(missing)

    def _known(self, person_id: str) -> Person:
        person = self._people.person(person_id)
        if person is None:
            raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("account.no_such_person"))
        return person

    async def _keep(self, stored: StoredPerson) -> None:
        await self._store.commit(AccountChange(people=(stored,)))
        self._people.put(stored)

    async def _tell_many(self, sharers: Sequence[int], now_ms: int) -> None:
        self._unjournaled.update(sharers)  # all, before the first can fail: `tend` tells the rest
        for start in range(0, len(sharers), TOLD_AT_ONCE):
            await asyncio.gather(*[self._tell(one, now_ms) for one in sharers[start : start + TOLD_AT_ONCE]])

    async def _tell(self, sharer: int, now_ms: int) -> None:
        await self._journal.sharer_added(sharer, now_ms)
        self._unjournaled.discard(sharer)

    async def _reserve(self) -> None:
        first = await self._store.reserve_credentials(RESERVED_AT_ONCE)
        self._numbers = iter(range(first, first + RESERVED_AT_ONCE))

    async def _next_credential(self) -> int:
        async with self._reserving:
            number = next(self._numbers, None)
            if number is None:
                await self._reserve()
                number = next(self._numbers)
            return number

    def _granted(self, person_id: str, device: str, credential: int, now_ms: int) -> SignedIn:
        token, grant = self._grants.give(person_id, device, credential, now_ms)
        return SignedIn(
            token, grant.expires_ms, renew_ms(grant), identity_of(grant, self._known(person_id).sharer)
        )
