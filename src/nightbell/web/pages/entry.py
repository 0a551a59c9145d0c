"""The ways in: signing in and out, and an invitation."""

from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.response import Redirect

from nightbell.follow.follow import InvitationView
from nightbell.web.asking import AnyRequest, InHouse, InVisit, Visit, headers_of
from nightbell.web.guard import bearer_of, check_sent_by_us, grant_cookies, peer_of, seal_of
from nightbell.web.pages.frame import (
    Page,
    asking_by_form,
    asking_of,
    bars_of,
    form_of,
    go_to,
    our_path,
    page,
)
from nightbell.web.ports import House
from nightbell.web.problem import STATUS
from nightbell.web.render import Frame, InPages, Pages
from nightbell.web.show.times import clock_text
from nightbell.words.errors import CallerError, ErrorCode, NightbellError

_SECRET_CHARS_MAX: Final = 200
_DEVICE_CHARS_MAX: Final = 80


class EntryPages(Controller):
    """Pages that need no grant."""

    include_in_schema = False

    @get("/sign-in")
    async def sign_in_page(
        self, request: AnyRequest, house: InHouse, pages: InPages, visit: InVisit
    ) -> Response[Any]:
        """Ask for name and password; who is signed in already goes on."""
        there = our_path(request.query_params.get("next", "/"))
        if visit.caller is not None:
            return go_to(there)
        said = "signed_out" if request.query_params.get("said") == "signed_out" else ""
        sentence = house.words.say("page.said_signed_out") if said else ""
        return _sign_in_page(pages, house, there, said=sentence)

    @post("/sign-in", status_code=200)
    async def sign_in(self, request: AnyRequest, house: InHouse, pages: InPages) -> Response[Any]:
        """Take name and password; a wrong one is said on the same page."""
        headers, form = headers_of(request), await form_of(request, house)
        check_sent_by_us(headers, request.method, house, by_cookie=False)
        there, now_ms = our_path(form.get("next", "/")), house.clock.now_ms()
        try:
            signed_in = await house.accounts.sign_in(
                name=form.get("name", ""),
                password=form.get("password", ""),
                device=headers.get("user-agent", "")[:_DEVICE_CHARS_MAX],
                peer=peer_of(request.scope),
                now_ms=now_ms,
            )
        except NightbellError as error:
            return _sign_in_page(pages, house, there, said=error.sentence, status=STATUS[error.code])
        return go_to(there, cookies=grant_cookies(signed_in, house, now_ms))

    @post("/sign-out", status_code=200)
    async def sign_out(self, request: AnyRequest, house: InHouse) -> Redirect:
        """Withdraw the grants of this device."""
        asking, _ = await asking_by_form(request, house)
        await house.accounts.sign_out(asking.caller.bearer, asking.now_ms)
        return go_to("/sign-in", said="signed_out", cookies=grant_cookies(None, house, asking.now_ms))

    @get("/invitation")
    async def invitation_page(
        self, request: AnyRequest, house: InHouse, pages: InPages, visit: InVisit
    ) -> Page:
        """Ask for the code; a script takes it from behind the `#`. Opening this page does nothing."""
        frame = _frame(request, house, pages, visit)
        return page(pages.render("invitation.html", frame=frame, view=None))

    @post("/invitation/look", status_code=200)
    async def look(self, request: AnyRequest, house: InHouse, pages: InPages, visit: InVisit) -> Page:
        """Say who invites, and to what. Looking changes nothing."""
        form = await form_of(request, house)
        secret = form.get("secret", "").strip()[:_SECRET_CHARS_MAX].rpartition("#")[2]
        offered = house.follows.invitation(secret, visit.now_ms)
        if offered is None:
            said = house.words.say("page.invitation_unknown")
            frame = _frame(request, house, pages, visit, said=said, wrong=True)
            return page(
                pages.render("invitation.html", frame=frame, view=None), status=STATUS[ErrorCode.EXPIRED]
            )
        view = _offered(offered, secret, house, visit)
        frame = _frame(request, house, pages, visit)
        return page(pages.render("invitation.html", frame=frame, view=view))

    @post("/invitation/accept", status_code=200)
    async def accept(self, request: AnyRequest, house: InHouse) -> Redirect:
        """Say yes."""
        asking, form = await asking_by_form(request, house)
        await house.follows.accept(
            secret=form.get("secret", "")[:_SECRET_CHARS_MAX],
            follower=asking.caller.person.id,
            now_ms=asking.now_ms,
        )
        return go_to("/", said="accepted")


def _sign_in_page(pages: Pages, house: House, there: str, *, said: str, status: int = 200) -> Page:
    frame = pages.frame(
        me=None,
        place="",
        now_ms=house.clock.now_ms(),
        said=said,
        wrong=status != 200,  # noqa: PLR2004 HTTP OK
    )
    return page(pages.render("sign_in.html", frame=frame, next=there), status=status)


def _frame(
    request: AnyRequest, house: House, pages: Pages, visit: Visit, *, said: str = "", wrong: bool = False
) -> Frame:
    if visit.caller is None:
        return pages.frame(me=None, place="", now_ms=visit.now_ms, said=said, wrong=wrong)
    bearer, _ = bearer_of(headers_of(request))
    return pages.frame(
        me=visit.caller.person,
        place="",
        now_ms=visit.now_ms,
        bars=_bars(request, house),
        said=said,
        wrong=wrong,
        seal=seal_of(bearer),
    )


def _bars(request: AnyRequest, house: House) -> Any:
    try:
        return bars_of(house, asking_of(request, house))
    except CallerError:
        return []


def _offered(view: InvitationView, secret: str, house: House, visit: Visit) -> dict[str, Any]:
    zone = visit.caller.person.zone if visit.caller else "UTC"
    ends = clock_text(view.expires_ms, zone=zone, now_ms=visit.now_ms)
    return {
        "name": view.sharer_name,
        "secret": secret,
        "lines": [
            house.words.say("page.invitation_graph" if view.may_see_graph else "page.invitation_number"),
            house.words.say("page.invitation_told" if view.may_be_told else "page.invitation_not_told"),
            house.words.say("page.invitation_until", time=ends),
        ],
    }
