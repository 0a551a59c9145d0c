"""The people one follows: tiles, and a page for each."""

from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from nightbell.follow.limits import Limits
from nightbell.web.asking import AnyRequest, Asking, InHouse
from nightbell.web.gather import follow_of, nothing_here, sharer_of
from nightbell.web.pages.frame import Page, asking_by_form, asking_of, frame_of, go_to, page
from nightbell.web.pages.views import person_view, tile_views, waiting_lines
from nightbell.web.ports import House
from nightbell.web.problem import STATUS
from nightbell.web.render import InPages, Pages
from nightbell.web.show.follows import limits_from
from nightbell.words.conditions import Family
from nightbell.words.errors import CallerError, ErrorCode

_MINUTES_DIGITS = 4


class HomePages(Controller):
    """Tiles and persons."""

    include_in_schema = False

    @get("/")
    async def home(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """Everybody the caller may see."""
        asking = asking_of(request, house)
        tiles = await tile_views(house, asking)
        return page(
            pages.render(
                "home.html",
                frame=frame_of(request, house, pages, asking, "people"),
                tiles=tiles,
                waiting=waiting_lines(house, asking),
            )
        )

    @get("/people/{person_id:str}")
    async def person(
        self, request: AnyRequest, house: InHouse, pages: InPages, person_id: FromPath[str]
    ) -> Page:
        """One person: number, graph, alarms, one's own limits."""
        asking = asking_of(request, house)
        return await _person_page(request, house, pages, asking, person_id)

    @post("/people/{person_id:str}/limits", status_code=200)
    async def limits(
        self, request: AnyRequest, house: InHouse, pages: InPages, person_id: FromPath[str]
    ) -> Response[Any]:
        """Change one's own limits; one that is not safe comes back with its reason and what was typed."""
        asking, form = await asking_by_form(request, house)
        follow = follow_of(house, asking.caller, sharer_of(house, person_id).sharer)
        if follow is None:
            raise nothing_here(house)
        limits = None
        try:
            limits = limits_from(form, follow.limits, house.words)
            await house.follows.set_limits(
                follow_id=follow.id, by=asking.caller.person.id, limits=limits, now_ms=asking.now_ms
            )
        except CallerError as error:
            if error.code is not ErrorCode.GUARDRAIL:
                raise
            return await _person_page(
                request, house, pages, asking, person_id, typed=limits or follow.limits, said=error.sentence
            )
        return go_to(f"/people/{person_id}", said="limits")

    @post("/people/{person_id:str}/snooze", status_code=200)
    async def snooze(self, request: AnyRequest, house: InHouse, person_id: FromPath[str]) -> Redirect:
        """Quiet about one family for a while."""
        asking, form = await asking_by_form(request, house)
        follow = follow_of(house, asking.caller, sharer_of(house, person_id).sharer)
        family, _, minutes = form.get("quiet", "").partition(".")
        if follow is None:
            raise nothing_here(house)
        if family not in set(Family) or not is_number(minutes):
            raise CallerError(ErrorCode.MALFORMED, house.words.say("errors.malformed"))
        await house.answers.snooze(
            follow_id=follow.id,
            family=Family(family),
            minutes=int(minutes),
            identity=asking.caller.identity,
            now_ms=asking.now_ms,
        )
        return go_to(f"/people/{person_id}", said="quiet")


def is_number(text: str) -> bool:
    """Whether a form's field is a small whole number."""
    return text.isascii() and text.isdecimal() and len(text) <= _MINUTES_DIGITS


async def _person_page(
    request: AnyRequest,
    house: House,
    pages: Pages,
    asking: Asking,
    person_id: str,
    *,
    typed: Limits | None = None,
    said: str = "",
) -> Page:
    view = await person_view(house, asking, sharer_of(house, person_id), typed=typed)
    frame = frame_of(request, house, pages, asking, "people", said=said, wrong=bool(said))
    status = STATUS[ErrorCode.GUARDRAIL] if said else 200
    return page(pages.render("person.html", frame=frame, person=view), status=status)
