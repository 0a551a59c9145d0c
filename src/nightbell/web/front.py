"""The outermost ASGI callable: what is hot goes straight to the door and the stream, the rest elsewhere.

A reading passes one dictionary look-up and the reading of its body, nothing else.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from nightbell.load import deadline
from nightbell.load.again import HOLD_MS_MAX, HOLD_MS_MIN, spread
from nightbell.load.deadline import HEADER as DEADLINE
from nightbell.load.deadline import left_ms
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all, refusal
from nightbell.publish.door import DoorAnswer, DoorHandler, DoorOffer, DoorRequest
from nightbell.web.files import PREFIX as STATIC
from nightbell.web.files import Files
from nightbell.web.guard import peer_of
from nightbell.web.ports import AsgiApp, Receive, Scope, Send
from nightbell.web.problem import TYPE, answer_of
from nightbell.web.slow_bodies import SlowBodies
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import Clock
from nightbell.words.errors import CallerError, ErrorCode, NightbellError

DOOR: Final = "/v1/readings"
STREAM: Final = "/v1/stream"
SHARE: Final = "/ShareWebServices/Services/"

SIGN_INS: Final = frozenset({"/v1/sign-in", "/sign-in"})

DOOR_BYTES_MAX: Final = 256 * 1024
"""Native uploads: 512 readings fit several times (blueprint, section 9)."""

SHARE_BYTES_MAX: Final = 1024 * 1024
"""Uploads of old clients are wordier; the issue asks that 10 MB be refused."""

BODY_S_MAX: Final = 30
"""How long a body may take to arrive: 256 KiB over a poor mobile link takes a tenth of it."""

_STATIC_FOR_EVER: Final = b"public, max-age=31536000, immutable"
_STATIC_NOW: Final = b"no-cache"
_FOUND: Final = 200
_NOT_FOUND: Final = 404
_REFUSED: Final = 503


class FrontRoute(NamedTuple):
    """A path that the front answers itself, for tests that list all there are."""

    path: str
    methods: frozenset[str]


class TooLargeError(Exception):
    """The body is larger than its limit."""


class ClientGoneError(Exception):
    """The client went before its body was complete."""


async def read_body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    """The whole body of a request.

    Raises:
        TooLargeError: It is, or says it is, larger than the limit. What came so far is dropped.
        ClientGoneError: The client went away.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        raise TooLargeError
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise TooLargeError
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLargeError
    return b"".join(parts)


def awaited(offer: DoorOffer) -> DoorHandler:
    """A door that answers some time, as one that is awaited."""

    async def handler(request: DoorRequest) -> DoorAnswer:
        answer: asyncio.Future[DoorAnswer] = asyncio.get_running_loop().create_future()

        def answered(said: DoorAnswer) -> None:
            if not answer.done():
                answer.set_result(said)

        offer(request, answered)
        return await answer

    return handler


class Front:
    """The whole web of one house."""

    def __init__(
        self,
        *,
        door: DoorOffer,
        share: DoorHandler,
        stream: AsgiApp,
        rest: AsgiApp,
        rest_routes: Callable[[], Iterable[FrontRoute]],
        files: Files,
        clock: Clock,
        words: Catalogue,
        admission: Admission | None = None,
        passwords_full_s: Callable[[], int] = int,
    ) -> None:
        self._admission = admission or open_to_all()
        self._passwords_full_s = passwords_full_s
        self._door = awaited(door)
        self._share = share
        self._rest = rest
        self._rest_routes = rest_routes
        self._files = files
        self._clock = clock
        self._slow_bodies = SlowBodies(BODY_S_MAX)
        self._words = words
        self._held = 0
        self._mounted: list[FrontRoute] = []
        self._exact: dict[str, AsgiApp] = {STREAM: stream}

    def mount(self, path: str, handler: DoorHandler) -> None:
        """Answer one more exact path, which takes small bodies only; not for people's readings."""

        async def at_path(scope: Scope, receive: Receive, send: Send) -> None:
            await self._hand_over(handler, DOOR_BYTES_MAX, scope, receive, send)

        self._exact[path] = at_path
        self._mounted.append(FrontRoute(path, frozenset({"GET"})))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in starting and stopping."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path: str = scope["path"]
        if path == DOOR:
            await self._hand_over(self._door, DOOR_BYTES_MAX, scope, receive, send)
            return
        exact = self._exact.get(path)
        if exact is not None:
            await exact(scope, receive, send)
        elif path.startswith(SHARE):
            await self._at_share(scope, receive, send)
        elif path.startswith(STATIC):
            await self._static(scope, send)
        else:
            seconds = self._sign_in_closed_s() if path in SIGN_INS and scope["method"] == "POST" else 0
            if seconds:
                await self._hold()
                await _answer(send, self._problem(refusal(seconds)))
                return
            said = [value for name, value in scope["headers"] if name == DEADLINE]
            deadline.begin(left_ms(said[0]) if said else None, asyncio.get_running_loop().time())
            await self._rest(scope, receive, send)

    def _sign_in_closed_s(self) -> int:
        """0, or when to come again: a storm of sign-ins is answered before anything of it is made or read."""
        full_s = self._passwords_full_s()
        return full_s if full_s or self._admission.calm else self._admission.closed_s(Work.SIGN_IN)

    def routes(self) -> list[FrontRoute]:
        """Every path there is: the front's own and the framework's."""
        own = [
            FrontRoute(DOOR, frozenset({"POST"})),
            FrontRoute(STREAM, frozenset({"GET"})),
            FrontRoute(f"{SHARE}{{rest}}", frozenset({"GET", "POST"})),
            FrontRoute(f"{STATIC}{{rest}}", frozenset({"GET", "HEAD"})),
        ]
        return own + self._mounted + sorted(self._rest_routes())

    async def _at_share(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._hand_over(self._share, SHARE_BYTES_MAX, scope, receive, send)

    async def _hand_over(
        self, handler: DoorHandler, limit: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            body = await self._slow_bodies.read(read_body(receive, headers, limit))
        except TooLargeError:
            await _answer(send, self._cut_off(ErrorCode.TOO_LARGE, "page.too_large", bytes=limit))
            return
        except TimeoutError:
            await _answer(send, self._cut_off(ErrorCode.MALFORMED, "page.too_slow", seconds=BODY_S_MAX))
            return
        except ClientGoneError:
            return
        now_ms, query = self._clock.now_ms(), scope["query_string"]
        request = DoorRequest(scope["method"], scope["path"], query, headers, body, peer_of(scope), now_ms)
        answer = await handler(request)
        if answer.status == _REFUSED:
            await self._hold()
        await send(_start_of(answer))
        await send({"type": "http.response.body", "body": answer.body})

    async def _hold(self) -> None:
        """Hold a refusal for a moment: whoever tries again at once goes round slowly (`load/again.py`)."""
        self._held += 1
        await asyncio.sleep(spread(self._held, HOLD_MS_MIN, HOLD_MS_MAX) / 1000)

    def _cut_off(self, code: ErrorCode, key: str, **slots: int) -> DoorAnswer:
        # What is still on its way is not read: the connection ends here.
        return self._problem(CallerError(code, self._words.say(key, **slots)), (b"connection", b"close"))

    def _problem(self, error: NightbellError, *more: tuple[bytes, bytes]) -> DoorAnswer:
        answer = answer_of(error, self._words)
        said = tuple((name.encode(), value.encode()) for name, value in answer.headers.items())
        headers = ((b"content-type", TYPE.encode()), *said, *more)
        return DoorAnswer(answer.status, headers, msgspec.json.encode(answer.document))

    async def _static(self, scope: Scope, send: Send) -> None:
        found = self._files.at(scope["path"])
        if found is None or scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, DoorAnswer(_NOT_FOUND, ((b"content-type", b"text/plain"),), b"not found"))
            return
        file, for_ever = found
        headers = (
            (b"content-type", file.type),
            (b"cache-control", _STATIC_FOR_EVER if for_ever else _STATIC_NOW),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"same-origin"),
        )
        await _answer(send, DoorAnswer(_FOUND, headers, file.content))


def _start_of(answer: DoorAnswer) -> dict[str, object]:
    length = (b"content-length", b"%d" % len(answer.body))
    return {"type": "http.response.start", "status": answer.status, "headers": (*answer.headers, length)}


async def _answer(send: Send, answer: DoorAnswer) -> None:
    await send(_start_of(answer))
    await send({"type": "http.response.body", "body": answer.body})
