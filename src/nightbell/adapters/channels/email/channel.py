"""The e-mail channel: one connection and one letter for each message, in a bounded number of threads.

A thread that waits for a dripping server can not be stopped, but its line can be cut: at the time limit the
socket is shut down, the thread sees a broken line and ends. So nothing hangs, and no thread is lost.
"""

import asyncio
import contextlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from nightbell.adapters.channels.email.letter import is_address, letter
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable, one_line
from nightbell.words.catalogue import catalogue

_PERMANENT: Final = 500
_NOBODY_THERE: Final = re.compile(r"^\d{3}[ -]5\.1\.(?:1|2|3|6|10)\b")
"""No such mailbox, host or form of address; moved; takes no mail (RFC 3463, 3.2; RFC 7505). A full mailbox or
a policy is no reason to give an address up, and what is said without such a code is taken for that."""


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(f"{code} {words}")


def _without(reply: str, address: str) -> str:
    """A server's words without the address, however it writes it: reasons carry no addresses."""
    for part in (address, address.rpartition("@")[0]):
        reply = re.sub(re.escape(part), "…", reply, flags=re.IGNORECASE) if part else reply
    return reply


class _Smtp(smtplib.SMTP):
    """The client of smtplib, with TLS from the first byte if asked for; it shows its socket."""

    def __init__(
        self,
        *,
        greeting: str,
        timeout_s: float,
        tls: ssl.SSLContext | None,
        opened: Callable[[socket.socket], None],
    ) -> None:
        super().__init__(local_hostname=greeting, timeout=timeout_s)
        self._implicit_tls = tls
        self._opened = opened

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._opened(plain)
        self._host = host  # STARTTLS checks the certificate against it; connect() alone does not set it
        if self._implicit_tls is None:
            return plain
        return self._implicit_tls.wrap_socket(plain, server_hostname=host)


class _Line:
    """One connection to the mail server, used in a thread and cut from the loop."""

    def __init__(self, settings: EmailSettings, tls: ssl.SSLContext) -> None:
        self._settings = settings
        self._tls = tls
        self._smtp: smtplib.SMTP | None = None
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()
        self._cut = False

    def cut(self) -> None:
        """Shut the line down; the thread that waits on it wakes."""
        with self._lock:
            self._cut = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def _opened(self, plain: socket.socket) -> None:
        """Keep a second handle of the socket: it stays ours whatever TLS makes of the first."""
        with self._lock:
            self._handle = plain.dup()
        if self._cut:
            plain.close()
            raise smtplib.SMTPServerDisconnected

    def _close(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        with self._lock:
            if self._handle is not None:
                self._handle.close()

    def send(self, message: Message, address: str, idempotency_key: str) -> Outcome:
        """Go the whole way once."""
        try:
            return self._send(message, address, idempotency_key)
        except smtplib.SMTPResponseException as error:
            reply = _without(_reply(error.smtp_code, error.smtp_error), address)
            return Unavailable(one_line(catalogue().say("deliver.email_later", reply=reply)))
        except (OSError, smtplib.SMTPException) as error:
            return Unavailable(catalogue().say(f"deliver.email_{self._why(error)}"))
        finally:
            self._close()

    def _why(self, error: Exception) -> str:
        """Which sentence says what broke."""
        if self._cut or isinstance(error, TimeoutError):
            return "too_slow"
        if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
            return "tls"
        return "broken_off" if self._handle is not None else "unreachable"

    def _send(self, message: Message, address: str, idempotency_key: str) -> Outcome:
        smtp = self._connect()
        settings = self._settings
        if settings.safety is Safety.STARTTLS:
            smtp.starttls(context=self._tls)
        if settings.user and not self._sign_in(smtp):
            return Unavailable(catalogue().say("deliver.email_sign_in"))
        smtp.ehlo_or_helo_if_needed()
        utf8 = not address.isascii()
        if utf8 and not smtp.has_extn("smtputf8"):
            return Refused(catalogue().say("deliver.email_no_utf8"))
        content = letter(
            message,
            to=address,
            sender=settings.sender,
            sender_name=settings.sender_name,
            idempotency_key=idempotency_key,
            utf8=utf8,
        )
        outcome = self._hand_over(smtp, address, content, utf8=utf8)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            smtp.quit()  # the letter is taken or refused already, whatever comes of this
        return outcome

    def _sign_in(self, smtp: smtplib.SMTP) -> bool:
        try:
            smtp.login(self._settings.user, self._settings.password)
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException:  # no, or by no way we know
            return False
        return True

    def _connect(self) -> smtplib.SMTP:
        if self._cut:
            raise smtplib.SMTPServerDisconnected
        settings = self._settings
        self._smtp = _Smtp(
            greeting=settings.sender.rpartition("@")[2],
            timeout_s=settings.step_ms / 1000,
            tls=self._tls if settings.safety is Safety.TLS else None,
            opened=self._opened,
        )
        code, text = self._smtp.connect(settings.host, settings.port)
        if code != 220:  # noqa: PLR2004 RFC 5321: service ready
            raise smtplib.SMTPConnectError(code, text)
        return self._smtp

    def _hand_over(self, smtp: smtplib.SMTP, address: str, content: bytes, *, utf8: bool) -> Outcome:
        """From whom, to whom, what. Only a no about the receiver or the letter is for good."""
        words = catalogue()
        code, text = smtp.mail(self._settings.sender, ["SMTPUTF8"] if utf8 else [])
        if code != 250:  # noqa: PLR2004 RFC 5321: done
            return Unavailable(one_line(words.say("deliver.email_not_us", reply=_reply(code, text))))
        code, text = smtp.rcpt(address)
        if code not in (250, 251):
            return _said_no(code, text, address)
        try:
            code, text = smtp.data(content)
        except smtplib.SMTPDataError as error:
            return _said_no(error.smtp_code, error.smtp_error, address)
        if code != 250:  # noqa: PLR2004 RFC 5321: done
            return _said_no(code, text, address)
        return Sent(_without(_reply(code, text), address))


def _said_no(code: int, text: bytes | str, address: str) -> Outcome:
    """A no about this receiver or this letter: for good from 500 up, else for now (RFC 5321, 4.2.1)."""
    reply = _without(_reply(code, text), address)
    words = catalogue()
    if code >= _PERMANENT:
        lost = _NOBODY_THERE.search(reply) is not None
        return Refused(one_line(words.say("deliver.email_refused", reply=reply)), lost=lost)
    return Unavailable(one_line(words.say("deliver.email_later", reply=reply)))


class EmailChannel:
    """A `tell.channel.Channel`; its address is an e-mail address."""

    name = "email"
    checklist = Checklist(
        proof=Proof.NOTHING,
        duplicates_merge=False,
        may_wake=False,
        at_most_per_minute=0,
        promise="deliver.promise_email",
    )

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._tls = ssl.create_default_context()
        if settings.ca_file:
            self._tls.load_verify_locations(settings.ca_file)
        self._threads = ThreadPoolExecutor(settings.letters_at_once, thread_name_prefix="email")
        self._slots = asyncio.Semaphore(settings.letters_at_once)

    async def close(self) -> None:
        """Let the threads end; letters under way are cut by their senders' time limits."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Send one letter."""
        words = catalogue()
        if not is_address(address):
            return Refused(words.say("deliver.email_bad_address"), lost=True)
        line = _Line(self._settings, self._tls)
        begun = False
        try:
            async with asyncio.timeout(self._settings.whole_ms / 1000), self._slots:
                begun = True
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, line.send, message, address, idempotency_key
                )
        except TimeoutError:
            return Unavailable(words.say("deliver.email_too_slow" if begun else "deliver.email_busy"))
        finally:
            line.cut()
