"""A screen: a real client of the stream over a real socket, which reads only when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
import uvicorn

from nightbell.deliver.hub import Hub
from nightbell.web.stream import Stream
from nightbell.words.clock import Clock
from tests.simulators.cast import Family


class Event(NamedTuple):
    """One event as it came over the wire."""

    name: str
    id: str
    data: dict[str, Any]


class Screen:
    """One open stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.retry_ms = 0
        self._rest = b""

    async def begin(self) -> None:
        """Read the head of the answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}

    async def event(self) -> Event:
        """The next event.

        Raises:
            EOFError: The stream ended.
        """
        while True:
            block = await self._block()
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if line)
            if "retry" in fields:
                self.retry_ms = int(fields["retry"])
                continue
            return Event(fields["event"], fields["id"], msgspec.json.decode(fields["data"]))

    async def next(self, name: str) -> Event:
        """The next event of this name; others are passed over."""
        while True:
            event = await self.event()
            if event.name == name:
                return event

    async def body(self) -> dict[str, Any]:
        """The body of an answer that is no stream."""
        length = int(self.headers["content-length"]) if "content-length" in self.headers else -1
        raw = await self._reader.read() if length < 0 else await self._reader.readexactly(length)
        if self.headers.get("transfer-encoding") == "chunked":
            raw = raw.split(b"\r\n")[1]
        document: dict[str, Any] = msgspec.json.decode(raw)
        return document

    async def _block(self) -> bytes:
        """One event's lines; the chunks of HTTP are taken apart here."""
        while b"\n\n" not in self._rest:
            size_line = await self._reader.readline()
            if not size_line:
                raise EOFError("the connection broke off")
            size = int(size_line, 16)
            self._rest += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
            if not size:
                raise EOFError("the stream ended")
        block, _, self._rest = self._rest.partition(b"\n\n")
        return block

    async def close(self) -> None:
        """Go away."""
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


class StreamHouse:
    """The stream on a real server, with a family."""

    def __init__(self, clock: Clock, *, streams_max: int = 100) -> None:
        self.family = Family()
        self.clock = clock
        self.hub = Hub(
            access=self.family,
            watched=self.family,
            contacts=self.family,
            build="b-1",
            boot_ms=clock.now_ms(),
            streams_max=streams_max,
        )
        self.stream = Stream(self.hub, identify=self.family.identify, access=self.family, clock=clock)
        self.port = 0
        self._screens: list[Screen] = []

    async def connect(self, headers: dict[str, str], *, method: str = "GET", buffer: int = 65536) -> Screen:
        """Ask for the stream with these headers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=buffer)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} /v1/stream HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        await writer.drain()
        screen = Screen(reader, writer)
        self._screens.append(screen)
        await screen.begin()
        return screen

    async def screen(self, person: str, *, last_event_id: str = "") -> Screen:
        """A screen of this person."""
        headers = {"Authorization": f"Bearer {person}"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        return await self.connect(headers)

    async def until_empty(self) -> None:
        """Until the server has seen that all are gone."""
        async with asyncio.timeout(10):
            while self.hub.count:
                await asyncio.sleep(0.001)

    async def close_screens(self) -> None:
        """All go away."""
        for screen in self._screens:
            await screen.close()


@asynccontextmanager
async def open_house(clock: Clock, *, streams_max: int = 100) -> AsyncIterator[StreamHouse]:
    """The stream on a real server of 127.0.0.1, on a free port."""
    house = StreamHouse(clock, streams_max=streams_max)
    config = uvicorn.Config(
        house.stream,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.001)
    house.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield house
    finally:
        await house.close_screens()
        server.should_exit = server.force_exit = True
        await serving
