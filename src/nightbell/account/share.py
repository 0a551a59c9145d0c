"""Share credentials: what old Share clients sign in with, and their sessions.

Apart from the person's own sign-in: a Share password publishes and reads one sharer through the Share
endpoints and opens nothing else.
"""

import hashlib
import hmac
from typing import Final, NamedTuple

import msgspec

SESSION_LASTS_MS: Final = 24 * 3_600_000
"""Since its last use. Clients believe in 8 or 24 h (dexcom-share sheet, section 2.2)."""

SESSIONS_OF_ONE_MAX: Final = 32
"""Every client keeps its own; signing in must not end the others. The one unused for longest goes first."""

TOUCHED_AFTER_MS: Final = 15 * 60_000
"""How old the stored time of last use may grow, so that reading does not write."""

VERIFIED_LASTS_MS: Final = 10 * 60_000
VERIFIED_MAX: Final = 100_000


class ShareCredential(msgspec.Struct, frozen=True, gc=False):
    """Who an old client is.

    Attributes:
        account: Account id, a lower-case UUID.
        name: What the client types as its account name; unique whatever the case.
        person: Person id of the sharer.
        credential: Its number, journaled as `source`.
        created_ms: When it was made.
    """

    account: str
    name: str
    person: str
    credential: int
    created_ms: int


class _Proof(NamedTuple):
    digest: bytes
    until_ms: int


class Verified:
    """The password last proven right for each account, for ten minutes, in memory only.

    Some clients sign in before every read. The slow hash protects what is stored on disk; this never is. Kept
    is a keyed hash under a key drawn at start that never leaves the process, so whoever could read it could
    read the passwords passing by as well. A password that is not the remembered one goes the slow way.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()[:64]
        self._proofs: dict[str, _Proof] = {}

    def digest(self, account: str, password: str) -> bytes:
        """What is remembered of a password."""
        return hashlib.blake2b(
            f"{account}\n{password}".encode(errors="surrogatepass"), key=self._key
        ).digest()

    def remembers(self, account: str, digest: bytes, now_ms: int) -> bool:
        """Whether this very password was proven right not long ago."""
        proof = self._proofs.get(account)
        return proof is not None and now_ms < proof.until_ms and hmac.compare_digest(proof.digest, digest)

    def put(self, account: str, digest: bytes, now_ms: int) -> None:
        """It was proven right now."""
        self._proofs.pop(account, None)
        self._proofs[account] = _Proof(digest, now_ms + VERIFIED_LASTS_MS)
        while len(self._proofs) > VERIFIED_MAX:
            del self._proofs[next(iter(self._proofs))]

    def forget(self, account: str) -> None:
        """The password changed."""
        self._proofs.pop(account, None)
