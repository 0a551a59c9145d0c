"""What the control socket can do, in terms of the services: the same changes as on the web, by an operator.

Whoever may open the socket owns the data directory, so the operator acts for anybody: invites for the sharer,
accepts for the follower. Every change still goes through the services, with their checks and their journal.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from nightbell.account.person import NOT_A_SHARER, Person
from nightbell.account.service import Accounts
from nightbell.app.control import Command
from nightbell.app.control_words import (
    Done,
    FollowAccept,
    FollowConfirm,
    FollowInvite,
    FollowList,
    FollowRow,
    FollowRows,
    Health,
    Imported,
    ImportedReading,
    Invited,
    KeyAdd,
    KeyAdded,
    KeyRevoke,
    Nothing,
    People,
    PersonAdd,
    PersonRow,
    ReadingsImport,
    Status,
    StatusLine,
)
from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.service import Follows
from nightbell.publish.admit import FUTURE_MS_MAX
from nightbell.publish.reading import Reading
from nightbell.words.clock import Clock
from nightbell.words.errors import CallerError, ErrorCode
from nightbell.words.glucose import is_level
from nightbell.words.trend import Trend

IMPORT_SOURCE: Final = 0
"""The `source` of readings that no credential sent (`publish/reading.py`)."""

MEASURED_MS_MIN: Final = 946_684_800_000
"""The year 2000: no continuous sensor is older, so an earlier time is a broken clock."""

DAY_MS: Final = 86_400_000


class FilesReadings(Protocol):
    """What an import needs of history."""

    def file_readings(self, readings: Sequence[Reading]) -> Awaitable[None]:
        """File readings under their own times."""
        ...


class ControlCommands:
    """The commands of one platform.

    Args:
        accounts: Who is who.
        follows: Who may see whom.
        history: Where imports go.
        health: How the platform is now.
        status: The numbers to look at first.
        link: Makes the link of an invitation from its secret.
        history_days: How long readings are kept, to say which imports will not stay.
        clock: The time of day.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        follows: Follows,
        history: FilesReadings,
        health: Callable[[], Health],
        status: Callable[[], Awaitable[list[StatusLine]]],
        link: Callable[[str], str],
        history_days: int,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._follows = follows
        self._history = history
        self._health = health
        self._status = status
        self._link = link
        self._history_days = history_days
        self._clock = clock

    def registry(self) -> Mapping[str, Command[Any]]:
        """Every command by its name."""
        return {
            "person.add": Command(PersonAdd, self.person_add),
            "person.list": Command(Nothing, self.person_list),
            "follow.invite": Command(FollowInvite, self.follow_invite),
            "follow.accept": Command(FollowAccept, self.follow_accept),
            "follow.confirm": Command(FollowConfirm, self.follow_confirm),
            "follow.list": Command(FollowList, self.follow_list),
            "key.add": Command(KeyAdd, self.key_add),
            "key.revoke": Command(KeyRevoke, self.key_revoke),
            "readings.import": Command(ReadingsImport, self.readings_import),
            "health": Command(Nothing, self.health),
            "status": Command(Nothing, self.status),
        }

    async def person_add(self, asked: PersonAdd) -> PersonRow:
        """Add a person who signs in; with `share`, a Share credential, for a new person or one there already.

        Raises:
            NightbellError: The name is taken, or something cannot be.
        """
        now_ms = self._clock.now_ms()
        if not asked.share:
            person = await self._accounts.add_person(
                name=asked.name,
                password=asked.password,
                email=asked.email,
                unit=asked.unit,
                zone=asked.zone,
                now_ms=now_ms,
            )
            return _person_row(person)
        self._accounts.share.check_free(asked.name)
        if self._accounts.person_named(asked.name) is None:
            await self._accounts.add_person(
                name=asked.name,
                password=None,
                email=asked.email,
                unit=asked.unit,
                zone=asked.zone,
                now_ms=now_ms,
            )
        await self._accounts.add_share_credential(name=asked.name, password=asked.password, now_ms=now_ms)
        return _person_row(self._named(asked.name))

    async def person_list(self, _asked: Nothing) -> People:
        """Everybody but the canaries, by name."""
        rows = [_person_row(person) for person in self._accounts.people() if not person.hidden]
        return People(sorted(rows, key=lambda row: row.name.casefold()))

    async def follow_invite(self, asked: FollowInvite) -> Invited:
        """Invite somebody to follow this person, who becomes a sharer by it.

        Raises:
            NightbellError: There is no such person, or too many invitations are open.
        """
        now_ms = self._clock.now_ms()
        sharer = await self._as_sharer(asked.sharer)
        invitation = await self._follows.invite(
            sharer=sharer.id, may_see_graph=asked.may_see_graph, may_be_told=asked.may_be_told, now_ms=now_ms
        )
        return Invited(invitation.secret, self._link(invitation.secret), invitation.expires_ms)

    async def follow_accept(self, asked: FollowAccept) -> FollowRow:
        """Accept an invitation by its secret or its link.

        Raises:
            NightbellError: It is over, or this person cannot accept it.
        """
        follow = await self._follows.accept(
            secret=_secret_of(asked.secret),
            follower=self._named(asked.follower).id,
            now_ms=self._clock.now_ms(),
        )
        return self._row(follow)

    async def follow_confirm(self, asked: FollowConfirm) -> FollowRow:
        """Confirm for the sharer.

        Raises:
            NightbellError: There is no such follow, or it waits for nobody.
        """
        follow = self._asked_follow(asked)
        confirmed = await self._follows.confirm(
            follow_id=follow.id, by=follow.sharer, now_ms=self._clock.now_ms()
        )
        return self._row(confirmed)

    async def follow_list(self, asked: FollowList) -> FollowRows:
        """Follows that are not over.

        Raises:
            NightbellError: There is no such person.
        """
        if asked.person:
            person = self._named(asked.person)
            follows = [*self._follows.of_sharer(person.id), *self._follows.of_follower(person.id)]
        else:
            follows = list(self._follows.everybody())
        rows = [self._row(follow) for follow in follows if self._shown(follow)]
        return FollowRows(sorted(rows, key=lambda row: (row.sharer.casefold(), row.follower.casefold())))

    async def key_add(self, asked: KeyAdd) -> KeyAdded:
        """Make a key; one to publish makes the person a sharer.

        Raises:
            NightbellError: There is no such person, or they have too many keys.
        """
        publishes = asked.scope == "publish"
        person = await self._as_sharer(asked.person) if publishes else self._named(asked.person)
        key = await self._accounts.add_key(
            person_id=person.id, scope=asked.scope, label=asked.label, now_ms=self._clock.now_ms()
        )
        return KeyAdded(key.id, key.secret)

    async def key_revoke(self, asked: KeyRevoke) -> Done:
        """End a key.

        Raises:
            NightbellError: There is no such key.
        """
        await self._accounts.revoke_key(key_id=asked.key, now_ms=self._clock.now_ms())
        return Done()

    async def readings_import(self, asked: ReadingsImport) -> Imported:
        """File readings into history under their own times; they never ring.

        Raises:
            NightbellError: There is no such person, or history could not keep them.
        """
        now_ms = self._clock.now_ms()
        sharer = await self._as_sharer(asked.sharer)
        readings = [
            Reading(sharer.sharer, one.measured_ms, now_ms, one.level, one.trend, IMPORT_SOURCE)
            for one in asked.readings
            if _possible(one, now_ms)
        ]
        if readings:
            await self._history.file_readings(readings)
        kept_from_ms = now_ms - self._history_days * DAY_MS
        expiring = sum(reading.measured_ms < kept_from_ms for reading in readings)
        return Imported(len(readings), len(asked.readings) - len(readings), expiring)

    async def health(self, _asked: Nothing) -> Health:
        """How the platform is."""
        return self._health()

    async def status(self, _asked: Nothing) -> Status:
        """The numbers to look at first."""
        return Status(self._health(), await self._status())

    def _named(self, name: str) -> Person:
        person = self._accounts.person_named(name)
        if person is None or person.hidden:
            raise CallerError(
                ErrorCode.NOT_FOUND, f"There is nobody called {name}. See: nightbell person list"
            )
        return person

    async def _as_sharer(self, name: str) -> Person:
        person = self._named(name)
        if person.sharer != NOT_A_SHARER:
            return person
        return await self._accounts.make_sharer(person.id, self._clock.now_ms())

    def _asked_follow(self, asked: FollowConfirm) -> Follow:
        if asked.follow:
            follow = self._follows.follow(asked.follow)
        else:
            sharer, follower = self._named(asked.sharer), self._named(asked.follower)
            follow = self._follows.between(sharer.id, follower.id)
        if follow is None:
            raise CallerError(ErrorCode.NOT_FOUND, "There is no such follow. See: nightbell follow list")
        return follow

    def _row(self, follow: Follow) -> FollowRow:
        return FollowRow(
            follow.id,
            self._name(follow.sharer),
            self._name(follow.follower),
            follow.state,
            follow.may_see_graph,
            follow.may_be_told,
        )

    def _name(self, person_id: str) -> str:
        person = self._accounts.person(person_id)
        return "" if person is None else person.name

    def _shown(self, follow: Follow) -> bool:
        sharer = self._accounts.person(follow.sharer)
        return follow.state is not FollowState.ENDED and sharer is not None and not sharer.hidden


def _person_row(person: Person) -> PersonRow:
    return PersonRow(person.id, person.name, person.email, person.unit, person.zone, person.sharer)


def _secret_of(link: str) -> str:
    """The secret of an invitation: what follows the last `/`, `#` or `=` of its link."""
    for sign in "/#=":
        link = link.rpartition(sign)[2]
    return link.strip()


def _possible(one: ImportedReading, now_ms: int) -> bool:
    in_time = MEASURED_MS_MIN <= one.measured_ms <= now_ms + FUTURE_MS_MAX
    return in_time and is_level(one.level) and 0 <= one.trend <= max(Trend)
