"""Passwords: a slow hash in a small pool, so that a storm of sign-ins cannot reach the readings.

The hash is argon2id as RFC 9106 recommends for little memory: 64 MiB and three passes each. Two at a time; a
bounded line waits; whoever comes after that is told when to come again. Threads are enough because argon2
leaves the interpreter alone while it works; they give way to everything else on the machine.
"""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from nightbell.account.person import PASSWORD_CHARS_MAX
from nightbell.load import deadline
from nightbell.load.again import AGAIN_S_MIN, drained_s, spread
from nightbell.load.service import too_late
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.identity import new_secret

AT_ONCE: Final = 2
WAITING_MAX: Final = 64
AGAIN_S_MAX: Final = 120
"""The latest that a person who signs in is told to come again."""

HASHES_FIRST_PER_S: Final = 5.0
"""Before anything was measured: what two slow cores do. RFC 9106 wants a hash to be slow."""

_REMEMBERED: Final = 0.9

_NICENESS: Final = 10

Answer = TypeVar("Answer")


class PasswordPool:
    """Hashes and verifies passwords, a few at a time."""

    def __init__(
        self, hasher: PasswordHasher | None = None, *, at_once: int = AT_ONCE, waiting_max: int = WAITING_MAX
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(at_once, "password", initializer=_give_way)
        self._room = at_once + waiting_max
        self._inside = 0
        self._nobody = ""
        self._turned_away = 0
        self._hashes_per_s = HASHES_FIRST_PER_S
        self._at_once = at_once
        self._together: dict[tuple[str, bytes], asyncio.Future[bool]] = {}

    async def start(self) -> None:
        """Prepare what unknown names are compared with."""
        self._nobody = await self.hashed(new_secret(""))

    def close(self) -> None:
        """Let what has begun finish."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hashed(self, password: str) -> str:
        """What is stored of a password.

        Raises:
            CallerError: It is empty or too long.
            PlatformError: Too many are waiting (`OVERLOADED`); nothing was done.
        """
        if not 1 <= len(password) <= PASSWORD_CHARS_MAX:
            raise CallerError(
                ErrorCode.MALFORMED, catalogue().say("account.password_length", most=PASSWORD_CHARS_MAX)
            )
        plain = _one_spelling(password)
        return await self._in_turn(lambda: self._hasher.hash(plain))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; None is a name nobody has, and takes as long.

        Raises:
            PlatformError: Too many are waiting (`OVERLOADED`); nothing was decided.
        """
        plain = _one_spelling(password[: PASSWORD_CHARS_MAX + 1])
        fits = stored is not None and 1 <= len(password) <= PASSWORD_CHARS_MAX
        against = stored if fits and stored else self._nobody
        same = await self._in_turn(lambda: self._verify(against, plain))
        return fits and same

    async def together(self, key: tuple[str, bytes], work: Callable[[], Coroutine[None, None, bool]]) -> bool:
        """Those who ask the same at the same time share one answer."""
        asking = self._together.get(key)
        if asking is None:
            asking = asyncio.ensure_future(work())
            self._together[key] = asking
            asking.add_done_callback(lambda _: self._together.pop(key, None))
        return await asyncio.shield(asking)

    @property
    def full_s(self) -> int:
        """0 while there is room, else in how many seconds to come again."""
        return self._again_s() if self._inside >= self._room else 0

    def _verify(self, against: str, plain: bytes) -> bool:
        try:
            return self._hasher.verify(against, plain)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], Answer]) -> Answer:
        if self._inside >= self._room:
            seconds = self._again_s()
            sentence = catalogue().say("account.passwords_busy", seconds=seconds)
            raise PlatformError(ErrorCode.OVERLOADED, sentence, retry_after_s=seconds)
        loop = asyncio.get_running_loop()
        until_s = deadline.until_s(loop.time(), deadline.SIGN_IN_S_MAX)

        def in_time() -> Answer:
            began_s = loop.time()
            if began_s >= until_s:
                raise too_late()  # whoever asked has gone: nobody would hear what a hash of 64 MiB finds
            answer = work()
            took_s = max(0.001, loop.time() - began_s)
            self._hashes_per_s += (1 - _REMEMBERED) * (self._at_once / took_s - self._hashes_per_s)
            return answer

        self._inside += 1
        try:
            return await loop.run_in_executor(self._threads, in_time)
        finally:
            self._inside -= 1

    def _again_s(self) -> int:
        """When there will be room: who waits, and who was turned away lately, is through."""
        self._turned_away += 1
        most_s = drained_s(self._inside, self._hashes_per_s, least_s=2 * AGAIN_S_MIN, most_s=AGAIN_S_MAX)
        return spread(self._turned_away, AGAIN_S_MIN, most_s)


def _one_spelling(password: str) -> bytes:
    """The same letters typed on different keyboards are the same password (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")


def _give_way() -> None:
    if sys.platform == "linux":  # only Linux keeps niceness by thread; argon2's own threads inherit it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
