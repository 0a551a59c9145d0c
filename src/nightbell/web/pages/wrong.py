"""When something did not work: a page for a person, or the way to sign in."""

from typing import Any, Final

from litestar import Response
from litestar.response import Redirect

from nightbell.web.asking import AnyRequest, headers_of
from nightbell.web.guard import caller_of, page_headers, seal_of
from nightbell.web.pages.frame import SEE_OTHER, our_path, page, quoted
from nightbell.web.ports import House
from nightbell.web.problem import answer_of
from nightbell.web.render import Pages
from nightbell.words.errors import ErrorCode, NightbellError

_FOR_PROGRAMS: Final = ("/v1/", "/fragments/")


def wants_page(request: AnyRequest) -> bool:
    """Whether a person waits for the answer, not a program."""
    return not str(request.scope["path"]).startswith(_FOR_PROGRAMS)


def problem_page(
    request: AnyRequest, house: House, pages: Pages, error: NightbellError, *, status: int = 0
) -> Response[Any]:
    """The page that says what went wrong. Who is not signed in is sent to do so, and comes back."""
    headers = headers_of(request)
    path = str(request.scope["path"])
    if error.code is ErrorCode.NOT_SIGNED_IN:
        if request.method == "GET" and headers.get("sec-fetch-site") == "cross-site":
            # A link from elsewhere comes without our cookie (SameSite=Strict). Asked for once more by a page
            # of our own, it comes with it.
            response: Response[Any] = page(pages.render("bounce.html", path=our_path(path)))
        else:
            there = our_path(path) if request.method == "GET" else "/"
            response = Redirect(f"/sign-in?next={quoted(there)}", status_code=SEE_OTHER)
        response.headers.update(page_headers(tls=house.place.tls))
        return response
    now_ms = house.clock.now_ms()
    caller = caller_of(headers, house, now_ms)
    answer = answer_of(error, house.words, status=status)
    missing = error.code is ErrorCode.NOT_FOUND
    frame = pages.frame(
        me=caller.person if caller else None,
        place="",
        now_ms=now_ms,
        seal=seal_of(caller.bearer) if caller else "",
    )
    title = house.words.say("page.problem_not_found_title" if missing else "page.problem_title")
    response = page(
        pages.render("problem.html", frame=frame, title=title, sentence=error.sentence), status=answer.status
    )
    response.headers.update(page_headers(tls=house.place.tls) | answer.headers)
    return response
