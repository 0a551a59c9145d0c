"""The life of a follow: who may bring it from where to where.

Rules: only the sharer confirms or refuses. Either may pause and either may end. What the sharer paused, only
the sharer resumes, for it protects the sharer; what the follower paused, either resumes. Saying a thing twice
is saying it once. What is over stays over: a new invitation makes a new follow.
Everything not in the table is refused, with a reason.
"""

from enum import StrEnum
from typing import Final

import msgspec

from nightbell.follow.follow import Follow, FollowState


class Verb(StrEnum):
    """What one of the two can do."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    PAUSE = "pause"
    RESUME = "resume"
    END = "end"


class Role(StrEnum):
    """Who of the two."""

    SHARER = "sharer"
    FOLLOWER = "follower"


class Place(StrEnum):
    """A state, told apart by who paused."""

    ACCEPTED = "accepted"
    ACTIVE = "active"
    PAUSED_BY_SHARER = "paused_by_sharer"
    PAUSED_BY_FOLLOWER = "paused_by_follower"
    ENDED = "ended"


TABLE: Final = {
    (Place.ACCEPTED, Verb.CONFIRM, Role.SHARER): Place.ACTIVE,
    (Place.ACCEPTED, Verb.REFUSE, Role.SHARER): Place.ENDED,
    (Place.ACCEPTED, Verb.END, Role.SHARER): Place.ENDED,
    (Place.ACCEPTED, Verb.END, Role.FOLLOWER): Place.ENDED,
    (Place.ACTIVE, Verb.CONFIRM, Role.SHARER): Place.ACTIVE,
    (Place.ACTIVE, Verb.RESUME, Role.SHARER): Place.ACTIVE,
    (Place.ACTIVE, Verb.RESUME, Role.FOLLOWER): Place.ACTIVE,
    (Place.ACTIVE, Verb.PAUSE, Role.SHARER): Place.PAUSED_BY_SHARER,
    (Place.ACTIVE, Verb.PAUSE, Role.FOLLOWER): Place.PAUSED_BY_FOLLOWER,
    (Place.ACTIVE, Verb.END, Role.SHARER): Place.ENDED,
    (Place.ACTIVE, Verb.END, Role.FOLLOWER): Place.ENDED,
    (Place.PAUSED_BY_SHARER, Verb.PAUSE, Role.SHARER): Place.PAUSED_BY_SHARER,
    (Place.PAUSED_BY_SHARER, Verb.RESUME, Role.SHARER): Place.ACTIVE,
    (Place.PAUSED_BY_SHARER, Verb.END, Role.SHARER): Place.ENDED,
    (Place.PAUSED_BY_SHARER, Verb.END, Role.FOLLOWER): Place.ENDED,
    (Place.PAUSED_BY_FOLLOWER, Verb.PAUSE, Role.SHARER): Place.PAUSED_BY_SHARER,
    (Place.PAUSED_BY_FOLLOWER, Verb.PAUSE, Role.FOLLOWER): Place.PAUSED_BY_FOLLOWER,
    (Place.PAUSED_BY_FOLLOWER, Verb.RESUME, Role.SHARER): Place.ACTIVE,
    (Place.PAUSED_BY_FOLLOWER, Verb.RESUME, Role.FOLLOWER): Place.ACTIVE,
    (Place.PAUSED_BY_FOLLOWER, Verb.END, Role.SHARER): Place.ENDED,
    (Place.PAUSED_BY_FOLLOWER, Verb.END, Role.FOLLOWER): Place.ENDED,
    (Place.ENDED, Verb.REFUSE, Role.SHARER): Place.ENDED,
    (Place.ENDED, Verb.END, Role.SHARER): Place.ENDED,
    (Place.ENDED, Verb.END, Role.FOLLOWER): Place.ENDED,
}
"""From where, what, by whom: to where."""

_STATES: Final = {
    Place.ACCEPTED: FollowState.ACCEPTED,
    Place.ACTIVE: FollowState.ACTIVE,
    Place.PAUSED_BY_SHARER: FollowState.PAUSED,
    Place.PAUSED_BY_FOLLOWER: FollowState.PAUSED,
    Place.ENDED: FollowState.ENDED,
}


def role_of(follow: Follow, person_id: str) -> Role | None:
    """Which of the two this person is; None for everybody else."""
    if person_id == follow.sharer:
        return Role.SHARER
    return Role.FOLLOWER if person_id == follow.follower else None


def place_of(follow: Follow) -> Place:
    """Where the follow is in the table."""
    if follow.state is FollowState.PAUSED:
        by_sharer = follow.paused_by == follow.sharer
        return Place.PAUSED_BY_SHARER if by_sharer else Place.PAUSED_BY_FOLLOWER
    return Place(follow.state.value)


def moved(follow: Follow, verb: Verb, role: Role, now_ms: int) -> Follow | None:
    """The follow afterwards, the very same if nothing changes; None if it is refused."""
    place = place_of(follow)
    to = TABLE.get((place, verb, role))
    if to is None or to is place:
        return None if to is None else follow
    paused_by = {Place.PAUSED_BY_SHARER: follow.sharer, Place.PAUSED_BY_FOLLOWER: follow.follower}.get(to, "")
    return msgspec.structs.replace(follow, state=_STATES[to], paused_by=paused_by, since_ms=now_ms)


def refusal(follow: Follow, verb: Verb, role: Role) -> str:
    """The key of the sentence that says why it is refused."""
    place = place_of(follow)
    if place is Place.ENDED:
        return "follow.is_over"
    if role is Role.FOLLOWER and verb in (Verb.CONFIRM, Verb.REFUSE):
        return "follow.only_the_sharer"
    if place is Place.ACCEPTED:
        return "follow.not_confirmed"
    if place is Place.PAUSED_BY_SHARER and role is Role.FOLLOWER:
        return "follow.paused_by_sharer"
    return "follow.not_from_here"
