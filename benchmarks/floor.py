"""A do-nothing protocol on the platform's event loop and parser: the floor under any server in Python.

It parses each request with httptools, as the doorway does, keeps nothing, and answers 200 with the bytes that
the door answers.
"""

import asyncio

import httptools
import uvloop

from benchmarks.nothing import BODY, HEADERS
from nightbell.app.server import listening

ANSWER = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%s: %s\r\n" % pair for pair in HEADERS) + b"\r\n" + BODY


class Floor(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of a stream
        """A client came."""
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._transport.write(ANSWER)


async def serve() -> None:
    """Serve on a free port, which is printed, until killed."""
    door = listening("127.0.0.1", 0)
    server = await asyncio.get_running_loop().create_server(Floor, sock=door)
    print(door.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
