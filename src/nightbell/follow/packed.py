"""Follows as columns: how a store hands over three million of them, and how they stand, to be compared."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.account.packed import id_bytes
from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.limits import Limits

STATES: Final = tuple(FollowState)
"""States by their number in columns."""


class PackedFollows(NamedTuple):
    """Many follows, ended ones too, in the order of their numbers.

    Attributes:
        numbers: Their numbers.
        ids: Their ids, as 16 bytes each; so are `followers`.
        sharer_numbers: Sharer numbers; who they are the accounts know.
        followers: Person ids.
        states: Places in `STATES`.
        may_see_graph: Permissions.
        may_be_told: Permissions.
        limits: Places in `limit_sets`.
        since_ms: Since when each stands so.
        paused_by: Person ids by number, of those that are paused.
        limit_sets: The distinct limits.
    """

    numbers: NDArray[np.int32]
    ids: bytes
    sharer_numbers: NDArray[np.int32]
    followers: bytes
    states: NDArray[np.int8]
    may_see_graph: NDArray[np.bool_]
    may_be_told: NDArray[np.bool_]
    limits: NDArray[np.int32]
    since_ms: NDArray[np.int64]
    paused_by: Mapping[int, str]
    limit_sets: list[Limits]


def packed_follows(follows: Iterable[Follow]) -> PackedFollows:
    """Follows as columns."""
    some = sorted(follows, key=lambda follow: follow.number)
    sets: dict[Limits, int] = {}
    return PackedFollows(
        numbers=np.array([one.number for one in some], np.int32),
        ids=b"".join(id_bytes(one.id) for one in some),
        sharer_numbers=np.array([one.sharer_number for one in some], np.int32),
        followers=b"".join(id_bytes(one.follower) for one in some),
        states=np.array([STATES.index(one.state) for one in some], np.int8),
        may_see_graph=np.array([one.may_see_graph for one in some], np.bool_),
        may_be_told=np.array([one.may_be_told for one in some], np.bool_),
        limits=np.array([sets.setdefault(one.limits, len(sets)) for one in some], np.int32),
        since_ms=np.array([one.since_ms for one in some], np.int64),
        paused_by={one.number: one.paused_by for one in some if one.paused_by},
        limit_sets=list(sets),
    )


class FollowColumns(NamedTuple):
    """How every follow stands, by its number; a number never used has the sharer -1.

    Attributes:
        sharers: Sharer numbers.
        followers: Person ids as two numbers, shape (n, 2).
        told: Whether each may be told now.
        ended: Whether it is over.
        limits: Places in `limit_sets`.
        zones: Places in `zone_names`.
        limit_sets: The distinct limits.
        zone_names: The distinct zones of followers.
    """

    sharers: NDArray[np.int32]
    followers: NDArray[np.uint64]
    told: NDArray[np.bool_]
    ended: NDArray[np.bool_]
    limits: NDArray[np.int32]
    zones: NDArray[np.int32]
    limit_sets: list[Limits]
    zone_names: list[str]
