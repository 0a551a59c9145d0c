"""A provider's HTTP server: real HTTP/1.1 over real sockets with kept connections, and faults to choose from.

A simulator is a subclass: it says what it answers, and what it says for each fault. What a vendor would not
take is kept in `wrong`, and fails the test that looks there.
"""

import asyncio
import http
import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.simulators.faults import Fault
from tests.simulators.lines import LineServer

SLOW_S: Final = 0.05

SAYS_NO: Final = frozenset({Fault.LATER, Fault.NO, Fault.NO_AT_THE_END, Fault.MISTRUSTS_US})
"""Faults that are an answer, and not a broken line."""


class Request(NamedTuple):
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return _once(urlsplit(self.target).query)

    def form(self) -> dict[str, str]:
        """The fields of a form; each may stand in it once."""
        assert self.headers.get("content-type") == "application/x-www-form-urlencoded"
        return _once(self.body.decode("ascii"))


def _once(encoded: str) -> dict[str, str]:
    pairs = parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded))
    fields = dict(pairs)
    assert len(fields) == len(pairs), f"a field stands twice in {encoded}"
    return fields


class Answer(NamedTuple):
    """What is answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


def json_answer(status: int, content: object, **headers: str) -> Answer:
    """An answer in JSON; `retry_after` becomes `Retry-After`."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **named})


class HttpServer(LineServer):
    """An HTTP server of 127.0.0.1 on a free port."""

    def __init__(self) -> None:
        super().__init__()
        self.fault = Fault.NONE
        self.wrong: list[str] = []
        """What the vendor would not take: a test that ends with something here has found a fault of ours."""

    async def answer(self, request: Request) -> Answer:
        """What is answered where there is no fault. Whatever it takes, it keeps."""
        raise NotImplementedError

    def refusal(self, fault: Fault, request: Request) -> Answer:
        """What is answered for a fault of `SAYS_NO`. Keeps nothing."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault is Fault.HANGS_AT_ONCE:
            await asyncio.Event().wait()
        if self.fault is not Fault.BREAKS_AT_ONCE:
            while await self._serve(reader, writer):
                pass
        if self.fault in (Fault.BREAKS_AT_ONCE, Fault.TAKES_AND_BREAKS):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection is kept."""
        request = await _read(reader)
        if self.fault is Fault.BREAKS_AT_ONCE:
            return False
        if self.fault in (Fault.HANGS_AT_ONCE, Fault.HANGS_AT_THE_END):
            await asyncio.Event().wait()
        if self.fault is Fault.DRIPS:
            await _drip(writer)
        if self.fault is Fault.SLOW:
            await asyncio.sleep(SLOW_S)
        answer = await self._said(request)
        if self.fault is Fault.TAKES_AND_BREAKS:
            return False
        head = f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        writer.write(f"{head}Content-Length: {len(answer.body)}\r\n\r\n".encode() + answer.body)
        await writer.drain()
        return True

    async def _said(self, request: Request) -> Answer:
        if self.fault in SAYS_NO:
            return self.refusal(self.fault, request)
        try:
            return await self.answer(request)
        except (AssertionError, KeyError, ValueError) as error:
            self.wrong.append(f"{request.method} {request.path}: {error!r}")
            return Answer(500)


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Drip: drop\r\n")
        await writer.drain()
        await asyncio.sleep(SLOW_S)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split()
    return Request(method, target, headers, body)
