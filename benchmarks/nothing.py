"""A do-nothing ASGI application on the platform's own server: what the server alone costs.

It reads the body, waits for nothing, and answers 200 with the bytes that the door answers. Server, settings
and event loop are the platform's.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvloop

from nightbell.app.server import listening, make_server

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY = b'{"accepted":1,"duplicates":0,"refused":[]}'
HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"content-length", str(len(BODY)).encode()),
]


async def nothing(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def serve() -> None:
    """Serve on a free port, which is printed, until killed."""
    door = listening("127.0.0.1", 0)
    print(door.getsockname()[1], flush=True)
    await make_server(nothing, None).serve(sockets=[door])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
