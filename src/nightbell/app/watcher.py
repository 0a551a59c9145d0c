"""The watcher's process put together: the only place where it meets its adapters.

`run_watcher` is what `nightbell watch` and the watcher beside `nightbell up` run. Another channel for notices
is one more line in `mail_of`'s neighbourhood; another probe or another store is one line in `watch_of`.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn
from msgspec.structs import replace

from nightbell.adapters.probe.http import HttpProbe
from nightbell.adapters.probe.steady import SteadyClock
from nightbell.adapters.stores.roster.book import SqliteBook
from nightbell.adapters.stores.roster.pairings import FilePairings
from nightbell.adapters.stores.roster.site import FolderSite
from nightbell.app.companion import watcher_lock
from nightbell.app.settings import Settings
from nightbell.tell.channel import Channel
from nightbell.watch.serve import served
from nightbell.watch.service import Watch
from nightbell.watch.timings import Timings
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import SystemClock

log: Final = structlog.get_logger("nightbell.watch")

FOLDER: Final = "watcher"
BIND_AGAIN_S: Final = 10.0
"""How soon a port that was taken is tried again. Meanwhile the watcher watches; only its page is not
served."""

CONNECTIONS_MAX: Final = 500
"""Readers of the page at one time; more are told 503. A public page is best served from the files."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class PageServer(uvicorn.Server):
    """Uvicorn without its own signals: the watcher ends in its own order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def page_app(site: FolderSite) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The page as a bare ASGI callable."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        del receive
        answer = served(scope["method"], scope["path"], site.files, site.health)
        headers = list(answer.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return app


def bound(host: str, port: int) -> socket.socket | None:
    """A listening socket, or None where the address cannot be had now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        log.warning("page.unbound", port=port, why=error.strerror)
        return None
    return listener


async def serve(site: FolderSite, address: tuple[str, int], listener: socket.socket | None) -> None:
    """Serve the page until cancelled; a port that is taken is tried again."""
    while listener is None:
        await asyncio.sleep(BIND_AGAIN_S)
        listener = bound(*address)
    config = uvicorn.Config(
        page_app(site),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=2,
    )
    server = PageServer(config)
    try:
        await server.serve(sockets=[listener])
    finally:
        listener.close()


def page_url(settings: Settings, port: int) -> str:
    """Where people find the page."""
    if settings.watcher_url:
        return settings.watcher_url
    host, _ = settings.watcher_address
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}" if port else ""


async def run_watcher(
    data: Path, settings: Settings, *, mail: Channel | None, timings: Timings | None = None
) -> None:
    """Watch until SIGTERM or SIGINT.

    Args:
        data: The data directory; everything of the watcher's lies in its `watcher/`.
        settings: What the operator chose.
        mail: How people are told; None if no mail server is set up.
        timings: Other clocks than the usual, for rehearsals.

    Raises:
        WatcherRunningError: Another watcher holds this data directory.
    """
    folder = data / FOLDER
    timings = replace(timings or Timings(), needs_round=settings.canary)
    with watcher_lock(folder):
        address = settings.watcher_address
        listener = bound(*address)
        port = listener.getsockname()[1] if listener is not None else address[1]
        site = FolderSite(folder)
        clock = SystemClock()
        watch = Watch(
            pairings=FilePairings(folder),
            make_probe=lambda pairing: HttpProbe(pairing, timings),
            book=SqliteBook(folder),
            mail=mail,
            site=site,
            steady=SteadyClock(clock),
            clock=clock,
            words=catalogue(),
            timings=timings,
            page_url=page_url(settings, port),
            identity=(os.getpid(), port),
        )
        await _until_told(watch.run(), serve(site, address, listener))


async def _until_told(*roles: Awaitable[None]) -> None:
    """Run until a signal says to end, or a role fails; then end them all in order."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    tasks = [asyncio.ensure_future(role) for role in roles]
    waiter = asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        waiter.cancel()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
