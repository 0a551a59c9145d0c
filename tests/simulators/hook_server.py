"""A follower's own machine: real HTTP over real sockets, with faults to choose from."""

import asyncio
import ssl
from typing import Final, NamedTuple

from tests.simulators.faults import Fault

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


class HookServer:
    """An HTTP server of 127.0.0.1 on a free port."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.fault = Fault.NONE
        self.status = "200 OK"
        self.extra = ""
        self.answer = b"thanks"
        self.calls: list[Call] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._stopped = False
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens any more."""
        assert self._server is not None
        self._stopped = True
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(task)
            if self._stopped:
                writer.transport.abort()
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
