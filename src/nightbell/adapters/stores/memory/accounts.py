"""Accounts, keys, follows and looks in memory."""

import asyncio
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nightbell.account.packed import (
    never_sealed,
    packed_keys,
    packed_people,
    packed_sessions,
    packed_shares,
    packed_ways,
)
from nightbell.account.ports import (
    AccountChange,
    KeyRing,
    LoadedAccounts,
    PackedWays,
    StoredKey,
    StoredPerson,
    StoredSession,
    StoredShare,
    StoredWay,
    WayChange,
)
from nightbell.follow.follow import Follow
from nightbell.follow.look import GENESIS, ChainedLook
from nightbell.follow.packed import packed_follows
from nightbell.follow.ports import FollowChange, LoadedFollows, StoredInvitation
from nightbell.words.errors import ErrorCode, PlatformError


class Breakable:
    """A store that can be told to fail, as a disk does."""

    def __init__(self) -> None:
        self.broken = False

    async def _work(self) -> None:
        await asyncio.sleep(0)  # as a real one does, let others go first
        if self.broken:
            raise PlatformError(
                ErrorCode.NOT_DURABLE, "This was not saved. The store in memory was told to fail."
            )


class MemoryAccountStore(Breakable):
    """People, keys, Share credentials and sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, StoredPerson] = {}
        self.keys: dict[str, StoredKey] = {}
        self.shares: dict[str, StoredShare] = {}
        self.sessions: dict[bytes, StoredSession] = {}
        self.reserved = 0

    async def load(self) -> LoadedAccounts:
        """Everything that is stored."""
        await self._work()
        return LoadedAccounts(
            packed_people(self.people.values()),
            packed_keys(self.keys.values()),
            packed_shares(self.shares.values()),
            packed_sessions(self.sessions.values()),
            self.reserved,
        )

    async def commit(self, change: AccountChange) -> None:
        """Write all of a change or nothing of it."""
        await self._work()
        self.people.update({one.person.id: one for one in change.people})
        self.keys.update({one.id: one for one in change.keys})
        self.shares.update({one.share.account: one for one in change.shares})
        self.sessions.update({one.id_hash: one for one in change.sessions})
        for dropped in change.sessions_dropped:
            self.sessions.pop(dropped, None)

    def opened(self, kept: str, bound_to: str) -> str:
        """Nothing is sealed in memory."""
        return never_sealed(kept, bound_to)

    async def reserve_credentials(self, count: int) -> int:
        """The first of `count` numbers nobody got."""
        await self._work()
        first = self.reserved + 1
        self.reserved += count
        return first


class MemoryWayStore(Breakable):
    """Ways."""

    def __init__(self) -> None:
        super().__init__()
        self.ways: dict[tuple[str, str, int], StoredWay] = {}

    async def load(self) -> PackedWays:
        """Everything that is stored."""
        await self._work()
        return packed_ways(self.ways.values())

    async def commit(self, change: WayChange) -> None:
        """Write all of a change or nothing of it."""
        await self._work()
        self.ways.update({(one.person, one.way.channel, one.way.number): one for one in change.ways})
        for dropped in change.dropped:
            self.ways.pop(dropped, None)

    def opened(self, kept: str, bound_to: str) -> str:
        """Nothing is sealed in memory."""
        return never_sealed(kept, bound_to)


class MemoryKeyFolder(Breakable):
    """Keys, and the list of what was withdrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[Ed25519PrivateKey] = []
        self.listed: bytes | None = None
        self.set_aside: list[bytes] = []

    async def exists(self) -> bool:
        """Whether there are keys already."""
        return bool(self.keys)

    async def ring(self) -> KeyRing:
        """The keys; made at the first start."""
        await self._work()
        if not self.keys:
            await self.rotate()
        return KeyRing(self.keys[-1], tuple(key.public_key() for key in reversed(self.keys[-2:])))

    async def rotate(self) -> None:
        """Sign with a new key from the next start on; the one before is still accepted."""
        self.keys.append(Ed25519PrivateKey.generate())

    async def revocations(self) -> bytes | None:
        """The list as it was last written."""
        await self._work()
        return self.listed

    async def write_revocations(self, listed: bytes) -> None:
        """Replace the list."""
        await self._work()
        self.listed = listed

    async def set_aside_revocations(self) -> str:
        """Keep a damaged list apart."""
        if self.listed is not None:
            self.set_aside.append(self.listed)
        self.listed = None
        return f"revoked.damaged-{len(self.set_aside)}"


class MemoryFollowStore(Breakable):
    """Follows and open invitations."""

    def __init__(self) -> None:
        super().__init__()
        self.follows: dict[str, Follow] = {}
        self.invitations: dict[str, StoredInvitation] = {}

    async def load(self) -> LoadedFollows:
        """Everything that is stored."""
        await self._work()
        return LoadedFollows(packed_follows(self.follows.values()), list(self.invitations.values()))

    async def commit(self, change: FollowChange) -> None:
        """Write all of a change or nothing of it."""
        await self._work()
        self.follows.update({one.id: one for one in change.follows})
        self.invitations.update({one.id: one for one in change.invitations})
        for dropped in change.invitations_dropped:
            self.invitations.pop(dropped, None)


class MemoryLookStore(Breakable):
    """Who looked."""

    def __init__(self) -> None:
        super().__init__()
        self.chain: list[ChainedLook] = []
        self.anchor = (0, GENESIS)

    async def tail(self) -> tuple[int, bytes]:
        """Number and hash of the newest link."""
        await self._work()
        return (self.chain[-1].number, self.chain[-1].hash) if self.chain else self.anchor

    async def append(self, looks: Sequence[ChainedLook]) -> None:
        """Add links."""
        await self._work()
        self.chain.extend(looks)

    async def of_sharer(self, sharer: int, limit: int) -> list[ChainedLook]:
        """The newest looks at one sharer, newest first."""
        await self._work()
        found = [look for look in reversed(self.chain) if look.look.sharer == sharer]
        return found[:limit]

    async def links(self, after: int, limit: int) -> list[ChainedLook]:
        """Links of the chain in order."""
        await self._work()
        return [look for look in self.chain if look.number > after][:limit]

    async def drop_before(self, before_ms: int) -> int:
        """Forget old looks from the beginning of the chain."""
        await self._work()
        kept = next((at for at, one in enumerate(self.chain) if one.look.at_ms >= before_ms), len(self.chain))
        if kept:
            self.anchor = (self.chain[kept - 1].number, self.chain[kept - 1].hash)
            del self.chain[:kept]
        return kept

    async def anchor_hash(self) -> bytes:
        """Hash of the link before the first that is kept."""
        await self._work()
        return self.anchor[1]
