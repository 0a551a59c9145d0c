"""The doorway: a usual upload goes from the socket straight to the door, everything else to the web server.

Rules:

1. An upload in its usual shape, one whole `POST /v1/readings` with its length said, is answered here.
2. Whatever is not plainly that (another path, a body in chunks, two requests at once, a wish to close) is
   handed with all its bytes to the web server's own protocol, which then keeps the connection. So there is
   one way of being unusual, and `Front` answers what it answers.
3. One request at a time: what comes while an answer is awaited waits, unread, in the client's socket.
4. An upload of more than a reading or two, which is late in most of what it says, waits for its turn: some
   milliseconds of such, then single ones come in between. So no live reading waits behind all the phones that
   catch up, however many they are, and that holds from the first moment of a flood.
5. No request is answered before it was read to its end and others had their turn: a client that sends the
   next one at once must not keep the event loop in its round of sockets. A refusal is held for a second or
   so (`load/again.py`).
6. Whoever is slow is cut off: a request has `REQUEST_S_MAX` to arrive, a connection may idle `idle_s_max`.

Theory of operation: the server's protocol and its cycle of tasks cost a request twice what all of ours do
(docs/performance.md). Here nothing is made for a request but what is parsed; the answer comes by a callback
of the journal's future. The parser is the server's (httptools, llhttp).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, Protocol

import httptools
import structlog

from nightbell.load.again import HOLD_MS_MAX, HOLD_MS_MIN, spread
from nightbell.publish.door import DoorAnswer, DoorOffer, DoorRequest
from nightbell.publish.native import ONE_ACCEPTED
from nightbell.web.front import DOOR, DOOR_BYTES_MAX
from nightbell.words.clock import Clock, elapsed_s

REQUEST_S_MAX: Final = 30.0
"""How long a request may take to arrive, as `front.BODY_S_MAX`."""

LOOK_EVERY_S: Final = 5.0
"""How often one timer looks for the slow ones among all connections: so much longer they may last."""

LARGE_BYTES: Final = 320
"""A body above it holds more than two readings: no phone that is up to date sends so many."""

TURN_S: Final = 0.002
"""So much work on large uploads at once: what a live reading waits for them in a round of the event loop."""

WAITING_BYTES_MAX: Final = 16 << 20
"""What large uploads may hold in memory while they wait: above it the oldest is taken at once."""

RAW_BYTES_MAX: Final = DOOR_BYTES_MAX + 16 * 1024
"""A request with its headers. A longer one is not usual."""

_BEGINNING: Final = b"POST " + DOOR.encode() + b" HTTP/1.1\r\n"
_UNUSUAL_HEADERS: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"connection"})
_REFUSED: Final = 503
_KEEP_ALIVE: Final = b"keep-alive"

_log = structlog.get_logger()


class Beyond(Protocol):
    """The web server's own protocol for one connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the connection over."""
        ...

    def data_received(self, data: bytes) -> None:
        """Take what came so far, and whatever comes."""
        ...


class Doorways:
    """All connections whose requests are usual, and what they share.

    Args:
        offer: The door.
        clock: The time of day.
        idle_s_max: How long a connection may lie idle.
        elapsed: Seconds that go on while we work, as the event loop's clock does not.
    """

    def __init__(
        self,
        offer: DoorOffer,
        clock: Clock,
        *,
        idle_s_max: float,
        elapsed: Callable[[], float] = elapsed_s,
    ) -> None:
        self._offer = offer
        self._elapsed = elapsed
        self._large: deque[tuple[DoorRequest, Callable[[DoorAnswer], None]]] = deque()
        self._large_bytes = 0
        self.clock = clock
        self.open: set[Doorway] = set()
        self._idle_s_max = idle_s_max
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self, request: DoorRequest, answered: Callable[[DoorAnswer], None]) -> None:
        """Take a request: at once, or when it is its turn."""
        if len(request.body) <= LARGE_BYTES:
            self._take_now(request, answered)
            return
        if not self._large:
            asyncio.get_running_loop().call_soon(self._turn)
        self._large.append((request, answered))
        self._large_bytes += len(request.body)
        while self._large_bytes > WAITING_BYTES_MAX and len(self._large) > 1:
            self._take_oldest()

    def _turn(self) -> None:
        """Take large uploads for a moment; the loop looks at the sockets before the next ones."""
        until_s = self._elapsed() + TURN_S
        while self._large:
            self._take_oldest()
            if self._elapsed() >= until_s:
                break
        if self._large:
            asyncio.get_running_loop().call_soon(self._turn)

    def _take_oldest(self) -> None:
        request, answered = self._large.popleft()
        self._large_bytes -= len(request.body)
        self._take_now(request, answered)

    def _take_now(self, request: DoorRequest, answered: Callable[[DoorAnswer], None]) -> None:
        try:
            self._offer(request, answered)
        except Exception as error:  # noqa: BLE001 the outermost loop of a request: the client must hear something
            _log.error("request.failed", error=type(error).__name__)
            answered(DoorAnswer(500, ((b"content-type", b"text/plain"),), b"Internal Server Error"))

    def enter(self, doorway: "Doorway") -> None:
        """A connection was made."""
        self.open.add(doorway)
        if self._timer is None:
            self._timer = doorway.loop.call_later(LOOK_EVERY_S, self._look, doorway.loop)

    def hold_s(self) -> float:
        """How long the next refusal is held, seconds."""
        self._held += 1
        return spread(self._held, HOLD_MS_MIN, HOLD_MS_MAX) / 1000

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for doorway in list(self.open):
            doorway.look(now, self._idle_s_max)
        self._timer = loop.call_later(LOOK_EVERY_S, self._look, loop) if self.open else None


class Doorway(asyncio.Protocol):
    """One connection.

    Args:
        shared: What all connections share.
        loop: The event loop.
        beyond: Makes the web server's own protocol for this connection.
        connections: Where the web server keeps those that it must close in the end.
    """

    __slots__ = (
        "_answering",
        "_asking",
        "_begun",
        "_beyond",
        "_body",
        "_closing",
        "_complete",
        "_connections",
        "_headers",
        "_parser",
        "_peer",
        "_raw",
        "_shared",
        "_since",
        "_transport",
        "_usual",
        "loop",
    )

    def __init__(
        self,
        shared: Doorways,
        loop: asyncio.AbstractEventLoop,
        beyond: Callable[[], Beyond],
        connections: set[Any],
    ) -> None:
        self.loop = loop
        self._shared = shared
        self._beyond = beyond
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._peer = ""
        self._raw: bytes | bytearray = b""
        self._since = 0.0
        self._answering = False
        self._asking = False
        self._closing = False
        self._forget()

    def _forget(self) -> None:
        """Be ready for the next request."""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._begun = 0
        self._complete = False
        self._usual = True

    # What the event loop calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of a stream
        """A client came."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self._since = self.loop.time()
        self._connections.add(self)
        self._shared.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 the event loop's form
        """The client went. What is being written down is written all the same."""
        self._leave()

    def pause_writing(self) -> None:
        """The client does not read its answers: we read no more of it."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if not self._answering:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Some of a request came, usually all of it."""
        raw = self._gather(data)
        if self._answering:
            self._transport.pause_reading()
            return
        if not raw.startswith(_BEGINNING):
            if len(raw) >= len(_BEGINNING) or not _BEGINNING.startswith(raw):
                self._hand_over()
            return
        if len(raw) > RAW_BYTES_MAX:
            self._hand_over()
            return
        try:
            # What came in pieces was fed in pieces, but the first of them may have been too short to judge.
            self._parser.feed_data(data if self._begun else bytes(raw))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._usual = False
        if not self._usual or self._begun > 1:
            self._hand_over()
        elif self._complete:
            self._ask()

    def _gather(self, data: bytes) -> bytes | bytearray:
        """All that came of this request. A usual one comes at once and is not copied."""
        if not self._raw:
            self._raw = data
            self._since = self.loop.time()
            return data
        if not isinstance(self._raw, bytearray):
            self._raw = bytearray(self._raw)
        self._raw += data
        return self._raw

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins; the second one in a go is unusual."""
        self._begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        name = name.lower()
        if name in _UNUSUAL_HEADERS and not (name == b"connection" and value.lower() == _KEEP_ALIVE):
            self._usual = False
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """All headers are there; an upload says how long it is, and is not too long."""
        length = self._headers.get(b"content-length", b"")
        if not length.isdigit() or len(length) > len(b"%d" % DOOR_BYTES_MAX) or int(length) > DOOR_BYTES_MAX:
            self._usual = False

    def on_body(self, body: bytes) -> None:
        """Some of the body, usually all of it."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._complete = True

    # What we do

    def _ask(self) -> None:
        self._answering = True
        self._raw = b""
        now_ms = self._shared.clock.now_ms()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = DoorRequest("POST", DOOR, b"", self._headers, body, self._peer, now_ms)
        self._forget()
        self._asking = True
        self._shared.take(request, self._said)
        self._asking = False

    def _said(self, answer: DoorAnswer) -> None:
        """Answer when others had their turn; what was written down comes from the journal in its own time."""
        if answer.status == _REFUSED:
            self.loop.call_later(self._shared.hold_s(), self._answer, answer)
        elif self._asking:
            self.loop.call_soon(self._answer, answer)
        else:
            self._answer(answer)

    def _answer(self, answer: DoorAnswer) -> None:
        self._answering = False
        transport = self._transport
        if transport.is_closing():
            return
        if answer is ONE_ACCEPTED:
            transport.write(_ONE_ACCEPTED)
        else:
            transport.write((_bytes_of_refusal if answer.status == _REFUSED else _bytes_of)(answer))
        self._since = self.loop.time()
        if self._closing:
            transport.close()
        elif self._raw:
            held, self._raw = bytes(self._raw), b""
            transport.resume_reading()
            self.data_received(held)

    def _hand_over(self) -> None:
        """Give the connection to the web server, with all that came of a request that is not usual."""
        raw, self._raw = bytes(self._raw), b""
        self._leave()
        protocol = self._beyond()
        self._transport.set_protocol(protocol)  # type: ignore[arg-type] # the server's own kind of protocol
        protocol.connection_made(self._transport)
        protocol.data_received(raw)

    def _leave(self) -> None:
        self._connections.discard(self)
        self._shared.open.discard(self)
        del self._parser  # it and we hold each other

    def look(self, now: float, idle_s_max: float) -> None:
        """Close if the client has been too slow. An answer is never too late for this."""
        if not self._answering and now - self._since > (REQUEST_S_MAX if self._raw else idle_s_max):
            self._transport.close()

    def shutdown(self) -> None:
        """The server closes: at once, or after the answer that is due."""
        self._closing = True
        if not self._answering:
            self._transport.close()


KEPT_ANSWERS: Final = 512
"""Answers whose bytes are kept: all refusals there are, by their `Retry-After` (`publish/native.py`)."""


def _bytes_of(answer: DoorAnswer) -> bytes:
    phrase = HTTPStatus(answer.status).phrase
    lines = [b"HTTP/1.1 %d %s" % (answer.status, phrase.encode())]
    lines += [name + b": " + value for name, value in answer.headers]
    lines.append(b"content-length: %d" % len(answer.body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + answer.body


_bytes_of_refusal: Final = lru_cache(KEPT_ANSWERS)(_bytes_of)
_ONE_ACCEPTED: Final = _bytes_of(ONE_ACCEPTED)
