"""Every follow and every open invitation, in memory: what every look and every alarm asks.

Three million follows take some 270 MB as columns; a follow is made anew whenever somebody asks.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.account.index import Index
from nightbell.account.packed import halves, id_bytes, id_halves, id_text
from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.limits import Limits
from nightbell.follow.packed import STATES, FollowColumns, PackedFollows
from nightbell.follow.ports import StoredInvitation
from nightbell.words.table import NO_ROW, Table, check_numbers

_FOLLOWS: Final = (
    ("id_high", np.uint64, 0),
    ("id_low", np.uint64, 0),
    ("sharer", np.int32, NO_ROW),
    ("sharer_number", np.int32, NO_ROW),
    ("follower", np.int32, NO_ROW),
    ("state", np.int8, 0),
    ("may_see_graph", np.bool_, False),
    ("may_be_told", np.bool_, False),
    ("limits", np.int32, 0),
    ("since_ms", np.int64, 0),
    ("paused_by", np.int32, NO_ROW),
    ("next_of_sharer", np.int32, NO_ROW),
    ("next_of_follower", np.int32, NO_ROW),
)

_PEOPLE: Final = (
    ("id_high", np.uint64, 0),
    ("id_low", np.uint64, 0),
    ("first_as_sharer", np.int32, NO_ROW),
    ("first_as_follower", np.int32, NO_ROW),
)

_ENDED: Final = STATES.index(FollowState.ENDED)
_ACTIVE: Final = STATES.index(FollowState.ACTIVE)
_SIDES: Final = (
    ("sharer", "first_as_sharer", "next_of_sharer"),
    ("follower", "first_as_follower", "next_of_follower"),
)


class FollowBook:
    """Follows by number, by id, and by the two people. What a person has is a chain through the columns."""

    def __init__(self) -> None:
        self._table = Table(_FOLLOWS)
        self._people = Table(_PEOPLE)
        self._people_ids = Index()
        self._ids = Index()
        self._limit_sets: list[Limits] = []
        self._limit_rows: dict[Limits, int] = {}

    @property
    def next_number(self) -> int:
        """The number the next follow gets."""
        return self._table.count

    def keep_free(self, upto: int) -> None:
        """Never give out numbers up to this one."""
        self._table.reach(upto)

    def load(self, packed: PackedFollows, people: NDArray[np.uint64], sharer_rows: NDArray[np.int32]) -> None:
        """Take over everything that is stored; the book must be empty.

        Args:
            packed: The follows.
            people: The ids of all people, as two numbers each.
            sharer_rows: Places in `people` by sharer number, -1 for a number that nobody has.

        Raises:
            ValueError, IndexError: What is stored is damaged.
        """
        assert not self._table.count
        if not len(packed.numbers):
            return
        self._load_people(people)
        ids, numbers = halves(packed.ids), packed.numbers
        check_numbers(numbers)
        if packed.sharer_numbers.min() < 0:
            raise ValueError("a sharer that never was")
        sharers = sharer_rows[packed.sharer_numbers]
        if (sharers == NO_ROW).any():
            # Never seen. It must not look like a number that was never used: such a follow would be gone.
            sharers = np.where(sharers == NO_ROW, self._person_row(id_text(0, 0)), sharers)
        limits = np.array([self._limits_row(one) for one in packed.limit_sets], np.int32)
        table = self._table
        table.reach(int(numbers.max()))
        columns = {
            "id_high": ids[:, 0],
            "id_low": ids[:, 1],
            "sharer": sharers,
            "sharer_number": packed.sharer_numbers,
            "follower": self._person_rows(halves(packed.followers)),
            "state": packed.states,
            "may_see_graph": packed.may_see_graph,
            "may_be_told": packed.may_be_told,
            "limits": limits[packed.limits],
            "since_ms": packed.since_ms,
        }
        for name, values in columns.items():
            table[name][numbers] = values
        for number, person_id in packed.paused_by.items():
            table["paused_by"][number] = self._person_row(person_id)
        self._ids.add_many(ids[:, 0], numbers)
        for side, first, following in _SIDES:
            self._chain(side, first, following)

    def _load_people(self, people: NDArray[np.uint64]) -> None:
        """Everybody, in the order given: whoever neither shares nor follows takes 36 bytes."""
        nobody = np.full(len(people), NO_ROW, np.int32)
        self._people.extend(
            {
                "id_high": people[:, 0],
                "id_low": people[:, 1],
                "first_as_sharer": nobody,
                "first_as_follower": nobody,
            }
        )
        self._people_ids.add_many(people[:, 0], np.arange(len(people), dtype=np.int32))

    def _person_rows(self, ids: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The row of each of these people."""
        rows = self._people_ids.first_rows(ids[:, 0])
        sure = (rows != NO_ROW) & (self._people["id_low"][rows] == ids[:, 1])
        for at in np.flatnonzero(~sure).tolist():  # two people share a first half, or nobody has this id
            rows[at] = self._person_row(id_text(*ids[at].tolist()))
        return rows

    def _chain(self, side: str, first: str, following: str) -> None:
        """Chain the follows of each person that have not ended, in the order of their numbers."""
        table = self._table
        live = np.flatnonzero((table.used("sharer") != NO_ROW) & (table.used("state") != _ENDED))
        live = live[np.argsort(table[side][live], kind="stable")]
        whose = table[side][live]
        same = whose[1:] == whose[:-1]
        table[following][live[:-1][same]] = live[1:][same]
        begins = np.concatenate(([True], ~same))[: len(live)]
        self._people[first][whose[begins]] = live[begins]

    def put(self, follow: Follow) -> None:
        """Add or replace one."""
        number, table = follow.number, self._table
        table.reach(number)
        was_live = table["sharer"].item(number) != NO_ROW and table["state"].item(number) != _ENDED
        if table["sharer"].item(number) == NO_ROW:
            high, low = halves(id_bytes(follow.id))[0].tolist()
            table["id_high"][number], table["id_low"][number] = high, low
            table["sharer"][number] = self._person_row(follow.sharer)
            table["follower"][number] = self._person_row(follow.follower)
            table["sharer_number"][number] = follow.sharer_number
            self._ids.add(high, number)
        table["state"][number] = STATES.index(follow.state)
        table["may_see_graph"][number], table["may_be_told"][number] = (
            follow.may_see_graph,
            follow.may_be_told,
        )
        table["limits"][number] = self._limits_row(follow.limits)
        table["since_ms"][number] = follow.since_ms
        table["paused_by"][number] = self._person_row(follow.paused_by) if follow.paused_by else NO_ROW
        is_live = follow.state is not FollowState.ENDED
        for side, first, following in _SIDES if was_live is not is_live else ():
            if is_live:
                self._join(table[side].item(number), number, first, following)
            else:
                self._leave(table[side].item(number), number, first, following)

    def _join(self, person: int, number: int, first: str, following: str) -> None:
        """Put a follow at its place in a person's chain, which goes by number."""
        chain = self._table[following]
        before, after = NO_ROW, self._people[first].item(person)
        while after != NO_ROW and after < number:
            before, after = after, chain.item(after)
        chain[number] = after
        if before == NO_ROW:
            self._people[first][person] = number
        else:
            chain[before] = number

    def _leave(self, person: int, number: int, first: str, following: str) -> None:
        chain = self._table[following]
        before, here = NO_ROW, self._people[first].item(person)
        while here != number:
            before, here = here, chain.item(here)
        if before == NO_ROW:
            self._people[first][person] = chain.item(number)
        else:
            chain[before] = chain.item(number)
        chain[number] = NO_ROW

    def numbered(self, number: int) -> Follow | None:
        """The follow of this number."""
        table = self._table
        if not 0 <= number < table.count or table["sharer"].item(number) == NO_ROW:
            return None
        paused_by = table["paused_by"].item(number)
        return Follow(
            id=id_text(table["id_high"].item(number), table["id_low"].item(number)),
            number=number,
            sharer=self._person_id(table["sharer"].item(number)),
            sharer_number=table["sharer_number"].item(number),
            follower=self._person_id(table["follower"].item(number)),
            state=STATES[table["state"].item(number)],
            may_see_graph=table["may_see_graph"].item(number),
            may_be_told=table["may_be_told"].item(number),
            limits=self._limit_sets[table["limits"].item(number)],
            since_ms=table["since_ms"].item(number),
            paused_by="" if paused_by == NO_ROW else self._person_id(paused_by),
        )

    def follow(self, follow_id: str) -> Follow | None:
        """The follow of this id."""
        high, low = id_halves(follow_id)
        for number in self._ids.rows(high):
            if self._table["id_low"].item(number) == low:
                return self.numbered(number)
        return None

    def of_sharer(self, person_id: str) -> list[Follow]:
        """Who follows this person."""
        return list(self._chained(person_id, "first_as_sharer", "next_of_sharer"))

    def of_follower(self, person_id: str) -> list[Follow]:
        """Whom this person follows."""
        return list(self._chained(person_id, "first_as_follower", "next_of_follower"))

    def between(self, sharer: str, follower: str) -> Follow | None:
        """The follow between the two, unless it has ended."""
        # By the sharer: they have twenty at most, where a clinic follows thousands.
        for follow in self._chained(sharer, "first_as_sharer", "next_of_sharer"):
            if follow.follower == follower:
                return follow
        return None

    def live(self) -> Iterator[Follow]:
        """All that have not ended."""
        going_on = (self._table.used("sharer") != NO_ROW) & (self._table.used("state") != _ENDED)
        return self.some(np.flatnonzero(going_on).tolist())

    def some(self, numbers: Sequence[int]) -> Iterator[Follow]:
        """Those of these numbers."""
        return (follow for number in numbers if (follow := self.numbered(number)) is not None)

    def columns(self, zone_of: Callable[[str], str]) -> FollowColumns:
        """How every follow stands."""
        table, people = self._table, self._people
        followers = table.used("follower")
        zones: dict[str, int] = {}
        zone_rows = np.zeros(people.count + 1, np.int32)  # the last is nobody's
        following = np.zeros(people.count + 1, np.bool_)
        following[followers] = True
        for row in np.flatnonzero(following[:-1]).tolist():
            zone_rows[row] = zones.setdefault(zone_of(self._person_id(row)), len(zones))
        ids = np.column_stack((people.used("id_high"), people.used("id_low")))
        ids = np.vstack((ids, np.zeros((1, 2), np.uint64)))
        state = table.used("state")
        return FollowColumns(
            sharers=table.used("sharer_number"),
            followers=ids[followers],
            told=(state == _ACTIVE) & table.used("may_be_told"),
            ended=state == _ENDED,
            limits=table.used("limits"),
            zones=zone_rows[followers],
            limit_sets=self._limit_sets,
            zone_names=list(zones),
        )

    def _chained(self, person_id: str, first: str, following: str) -> Iterator[Follow]:
        person = self._known_row(*id_halves(person_id))
        number = NO_ROW if person == NO_ROW else self._people[first].item(person)
        while number != NO_ROW:
            follow = self.numbered(number)
            assert follow is not None
            yield follow
            number = self._table[following].item(number)

    def _known_row(self, high: int, low: int) -> int:
        for row in self._people_ids.rows(high):
            if self._people["id_low"].item(row) == low:
                return row
        return NO_ROW

    def _person_row(self, person_id: str) -> int:
        high, low = halves(id_bytes(person_id))[0].tolist()
        row = self._known_row(high, low)
        if row == NO_ROW:
            row = self._people.count
            self._people.reach(row)
            self._people["id_high"][row], self._people["id_low"][row] = high, low
            self._people_ids.add(high, row)
        return row

    def _person_id(self, row: int) -> str:
        return id_text(self._people["id_high"].item(row), self._people["id_low"].item(row))

    def _limits_row(self, limits: Limits) -> int:
        row = self._limit_rows.get(limits)
        if row is None:
            row = self._limit_rows[limits] = len(self._limit_sets)
            self._limit_sets.append(limits)
        return row


class Invitations:
    """Open invitations by the hash of their secret, and by sharer."""

    def __init__(self) -> None:
        self._opens: dict[bytes, StoredInvitation] = {}
        self._of_sharer: dict[str, dict[str, StoredInvitation]] = {}

    def put(self, invitation: StoredInvitation) -> None:
        """Add one."""
        self._opens[invitation.secret_hash] = invitation
        self._of_sharer.setdefault(invitation.sharer, {})[invitation.id] = invitation

    def drop(self, invitation: StoredInvitation) -> None:
        """It was used, taken back, or ran out."""
        self._opens.pop(invitation.secret_hash, None)
        mine = self._of_sharer.get(invitation.sharer, {})
        mine.pop(invitation.id, None)
        if not mine:
            self._of_sharer.pop(invitation.sharer, None)

    def opened_by(self, secret_hash: bytes, now_ms: int) -> StoredInvitation | None:
        """The invitation with this secret, if it can still be accepted."""
        found = self._opens.get(secret_hash)
        return found if found is not None and now_ms < found.expires_ms else None

    def of_sharer(self, person_id: str, now_ms: int) -> list[StoredInvitation]:
        """One sharer's open invitations, oldest first."""
        mine = self._of_sharer.get(person_id, {}).values()
        return [one for one in mine if now_ms < one.expires_ms]

    def over(self, now_ms: int) -> list[StoredInvitation]:
        """Those that have run out."""
        return [one for one in self._opens.values() if now_ms >= one.expires_ms]
