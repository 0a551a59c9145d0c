"""The one door to somebody's readings: who may see what, and a record of who looked.

Not allowed and not there look the same. The record is written before the answer, but never stands in its
way: when it cannot be written the follower still sees, the looks wait in memory, and what does not fit there
any more is counted in the record itself.
"""

from typing import Final

from nightbell.account.identity import FOLLOW, SHARE, Identity
from nightbell.account.service import Accounts
from nightbell.follow.follow import Sight
from nightbell.follow.look import Look, first_broken
from nightbell.follow.ports import LookRecord
from nightbell.follow.service import Follows
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode

ONE_LOOK_MS: Final = 60_000
"""A screen that asks every few seconds is one look a minute."""

KEPT_MS: Final = 90 * 86_400_000
"""As long as history is kept."""

LATELY_MAX: Final = 200_000
WHAT_CHARS_MAX: Final = 40
LOOKS_AT_ONCE_MAX: Final = 1000


class Access:
    """Who may see whose readings."""

    def __init__(self, accounts: Accounts, follows: Follows, record: LookRecord) -> None:
        self._accounts = accounts
        self._follows = follows
        self._record = record
        self._lately: dict[tuple[str, int, str], int] = {}

    def may_see(self, *, viewer: Identity, sharer: int) -> Sight:
        """What this identity may see of this sharer now."""
        person = self._accounts.sharer(sharer)
        if person is None:
            return Sight.NOTHING
        if person.id == viewer.person:
            return Sight.GRAPH if FOLLOW in viewer.scopes or SHARE in viewer.scopes else Sight.NOTHING
        if FOLLOW not in viewer.scopes:
            return Sight.NOTHING
        follow = self._follows.between(person.id, viewer.person)
        return Sight.NOTHING if follow is None else follow.sight

    def is_sharer(self, person: str, sharer: int) -> bool:
        """Whether this person is that sharer."""
        found = self._accounts.sharer(sharer)
        return found is not None and found.id == person

    async def open(self, *, viewer: Identity, sharer: int, what: str, now_ms: int) -> Sight:
        """What may be seen; others' looks are written down, the sharer's own are not.

        Raises:
            CallerError: There is no such sharer, or not for this viewer (`NOT_FOUND`, the same for both).
        """
        sight = self.may_see(viewer=viewer, sharer=sharer)
        if sight is Sight.NOTHING:
            raise CallerError(ErrorCode.NOT_FOUND, catalogue().say("follow.nothing_here"))
        person = self._accounts.sharer(sharer)
        if person is not None and person.id != viewer.person:
            look = Look(now_ms, viewer.person, sharer, what[:WHAT_CHARS_MAX], viewer.credential)
            if self._is_new(look):
                await self._record.write_down(look)
        return sight

    async def looks(self, *, sharer_person: str, limit: int) -> list[Look]:
        """Who looked at this person's readings, newest first.

        Raises:
            PlatformError: The record cannot be read now.
        """
        person = self._accounts.person(sharer_person)
        if person is None or person.sharer < 0:
            return []
        limit = max(0, min(limit, LOOKS_AT_ONCE_MAX))
        return [link.look for link in await self._record.of_sharer(person.sharer, limit)]

    async def first_broken(self) -> int | None:
        """Walk the whole record: number of the first link that was tampered with or lost; None if all hold.

        Raises:
            PlatformError: The record cannot be read now.
        """
        before = await self._record.anchor_hash()
        number = 0
        expected = None
        while links := await self._record.links(number, LOOKS_AT_ONCE_MAX):
            if expected is not None and links[0].number != expected:
                return links[0].number
            broken = first_broken(links, before)
            if broken is not None:
                return broken
            number, before = links[-1].number, links[-1].hash
            expected = number + 1
        return None

    async def tend(self, now_ms: int) -> None:
        """Write down what waits, and forget what is too old; about once a minute.

        Raises:
            PlatformError: The record cannot be written now.
        """
        await self._record.tend(now_ms - KEPT_MS)

    def _is_new(self, look: Look) -> bool:
        key = (look.viewer, look.sharer, look.what)
        last_ms = self._lately.get(key)
        if last_ms is not None and 0 <= look.at_ms - last_ms < ONE_LOOK_MS:
            return False
        if len(self._lately) >= LATELY_MAX:
            fresh = {one: at for one, at in self._lately.items() if look.at_ms - at < ONE_LOOK_MS}
            self._lately = fresh if len(fresh) < LATELY_MAX else {}
        self._lately[key] = look.at_ms
        return True
