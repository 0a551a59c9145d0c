"""A follower's own machine: real HTTP over real sockets, with faults to choose from."""

import asyncio
import ssl
from typing import Final, NamedTuple

from tests.simulators.faults import Fault
from tests.simulators.lines import LineServer

SLOW_S: Final = 0.05

_STATUS: Final = {
    Fault.LATER: "503 Service Unavailable",
    Fault.NO: "410 Gone",
    Fault.NO_AT_THE_END: "400 Bad Request",
    Fault.MISTRUSTS_US: "502 Bad Gateway",
}


class Call(NamedTuple):
    """One request as it was taken."""

    target: str
    headers: dict[str, str]
    body: bytes
    name: str | None


class HookServer(LineServer):
    """An HTTP server of 127.0.0.1 on a free port."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.fault = Fault.NONE
        self.status = "200 OK"
        self.extra = ""
        self.answer = b"thanks"
        self.calls: list[Call] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault is Fault.HANGS_AT_ONCE:
            await asyncio.Event().wait()
        if self.fault is Fault.BREAKS_AT_ONCE:
            writer.transport.abort()
            return
        call = await self._read(reader)
        if self.fault is Fault.HANGS_AT_THE_END:
            await asyncio.Event().wait()
        if self.fault is Fault.SLOW:
            await asyncio.sleep(SLOW_S)
        if self.fault not in _STATUS:
            self.calls.append(call)
        if self.fault is Fault.TAKES_AND_BREAKS:
            writer.transport.abort()
            return
        if self.fault is Fault.DRIPS:
            self.calls.clear()
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                writer.write(b"X-Drip: drop\r\n")
                await writer.drain()
                await asyncio.sleep(SLOW_S)
        status = _STATUS.get(self.fault, self.status)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(self.answer)}\r\n{self.extra}\r\n"
        writer.write(head.encode() + self.answer)
        await writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> Call:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        return Call(first.split()[1], headers, body, None)
