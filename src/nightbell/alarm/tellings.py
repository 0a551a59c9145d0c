"""How each follow is told: columns, because there are three of them for every sharer."""

import uuid
from typing import TypeVar

import numpy as np

from nightbell.evaluate.columns import NO_ROW, Table
from nightbell.follow.limits import Telling
from nightbell.journal.facts import FollowSet

_COLUMNS = (
    ("sharer", np.int32, NO_ROW),
    ("telling", np.int32, NO_ROW),
    ("zone", np.int32, NO_ROW),
    ("follower_high", np.uint64, 0),
    ("follower_low", np.uint64, 0),
)
_LOW = (1 << 64) - 1
_T = TypeVar("_T")


class Tellings:
    """For each follow: whose, by whom, when and how often. Equal choices and zones are kept once."""

    def __init__(self) -> None:
        self._table = Table(_COLUMNS)
        self._choices: list[tuple[Telling, ...]] = []
        self._choice_rows: dict[tuple[Telling, ...], int] = {}
        self._zones: list[str] = []
        self._zone_rows: dict[str, int] = {}

    def set(self, fact: FollowSet) -> None:
        """Take over what a fact says."""
        table, row = self._table, fact.follow
        table.reach(row)
        person = uuid.UUID(fact.follower).int
        table["sharer"][row] = fact.sharer
        table["follower_high"][row], table["follower_low"][row] = person >> 64, person & _LOW
        table["telling"][row] = _intern(self._choices, self._choice_rows, fact.telling)
        table["zone"][row] = _intern(self._zones, self._zone_rows, fact.zone)

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

    def state(self) -> tuple[int, dict[str, bytes], list[tuple[Telling, ...]], list[str]]:
        """Everything, for a checkpoint."""
        return self._table.count, self._table.state(), self._choices, self._zones

    def restore(
        self, count: int, columns: dict[str, bytes], choices: list[tuple[Telling, ...]], zones: list[str]
    ) -> None:
        """Become what `state` was taken from."""
        self._table.restore(count, columns)
        for choice in choices:
            _intern(self._choices, self._choice_rows, choice)
        for zone in zones:
            _intern(self._zones, self._zone_rows, zone)


def _intern(values: list[_T], rows: dict[_T, int], value: _T) -> int:
    row = rows.get(value)
    if row is None:
        row = rows[value] = len(values)
        values.append(value)
    return row
