"""What all pages share: the frame with its bars, forms and their seal, the way to the next page."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from litestar import MediaType, Response
from litestar.response import Redirect

from nightbell.alarm.effects import AlarmState
from nightbell.web.asking import AnyRequest, Asking, headers_of
from nightbell.web.gather import open_alarms, reader_of, visible_sharers
from nightbell.web.guard import caller_of, check_sent_by_us, require, seal_of, should_renew
from nightbell.web.ports import House
from nightbell.web.render import Frame, Pages
from nightbell.web.show.alarms import Bar, bar_of, may_undo, urgency
from nightbell.words.errors import CallerError, ErrorCode

FIELDS_MAX: Final = 200
SEE_OTHER: Final = 303

SAID: Final = frozenset(
    {
        "saved", "limits", "quiet", "sensor", "accepted", "confirm", "refuse", "pause", "resume", "end",
        "permissions", "signed_out", "way_added", "way_removed",
    }
)  # fmt: skip
"""What may be said after a change: nothing else that stands in an address reaches a page."""

_OUR_PATH: Final = re.compile(r"/(?!/)[a-z0-9/-]{0,100}")

Page = Response[str]
Form = dict[str, str]


def asking_of(request: AnyRequest, house: House, *, seal: str = "") -> Asking:
    """Who asks for a page, or for a change by a form.

    Raises:
        CallerError: `NOT_SIGNED_IN`, `NOT_ALLOWED`.
    """
    headers, now_ms = headers_of(request), house.clock.now_ms()
    caller = require(caller_of(headers, house, now_ms), house)
    check_sent_by_us(headers, request.method, house, by_cookie=caller.by_cookie, seal=seal)
    return Asking(caller, reader_of(caller, house, now_ms), now_ms)


async def form_of(request: AnyRequest, house: House) -> Form:
    """A form's fields; of repeated ones the last.

    Raises:
        CallerError: `MALFORMED`.
    """
    body = await request.body()
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError as error:
        raise CallerError(ErrorCode.MALFORMED, house.words.say("errors.malformed")) from error


async def asking_by_form(request: AnyRequest, house: House) -> tuple[Asking, Form]:
    """Who sent a form of ours, and what stands in it.

    Raises:
        CallerError: `NOT_SIGNED_IN`, `NOT_ALLOWED`, `MALFORMED`.
    """
    form = await form_of(request, house)
    return asking_of(request, house, seal=form.get("seal", "")), form


def bars_of(house: House, asking: Asking) -> list[Bar]:
    """Alarms that ask this person for an answer: those they were told of, and their own; the worst first."""
    caller, reader, _ = asking
    found = []
    for person in visible_sharers(house, caller):
        for alarm in open_alarms(house, person.sharer):
            mine = person.id == caller.person.id
            told = mine or house.board.newest_told(alarm.id, caller.person.id) is not None
            if (told and alarm.state is AlarmState.RINGING) or may_undo(alarm, reader):
                bar = bar_of(alarm, sharer_name=person.name, may_answer=True, reader=reader)
                found.append((urgency(alarm), bar))
    return [bar for _, bar in sorted(found, key=lambda one: -one[0])]


def frame_of(
    request: AnyRequest,
    house: House,
    pages: Pages,
    asking: Asking,
    place: str,
    *,
    said: str = "",
    wrong: bool = False,
) -> Frame:
    """What stands around a page of somebody who is signed in."""
    code = request.query_params.get("said", "")
    if not said and code in SAID:
        said = house.words.say(f"page.said_{code}")
    return pages.frame(
        me=asking.caller.person,
        place=place,
        now_ms=asking.now_ms,
        bars=bars_of(house, asking),
        said=said,
        wrong=wrong,
        seal=seal_of(asking.caller.bearer),
        renew=asking.caller.by_cookie and should_renew(headers_of(request)),
    )


def page(content: str, *, status: int = 200) -> Page:
    """A page as an answer."""
    return Response(content, status_code=status, media_type=MediaType.HTML)


def go_to(path: str, *, said: str = "", cookies: Any = None) -> Redirect:
    """Send the browser to one of our own pages, which then says what was done."""
    assert not said or said in SAID, said
    return Redirect(f"{path}?said={said}" if said else path, status_code=SEE_OTHER, cookies=cookies)


def our_path(path: str) -> str:
    """A path to go to after signing in, if it is one of ours; else the first page."""
    return path if _OUR_PATH.fullmatch(path) else "/"


def quoted(path: str) -> str:
    """A path as a value in a query."""
    return quote(path, safe="/")
