"""Grants without our tag whose signature was verified once, by the hash of the token: a look into a set.

The token itself says what it grants, so nothing is kept but its hash, a second preimage of which is out of
anybody's reach (128 bits of SHA-256).
"""

from typing import Final

REMEMBERED_MAX: Final = 1_000_000
"""About 80 MB at worst, after the signing key was changed; what falls out costs a signature, 0.1 ms."""

DIGEST_BYTES: Final = 16


class Remembered:
    """Bounded, and forgets what was not used for longest, in two generations."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._half = max(1, most // 2)
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __contains__(self, digest: bytes) -> bool:
        if digest in self._young:
            return True
        if digest in self._old:
            self._old.discard(digest)
            self.add(digest)
            return True
        return False

    def add(self, digest: bytes) -> None:
        """Remember; the older generation makes room."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, set()
        self._young.add(digest)

    def clear(self) -> None:
        """Verify everything anew, from the signature."""
        self._young, self._old = set(), set()
