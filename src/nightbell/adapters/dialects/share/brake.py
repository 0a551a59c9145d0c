"""The brake: clients that sign in and read again after every error must not storm us. Pure.

Some clients, when a read fails, sign in and read again without any pause; one of them makes hundreds of
requests a second. So sign-ins of one account from one address take from a bucket of tokens: who has none left
waits for the next one. It is a wait, never a lock, and never longer than `WAIT_MS_MAX`; another address has
its own bucket, so nobody can slow down the owner of an account by knowing its name.
"""

from typing import Final

BURST: Final = 8
"""Sign-in requests at once: a household's clients after a restart, at two requests each."""

TOKEN_EVERY_MS: Final = 4_000
"""One more sign-in request every 4 s: a loop that makes two of them a round goes round every 8 s."""

WAIT_MS_MAX: Final = 20_000
"""The longest wait. Clients give up on a request after 30 s and more."""

BUCKETS_MAX: Final = 50_000
"""Buckets remembered; the one unused for longest goes first, and was full by then or is again."""

HOLD_READ_MS: Final = 30_000
"""How long the answer to a read we cannot do is held (dexcom-share sheet, section 3: at least 30 s)."""

HOLD_WRITE_MS: Final = 5_000
"""The same for an upload and a sign-in: shorter, so that a phone with a low soon tries again."""

HELD_MAX: Final = 2_000
"""How many requests wait at the same time; beyond, the answer comes at once: memory is bounded as well."""


class Brake:
    """The buckets of all accounts: for each the time from which on it is full again."""

    def __init__(self) -> None:
        self._full_at_ms: dict[tuple[str, str], int] = {}

    def wait_ms(self, account: str, peer: str, now_ms: int) -> int:
        """Take one token; how long to wait for it."""
        key = (account, peer)
        full_at_ms = max(self._full_at_ms.pop(key, now_ms), now_ms)
        # A clock that was set back must not keep anybody waiting for it to catch up.
        longest_ms = BURST * TOKEN_EVERY_MS + WAIT_MS_MAX
        full_at_ms = min(full_at_ms + TOKEN_EVERY_MS, now_ms + longest_ms)
        if len(self._full_at_ms) >= BUCKETS_MAX:
            del self._full_at_ms[next(iter(self._full_at_ms))]
        self._full_at_ms[key] = full_at_ms
        return max(0, full_at_ms - now_ms - BURST * TOKEN_EVERY_MS)
