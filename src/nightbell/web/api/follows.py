"""Invitations, follows, their limits, and who looked."""

from typing import Annotated, Literal

from litestar import Controller, get, post, put
from litestar.params import JSONBody, PathParameter

from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.limits import Limits
from nightbell.web.api.forms import follow_out
from nightbell.web.asking import Asking, InAsking, InHouse
from nightbell.web.gather import name_of, nothing_here
from nightbell.web.ports import House
from nightbell.web.show.follows import invitation_link
from nightbell.web.wire import (
    FollowOut,
    FollowsOut,
    InvitationIn,
    InvitationLook,
    InvitationOut,
    LimitsOut,
    LookOut,
    Looks,
    PermissionsIn,
    SecretIn,
)
from nightbell.words.errors import CallerError, ErrorCode

FollowId = Annotated[str, PathParameter(description="Follow id.", max_length=64)]
Verb = Literal["confirm", "refuse", "pause", "resume", "end"]

LOOKS_SHOWN = 200


class FollowsApi(Controller):
    """Who follows whom."""

    path = "/v1"
    tags = ("follows",)

    @post("/invitations", status_code=200, operation_id="invite")
    async def invite(self, house: InHouse, asking: InAsking, data: JSONBody[InvitationIn]) -> InvitationOut:
        """Invite one person. The link works once, for 48 hours; the follow begins when you confirm it."""
        invitation = await house.follows.invite(
            sharer=asking.caller.person.id,
            may_see_graph=data.may_see_graph,
            may_be_told=data.may_be_told,
            now_ms=asking.now_ms,
        )
        link = invitation_link(house.place.public_url, invitation.secret)
        return InvitationOut(invitation.secret, link, invitation.expires_ms)

    @post("/invitations/look", status_code=200, operation_id="look_at_invitation")
    async def look(self, house: InHouse, asking: InAsking, data: JSONBody[SecretIn]) -> InvitationLook:
        """What an invitation offers. Looking changes nothing."""
        view = house.follows.invitation(data.secret, asking.now_ms)
        if view is None:
            raise CallerError(ErrorCode.EXPIRED, house.words.say("page.invitation_unknown"))
        return InvitationLook(view.sharer_name, view.may_see_graph, view.may_be_told, view.expires_ms)

    @post("/invitations/accept", status_code=200, operation_id="accept_invitation")
    async def accept(self, house: InHouse, asking: InAsking, data: JSONBody[SecretIn]) -> FollowOut:
        """Say yes to an invitation. The sharer then confirms."""
        follow = await house.follows.accept(
            secret=data.secret, follower=asking.caller.person.id, now_ms=asking.now_ms
        )
        return follow_out(follow, house)

    @get("/follows", operation_id="follows")
    async def follows(self, house: InHouse, asking: InAsking) -> FollowsOut:
        """Whom the caller follows, and who follows them. Those that are over are left out."""
        me = asking.caller.person.id

        def shown(follows: list[Follow]) -> list[FollowOut]:
            return [follow_out(one, house) for one in follows if one.state is not FollowState.ENDED]

        return FollowsOut(
            following=shown(list(house.follows.of_follower(me))),
            followers=shown(list(house.follows.of_sharer(me))),
        )

    @post("/follows/{follow_id:str}/confirm", status_code=200, operation_id="confirm_follow")
    async def confirm(self, house: InHouse, asking: InAsking, follow_id: FollowId) -> FollowOut:
        """The sharer says yes: the follow begins."""
        return await move(house, asking, follow_id, "confirm")

    @post("/follows/{follow_id:str}/refuse", status_code=200, operation_id="refuse_follow")
    async def refuse(self, house: InHouse, asking: InAsking, follow_id: FollowId) -> FollowOut:
        """The sharer says no."""
        return await move(house, asking, follow_id, "refuse")

    @post("/follows/{follow_id:str}/pause", status_code=200, operation_id="pause_follow")
    async def pause(self, house: InHouse, asking: InAsking, follow_id: FollowId) -> FollowOut:
        """Nothing is seen or told for a while."""
        return await move(house, asking, follow_id, "pause")

    @post("/follows/{follow_id:str}/resume", status_code=200, operation_id="resume_follow")
    async def resume(self, house: InHouse, asking: InAsking, follow_id: FollowId) -> FollowOut:
        """The pause is over."""
        return await move(house, asking, follow_id, "resume")

    @post("/follows/{follow_id:str}/end", status_code=200, operation_id="end_follow")
    async def end(self, house: InHouse, asking: InAsking, follow_id: FollowId) -> FollowOut:
        """It is over; its limits are gone."""
        return await move(house, asking, follow_id, "end")

    @put("/follows/{follow_id:str}/permissions", operation_id="set_permissions")
    async def permissions(
        self, house: InHouse, asking: InAsking, follow_id: FollowId, data: JSONBody[PermissionsIn]
    ) -> FollowOut:
        """The sharer changes what a follower may."""
        follow = await house.follows.set_permissions(
            follow_id=follow_id,
            by=asking.caller.person.id,
            may_see_graph=data.may_see_graph,
            may_be_told=data.may_be_told,
            now_ms=asking.now_ms,
        )
        return follow_out(follow, house)

    @get("/follows/{follow_id:str}/limits", operation_id="limits")
    async def limits(self, house: InHouse, asking: InAsking, follow_id: FollowId) -> LimitsOut:
        """The caller's own limits for one person, as typed."""
        follow = house.follows.follow(follow_id)
        mine = follow is not None and follow.follower == asking.caller.person.id
        if follow is None or not mine or follow.state is FollowState.ENDED:
            raise nothing_here(house)
        return LimitsOut(follow.id, follow.limits)

    @put("/follows/{follow_id:str}/limits", operation_id="set_limits")
    async def set_limits(
        self, house: InHouse, asking: InAsking, follow_id: FollowId, data: JSONBody[Limits]
    ) -> LimitsOut:
        """Change one's own limits. They count at once; one that is not safe is refused with its reason."""
        follow = await house.follows.set_limits(
            follow_id=follow_id, by=asking.caller.person.id, limits=data, now_ms=asking.now_ms
        )
        return LimitsOut(follow.id, follow.limits)

    @get("/looks", operation_id="looks")
    async def looks(self, house: InHouse, asking: InAsking) -> Looks:
        """Who looked at the caller's readings, newest first."""
        looks = await house.access.looks(sharer_person=asking.caller.person.id, limit=LOOKS_SHOWN)
        return Looks([LookOut(look.at_ms, name_of(house, look.viewer), look.what) for look in looks])


async def move(house: House, asking: Asking, follow_id: str, verb: Verb) -> FollowOut:
    """Move a follow on, by the person who asks."""
    moves = {
        "confirm": house.follows.confirm,
        "refuse": house.follows.refuse,
        "pause": house.follows.pause,
        "resume": house.follows.resume,
        "end": house.follows.end,
    }
    follow = await moves[verb](follow_id=follow_id, by=asking.caller.person.id, now_ms=asking.now_ms)
    return follow_out(follow, house)
