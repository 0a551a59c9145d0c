"""Asks the running platform through its control socket."""

import socket
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from nightbell.app.control import LINE_BYTES_MAX, SOCKET_NAME, Answer, short_path
from nightbell.cli.speak import EXIT_NOT_RUNNING, CommandError, say

PATIENCE_S: Final = 60.0
"""How long one answer may take; a password's hash under load is the slowest."""

Result = TypeVar("Result", bound=msgspec.Struct)


class Platform:
    """A connection to the running platform. Use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._left = b""

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            CommandError: No platform answers on this data directory.
        """
        self._socket.settimeout(PATIENCE_S)
        try:
            with short_path(self._folder / SOCKET_NAME) as path:
                self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            key = "not_yours" if isinstance(error, PermissionError) else "not_running"
            raise CommandError(
                say(key, folder=str(self._folder)), exit_code=EXIT_NOT_RUNNING, code=key
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._socket.close()

    def ask(self, command: str, arguments: msgspec.Struct, result: type[Result]) -> Result:
        """Let the platform do one thing.

        Raises:
            CommandError: It refused, or went away before it answered.
        """
        line = msgspec.json.encode({"command": command, "arguments": arguments}) + b"\n"
        if len(line) > LINE_BYTES_MAX:
            raise CommandError(say("too_large"))
        try:
            self._socket.sendall(line)
            answer = msgspec.json.decode(self._line(), type=Answer)
        except (OSError, msgspec.DecodeError):
            raise CommandError(say("went_away"), exit_code=EXIT_NOT_RUNNING, code="not_running") from None
        if not answer.ok:
            raise CommandError(answer.sentence, code=answer.code)
        return msgspec.json.decode(answer.result, type=result)

    def _line(self) -> bytes:
        parts = [self._left]
        while b"\n" not in parts[-1]:
            part = self._socket.recv(65_536)
            if not part:
                raise ConnectionResetError
            parts.append(part)
        line, _, self._left = b"".join(parts).partition(b"\n")
        return line
