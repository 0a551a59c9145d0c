"""What history needs of the world: one place that keeps packed blocks for months."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from nightbell.history.packing import Packed

NOTHING_CLOSED: Final = -1
"""Blocks count from 1970, so this is before any."""


class HistoryFailedError(Exception):
    """The store could not do it; nothing of it was done. Try again later, unless the file is `damaged`."""

    def __init__(self, detail: str, place: str, *, damaged: bool = False) -> None:
        super().__init__(f"{detail} ({place})")
        self.detail = detail
        self.place = place
        self.damaged = damaged


class HistoryState(msgspec.Struct, frozen=True):
    """How far the store is.

    Attributes:
        closed_upto: The newest block that was closed. Whatever belongs to it or to an older one goes beside.
        beside_seq: All readings of closed blocks in journal groups up to this one are in the store.
        replay_after: All readings in journal groups up to this one are in the store.
    """

    closed_upto: int = NOTHING_CLOSED
    beside_seq: int = 0
    replay_after: int = 0


class Opened(NamedTuple):
    """What was found.

    Attributes:
        state: How far the store is.
        newest: Everybody's newest reading as it was written last, empty at first.
        set_aside: Where the damaged store was moved, empty if all was well.
    """

    state: HistoryState
    newest: bytes
    set_aside: str


class ClosedBlock(NamedTuple):
    """One block of everybody, in the order of sharers."""

    block: int
    packs: Iterable[tuple[int, bytes]]


class Flush(NamedTuple):
    """What is written in one transaction.

    Attributes:
        closed: Blocks that are complete; merged with what is there if one was written before.
        beside: Later readings; merged with what is beside already.
        state: How far the store is after this.
        newest: Everybody's newest reading, as bytes; empty if what the store has is good.
    """

    closed: tuple[ClosedBlock, ...]
    beside: Iterable[Packed]
    state: HistoryState
    newest: bytes


class HistoryStore(Protocol):
    """Keeps packed blocks. Every call blocks; calls that write come one at a time, reads from any thread.

    Everything raises `HistoryFailedError`.
    """

    def open(self) -> Opened:
        """Open, or begin anew if what is there is damaged: alarms do not wait for history."""
        ...

    def write(self, flush: Flush) -> None:
        """All of it or nothing. The journal is the durable copy, so this need not survive a power cut."""
        ...

    def file(self, packs: Iterable[Packed], filed_ms: int) -> None:
        """Keep imported readings, merged with earlier ones; durable when this returns."""
        ...

    def read(self, sharer: int, first_block: int, last_block: int) -> list[Packed]:
        """Everything of one sharer in some blocks, in any order; several for one block if there are."""
        ...

    def forget(self, *, before_block: int, filed_before_ms: int) -> int:
        """Delete all blocks older than one, and imports filed before an instant; how many blocks went."""
        ...

    def close(self) -> None:
        """Finish. Nothing may be called afterwards."""
        ...
