"""The HTTP server inside our process, so that `kill -9` kills all of it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from nightbell.app.tls import TlsFiles
from nightbell.publish.door import DoorOffer
from nightbell.web.doorway import Doorway, Doorways
from nightbell.web.ports import AsgiApp
from nightbell.words.clock import Clock

BACKLOG: Final = 4096
KEEP_ALIVE_S: Final = 330
"""A phone that publishes every five minutes may keep its connection."""

ACCEPTED_AT_ONCE: Final = 64
"""New connections taken in one round of the event loop. uvloop takes one a round from each listening socket;
where a round takes a tenth of a second, somebody who connects then waits for all who did before."""

CLOSE_S_MAX: Final = 5
PROVE_S_MAX: Final = 5.0


class Server(uvicorn.Server):
    """uvicorn that leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the platform as a whole, in order."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        OSError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((host, port))
    door.listen(BACKLOG)
    return door


def doors(door: socket.socket) -> list[socket.socket]:
    """The same listening socket as often as connections are taken from it in one round of the event loop."""
    return [door, *(door.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


def make_server(app: AsgiApp, tls: TlsFiles | None, *, quick: Doorways | None = None) -> Server:
    """The server of one platform; usual uploads go the quick way if there is one."""
    config = uvicorn.Config(
        app,
        http=_protocols(quick) if quick else HttpToolsProtocol,
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSE_S_MAX,
        ssl_certfile=str(tls.certificate) if tls else None,
        ssl_keyfile=str(tls.key) if tls else None,
    )
    return Server(config)


def quick_way(offer: DoorOffer, clock: Clock) -> Doorways:
    """The quick way from a socket to the door."""
    return Doorways(offer, clock, idle_s_max=KEEP_ALIVE_S)


def _protocols(quick: Doorways) -> Any:
    """What uvicorn calls for each connection, in place of its protocol's class."""

    def protocol(
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Doorway:
        loop = _loop or asyncio.get_running_loop()

        def beyond() -> HttpToolsProtocol:
            return HttpToolsProtocol(config, server_state, app_state, loop)

        return Doorway(quick, loop, beyond, server_state.connections)

    return protocol


async def prove_open(host: str, port: int, *, tls: bool) -> None:
    """Ask our own door something over a real connection, and see an answer.

    Raises:
        OSError: It did not answer; TimeoutError is one.
    """
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(PROVE_S_MAX):
        reader, writer = await asyncio.open_connection(_reachable(host), port, ssl=context)
        try:
            writer.write(b"POST /v1/readings HTTP/1.1\r\nHost: me\r\nContent-Length: 0\r\n\r\n")
            line = await reader.readline()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    if not line.startswith(b"HTTP/1.1 401"):
        raise OSError("the door answered something else")


def _reachable(host: str) -> str:
    """Where we reach an address that means every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
