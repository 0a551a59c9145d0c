"""Follows: invited, accepted, confirmed, paused, ended. First stored, then journaled, then answered.

What a crash or a full journal leaves between store and journal is told to the journal again: by `tend` while
running, by `reconcile` at the next start.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from nightbell.account.person import NOT_A_SHARER, Person
from nightbell.account.service import Accounts
from nightbell.follow.book import FollowBook, Invitations
from nightbell.follow.defaults import default_limits
from nightbell.follow.follow import Follow, FollowState, Invitation, InvitationView
from nightbell.follow.guardrails import Guardrail, check
from nightbell.follow.lifecycle import Role, Verb, moved, refusal, role_of
from nightbell.follow.limits import Limits
from nightbell.follow.ports import (
    FollowChange,
    FollowJournal,
    FollowStore,
    LoadedFollows,
    StoredInvitation,
)
from nightbell.follow.standing import KnownFollows, derived, differing, standing
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.identity import new_secret, new_uuid, secret_hash

INVITATION_PREFIX: Final = "nbi_"
SECRET_CHARS_MAX: Final = 64
INVITATION_LASTS_MS: Final = 48 * 3_600_000
INVITATIONS_OPEN_MAX: Final = 50
FOLLOWERS_MAX: Final = 20
"""Dexcom lets 10 follow a sharer, LibreLinkUp 20 (dexcom-share sheet, section 5)."""

FOLLOWED_MAX: Final = 2000
"""A school or a clinic follows many with one account."""

LOOKED_AT_ONCE: Final = 500
"""Follows compared at a start before others have their turn: about two milliseconds."""

TOLD_AT_ONCE: Final = 500
"""Facts handed to the journal before it is waited for: well below what its queue holds."""


class NewFollow(NamedTuple):
    """A follow made without an invitation: by an operator, for the demonstration, for figures."""

    sharer: str
    follower: str
    limits: Limits | None = None
    may_see_graph: bool = True
    may_be_told: bool = True


class Follows:
    """Who follows whom. All methods run on one event loop."""

    def __init__(self, store: FollowStore, journal: FollowJournal, accounts: Accounts) -> None:
        self._store = store
        self._journal = journal
        self._accounts = accounts
        self._book = FollowBook()
        self._invitations = Invitations()
        self._reading: asyncio.Future[LoadedFollows] | None = None
        self._changing = asyncio.Lock()
        self._untold: dict[int, int] = {}
        self._turn = 0

    def read(self) -> asyncio.Future[LoadedFollows]:
        """Begin to ask the store for everything, which `start` waits for: time to do something else."""
        self._reading = asyncio.ensure_future(self._store.load())
        # Where a start fails before it waits for this, that failure is what people hear of.
        self._reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._reading

    async def start(self) -> None:
        """Take everything over; from now on a follower's changed zone is journaled.

        Raises:
            PlatformError: The store cannot be read.
        """
        loaded = await (self._reading or self.read())
        self._reading = None
        self._book.load(loaded.follows, self._accounts.ids(), self._accounts.sharer_rows())
        for invitation in loaded.invitations:
            self._invitations.put(invitation)
        self._accounts.subscribe(self._person_changed)

    # Looking

    def follow(self, follow_id: str) -> Follow | None:
        """The follow of this id, ended or not."""
        return self._book.follow(follow_id)

    def numbered(self, number: int) -> Follow | None:
        """The follow of this number, ended or not."""
        return self._book.numbered(number)

    def of_follower(self, person_id: str) -> list[Follow]:
        """Whom this person follows; ended ones left out."""
        return self._book.of_follower(person_id)

    def of_sharer(self, person_id: str) -> list[Follow]:
        """Who follows this person; ended ones left out."""
        return self._book.of_sharer(person_id)

    def between(self, sharer: str, follower: str) -> Follow | None:
        """The follow between these two people, unless it has ended."""
        return self._book.between(sharer, follower)

    def everybody(self) -> Iterable[Follow]:
        """All follows that have not ended."""
        return self._book.live()

    # Inviting

    async def invite(self, *, sharer: str, may_see_graph: bool, may_be_told: bool, now_ms: int) -> Invitation:
        """An invitation; its secret is in this answer and nowhere else.

        Raises:
            CallerError: The person does not share, or has too many open invitations.
            PlatformError: It was not saved.
        """
        person = self._person(sharer)
        if person.sharer == NOT_A_SHARER:
            raise _wrong(ErrorCode.CONFLICT, "follow.not_a_sharer")
        secret = new_secret(INVITATION_PREFIX)
        expires_ms = now_ms + INVITATION_LASTS_MS
        stored = StoredInvitation(
            new_uuid(), secret_hash(secret), sharer, may_see_graph, may_be_told, expires_ms
        )
        async with self._changing:
            if len(self._invitations.of_sharer(sharer, now_ms)) >= INVITATIONS_OPEN_MAX:
                raise _wrong(ErrorCode.TOO_MANY, "follow.too_many_invitations", most=INVITATIONS_OPEN_MAX)
            await self._store.commit(FollowChange(invitations=(stored,)))
            self._invitations.put(stored)
        return _invitation(stored, secret)

    def invitation(self, secret: str, now_ms: int) -> InvitationView | None:
        """What the link offers; looking changes nothing. None if it is unknown, used or too old."""
        stored = self._invitations.opened_by(_hashed(secret), now_ms)
        sharer = None if stored is None else self._accounts.person(stored.sharer)
        if stored is None or sharer is None:
            return None
        return InvitationView(sharer.name, stored.may_see_graph, stored.may_be_told, stored.expires_ms)

    def invitations_of(self, sharer: str, now_ms: int) -> list[Invitation]:
        """One sharer's open invitations, without their secrets."""
        return [_invitation(one, "") for one in self._invitations.of_sharer(sharer, now_ms)]

    async def withdraw(self, *, invitation_id: str, by: str, now_ms: int) -> None:
        """Take an open invitation back.

        Raises:
            CallerError: This person has no such invitation.
            PlatformError: It was not saved.
        """
        async with self._changing:
            mine = {one.id: one for one in self._invitations.of_sharer(by, now_ms)}
            stored = mine.get(invitation_id)
            if stored is None:
                raise _wrong(ErrorCode.NOT_FOUND, "follow.no_such_invitation")
            await self._store.commit(FollowChange(invitations_dropped=(stored.id,)))
            self._invitations.drop(stored)

    async def accept(self, *, secret: str, follower: str, now_ms: int) -> Follow:
        """Use an invitation up. The follow waits for the sharer to confirm it.

        Raises:
            CallerError: Unknown, used or too old (`EXPIRED`); one's own; followed already; no place left.
            PlatformError: It was not saved, or not journaled.
        """
        person = self._person(follower)
        async with self._changing:
            stored = self._invitations.opened_by(_hashed(secret), now_ms)
            sharer = None if stored is None else self._accounts.person(stored.sharer)
            if stored is None or sharer is None:
                raise _wrong(ErrorCode.EXPIRED, "follow.invitation_over")
            self._check_room(sharer, person)
            follow = Follow(
                id=new_uuid(),
                number=self._book.next_number,
                sharer=sharer.id,
                sharer_number=sharer.sharer,
                follower=person.id,
                state=FollowState.ACCEPTED,
                may_see_graph=stored.may_see_graph,
                may_be_told=stored.may_be_told,
                limits=derived(default_limits(person.unit)).limits,
                since_ms=now_ms,
            )
            await self._store.commit(FollowChange(follows=(follow,), invitations_dropped=(stored.id,)))
            self._invitations.drop(stored)
            self._book.put(follow)
            told = self._tell(follow, by=follower, now_ms=now_ms)
        await told
        return follow

    async def add_many(self, wanted: Sequence[NewFollow], now_ms: int) -> list[Follow]:
        """Active follows without invitations, in one transaction: by an operator, for imports and figures.

        Raises:
            CallerError: Somebody is unknown, does not share, follows twice, or a limit cannot be.
            PlatformError: They were not saved, or not all journaled; `tend` journals the rest.
        """
        async with self._changing:
            first = self._book.next_number
            made = [self._made(one, first + at, now_ms) for at, one in enumerate(wanted)]
            if len({(one.sharer, one.follower) for one in made}) < len(made):
                raise _wrong(ErrorCode.CONFLICT, "follow.follows_already")
            await self._store.commit(FollowChange(follows=tuple(made)))
            for follow in made:
                self._book.put(follow)
        await self._tell_many(made, by="", now_ms=now_ms)
        return made

    # Changing

    async def confirm(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """The sharer says yes: from now on the follower sees and is told."""
        return await self._move(follow_id, Verb.CONFIRM, by, now_ms)

    async def refuse(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """The sharer says no."""
        return await self._move(follow_id, Verb.REFUSE, by, now_ms)

    async def pause(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """Either stops seeing and telling for a while."""
        return await self._move(follow_id, Verb.PAUSE, by, now_ms)

    async def resume(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """Go on. What the sharer paused only the sharer resumes."""
        return await self._move(follow_id, Verb.RESUME, by, now_ms)

    async def end(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """Either ends it for good."""
        return await self._move(follow_id, Verb.END, by, now_ms)

    async def set_permissions(
        self, *, follow_id: str, by: str, may_see_graph: bool, may_be_told: bool, now_ms: int
    ) -> Follow:
        """The sharer changes what the follower may.

        Raises:
            CallerError: No such follow for this person, not the sharer, or it is over.
            PlatformError: It was not saved, or not journaled.
        """
        async with self._changing:
            follow, role = self._mine(follow_id, by)
            if role is not Role.SHARER:
                raise _wrong(ErrorCode.NOT_ALLOWED, "follow.only_the_sharer")
            changed = msgspec.structs.replace(follow, may_see_graph=may_see_graph, may_be_told=may_be_told)
            told = await self._keep(follow, changed, by, now_ms)
        await told
        return changed

    async def set_limits(self, *, follow_id: str, by: str, limits: Limits, now_ms: int) -> Follow:
        """The follower chooses; evaluated at once.

        Raises:
            CallerError: No such follow for this person, not the follower, it is over, or a guardrail holds
                (`GUARDRAIL`, with the fields `condition` and `reason`).
            PlatformError: It was not saved, or not journaled.
        """
        async with self._changing:
            follow, role = self._mine(follow_id, by)
            if role is not Role.FOLLOWER:
                raise _wrong(ErrorCode.NOT_ALLOWED, "follow.only_the_follower")
            _check_limits(limits)
            changed = msgspec.structs.replace(follow, limits=derived(limits).limits)
            told = await self._keep(follow, changed, by, now_ms)
        await told
        return changed

    # Keeping

    async def tend(self, now_ms: int) -> None:
        """What is done about once a minute: journal what the journal did not take, forget old links.

        Raises:
            PlatformError: Something was not saved or journaled; it is tried again the next time.
        """
        untold = [follow for number in list(self._untold) if (follow := self.numbered(number)) is not None]
        await self._tell_many(untold, by="", now_ms=now_ms)
        async with self._changing:
            over = self._invitations.over(now_ms)
            if over:
                await self._store.commit(FollowChange(invitations_dropped=tuple(one.id for one in over)))
                for invitation in over:
                    self._invitations.drop(invitation)

    async def reconcile(self, known: KnownFollows, now_ms: int) -> int:
        """Journal every follow whose state the journal knows otherwise, after a crash; how many there were.

        Args:
            known: By follow number, the last `FollowSet` of each follow that has not ended in the journal.
            now_ms: Processing time.

        Raises:
            PlatformError: The journal did not take one.
        """
        if known.newest >= 0:
            # A store put back from an old copy must not give out numbers that the journal knows.
            self._book.keep_free(known.newest)
        suspects = known.suspects(self._book.columns(self._zone))
        count, failed = 0, None
        for start in range(0, len(suspects), LOOKED_AT_ONCE):
            some = self._book.some(suspects[start : start + LOOKED_AT_ONCE].tolist())
            stale = list(differing(some, self._zone, known))
            try:
                await self._tell_many(stale, by="", now_ms=now_ms)
            except PlatformError as error:
                failed = failed or error
            count += len(stale)
            await asyncio.sleep(0)
        if failed is not None:
            raise failed
        return count

    @property
    def untold(self) -> int:
        """How many follows stand in the store otherwise than in the journal."""
        return len(self._untold)

    async def _move(self, follow_id: str, verb: Verb, by: str, now_ms: int) -> Follow:
        async with self._changing:
            follow, role = self._mine(follow_id, by, over=True)
            changed = moved(follow, verb, role, now_ms)
            if changed is None:
                key = refusal(follow, verb, role)
                code = ErrorCode.NOT_ALLOWED if key == "follow.only_the_sharer" else ErrorCode.CONFLICT
                raise _wrong(code, key)
            told = await self._keep(follow, changed, by, now_ms)
        await told
        return changed

    async def _keep(self, before: Follow, after: Follow, by: str, now_ms: int) -> Awaitable[None]:
        """Store a change and hand it to the journal; what is returned waits for the journal."""
        if before == after and after.number not in self._untold:
            return _nothing()
        await self._store.commit(FollowChange(follows=(after,)))
        self._book.put(after)
        return self._tell(after, by=by, now_ms=now_ms)

    def _tell(self, follow: Follow, *, by: str, now_ms: int) -> Awaitable[None]:
        """Hand the journal what it must know now, in the order of the changes."""
        follow = self._book.numbered(follow.number) or follow  # as it is now: facts go in order
        turn = self._mark(follow.number)
        fact = standing(follow, self._zone(follow.follower), by=by, at_ms=now_ms)
        try:
            durable = self._journal.append_fact(fact)
        except PlatformError as error:
            return _failed(error)
        return self._told(follow.number, turn, durable)

    async def _told(self, number: int, turn: int, durable: Awaitable[object]) -> None:
        try:
            await durable
        except PlatformError as error:
            raise _saved_only(error) from error
        if self._untold.get(number) == turn:  # else a later change is on its way
            del self._untold[number]

    def _mark(self, number: int) -> int:
        self._turn += 1
        self._untold[number] = self._turn
        return self._turn

    async def _tell_many(self, follows: Sequence[Follow], *, by: str, now_ms: int) -> None:
        for follow in follows:
            self._mark(follow.number)  # all, before the first can fail: `tend` tells the rest
        for start in range(0, len(follows), TOLD_AT_ONCE):
            some = follows[start : start + TOLD_AT_ONCE]
            await asyncio.gather(*[self._tell(follow, by=by, now_ms=now_ms) for follow in some])

    async def _person_changed(self, person: Person, now_ms: int) -> None:
        """Hours are in the follower's zone: journal it again where they moved."""
        await self._tell_many(self.of_follower(person.id), by=person.id, now_ms=now_ms)

    def _zone(self, person_id: str) -> str:
        person = self._accounts.person(person_id)
        return "" if person is None else person.zone

    def _person(self, person_id: str) -> Person:
        person = self._accounts.person(person_id)
        if person is None:
            raise _wrong(ErrorCode.NOT_FOUND, "follow.no_such_person")
        return person

    def _mine(self, follow_id: str, by: str, *, over: bool = False) -> tuple[Follow, Role]:
        """The follow, if this person is one of the two; to everybody else it does not exist."""
        follow = self._book.follow(follow_id)
        role = None if follow is None else role_of(follow, by)
        if follow is None or role is None:
            raise _wrong(ErrorCode.NOT_FOUND, "follow.no_such_follow")
        if follow.state is FollowState.ENDED and not over:
            raise _wrong(ErrorCode.CONFLICT, "follow.is_over")
        return follow, role

    def _check_room(self, sharer: Person, follower: Person) -> None:
        if sharer.id == follower.id:
            raise _wrong(ErrorCode.CONFLICT, "follow.own_invitation")
        if self._book.between(sharer.id, follower.id) is not None:
            raise _wrong(ErrorCode.CONFLICT, "follow.follows_already")
        if len(self._book.of_sharer(sharer.id)) >= FOLLOWERS_MAX:
            raise _wrong(ErrorCode.TOO_MANY, "follow.no_place_left", most=FOLLOWERS_MAX)
        if len(self._book.of_follower(follower.id)) >= FOLLOWED_MAX:
            raise _wrong(ErrorCode.TOO_MANY, "follow.follows_too_many", most=FOLLOWED_MAX)

    def _made(self, wanted: NewFollow, number: int, now_ms: int) -> Follow:
        sharer, follower = self._person(wanted.sharer), self._person(wanted.follower)
        if sharer.sharer == NOT_A_SHARER:
            raise _wrong(ErrorCode.CONFLICT, "follow.not_a_sharer")
        if sharer.id == follower.id or self._book.between(sharer.id, follower.id) is not None:
            raise _wrong(ErrorCode.CONFLICT, "follow.follows_already")
        limits = wanted.limits or default_limits(follower.unit)
        _check_limits(limits)
        return Follow(
            id=new_uuid(),
            number=number,
            sharer=sharer.id,
            sharer_number=sharer.sharer,
            follower=follower.id,
            state=FollowState.ACTIVE,
            may_see_graph=wanted.may_see_graph,
            may_be_told=wanted.may_be_told,
            limits=derived(limits).limits,
            since_ms=now_ms,
        )


@lru_cache(maxsize=4096)
def _held(limits: Limits) -> tuple[Guardrail, ...]:
    return tuple(check(limits))


def _check_limits(limits: Limits) -> None:
    held = _held(limits)
    if held:
        first = held[0]
        sentence = catalogue().say(first.reason, **dict(first.slots))
        raise CallerError(ErrorCode.GUARDRAIL, sentence, condition=first.condition.word, reason=first.reason)


def _invitation(stored: StoredInvitation, secret: str) -> Invitation:
    return Invitation(
        stored.id, stored.sharer, stored.may_see_graph, stored.may_be_told, stored.expires_ms, secret
    )


def _hashed(secret: str) -> bytes:
    """What an invitation is found by; nothing is found by what cannot be a secret."""
    return secret_hash(secret) if len(secret) <= SECRET_CHARS_MAX and secret.isascii() else b""


def _wrong(code: ErrorCode, key: str, **slots: str | int) -> CallerError:
    return CallerError(code, catalogue().say(key, **slots))


def _saved_only(error: PlatformError) -> PlatformError:
    return PlatformError(error.code, catalogue().say("follow.saved_only"), retry_after_s=error.retry_after_s)


async def _nothing() -> None:
    """Nothing to wait for."""


async def _failed(error: PlatformError) -> None:
    """The journal took nothing: said when it is waited for."""
    raise _saved_only(error) from error
