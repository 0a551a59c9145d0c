"""What the journal is told of a follow: the whole of what matters for telling, and nothing else.

The fields are those of the facts `FollowSet` and `FollowEnded`; `app` turns one into the other, because the
journal lies downstream of here.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from nightbell.follow.bounds import bounds, telling
from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.limits import Bounds, Limits, Telling
from nightbell.follow.packed import FollowColumns


class Standing(msgspec.Struct, frozen=True):
    """A follow as evaluation and alarms know it; the fields of `FollowSet`."""

    at_ms: int
    follow: int
    sharer: int
    follower: str
    told: bool
    bounds: Bounds
    telling: tuple[Telling, ...]
    zone: str
    by: str


class Ended(msgspec.Struct, frozen=True):
    """A follow is over; the fields of `FollowEnded`."""

    at_ms: int
    follow: int
    by: str


class KnownStanding(Protocol):
    """What the journal knows of a follow: a `FollowSet` or a `Standing`."""

    @property
    def sharer(self) -> int:
        """The sharer's number."""
        ...

    @property
    def follower(self) -> str:
        """Person id."""
        ...

    @property
    def told(self) -> bool:
        """Whether it may be told."""
        ...

    @property
    def bounds(self) -> Bounds:
        """What is compared."""
        ...

    @property
    def telling(self) -> tuple[Telling, ...]:
        """When it is told."""
        ...

    @property
    def zone(self) -> str:
        """The follower's time zone."""
        ...


class KnownFollows(Protocol):
    """What the journal knows of all follows: a mapping by follow number that also compares many at once."""

    @property
    def newest(self) -> int:
        """The greatest number it knows, -1 if none."""
        ...

    def get(self, follow: int, /) -> KnownStanding | None:
        """What it knows of one that has not ended."""
        ...

    def suspects(self, columns: FollowColumns, /) -> NDArray[np.intp]:
        """Numbers of follows that may stand otherwise: all that do, and perhaps some that do not."""
        ...


class Derived(NamedTuple):
    """Limits and what follows from them; one for everybody who chose the same."""

    limits: Limits
    bounds: Bounds
    telling: tuple[Telling, ...]


@lru_cache(maxsize=16_384)
def derived(limits: Limits) -> Derived:
    """What follows from limits that passed the guardrails.

    Raises:
        ValueError: They did not.
    """
    return Derived(limits, bounds(limits), telling(limits))


def standing(follow: Follow, zone: str, *, by: str, at_ms: int) -> Standing | Ended:
    """What the journal is told of this follow now."""
    if follow.state is FollowState.ENDED:
        return Ended(at_ms, follow.number, by)
    found = derived(follow.limits)
    return Standing(
        at_ms=at_ms,
        follow=follow.number,
        sharer=follow.sharer_number,
        follower=follow.follower,
        told=follow.told,
        bounds=found.bounds,
        telling=found.telling,
        zone=zone,
        by=by,
    )


def differing(
    follows: Iterable[Follow], zone_of: Callable[[str], str], known: KnownFollows
) -> Iterator[Follow]:
    """Follows whose state the journal does not know as the store does.

    A follow that only the journal knows is left alone: it was never ended, and silence is not ours to decide.
    """
    for follow in follows:
        before = known.get(follow.number)
        if follow.state is FollowState.ENDED:
            if before is not None:
                yield follow
        elif before is None or _matters(standing(follow, zone_of(follow.follower), by="", at_ms=0), before):
            yield follow


def _matters(now: Standing | Ended, before: KnownStanding) -> bool:
    return isinstance(now, Ended) or (
        now.sharer,
        now.follower,
        now.told,
        now.zone,
        now.bounds,
        now.telling,
    ) != (before.sharer, before.follower, before.told, before.zone, before.bounds, before.telling)
