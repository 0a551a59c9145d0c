"""What accounts need of the world: a durable copy, a folder for keys, and the journal."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from nightbell.account.person import Person
from nightbell.account.share import ShareCredential
from nightbell.account.way import Way


class StoredPerson(msgspec.Struct, frozen=True, gc=False):
    """A person with what is stored of the password; empty if they never sign in."""

    person: Person
    password: str


class StoredKey(msgspec.Struct, frozen=True, gc=False):
    """A key for an old or native client.

    Attributes:
        id: Lower-case UUID, to revoke it by.
        credential: Its number, journaled as `source`.
        person: Person id.
        scope: "publish" or "follow".
        label: What the person calls it.
        secret_hash: SHA-256 of the secret.
        created_ms: When it was made.
        revoked_ms: When it was revoked, 0 if it was not.
    """

    id: str
    credential: int
    person: str
    scope: str
    label: str
    secret_hash: bytes
    created_ms: int
    revoked_ms: int


class StoredShare(msgspec.Struct, frozen=True, gc=False):
    """A Share credential with what is stored of its password."""

    share: ShareCredential
    password: str


class StoredSession(msgspec.Struct, frozen=True, gc=False):
    """A Share session: SHA-256 of its id, whose it is, and when it was opened and last used."""

    id_hash: bytes
    account: str
    opened_ms: int
    used_ms: int


class AccountChange(NamedTuple):
    """What is written in one transaction. Rows replace those with the same id."""

    people: tuple[StoredPerson, ...] = ()
    keys: tuple[StoredKey, ...] = ()
    shares: tuple[StoredShare, ...] = ()
    sessions: tuple[StoredSession, ...] = ()
    sessions_dropped: tuple[bytes, ...] = ()


class PackedPeople(NamedTuple):
    """Many people, in any order.

    Attributes:
        ids: Their ids, as 16 bytes each.
        sharers: Sharer numbers, -1 for none.
        hidden: Whether each is a canary.
        created_ms: When each was added.
        texts: The fields of `packed.text_of_person` of each, joined by `TEXT_END`.
        folded: The folded name of each, joined by `TEXT_END`.
    """

    ids: bytes
    sharers: NDArray[np.int32]
    hidden: NDArray[np.bool_]
    created_ms: NDArray[np.int64]
    texts: bytes
    folded: bytes


class PackedKeys(NamedTuple):
    """Many keys that were not revoked.

    Attributes:
        ids: Their ids, as 16 bytes each.
        credentials: Their numbers.
        people: Whose they are, as 16 bytes each.
        scopes: What each opens, by its place in `packed.SCOPES`.
        labels: Their labels, joined by `TEXT_END`.
        hashes: SHA-256 of each secret, 32 bytes each.
        created_ms: When each was made.
    """

    ids: bytes
    credentials: NDArray[np.int32]
    people: bytes
    scopes: NDArray[np.int8]
    labels: bytes
    hashes: bytes
    created_ms: NDArray[np.int64]


class PackedShares(NamedTuple):
    """Many Share credentials, in any order.

    Attributes:
        ids: Account ids, as 16 bytes each.
        people: Whose they are, as 16 bytes each.
        credentials: Their numbers.
        created_ms: When each was made.
        texts: Name and stored password of each (`packed.text_of_share`), joined by `TEXT_END`.
        folded: The folded name of each, joined by `TEXT_END`.
    """

    ids: bytes
    people: bytes
    credentials: NDArray[np.int32]
    created_ms: NDArray[np.int64]
    texts: bytes
    folded: bytes


class PackedSessions(NamedTuple):
    """Many Share sessions, in any order.

    Attributes:
        hashes: SHA-256 of each id, 32 bytes each.
        accounts: Account ids, as 16 bytes each.
        opened_ms: When each was opened.
        used_ms: When each was last used.
    """

    hashes: bytes
    accounts: bytes
    opened_ms: NDArray[np.int64]
    used_ms: NDArray[np.int64]


class LoadedAccounts(NamedTuple):
    """Everything that is stored. `credentials_reserved` is 0 only where nothing was ever stored."""

    people: PackedPeople
    keys: PackedKeys
    shares: PackedShares
    sessions: PackedSessions
    credentials_reserved: int


class StoredWay(msgspec.Struct, frozen=True, gc=False):
    """A way with the id of the person it leads to."""

    person: str
    way: Way


class WayChange(NamedTuple):
    """What is written of ways in one transaction. A way replaces the one with its person, channel and number.

    Attributes:
        ways: Ways as they are now.
        dropped: Person, channel and number of those that are gone.
    """

    ways: tuple[StoredWay, ...] = ()
    dropped: tuple[tuple[str, str, int], ...] = ()


class PackedWays(NamedTuple):
    """Many ways, in any order.

    Attributes:
        people: Whose they are, as 16 bytes each.
        channels: Their channels, joined by `TEXT_END`.
        numbers: Their numbers.
        texts: `packed.text_of_way` of each as it is kept, joined by `TEXT_END`.
        added_ms: When each was added.
        proven_ms: When each was last proven.
        proven_by: By what, by its place in `way.PROOFS`.
        lost_ms: When each was last found dead.
        lost_why: Why, joined by `TEXT_END`.
    """

    people: bytes
    channels: bytes
    numbers: NDArray[np.int32]
    texts: bytes
    added_ms: NDArray[np.int64]
    proven_ms: NDArray[np.int64]
    proven_by: NDArray[np.int8]
    lost_ms: NDArray[np.int64]
    lost_why: bytes


class WayStore(Protocol):
    """The durable copy of ways beyond a person's own e-mail and webhook, and of what is known of all.

    What it answered to is on the disk, and sealed there. Every method but `opened` raises PlatformError
    (`NOT_DURABLE`) when the world failed; then nothing was changed.
    """

    async def load(self) -> PackedWays:
        """Everything that is stored."""
        ...

    async def commit(self, change: WayChange) -> None:
        """Write all of a change or nothing of it."""
        ...

    def opened(self, kept: str, bound_to: str) -> str:
        """A text that is kept sealed, as `AccountStore.opened`."""
        ...


class AccountStore(Protocol):
    """The durable copy. What it answered to is on the disk.

    Every method raises PlatformError (`NOT_DURABLE`) when the world failed; then nothing was changed.
    """

    async def load(self) -> LoadedAccounts:
        """Everything that is stored."""
        ...

    async def commit(self, change: AccountChange) -> None:
        """Write all of a change or nothing of it."""
        ...

    async def reserve_credentials(self, count: int) -> int:
        """The first of `count` numbers that nobody got or will get; from 1."""
        ...

    def opened(self, kept: str, bound_to: str) -> str:
        """A text that is kept sealed, as it was written; empty if our key does not open it.

        Args:
            kept: As loaded. What was never sealed is returned as it is.
            bound_to: Whose and what it is, as `packed.bound_to` says.
        """
        ...


class Passwords(Protocol):
    """Slow hashes, a few at a time, so that a storm of sign-ins cannot reach the readings.

    What waits is bounded: beyond it, PlatformError (`OVERLOADED`) with the seconds to wait.
    """

    async def start(self) -> None:
        """Prepare what unknown names are compared with."""
        ...

    def close(self) -> None:
        """Let what has begun finish."""
        ...

    async def hashed(self, password: str) -> str:
        """What is stored of a password.

        Raises:
            CallerError: It is empty or too long.
        """
        ...

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; None is a name nobody has, and takes as long."""
        ...

    async def together(self, key: tuple[str, bytes], work: Callable[[], Coroutine[None, None, bool]]) -> bool:
        """Those who ask the same at the same time share one answer."""
        ...


class KeyRing(NamedTuple):
    """What grants are signed with, and what they are verified with: the current key and the one before."""

    signing: Ed25519PrivateKey
    accepted: tuple[Ed25519PublicKey, ...]


class KeyFolder(Protocol):
    """Where keys and the signed list of revocations lie, apart from the store."""

    async def exists(self) -> bool:
        """Whether there are keys already."""
        ...

    async def ring(self) -> KeyRing:
        """The keys; made at the first start.

        Raises:
            PlatformError: A key cannot be read; says which and what to do.
        """
        ...

    async def revocations(self) -> bytes | None:
        """The list as it was last written, None if never.

        Raises:
            PlatformError: It cannot be read.
        """
        ...

    async def write_revocations(self, listed: bytes) -> None:
        """Replace the list; durable when this returns.

        Raises:
            PlatformError: It could not be written (`NOT_DURABLE`); the old one stands.
        """
        ...

    async def set_aside_revocations(self) -> str:
        """Keep a damaged list under another name, which is returned."""
        ...


class AccountJournal(Protocol):
    """The journal, as far as accounts need it. `app` turns it into the fact `SharerAdded`."""

    def sharer_added(self, sharer: int, at_ms: int) -> Awaitable[object]:
        """A sharer exists from now on; resolves when it is durable."""
        ...
