"""One open stream: its queue, and what wakes the task that writes it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from nightbell.account.identity import Identity
from nightbell.deliver.events import View

QUEUE_MAX: Final = 64
QUEUE_BYTES_MAX: Final = 128 * 1024
"""What may wait for one slow reader. Beyond it the queue is dropped and a fresh snapshot takes its place."""


class Connection:
    """One open stream of one person. One task writes it; whoever has something to say only queues.

    Attributes:
        identity: Whose it is.
        still: Whether its credential holds at an instant.
        view: In which form they read.
        slot: In which tenth of a second of the heartbeat's round it is served.
        need: Why a snapshot must be sent before anything else; empty if none.
        upto: Number of the newest event sent, or dropped and then made good by a snapshot.
        ended: Why it ends once its queue is written; empty while it lives.
        writing_since_ms: Since when the present write has been going on; 0 if none.
        give_up: Breaks off a write that hangs.
    """

    __slots__ = (
        "_bytes", "_queue", "_waiter", "ended", "give_up", "identity", "need", "slot", "still", "upto",
        "view", "writing_since_ms",
    )  # fmt: skip

    def __init__(
        self, identity: Identity, *, still: Callable[[int], bool], view: View, slot: int, upto: int
    ) -> None:
        self.identity = identity
        self.still = still
        self.view = view
        self.slot = slot
        self.need = "connected"
        self.upto = upto
        self.ended = ""
        self.writing_since_ms = 0
        self.give_up: Callable[[], object] | None = None
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    def push(self, event: bytes) -> bool:
        """Queue one event; false if it ends up in a snapshot instead, because the reader is too slow."""
        if self.ended:
            return False
        if self.need == "slow":
            return False
        if len(self._queue) >= QUEUE_MAX or self._bytes + len(event) > QUEUE_BYTES_MAX:
            self._queue.clear()
            self._bytes = 0
            self.ask_snapshot("slow")
            return False
        self._queue.append(event)
        self._bytes += len(event)
        self.wake()
        return True

    def ask_snapshot(self, why: str) -> None:
        """Send the whole state next; the first reason stays, "slow" overrides."""
        if not self.need or why == "slow":
            self.need = why
        self.wake()

    def end(self, why: str, last_words: bytes = b"") -> None:
        """Write what is queued and these last words, then close."""
        if self.ended:
            return
        if last_words:
            self._queue.append(last_words)
            self._bytes += len(last_words)
        self.ended = why
        self.wake()

    def drain(self) -> bytes:
        """Take all that is queued, as one piece."""
        if not self._queue:
            return b""
        piece = self._queue[0] if len(self._queue) == 1 else b"".join(self._queue)
        self._queue.clear()
        self._bytes = 0
        return piece

    @property
    def idle(self) -> bool:
        """Whether there is nothing to write."""
        return not (self._queue or self.need or self.ended)

    def wake(self) -> None:
        """Wake the task that writes."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until there is something to write. Only the one task that writes may wait."""
        if not self.idle:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
