"""Wrong passwords bring a growing wait, for the pair of name and address and for the address; never a lock.

Somebody who knows a name can therefore not keep its owner out: the owner comes from another address.
An attempt is counted when it begins and forgiven when it succeeds, so many at once do not slip through.
"""

from typing import Final, NamedTuple

PAIR_FREE: Final = 3
PEER_FREE: Final = 20
"""Tries before there is a wait: fingers slip, and a school has many people behind one address."""

WAIT_MS_MAX: Final = 60_000
FORGOTTEN_AFTER_MS: Final = 15 * 60_000
KEPT_MAX: Final = 50_000


class _Tries(NamedTuple):
    tries: int
    last_ms: int


class Patience:
    """How long one must wait before the next try. Bounded; the longest unused is forgotten first."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._tries: dict[tuple[str, str], _Tries] = {}

    def wait_ms(self, name: str, peer: str, now_ms: int) -> int:
        """How long until the next try is heard; 0 is now."""
        pair = self._wait((name, peer), PAIR_FREE, 1, now_ms)
        return max(pair, self._wait(("", peer), PEER_FREE, 5, now_ms))

    def begin(self, name: str, peer: str, now_ms: int) -> None:
        """Count a try."""
        for key in ((name, peer), ("", peer)):
            count = self._count(key, now_ms)
            self._tries.pop(key, None)
            self._tries[key] = _Tries(count + 1, now_ms)
        while len(self._tries) > self._kept_max:
            del self._tries[next(iter(self._tries))]

    def forgive(self, name: str, peer: str) -> None:
        """The try succeeded: the pair is forgiven everything, the address this one try."""
        self._tries.pop((name, peer), None)
        of_peer = self._tries.get(("", peer))
        if of_peer is not None:
            self._tries["", peer] = of_peer._replace(tries=max(0, of_peer.tries - 1))

    def _count(self, key: tuple[str, str], now_ms: int) -> int:
        tries = self._tries.get(key)
        if tries is None or now_ms - tries.last_ms > FORGOTTEN_AFTER_MS:
            return 0
        return tries.tries

    def _wait(self, key: tuple[str, str], free: int, step: int, now_ms: int) -> int:
        over = self._count(key, now_ms) - free
        if over < 0:
            return 0
        doublings = min(over // step, 16)
        wait = min(1000 << doublings, WAIT_MS_MAX)
        # A clock that was set back must not make the wait longer than it ever is.
        return max(0, min(wait, self._tries[key].last_ms + wait - now_ms))
