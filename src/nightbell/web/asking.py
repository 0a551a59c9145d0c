"""What handlers are handed: the house, and who asks."""

from typing import Any, NamedTuple

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from nightbell.web.gather import reader_of
from nightbell.web.guard import Caller, caller_of, check_sent_by_us, require
from nightbell.web.ports import House
from nightbell.web.show.alarms import Reader

AnyRequest = Request[Any, Any, State]
"""A request as Litestar hands it over; we keep no user or auth object in it."""


class Asking(NamedTuple):
    """One signed-in request: who asks, when, and how they read."""

    caller: Caller
    reader: Reader
    now_ms: int


class Visit(NamedTuple):
    """One request, signed in or not."""

    caller: Caller | None
    now_ms: int


InHouse = SkipValidation[NamedDependency[House]]
InAsking = SkipValidation[NamedDependency[Asking]]
InVisit = SkipValidation[NamedDependency[Visit]]


def headers_of(request: AnyRequest) -> dict[str, str]:
    """Headers by their names in lower case; of repeated ones the last."""
    return dict(request.headers.items())


def provide_visit(request: AnyRequest, house: InHouse) -> Visit:
    """Who visits, if we know them."""
    now_ms = house.clock.now_ms()
    return Visit(caller_of(headers_of(request), house, now_ms), now_ms)


def provide_asking(request: AnyRequest, house: InHouse) -> Asking:
    """Who asks for something of the API.

    Raises:
        CallerError: `NOT_SIGNED_IN`, or `NOT_ALLOWED` where a page that is not ours asks for a change.
    """
    headers, now_ms = headers_of(request), house.clock.now_ms()
    caller = require(caller_of(headers, house, now_ms), house)
    check_sent_by_us(headers, request.method, house, by_cookie=caller.by_cookie)
    return Asking(caller, reader_of(caller, house, now_ms), now_ms)
