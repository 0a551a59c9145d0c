"""Puts the web of one house together: `build_app(house)` is all that the composition root needs."""

import traceback
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import structlog
from litestar import Litestar, MediaType, Response, get
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.config import OpenAPIConfig

from nightbell.web.api.alarms import AlarmsApi
from nightbell.web.api.channels import ChannelsApi
from nightbell.web.api.follows import FollowsApi
from nightbell.web.api.people import PeopleApi
from nightbell.web.api.session import SessionApi
from nightbell.web.api.ways import WaysApi
from nightbell.web.asking import AnyRequest, provide_asking, provide_visit
from nightbell.web.files import Files
from nightbell.web.front import Front, FrontRoute
from nightbell.web.guard import page_headers
from nightbell.web.openapi import VERSION, whole_document
from nightbell.web.pages.alarm import AlarmPages
from nightbell.web.pages.entry import EntryPages
from nightbell.web.pages.fragments import FragmentPages
from nightbell.web.pages.home import HomePages
from nightbell.web.pages.mine import MinePages
from nightbell.web.pages.shell import ShellPages
from nightbell.web.pages.ways import WaysPages
from nightbell.web.pages.wrong import problem_page, wants_page
from nightbell.web.ports import AsgiApp, House
from nightbell.web.problem import TYPE, answer_of, code_of_status
from nightbell.web.render import Pages
from nightbell.words.errors import CallerError, ErrorCode, NightbellError, PlatformError

BODY_BYTES_MAX: Final = 64 * 1024
"""Forms and JSON of the API are far smaller (security sheet, API4)."""

_SERVER_FAULT: Final = 500
_WHY_CHARS_MAX: Final = 200

_log = structlog.get_logger(__name__)


def build_app(house: House) -> Front:
    """The ASGI callable of one house."""
    files = Files()
    pages = Pages(house.words, files, tls=house.place.tls, push_key=house.place.push_key)
    app = _framework(house, pages)
    app.state.house, app.state.pages = house, pages
    return Front(
        door=house.door,
        share=house.share,
        stream=house.stream,
        rest=_as_asgi(app),
        rest_routes=lambda: _routes(app),
        files=files,
        clock=house.clock,
        words=house.words,
        admission=house.admission,
        passwords_full_s=house.passwords_full_s,
    )


def _as_asgi(app: Litestar) -> AsgiApp:
    async def call(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return call


def _framework(house: House, pages: Pages) -> Litestar:
    document = _Document(house)

    @get("/v1/openapi.json", include_in_schema=False, media_type=MediaType.JSON, sync_to_thread=False)
    def openapi_document() -> Response[bytes]:
        return Response(document.content, media_type="application/vnd.oai.openapi+json")

    return Litestar(
        route_handlers=[*_API, *_PAGES, openapi_document],
        dependencies=_dependencies(house, pages),
        exception_handlers={
            NightbellError: _on_ours,
            HTTPException: _on_framework,
            RecursionError: _on_deep,
            Exception: _on_bug,
        },
        openapi_config=None,
        response_headers=page_headers(tls=house.place.tls),
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
        debug=False,
    )


_PAGES: Final = (EntryPages, HomePages, AlarmPages, MinePages, WaysPages, FragmentPages, ShellPages)
_API: Final = (SessionApi, PeopleApi, AlarmsApi, FollowsApi, WaysApi, ChannelsApi)


def _dependencies(house: House, pages: Pages) -> dict[str, Provide]:
    def provide_house() -> House:
        return house

    def provide_pages() -> Pages:
        return pages

    return {
        "house": Provide(provide_house, sync_to_thread=False),
        "pages": Provide(provide_pages, sync_to_thread=False),
        "visit": Provide(provide_visit, sync_to_thread=False),
        "asking": Provide(provide_asking, sync_to_thread=False),
    }


class _Document:
    """The OpenAPI document, made when first asked for by an app that has the API only and never runs."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._content = b""

    @property
    def content(self) -> bytes:
        """The document as JSON."""
        if not self._content:
            app = Litestar(
                route_handlers=list(_API),
                dependencies=_dependencies(self._house, Pages(self._house.words, Files(), tls=False)),
                openapi_config=OpenAPIConfig(
                    title="Nightbell",
                    version=VERSION,
                    description="Remote glucose following that never fails silently.",
                    use_handler_docstrings=True,
                ),
                logging_config=None,
            )
            self._content = msgspec.json.encode(whole_document(app.openapi_schema.to_schema()))
        return self._content


def _routes(app: Litestar) -> Iterable[FrontRoute]:
    for route in app.routes:
        methods = getattr(route, "methods", ())
        yield FrontRoute(route.path_format, frozenset(methods) - {"OPTIONS"})


def _on_ours(request: AnyRequest, error: NightbellError) -> Response[Any]:
    house, pages = _house_and_pages(request)
    if wants_page(request):
        return problem_page(request, house, pages, error)
    answer = answer_of(error, house.words)
    return Response(
        answer.document,
        status_code=answer.status,
        media_type=TYPE,
        headers=page_headers(tls=house.place.tls) | answer.headers,
    )


def _on_framework(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """What the framework found wrong, in our own words and form."""
    house, pages = _house_and_pages(request)
    code = code_of_status(error.status_code)
    fields: dict[str, str | int] = {}
    if isinstance(error, ValidationException) and isinstance(error.extra, list) and error.extra:
        first = error.extra[0]
        fields = {
            name: str(first.get(key, ""))[:_WHY_CHARS_MAX]
            for name, key in (("where", "key"), ("why", "message"))
        }
    kind = PlatformError if error.status_code >= _SERVER_FAULT else CallerError
    ours = kind(code, house.words.say(f"errors.{code}"), **fields)  # type: ignore[arg-type]
    if wants_page(request):
        return problem_page(request, house, pages, ours, status=error.status_code)
    answer = answer_of(ours, house.words, status=error.status_code)
    allow = {"allow": error.headers["Allow"]} if error.headers and "Allow" in error.headers else {}
    return Response(
        answer.document,
        status_code=answer.status,
        media_type=TYPE,
        headers=page_headers(tls=house.place.tls) | answer.headers | allow,
    )


def _on_deep(request: AnyRequest, _error: RecursionError) -> Response[Any]:
    """JSON nested too deep to read: nothing of ours calls itself, so it is the caller's."""
    house, _ = _house_and_pages(request)
    return _on_ours(request, CallerError(ErrorCode.MALFORMED, house.words.say("errors.malformed")))


def _on_bug(request: AnyRequest, error: Exception) -> Response[Any]:
    """A fault of ours that nobody foresaw: where it is stands in the log, what was in it does not."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    _log.error("request.failed", error=type(error).__name__, where=where)
    house, _ = _house_and_pages(request)
    return _on_ours(request, PlatformError(ErrorCode.INTERNAL, house.words.say("errors.internal")))


def _house_and_pages(request: AnyRequest) -> tuple[House, Pages]:
    state = request.app.state
    return state.house, state.pages
