"""The follow, the invitation it comes from, and what may be seen."""

from enum import IntEnum, StrEnum

import msgspec

from nightbell.follow.limits import Limits


class FollowState(StrEnum):
    """Where a follow stands. The values are on disk."""

    ACCEPTED = "accepted"  # waits for the sharer
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Sight(IntEnum):
    """How much of somebody's readings may be seen."""

    NOTHING = 0
    NUMBER = 1
    GRAPH = 2


class Follow(msgspec.Struct, frozen=True, gc=False):
    """Who follows whom, and how.

    Attributes:
        id: Lower-case UUID.
        number: Its row, dense from 0, never used again.
        sharer: Person id of the sharer.
        sharer_number: The sharer's number.
        follower: Person id of the follower.
        state: Where it stands.
        may_see_graph: Whether the follower sees the graph, or the number only.
        may_be_told: Whether the follower is told. One that may not counts as nobody.
        limits: What the follower wants to be told, as typed.
        since_ms: When it came to this state, epoch ms.
        paused_by: Person id of who paused it; empty unless paused.
    """

    id: str
    number: int
    sharer: str
    sharer_number: int
    follower: str
    state: FollowState
    may_see_graph: bool
    may_be_told: bool
    limits: Limits
    since_ms: int
    paused_by: str = ""

    @property
    def told(self) -> bool:
        """Whether the follower may be told now."""
        return self.state is FollowState.ACTIVE and self.may_be_told

    @property
    def sight(self) -> Sight:
        """What the follower may see now."""
        if self.state is not FollowState.ACTIVE:
            return Sight.NOTHING
        return Sight.GRAPH if self.may_see_graph else Sight.NUMBER


class Invitation(msgspec.Struct, frozen=True):
    """An invitation as the sharer gets it.

    Attributes:
        id: To withdraw it by.
        sharer: Person id.
        may_see_graph: What the follower will be permitted.
        may_be_told: What the follower will be permitted.
        expires_ms: Until when it can be accepted, epoch ms.
        secret: What the link carries; in this answer once, empty ever after.
    """

    id: str
    sharer: str
    may_see_graph: bool
    may_be_told: bool
    expires_ms: int
    secret: str = ""


class InvitationView(msgspec.Struct, frozen=True):
    """What somebody sees who opens the link: who invites, to what, until when. Looking changes nothing."""

    sharer_name: str
    may_see_graph: bool
    may_be_told: bool
    expires_ms: int
