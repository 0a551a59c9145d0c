"""A server whose every connection is a task: when it stops, none is left open. Simulators build on it."""

import asyncio
import contextlib
import ssl


class LineServer:
    """A server of 127.0.0.1 on a free port; what is said on a line is its subclass's."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.port = 0
        self._listens_with = tls
        self._server: asyncio.Server | None = None
        self._stopped = False
        self._talks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk on one line, to its end."""
        raise NotImplementedError

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._talks)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._listens_with)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Nobody listens any more. May be said twice."""
        assert self._server is not None
        self._stopped = True
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.connections += 1
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(task)
            if self._stopped:
                writer.transport.abort()
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
