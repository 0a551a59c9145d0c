"""Reads our sender's own mailbox for letters that came back, over IMAP, in a thread of its own.

Rules:

1. Only bounces with our own mark are touched: they are marked as seen, at the look after the one that told of
   them, so that a crash in between tells twice and not never. Nothing is ever deleted or moved.
2. A letter that was looked at and is none of ours is not read again; a restart looks at it once more.
3. Only unseen letters of the last days are looked for, the newest first, so many at one look and so much of
   each: whatever lies in the mailbox, a look ends.
4. One look has a time limit. Then its wire is cut, as in `line.py`, so the thread always comes back.
5. What goes wrong is written to the log once, and the pause grows; the first look that goes well ends that.
"""

import asyncio
import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final, Never

import structlog

from nightbell.adapters.channels.email.bounce import BOUNCE_BYTES_MAX, bounce_in
from nightbell.adapters.channels.email.settings import BouncesSettings
from nightbell.adapters.channels.email.wire import Wire
from nightbell.tell.callback import News, Proofs
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import SystemClock, from_ms

_log = structlog.get_logger(__name__)

LOOK_BYTES_MAX: Final = 16 * 1024 * 1024
"""What the server may send in one look."""

BACK_DAYS: Final = 7
"""How old a bounce may be: mail servers try for five days (RFC 5321, 4.5.4.1)."""

PAUSE_MS_MAX: Final = 15 * 60_000
"""The longest pause after looks that failed."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER: Final = re.compile(rb"[0-9]{1,10}")


class _Imap(imaplib.IMAP4):
    """The client of imaplib on our wire; it reads no more than it may."""

    def __init__(self, wire: Wire, settings: BouncesSettings, tls: ssl.SSLContext | None) -> None:
        self._wire = wire
        self._implicit_tls = tls
        self._left = LOOK_BYTES_MAX
        super().__init__(settings.host, settings.port, timeout=settings.step_ms / 1000)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        assert timeout is not None
        plain = self._wire.connect(self.host, self.port, timeout)
        if self._implicit_tls is None:
            return plain
        return self._implicit_tls.wrap_socket(plain, server_hostname=self.host)

    def read(self, size: int) -> bytes:
        """So many bytes, as the server announced them."""
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """One line."""
        line = super().readline()
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self.abort("more than a look may cost")


class Bounces:
    """The part of the e-mail channel that listens."""

    def __init__(self, settings: BouncesSettings, proofs: Proofs) -> None:
        self._settings = settings
        self._proofs = proofs
        self._tls: ssl.SSLContext | None = None
        if settings.tls:
            self._tls = ssl.create_default_context()
            if settings.ca_file:
                self._tls.load_verify_locations(settings.ca_file)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bounces")
        self._validity = b""
        self._known: set[bytes] = set()
        """Unseen letters that were looked at, by their numbers in this mailbox."""
        self._told: set[bytes] = set()
        """Those of them that were told of, and are to be marked."""

    async def close(self) -> None:
        """Let the thread end."""
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    async def listen(self, heard: Callable[[News], None]) -> Never:
        """Look again and again."""
        loop = asyncio.get_running_loop()
        failures = 0

        def soon(news: News) -> None:
            loop.call_soon_threadsafe(heard, news)

        while True:
            wrong = await self._within(lambda wire: self._look(wire, soon))
            failures = failures + 1 if wrong else 0
            if failures == 1:
                _log.warning("bounces.unavailable", reason=wrong)
            pause_ms = min(self._settings.every_ms << min(failures, 10), PAUSE_MS_MAX)
            await asyncio.sleep(max(pause_ms, self._settings.every_ms) / 1000)

    async def prove(self) -> str:
        """Sign in and open the folder; nothing is read. Empty when all went well, else what to do."""
        return await self._within(self._open_and_leave)

    async def _within(self, work: Callable[[Wire], None]) -> str:
        """Do it in the thread, within the time limit; empty, or what went wrong."""
        wire = Wire()
        try:
            async with asyncio.timeout(self._settings.whole_ms / 1000):
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._tried, work, wire)
        except TimeoutError:
            return catalogue().say("deliver.bounces_too_slow")
        finally:
            wire.cut()

    def _tried(self, work: Callable[[Wire], None], wire: Wire) -> str:
        words = catalogue()
        try:
            work(wire)
        except _SignInError:
            return words.say("deliver.bounces_sign_in")
        except _FolderError:
            return words.say("deliver.bounces_folder")
        except ssl.SSLError:
            return words.say("deliver.bounces_tls")
        except (OSError, imaplib.IMAP4.error, ValueError):
            return words.say("deliver.bounces_broken" if wire.connected else "deliver.bounces_unreachable")
        finally:
            wire.close()
        return ""

    def _open_and_leave(self, wire: Wire) -> None:
        imap = self._opened(wire, readonly=True)
        _leave(imap)

    def _opened(self, wire: Wire, *, readonly: bool) -> _Imap:
        settings = self._settings
        imap = _Imap(wire, settings, self._tls)
        try:
            try:
                imap.login(_quoted(settings.user), settings.password)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error:
                raise _SignInError from None
            _select(imap, settings.folder, readonly=readonly)
        except BaseException:
            _leave(imap)
            raise
        return imap

    def _look(self, wire: Wire, heard: Callable[[News], None]) -> None:
        imap = self._opened(wire, readonly=False)
        try:
            validity = imap.response("UIDVALIDITY")[1][-1] or b""
            if validity != self._validity:
                self._validity, self._known, self._told = validity, set(), set()
            for number in sorted(self._told):
                _asked(imap, "STORE", number.decode(), "+FLAGS.SILENT", r"(\Seen)")
                self._told.discard(number)
            since = from_ms(SystemClock().now_ms()) - timedelta(days=BACK_DAYS)
            when = f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"
            found = _asked(imap, "SEARCH", f"UNSEEN SINCE {when}")
            unseen = {number for number in (found[0] or b"").split() if _NUMBER.fullmatch(number)}
            self._known &= unseen
            for number in sorted(unseen - self._known, key=int, reverse=True)[: self._settings.letters_max]:
                self._read(imap, number, heard)
        finally:
            _leave(imap)

    def _read(self, imap: _Imap, number: bytes, heard: Callable[[News], None]) -> None:
        got = _asked(imap, "FETCH", number.decode(), f"(BODY.PEEK[]<0.{BOUNCE_BYTES_MAX}>)")
        raw = b"".join(part[1] for part in got if isinstance(part, tuple))
        news = bounce_in(raw, self._proofs)
        self._known.add(number)
        if news is not None:
            heard(news)
            self._told.add(number)


def _select(imap: _Imap, folder: str, *, readonly: bool) -> None:
    done, _ = imap.select(_quoted(folder), readonly=readonly)
    if done != "OK":
        raise _FolderError


def _asked(imap: _Imap, command: str, *arguments: str) -> list[Any]:
    done, answer = imap.uid(command, *arguments)
    if done != "OK":
        raise imap.error("the server said no")
    return answer


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _leave(imap: imaplib.IMAP4) -> None:
    """Say goodbye; nothing that fails there matters."""
    try:
        imap.logout()
    except (OSError, imaplib.IMAP4.error):
        with contextlib.suppress(OSError):
            imap.shutdown()


class _SignInError(Exception):
    """The server did not let us sign in."""


class _FolderError(Exception):
    """There is no such folder, or it can not be opened."""
