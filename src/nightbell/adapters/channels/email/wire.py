"""A connection that a thread waits on and the loop can cut.

Rules:

1. A thread that waits for a server can not be stopped. Its socket can be shut down, and then it wakes.
2. A second handle of the socket is kept, for TLS takes the first one away.
3. A wire that was cut stays cut: what is opened on it afterwards is closed at once.
"""

import contextlib
import socket
import threading


class WireCutError(OSError):
    """The wire was cut before this connection was of use."""


class Wire:
    """One connection after the other, of one thread at a time; `cut` may come from any thread."""

    def __init__(self) -> None:
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._cut = False

    @property
    def was_cut(self) -> bool:
        """Whether it was cut."""
        return self._cut

    @property
    def connected(self) -> bool:
        """Whether a connection was made and not closed."""
        return self._handle is not None

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect; the handle is kept.

        Raises:
            OSError: It can not be reached, or was cut.
        """
        if self._cut:
            raise WireCutError
        plain = socket.create_connection((host, port), timeout_s)
        with self._lock:
            self._handle = plain.dup()
        if self._cut:
            plain.close()
            raise WireCutError
        return plain

    def cut(self) -> None:
        """Shut it down for good; the thread that waits on it wakes."""
        with self._lock:
            self._cut = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the handle."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None
