"""What we tell the one who started us, if that is systemd: that the door is open, and that we still decide.

Its protocol is a line of text to a Unix datagram socket. `WATCHDOG=1` is sent only while seconds are being
evaluated: a platform that lives and decides nothing is the worst kind of dead, and is started again.

Source: sd_notify(3), systemd.service(5) under `WatchdogSec=`.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import structlog

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE: Final = "WATCHDOG_USEC"
WATCHDOG_PROCESS_VARIABLE: Final = "WATCHDOG_PID"
SHARE_OF_PATIENCE: Final = 4
"""How many times we speak while it waits for one word. systemd advises two; we may be late by a second."""

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"

_log: Final = structlog.get_logger()


class Supervisor:
    """Whoever started us; without one, nothing is said.

    Args:
        environ: Our environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get(SOCKET_VARIABLE, ""))
        self._patience_s = _patience_s(environ) if self._address else 0.0

    def ready(self) -> None:
        """The door is open."""
        self._tell(READY)

    def stopping(self) -> None:
        """We were told to stop, and do."""
        self._tell(STOPPING)

    async def reassure(self, deciding: Callable[[], bool]) -> None:
        """Say that we are alive for as long as alarms are decided, until cancelled.

        Args:
            deciding: Whether the newest second was evaluated.
        """
        if not self._patience_s:
            await asyncio.Event().wait()
        silent = False
        while True:
            await asyncio.sleep(self._patience_s / SHARE_OF_PATIENCE)
            if deciding():
                self._tell(ALIVE)
                silent = False
            elif not silent:
                silent = True
                _log.error("supervisor.silence", why="alarms are not being decided")

    def _tell(self, word: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto(word.encode(), self._address)
        except OSError as error:
            # It misses our word and, if that goes on, ends us: as it should, for nobody looks after us then.
            _log.warning("supervisor.deaf", why=error.strerror)


def _address(named: str) -> str:
    """A path, or a name of Linux's own, which is written with an @; empty for anything else."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else ""


def _patience_s(environ: Mapping[str, str]) -> float:
    """How long it waits for one word; 0 if it does not wait for ours."""
    meant = environ.get(WATCHDOG_PROCESS_VARIABLE, "")
    patience_us = environ.get(WATCHDOG_VARIABLE, "")
    if (meant and meant != str(os.getpid())) or not patience_us.isdecimal():
        return 0.0
    return int(patience_us) / 1_000_000
