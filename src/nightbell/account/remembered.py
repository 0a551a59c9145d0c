"""Grants that were verified once, by the hash of the token: a dict lookup instead of a signature."""

from collections.abc import Callable
from typing import Final

from nightbell.account.grants import Grant

REMEMBERED_MAX: Final = 400_000
"""About 200 MB at worst; a grant that falls out costs one signature, about a tenth of a millisecond."""


class Remembered:
    """Bounded, and forgets what was not used for longest, in two generations."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._half = max(1, most // 2)
        self._young: dict[bytes, Grant] = {}
        self._old: dict[bytes, Grant] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, token_hash: bytes) -> Grant | None:
        """The grant behind this token, if it is remembered."""
        found = self._young.get(token_hash)
        if found is None:
            found = self._old.pop(token_hash, None)
            if found is not None:
                self.put(token_hash, found)
        return found

    def put(self, token_hash: bytes, grant: Grant) -> None:
        """Remember; the older generation makes room."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[token_hash] = grant

    def forget(self, gone: Callable[[Grant], bool]) -> None:
        """Drop what is no longer true, so that it does not keep its place."""
        self._young = {key: grant for key, grant in self._young.items() if not gone(grant)}
        self._old = {key: grant for key, grant in self._old.items() if not gone(grant)}
