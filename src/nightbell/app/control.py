"""The control socket: how the command line changes things through the running platform.

`DIR/control.sock` is a Unix socket that only its owner may open. A request is one line of JSON, and so is
its answer; one connection may send many, one after the other. Every change passes the same services as the
web, and so the journal: there is no second way into the files.

Until the platform is open it only says how it is: what is not loaded yet must not be changed.

Limits: 1 MiB a line, 32 connections, 60 s between requests.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
import structlog

from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, NightbellError, PlatformError

SOCKET_NAME: Final = "control.sock"
ALWAYS: Final = frozenset({"health", "status", "backup.begin"})
"""What is answered while the platform starts; a backup has words of its own for that."""

LINE_BYTES_MAX: Final = 1024 * 1024
CONNECTIONS_MAX: Final = 32
IDLE_S_MAX: Final = 60.0
PATH_BYTES_MAX: Final = 100
"""Linux takes 107 bytes for the path of a Unix socket, macOS 103."""

log = structlog.get_logger()


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request: the command's name and its arguments."""

    command: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Answer(msgspec.Struct, frozen=True):
    """One answer: `result` if it went well, else what went wrong as in `NightbellError`."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    code: str = ""
    sentence: str = ""
    fields: dict[str, str | int] = {}


Arguments = TypeVar("Arguments", bound=msgspec.Struct)


class Command(Generic[Arguments]):
    """One thing the socket can do: the form of its arguments, and who does it."""

    def __init__(
        self, arguments: type[Arguments], perform: Callable[[Arguments], Awaitable[msgspec.Struct]]
    ) -> None:
        self._decoder = msgspec.json.Decoder(arguments)
        self._perform = perform

    async def __call__(self, raw: bytes) -> msgspec.Struct:
        """Decode the arguments and do it.

        Raises:
            NightbellError: It was refused, or the arguments are not of its form.
        """
        try:
            arguments = self._decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise CallerError(
                ErrorCode.MALFORMED, f"The arguments do not fit this command: {error}"
            ) from None
        return await self._perform(arguments)


class AlreadyRunningError(Exception):
    """Another platform answers on this data directory."""


class ControlServer:
    """Answers on the control socket until it is closed."""

    def __init__(
        self,
        folder: Path,
        commands: Mapping[str, Command[Any]],
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self._is_open = is_open
        self._path = folder / SOCKET_NAME
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the socket, for its owner only.

        Raises:
            AlreadyRunningError: Another platform answers here already.
        """
        with short_path(self._path) as path:
            if await _answers(path):
                raise AlreadyRunningError(f"a platform is running on {self._path.parent} already")
            self._path.unlink(missing_ok=True)
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            before = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(before)
        listening.setblocking(False)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_BYTES_MAX)

    async def close(self) -> None:
        """Stop answering, and take the socket away."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= CONNECTIONS_MAX or not _is_owner(writer):
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # the other end is gone or silent: there is nobody to tell
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S_MAX):
                    line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                await _send(writer, _refusal(CallerError(ErrorCode.TOO_LARGE, "This request is over 1 MiB.")))
                return
            await _send(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = msgspec.json.decode(line, type=Request)
            command = self._commands.get(request.command)
            if command is None:
                return _refusal(CallerError(ErrorCode.NOT_FOUND, "This platform knows no such command."))
            if request.command not in ALWAYS and not self._is_open():
                return _refusal(CallerError(ErrorCode.CONFLICT, catalogue().say("platform.starting")))
            result = await command(bytes(request.arguments))
            return Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(result)))
        except msgspec.DecodeError:
            return _refusal(CallerError(ErrorCode.MALFORMED, "This is not a request: one line of JSON is."))
        except NightbellError as error:
            return _refusal(error)
        except Exception:
            log.exception("control.failed")
            return _refusal(
                PlatformError(
                    ErrorCode.INTERNAL, "This is our fault. The platform's log says what went wrong."
                )
            )


def _refusal(error: NightbellError) -> Answer:
    return Answer(ok=False, code=error.code, sentence=error.sentence, fields=dict(error.fields))


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    async with asyncio.timeout(IDLE_S_MAX):
        await writer.drain()


def _is_owner(writer: asyncio.StreamWriter) -> bool:
    """Whether the other end is this user or root, where the system can tell; the file's mode guards too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    connection = writer.get_extra_info("socket")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", raw)
    return user in (0, os.getuid())


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name for the socket that fits into a socket address, however deep the data directory lies.

    Raises:
        OSError: It is too long, and this system has no shorter name for it.
    """
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise OSError(f"{path} is too long for a socket: choose a data directory with a shorter path")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _answers(path: str) -> bool:
    """Whether somebody listens there; a socket left behind by a crash does not answer."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    await writer.wait_closed()
    return True
