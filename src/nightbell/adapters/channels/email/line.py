"""One connection to the mail server that carries letter after letter; used in a thread, cut from the loop.

Rules:

1. A thread that waits for a dripping server can not be stopped, but its wire can be cut: at the time limit
   the socket is shut down, the thread sees a broken line and ends. So nothing hangs, and no thread is lost.
2. A line that carried a letter is asked first whether it still lives (RSET, then MAIL) and is made anew if it
   does not: until DATA nothing was handed over, so nothing is sent twice by that.
3. After a failure of the line itself it is not used again. A no about a receiver is not one.
4. What is said last (QUIT) is not waited for.
"""

import contextlib
import re
import smtplib
import socket
import ssl
from typing import Final

from nightbell.adapters.channels.email.letter import letter
from nightbell.adapters.channels.email.mark import mark_of
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.adapters.channels.email.status import is_dead, status_in
from nightbell.adapters.channels.email.wire import Wire
from nightbell.tell.callback import Proofs
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable, one_line
from nightbell.words.catalogue import catalogue

_READY: Final = 220
_DONE: Final = 250
_GOING: Final = 421
"""The server ends the line after this answer (RFC 5321, 4.2.3)."""

_PERMANENT: Final = 500

_ASKED_AGAIN_MS: Final = 2_000
"""Longest wait for a line's first word when it is used again: a new one costs less than a whole step."""


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(f"{code} {words}")


def _without(reply: str, address: str) -> str:
    """A server's words without the address, however it writes it: reasons carry no addresses."""
    for part in (address, address.rpartition("@")[0]):
        reply = re.sub(re.escape(part), "…", reply, flags=re.IGNORECASE) if part else reply
    return reply


class _SignInError(smtplib.SMTPException):
    """The server did not let us sign in."""


class _Smtp(smtplib.SMTP):
    """The client of smtplib on our wire, with TLS from the first byte if asked for."""

    def __init__(self, wire: Wire, *, greeting: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname=greeting, timeout=timeout_s)
        self._wire = wire
        self._implicit_tls = tls

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self._wire.connect(host, port, timeout)
        self._host = host  # STARTTLS checks the certificate against it; connect() alone does not set it
        if self._implicit_tls is None:
            return plain
        return self._implicit_tls.wrap_socket(plain, server_hostname=host)


class Line:
    """Carries letters, one after the other.

    Args:
        settings: The mail server.
        tls: Whom to trust.
        proofs: Marks the letters.
    """

    def __init__(self, settings: EmailSettings, tls: ssl.SSLContext, proofs: Proofs | None = None) -> None:
        self._letters = 0
        self._settings = settings
        self._tls = tls
        self._proofs = proofs
        self._wire = Wire()
        self._smtp: smtplib.SMTP | None = None

    @property
    def usable(self) -> bool:
        """Whether it may carry another letter."""
        return self._smtp is not None

    def cut(self) -> None:
        """Shut it down for good; the thread that waits on it wakes."""
        self._wire.cut()

    def end(self) -> None:
        """Say goodbye and close, without waiting for an answer."""
        if self._smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._smtp.putcmd("QUIT")
        self._close()

    def send(self, message: Message, address: str, idempotency_key: str) -> Outcome:
        """Hand one letter over. Closed afterwards unless the line is still well."""
        outcome: Outcome | None = None
        try:
            outcome = self._send(message, address, idempotency_key)
        except smtplib.SMTPResponseException as error:
            reply = _without(_reply(error.smtp_code, error.smtp_error), address)
            return Unavailable(one_line(catalogue().say("deliver.email_later", reply=reply)))
        except (OSError, smtplib.SMTPException) as error:
            return Unavailable(catalogue().say(f"deliver.email_{self._why(error)}"))
        else:
            return outcome
        finally:
            if outcome is None or self._wire.was_cut:
                self._close()
            elif self._letters >= self._settings.letters_per_line_max:
                self.end()

    def prove(self) -> str:
        """Connect, make it safe, sign in, ask for nothing; empty when all went well, else what did not."""
        try:
            code, text = self._open().noop()
            reply = _reply(code, text)
        except smtplib.SMTPResponseException as error:
            code, reply = error.smtp_code, _reply(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return catalogue().say(f"deliver.email_{self._why(error)}")
        finally:
            self.end()
        return "" if code == _DONE else catalogue().say("deliver.email_later", reply=reply)

    def _close(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None
        self._wire.close()

    def _why(self, error: Exception) -> str:
        """Which sentence says what broke."""
        if isinstance(error, _SignInError):
            return "sign_in"
        if self._wire.was_cut or isinstance(error, TimeoutError):
            return "too_slow"
        if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
            return "tls"
        return "broken_off" if self._wire.connected else "unreachable"

    def _send(self, message: Message, address: str, idempotency_key: str) -> Outcome:
        smtp = self._smtp or self._open()
        settings = self._settings
        utf8 = not address.isascii()
        if utf8 and not smtp.has_extn("smtputf8"):
            return Refused(catalogue().say("deliver.email_no_utf8"))
        mark = mark_of(message.id, self._proofs)
        content = letter(
            message,
            to=address,
            sender=settings.sender,
            sender_name=settings.sender_name,
            idempotency_key=idempotency_key,
            utf8=utf8,
            mark=mark,
        )
        return self._hand_over(smtp, address, content, mark, utf8=utf8)

    def _open(self) -> smtplib.SMTP:
        """A new connection, made safe and signed in."""
        settings = self._settings
        self._letters = 0
        smtp = _Smtp(
            self._wire,
            greeting=settings.sender.rpartition("@")[2],
            timeout_s=settings.step_ms / 1000,
            tls=self._tls if settings.safety is Safety.TLS else None,
        )
        self._smtp = smtp
        code, text = smtp.connect(settings.host, settings.port)
        if code != _READY:
            raise smtplib.SMTPConnectError(code, text)
        if settings.safety is Safety.STARTTLS:
            smtp.starttls(context=self._tls)
        if settings.user:
            self._sign_in(smtp)
        smtp.ehlo_or_helo_if_needed()
        return smtp

    def _sign_in(self, smtp: smtplib.SMTP) -> None:
        try:
            smtp.login(self._settings.user, self._settings.password)
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException:  # no, or by no way we know
            raise _SignInError from None

    def _begin(self, smtp: smtplib.SMTP, mark: str, *, utf8: bool) -> tuple[smtplib.SMTP, int, bytes]:
        """Say from whom it is. A line that carried something before is made anew if it does not take that."""
        if self._letters:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                assert smtp.sock is not None
                smtp.sock.settimeout(min(_ASKED_AGAIN_MS, self._settings.step_ms) / 1000)
                taken = smtp.rset()[0] == _DONE and self._mail(smtp, mark, utf8=utf8)[0] == _DONE
                smtp.sock.settimeout(self._settings.step_ms / 1000)
                if taken:
                    return smtp, _DONE, b""
            self._close()
            smtp = self._open()
        return smtp, *self._mail(smtp, mark, utf8=utf8)

    def _mail(self, smtp: smtplib.SMTP, mark: str, *, utf8: bool) -> tuple[int, bytes]:
        options = ["SMTPUTF8"] if utf8 else []
        if smtp.has_extn("dsn"):
            options += ["RET=HDRS", *([f"ENVID={mark}"] if mark else [])]
        return smtp.mail(self._settings.sender, options)

    def _hand_over(
        self, smtp: smtplib.SMTP, address: str, content: bytes, mark: str, *, utf8: bool
    ) -> Outcome:
        """From whom, to whom, what. Only a no about the receiver or the letter is for good."""
        words = catalogue()
        smtp, code, text = self._begin(smtp, mark, utf8=utf8)
        self._letters += 1
        if code != _DONE:
            self._close()
            return Unavailable(one_line(words.say("deliver.email_not_us", reply=_reply(code, text))))
        code, text = smtp.rcpt(address, ["NOTIFY=FAILURE,DELAY"] if smtp.has_extn("dsn") else [])
        if code not in (_DONE, _DONE + 1):
            return self._said_no(code, text, address)
        try:
            code, text = smtp.data(content)
        except smtplib.SMTPDataError as error:
            return self._said_no(error.smtp_code, error.smtp_error, address)
        if code != _DONE:
            return self._said_no(code, text, address)
        return Sent(_without(_reply(code, text), address))

    def _said_no(self, code: int, text: bytes | str, address: str) -> Outcome:
        """A no about this receiver or this letter: for good from 500 up, else for now (RFC 5321, 4.2.1)."""
        if code == _GOING:
            self._close()
        reply = _without(_reply(code, text), address)
        words = catalogue()
        if code >= _PERMANENT:
            why = words.say("deliver.email_refused", reply=reply)
            return Refused(one_line(why), lost=is_dead(status_in(reply.partition(" ")[2])))
        return Unavailable(one_line(words.say("deliver.email_later", reply=reply)))
