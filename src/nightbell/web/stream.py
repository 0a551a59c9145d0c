"""The live stream, `GET /v1/stream`, as a bare ASGI callable: server-sent events as they happen.

One task writes each stream and sleeps while there is nothing to say; a second one only waits for the client
to go. The hub decides what is said; here it is only put on the wire.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

import msgspec
import structlog

from nightbell.account.identity import FOLLOW, Identity
from nightbell.deliver.connection import Connection
from nightbell.deliver.hub import Hub
from nightbell.deliver.ports import Access
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.errors import CallerError, ErrorCode, NightbellError, PlatformError

_log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

COOKIE: Final = "nightbell_grant"
"""The cookie in which a browser keeps its grant."""

_COOKIE_HEADER_MAX: Final = 8 * 1024

_LOOKS_PATIENCE_S: Final = 10.0
"""How long writing down who looked may take; a bell rings without it, and says so in the log."""

_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_STATUS: Final = {
    ErrorCode.NOT_SIGNED_IN: 401,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.MALFORMED: 405,
}


class Stream:
    """The ASGI callable. The caller has matched the path already."""

    def __init__(
        self,
        hub: Hub,
        *,
        identify: Callable[[str, int], Identity | None],
        access: Access,
        clock: Clock,
        admission: Admission | None = None,
    ) -> None:
        self._admission = admission or open_to_all()
        self._hub = hub
        self._identify = identify
        self._access = access
        self._clock = clock
        self._looks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            connection = self._open(scope)
        except NightbellError as error:
            await _send_problem(send, error)
            return
        gone = asyncio.create_task(self._until_gone(connection, receive))
        try:
            await self._write(connection, send)
        except OSError:  # the client went while we wrote: some servers say it so
            connection.end("gone")
        except asyncio.CancelledError:
            if connection.ended != "stuck":
                raise
            _log.info("stream.given_up")
        finally:
            gone.cancel()
            self._hub.close(connection)

    def _open(self, scope: Scope) -> Connection:
        """Let somebody in.

        Raises:
            CallerError: `MALFORMED`, `NOT_SIGNED_IN`, `NOT_ALLOWED`.
            PlatformError: `OVERLOADED`.
        """
        words = catalogue()
        if scope["method"] != "GET":
            raise CallerError(ErrorCode.MALFORMED, words.say("deliver.stream_get"))
        headers: dict[bytes, bytes] = dict(scope["headers"])
        bearer, by_cookie = _bearer(headers)
        identity = self._identify(bearer, self._clock.now_ms()) if bearer else None
        if identity is None:
            raise CallerError(ErrorCode.NOT_SIGNED_IN, words.say("deliver.stream_sign_in"))
        foreign = by_cookie and headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none")
        if foreign or FOLLOW not in identity.scopes:
            raise CallerError(ErrorCode.NOT_ALLOWED, words.say("deliver.stream_not_allowed"))
        self._admission.check(Work.LIVE, identity.person)
        return self._hub.open(
            identity,
            still=lambda now_ms: self._identify(bearer, now_ms) is not None,
            last_event_id=headers.get(b"last-event-id", b"").decode("latin-1"),
        )

    async def _write(self, connection: Connection, send: Send) -> None:
        """Write until it ends."""
        task = asyncio.current_task()
        assert task is not None

        def give_up() -> None:
            connection.end("stuck")
            task.cancel()

        connection.give_up = give_up
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        looked: frozenset[int] = frozenset()
        while connection.ended != "gone":
            now_ms = self._clock.now_ms()
            piece = self._hub.next_piece(connection, now_ms)
            if piece:
                connection.writing_since_ms = now_ms
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                connection.writing_since_ms = 0
                looked = self._look(connection, looked)
            elif connection.ended:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            else:
                await connection.wait()

    async def _until_gone(self, connection: Connection, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        connection.end("gone")

    def _look(self, connection: Connection, looked: frozenset[int]) -> frozenset[int]:
        """Have it written down whom this stream shows, where that is new; it need not wait for that."""
        shown = self._hub.sharers_of(connection)
        if shown - looked:
            task = asyncio.create_task(self._record_looks(connection.identity, shown - looked))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)
        return shown | looked

    async def _record_looks(self, viewer: Identity, sharers: frozenset[int]) -> None:
        """Write down whose readings are looked at. The bell works without it: a failure is only logged."""
        now_ms = self._clock.now_ms()
        try:
            async with asyncio.timeout(_LOOKS_PATIENCE_S):
                for sharer in sorted(sharers):
                    await self._access.open(viewer=viewer, sharer=sharer, what="stream", now_ms=now_ms)
        except (NightbellError, TimeoutError) as error:
            _log.warning("look.unrecorded", error=type(error).__name__)


def _bearer(headers: dict[bytes, bytes]) -> tuple[str, bool]:
    """The grant or key of a request, and whether it came as a cookie."""
    kind, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip(), False
    cookies = headers.get(b"cookie", b"")[:_COOKIE_HEADER_MAX].decode("latin-1")
    try:
        morsel = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return "", False
    return (morsel.value if morsel is not None else "", True)


async def _send_problem(send: Send, error: NightbellError) -> None:
    """Answer with a problem document (RFC 9457)."""
    status = _STATUS[error.code]
    document = {"type": "about:blank", "status": status, "code": error.code, "detail": error.sentence}
    body = msgspec.json.encode(document)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == _STATUS[ErrorCode.MALFORMED]:
        headers.append((b"allow", b"GET"))
    if status == _STATUS[ErrorCode.NOT_SIGNED_IN]:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, PlatformError) and error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
