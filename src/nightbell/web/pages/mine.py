"""What is one's own: followers, who looked, settings, a new sensor."""

from typing import Final

from litestar import Controller, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from nightbell.web.api.follows import LOOKS_SHOWN
from nightbell.web.asking import AnyRequest, Asking, InHouse
from nightbell.web.gather import nothing_here
from nightbell.web.pages.frame import Page, asking_by_form, asking_of, frame_of, go_to, page
from nightbell.web.pages.home import is_number
from nightbell.web.pages.views import follower_views, following_views, look_views
from nightbell.web.pages.ways import settings_page
from nightbell.web.ports import House
from nightbell.web.render import InPages, Pages
from nightbell.web.show.follows import invitation_link
from nightbell.words.errors import CallerError, ErrorCode
from nightbell.words.glucose import Unit

VERBS: Final = ("confirm", "refuse", "pause", "resume", "end")


class MinePages(Controller):
    """Pages about oneself."""

    include_in_schema = False

    @get("/followers")
    async def followers(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """Who follows, and whom one follows."""
        return _followers_page(request, house, pages, asking_of(request, house), link="")

    @post("/followers/invite", status_code=200)
    async def invite(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """Make an invitation. Its link is on this page and nowhere else, so there is no way back to it."""
        asking, form = await asking_by_form(request, house)
        invitation = await house.follows.invite(
            sharer=asking.caller.person.id,
            may_see_graph=form.get("graph") == "yes",
            may_be_told=form.get("told") == "yes",
            now_ms=asking.now_ms,
        )
        link = invitation_link(house.place.public_url, invitation.secret)
        return _followers_page(request, house, pages, asking, link=link)

    @post("/follows/{follow_id:str}/permissions", status_code=200)
    async def permissions(self, request: AnyRequest, house: InHouse, follow_id: FromPath[str]) -> Redirect:
        """Change what a follower may."""
        asking, form = await asking_by_form(request, house)
        await house.follows.set_permissions(
            follow_id=follow_id,
            by=asking.caller.person.id,
            may_see_graph=form.get("graph") == "yes",
            may_be_told=form.get("told") == "yes",
            now_ms=asking.now_ms,
        )
        return go_to("/followers", said="permissions")

    @post("/follows/{follow_id:str}/{verb:str}", status_code=200)
    async def move(
        self, request: AnyRequest, house: InHouse, follow_id: FromPath[str], verb: FromPath[str]
    ) -> Redirect:
        """Confirm, refuse, pause, resume or end a follow."""
        asking, _ = await asking_by_form(request, house)
        if verb not in VERBS:
            raise nothing_here(house)
        moves = dict(
            zip(
                VERBS,
                (
                    house.follows.confirm,
                    house.follows.refuse,
                    house.follows.pause,
                    house.follows.resume,
                    house.follows.end,
                ),
                strict=True,
            )
        )
        await moves[verb](follow_id=follow_id, by=asking.caller.person.id, now_ms=asking.now_ms)
        return go_to("/followers", said=verb)

    @get("/looks")
    async def looks(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """Who looked at one's readings."""
        asking = asking_of(request, house)
        looks = await house.access.looks(sharer_person=asking.caller.person.id, limit=LOOKS_SHOWN)
        return page(
            pages.render(
                "looks.html",
                frame=frame_of(request, house, pages, asking, "looks"),
                looks=look_views(looks, asking.reader),
                shares=asking.caller.person.sharer >= 0,
            )
        )

    @get("/settings")
    async def settings(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """One's own unit, zone and address, and how one is reached."""
        asking = asking_of(request, house)
        return settings_page(request, house, pages, asking)

    @post("/settings", status_code=200)
    async def save_settings(self, request: AnyRequest, house: InHouse) -> Redirect:
        """Change them."""
        asking, form = await asking_by_form(request, house)
        unit = form.get("unit", asking.caller.person.unit.value)
        if unit not in set(Unit):
            raise CallerError(ErrorCode.MALFORMED, house.words.say("errors.malformed"))
        await house.accounts.set_person(
            asking.caller.person.id,
            now_ms=asking.now_ms,
            unit=Unit(unit),
            zone=form["zone"].strip() if "zone" in form else None,
            email=form["email"].strip() if "email" in form else None,
            webhook=form["webhook"].strip() if "webhook" in form else None,
        )
        return go_to("/settings", said="saved")

    @post("/sensor", status_code=200)
    async def sensor(self, request: AnyRequest, house: InHouse) -> Redirect:
        """A new sensor warms up."""
        asking, form = await asking_by_form(request, house)
        if not is_number(form.get("minutes", "")):
            raise CallerError(ErrorCode.MALFORMED, house.words.say("errors.malformed"))
        await house.answers.sensor_started(
            identity=asking.caller.identity, warm_up_minutes=int(form["minutes"]), now_ms=asking.now_ms
        )
        return go_to(f"/people/{asking.caller.person.id}", said="sensor")


def _followers_page(request: AnyRequest, house: House, pages: Pages, asking: Asking, *, link: str) -> Page:
    return page(
        pages.render(
            "followers.html",
            frame=frame_of(request, house, pages, asking, "followers"),
            link=link,
            shares=asking.caller.person.sharer >= 0,
            followers=follower_views(house, asking),
            following=following_views(house, asking),
        )
    )
