"""What follows need of the world: a durable copy, a chain of looks, and the journal."""

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from nightbell.follow.follow import Follow
from nightbell.follow.look import ChainedLook, Look
from nightbell.follow.packed import PackedFollows
from nightbell.follow.standing import Ended, Standing


class StoredInvitation(msgspec.Struct, frozen=True):
    """An open invitation: SHA-256 of its secret, and what it permits."""

    id: str
    secret_hash: bytes
    sharer: str
    may_see_graph: bool
    may_be_told: bool
    expires_ms: int


class FollowChange(NamedTuple):
    """What is written in one transaction. Rows replace those with the same id."""

    follows: tuple[Follow, ...] = ()
    invitations: tuple[StoredInvitation, ...] = ()
    invitations_dropped: tuple[str, ...] = ()


class LoadedFollows(NamedTuple):
    """Everything that is stored; ended follows too."""

    follows: PackedFollows
    invitations: list[StoredInvitation]


class FollowStore(Protocol):
    """The durable copy.

    Every method raises PlatformError (`NOT_DURABLE`) when the world failed; then nothing was changed.
    """

    async def load(self) -> LoadedFollows:
        """Everything that is stored."""
        ...

    async def commit(self, change: FollowChange) -> None:
        """Write all of a change or nothing of it."""
        ...


class LookStore(Protocol):
    """The chain of looks. Raises PlatformError (`NOT_DURABLE`) when the world failed."""

    async def tail(self) -> tuple[int, bytes]:
        """Number and hash of the newest link; 0 and the anchor if there is none."""
        ...

    async def append(self, looks: Sequence[ChainedLook]) -> None:
        """Add links, all or none."""
        ...

    async def of_sharer(self, sharer: int, limit: int) -> list[ChainedLook]:
        """The newest looks at one sharer, newest first."""
        ...

    async def links(self, after: int, limit: int) -> list[ChainedLook]:
        """Links of the chain in order, from the one after number `after`."""
        ...

    async def drop_before(self, before_ms: int) -> int:
        """Forget looks older than this from the beginning of the chain; how many."""
        ...

    async def anchor_hash(self) -> bytes:
        """Hash of the link before the first that is kept."""
        ...


class LookRecord(Protocol):
    """The record of looks as `access.py` uses it: many looks at once become one transaction."""

    async def write_down(self, look: Look) -> None:
        """Record it before this returns; when that takes too long or fails, it waits in memory."""
        ...

    async def of_sharer(self, sharer: int, limit: int) -> list[ChainedLook]:
        """The newest looks at one sharer, newest first."""
        ...

    async def links(self, after: int, limit: int) -> list[ChainedLook]:
        """Links of the chain in order, from the one after number `after`."""
        ...

    async def anchor_hash(self) -> bytes:
        """Hash of the link before the first that is kept."""
        ...

    async def tend(self, before_ms: int) -> None:
        """Write down what waits, and forget what is older than this."""
        ...

    async def close(self) -> None:
        """Write down what waits, if that can be done."""
        ...


class FollowJournal(Protocol):
    """The journal, as far as follows need it; `app` makes the facts of what it is given."""

    def append_fact(self, fact: Standing | Ended) -> Awaitable[object]:
        """Journal it; resolves when it is durable and evaluation has it.

        Raises:
            PlatformError: Its queue is full, or (through the awaitable) it is not durable.
        """
        ...
