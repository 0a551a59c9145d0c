"""How each follow is told: columns, because there are three of them for every sharer."""

import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from nightbell.evaluate.columns import NO_ROW, Table
from nightbell.follow.limits import Bounds, Telling
from nightbell.journal.facts import FollowSet

_COLUMNS = (
    ("sharer", np.int32, NO_ROW),
    ("telling", np.int32, NO_ROW),
    ("zone", np.int32, NO_ROW),
    ("bounds", np.int32, NO_ROW),
    ("told", np.bool_, False),
    ("ended", np.bool_, False),
    ("follower_high", np.uint64, 0),
    ("follower_low", np.uint64, 0),
)
_LOW = (1 << 64) - 1
_T = TypeVar("_T")


class Known(NamedTuple):
    """What the journal says of a follow; the fields of `FollowSet` that matter."""

    sharer: int
    follower: str
    told: bool
    bounds: Bounds
    telling: tuple[Telling, ...]
    zone: str


class TellingsState(NamedTuple):
    """Everything, for a checkpoint."""

    rows: int
    columns: dict[str, bytes]
    choices: list[tuple[Telling, ...]]
    zones: list[str]
    bounds: list[Bounds]


class Tellings(Mapping[int, Known]):
    """For each follow: whose, by whom, when and how often. Equal choices, bounds and zones are kept once.

    As a mapping: what is known of each follow that has not ended, by its number.
    """

    def __init__(self) -> None:
        self._table = Table(_COLUMNS)
        self._choices: list[tuple[Telling, ...]] = []
        self._choice_rows: dict[tuple[Telling, ...], int] = {}
        self._zones: list[str] = []
        self._zone_rows: dict[str, int] = {}
        self._bounds: list[Bounds] = []
        self._bounds_rows: dict[Bounds, int] = {}

    def set(self, fact: FollowSet) -> None:
        """Take over what a fact says."""
        table, row = self._table, fact.follow
        table.reach(row)
        person = uuid.UUID(fact.follower).int
        table["sharer"][row] = fact.sharer
        table["follower_high"][row], table["follower_low"][row] = person >> 64, person & _LOW
        table["telling"][row] = _intern(self._choices, self._choice_rows, fact.telling)
        table["zone"][row] = _intern(self._zones, self._zone_rows, fact.zone)
        table["bounds"][row] = _intern(self._bounds, self._bounds_rows, fact.bounds)
        table["told"][row], table["ended"][row] = fact.told, False

    def end(self, follow: int) -> None:
        """A follow is over."""
        if follow < self._table.count:
            self._table["ended"][follow] = True

    def __getitem__(self, follow: int) -> Known:
        if (
            not 0 <= follow < self._table.count
            or self.sharer(follow) == NO_ROW
            or self._table["ended"][follow]
        ):
            raise KeyError(follow)
        return Known(
            sharer=self.sharer(follow),
            follower=self.follower(follow),
            told=bool(self._table["told"][follow]),
            bounds=self._bounds[int(self._table["bounds"][follow])],
            telling=self.telling(follow),
            zone=self.zone(follow),
        )

    def __iter__(self) -> Iterator[int]:
        going_on = (self._table.used("sharer") != NO_ROW) & ~self._table.used("ended")
        yield from np.flatnonzero(going_on).tolist()

    def __len__(self) -> int:
        return int(((self._table.used("sharer") != NO_ROW) & ~self._table.used("ended")).sum())

    def telling(self, follow: int) -> tuple[Telling, ...]:
        """When each condition is told, in the order of `Condition`."""
        return self._choices[int(self._table["telling"][follow])]

    def zone(self, follow: int) -> str:
        """The follower's time zone."""
        return self._zones[int(self._table["zone"][follow])]

    def follower(self, follow: int) -> str:
        """Person id of the follower."""
        table = self._table
        high, low = int(table["follower_high"][follow]), int(table["follower_low"][follow])
        return str(uuid.UUID(int=high << 64 | low))

    def sharer(self, follow: int) -> int:
        """The sharer's number; -1 for a follow never set."""
        return int(self._table["sharer"][follow]) if follow < self._table.count else NO_ROW

    def state(self) -> TellingsState:
        """Everything, for a checkpoint."""
        return TellingsState(self._table.count, self._table.state(), self._choices, self._zones, self._bounds)

    def restore(self, state: TellingsState) -> None:
        """Become what `state` was taken from."""
        self._table.restore(state.rows, state.columns)
        for choice in state.choices:
            _intern(self._choices, self._choice_rows, choice)
        for zone in state.zones:
            _intern(self._zones, self._zone_rows, zone)
        for bounds in state.bounds:
            _intern(self._bounds, self._bounds_rows, bounds)


def _intern(values: list[_T], rows: dict[_T, int], value: _T) -> int:
    row = rows.get(value)
    if row is None:
        row = rows[value] = len(values)
        values.append(value)
    return row
