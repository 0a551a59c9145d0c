"""How each follow is told: columns, because there are three of them for every sharer."""

import uuid
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nightbell.follow.limits import Bounds, Telling
from nightbell.follow.packed import FollowColumns
from nightbell.follow.standing import derived
from nightbell.journal.facts import FollowSet
from nightbell.words.table import NO_ROW, Part, Table

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
    """Everything but the columns, for a checkpoint."""

    rows: int
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

    @property
    def newest(self) -> int:
        """The greatest follow number that was ever set, -1 if none."""
        return self._table.count - 1

    def suspects(self, columns: FollowColumns) -> NDArray[np.intp]:
        """Numbers of follows that stand otherwise in these columns, or may: see `follow.standing`."""
        table = self._table
        count = min(len(columns.sharers), table.count)
        known = (table.used("sharer")[:count] != NO_ROW) & ~table.used("ended")[:count]
        found = [derived(limits) for limits in columns.limit_sets]
        bounds = np.array([self._bounds_rows.get(one.bounds, NO_ROW) for one in found], np.int32)
        telling = np.array([self._choice_rows.get(one.telling, NO_ROW) for one in found], np.int32)
        zones = np.array([self._zone_rows.get(zone, NO_ROW) for zone in columns.zone_names], np.int32)
        agrees = known.copy()
        if count and found:
            limits = columns.limits[:count]
            agrees &= table.used("sharer")[:count] == columns.sharers[:count]
            agrees &= table.used("follower_high")[:count] == columns.followers[:count, 0]
            agrees &= table.used("follower_low")[:count] == columns.followers[:count, 1]
            agrees &= table.used("told")[:count] == columns.told[:count]
            agrees &= table.used("bounds")[:count] == bounds[limits]
            agrees &= table.used("telling")[:count] == telling[limits]
            agrees &= table.used("zone")[:count] == zones[columns.zones[:count]]
        wrong = columns.sharers != NO_ROW
        wrong[:count] &= np.where(columns.ended[:count], known, ~agrees)
        wrong[count:] &= ~columns.ended[count:]
        return np.flatnonzero(wrong)

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
        """Everything but the columns, for a checkpoint."""
        return TellingsState(self._table.count, self._choices, self._zones, self._bounds)

    def parts(self) -> Iterator[bytes]:
        """The columns, for a checkpoint."""
        return self._table.parts()

    def restore(self, state: TellingsState, parts: Iterator[Part]) -> None:
        """Become what these were taken from."""
        self._table.restore(state.rows, parts)
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
