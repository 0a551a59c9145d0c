"""Answers `/metrics` on an address of its own. What goes wrong here stops nothing; health says it."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import uvicorn

from nightbell.app.server import Server
from nightbell.web.ports import AsgiApp, Receive, Scope, Send
from nightbell.words.catalogue import catalogue

PATH: Final = "/metrics"
BIND_AGAIN_S: Final = 10.0
"""How soon an address that could not be had is tried again: the same as the watcher does with its page."""

CONNECTIONS_MAX: Final = 16
"""Two Prometheus servers and an operator's browser are three; more is somebody else."""

_log = structlog.get_logger()

Page = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Makes the page and its content type, for an asker that accepts this."""


def metrics_app(page: Page) -> AsgiApp:
    """`GET /metrics`, and nothing else."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        status, body, content_type = 404, b"Look at /metrics\n", "text/plain; charset=utf-8"
        if scope["type"] != "http":
            return
        if scope["path"] == PATH and scope["method"] in {"GET", "HEAD"}:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            body, content_type = await page(accept)
            status = 200
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


class MetricsServer:
    """Serves the page while the platform runs; without an address it does nothing.

    Attributes:
        failing: What is wrong and what to do; empty while all is well.
        port: Where it answers; 0 while it does not.
    """

    def __init__(self, address: tuple[str, int] | None, page: Page) -> None:
        self._address = address
        self._page = page
        self.failing = ""
        self.port = 0

    async def run(self) -> None:
        """Serve until cancelled; where that fails, say so and try again."""
        if self._address is None:
            await asyncio.Event().wait()
            return
        host, port = self._address
        while True:
            try:
                await self._serve(host, port)
            except OSError as error:
                self._failed(f"{host}:{port}", error.strerror or type(error).__name__)
            except Exception as error:  # noqa: BLE001 outermost: without metrics everybody is still watched
                self._failed(f"{host}:{port}", type(error).__name__)
            self.port = 0
            await asyncio.sleep(BIND_AGAIN_S)

    def _failed(self, address: str, why: str) -> None:
        if not self.failing:
            _log.error("metrics.unbound", why=why)
        self.failing = catalogue().say("platform.metrics_unbound", address=address, why=why)

    async def _serve(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(CONNECTIONS_MAX)
            listener.setblocking(False)
            self.port = int(listener.getsockname()[1])
            self.failing = ""
            _log.info("metrics.opened", port=self.port)
            server = Server(
                uvicorn.Config(
                    metrics_app(self._page),
                    loop="none",
                    lifespan="off",
                    ws="none",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    limit_concurrency=CONNECTIONS_MAX,
                    timeout_graceful_shutdown=1,
                )
            )
            await server.serve(sockets=[listener])
        raise OSError("the server ended")
