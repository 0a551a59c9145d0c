"""A mail server: real SMTP over real sockets, strict about the order of commands and their parameters.

Built from RFC 5321, RFC 3461 (delivery reports: RET, ENVID, NOTIFY) and RFC 6531 (SMTPUTF8). What it does not
offer must not be asked for, and what it offers of delivery reports must be.
"""

import asyncio
import base64
import re
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from tests.simulators.faults import Fault
from tests.simulators.lines import LineServer

SLOW_S: Final = 0.05

ENVID: Final = re.compile(r"[!-*,-<>-~]{1,100}")
"""Printable without + and =, at most 100 (RFC 3461, 4.4)."""


class Letter:
    """One letter as it was taken."""

    def __init__(
        self,
        sender: str,
        receivers: list[str],
        raw: bytes,
        *,
        safe: bool,
        signed_in: str,
        asked: dict[str, str] | None = None,
    ) -> None:
        self.sender = sender
        self.receivers = receivers
        self.raw = raw
        self.safe = safe
        self.signed_in = signed_in
        self.asked = asked or {}
        """The parameters of MAIL and RCPT."""
        self.mail: EmailMessage = message_from_bytes(raw, policy=policy.default)

    @property
    def id(self) -> str:
        """Its Message-ID."""
        return str(self.mail["Message-ID"])


class MailServer(LineServer):
    """A mail server of 127.0.0.1 on a free port."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        password: str = "",
        utf8: bool = True,
        reports: bool = False,
        letters_max: int = 1_000_000,
    ) -> None:
        super().__init__(tls=tls if implicit else None)
        self.fault = Fault.NONE
        self.no = "550 5.1.1"
        """What it says when it says no."""
        self.goodbyes = 0
        self.once = False
        """Whether a fault at the next word is over with it."""
        self.letters_max = letters_max
        """After so many letters in one connection it says 421."""
        self.letters: list[Letter] = []
        self.wrong: list[str] = []
        self._tls = tls
        self._implicit = implicit
        self._password = password
        self._utf8 = utf8
        self.reports = reports

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Talk(self, reader, writer).run()

    @property
    def offers(self) -> list[str]:
        """What EHLO says."""
        offers = ["SIZE 1000000"]
        if self.reports:
            offers.append("DSN")
        if self._utf8:
            offers += ["SMTPUTF8", "8BITMIME"]
        if self._tls is not None and not self._implicit:
            offers.append("STARTTLS")
        if self._password:
            offers.append("AUTH PLAIN")
        return offers

    async def secure(self, writer: asyncio.StreamWriter) -> None:
        """Begin TLS on an open line."""
        assert self._tls is not None
        await writer.start_tls(self._tls)

    def knows(self, credentials: str) -> str:
        """The name of who signs in, empty if the password is wrong."""
        _, name, password = base64.b64decode(credentials).decode().split("\0")
        return name if password == self._password else ""

    @property
    def asks_password(self) -> bool:
        """Whether nobody may send without signing in."""
        return bool(self._password)


class _Talk:
    """One connection."""

    def __init__(
        self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._safe = writer.get_extra_info("sslcontext") is not None
        self._signed_in = ""
        self._letters = 0
        self._clear()

    def _clear(self) -> None:
        self._sender = ""
        self._receivers: list[str] = []
        self._asked: dict[str, str] = {}

    async def _stumble(self) -> None:
        """Before anything is said: as at the greeting, so at every command of a line that is used again."""
        fault = self._server.fault
        if self._server.once:
            self._server.fault = Fault.NONE
        if fault is Fault.HANGS_AT_ONCE:
            await asyncio.Event().wait()
        if fault is Fault.BREAKS_AT_ONCE:
            self._writer.transport.abort()
            raise ConnectionResetError
        while fault is Fault.DRIPS:
            await self._raw(b"220-an answer that does not end\r\n")
            await asyncio.sleep(SLOW_S)

    async def run(self) -> None:
        await self._stumble()
        await self._say("220 mail.test ready")
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            await self._stumble()
            word, _, rest = line.partition(" ")
            if not await self._command(word.upper(), rest):
                return

    async def _raw(self, piece: bytes) -> None:
        self._writer.write(piece)
        await self._writer.drain()

    async def _say(self, *lines: str) -> None:
        await self._raw("".join(line + "\r\n" for line in lines).encode())

    async def _command(self, word: str, rest: str) -> bool:
        match word:
            case "EHLO":
                offers = self._server.offers
                await self._say("250-mail.test", *[f"250-{o}" for o in offers[:-1]], f"250 {offers[-1]}")
            case "STARTTLS":
                await self._say("220 go")
                await self._server.secure(self._writer)
                self._safe = True
            case "AUTH":
                await self._auth(rest)
            case "MAIL":
                await self._mail(rest)
            case "RCPT":
                await self._rcpt(rest)
            case "DATA":
                return await self._data()
            case "QUIT":
                self._server.goodbyes += 1
                await self._say("221 bye")
                return False
            case "RSET" | "NOOP":
                if word == "RSET":
                    self._clear()
                await self._say("250 ok")
            case _:
                self._server.wrong.append(word)
                await self._say("502 unknown")
        return True

    async def _auth(self, rest: str) -> None:
        self._signed_in = self._server.knows(rest.removeprefix("PLAIN "))
        await self._say("235 welcome" if self._signed_in else "535 5.7.8 wrong password")

    async def _mail(self, rest: str) -> None:
        if self._server.asks_password and not self._signed_in:
            await self._say("530 5.7.0 sign in first")
            return
        if self._server.fault is Fault.MISTRUSTS_US:
            await self._say("553 5.7.1 you may not send as that")
            return
        if self._letters >= self._server.letters_max:
            await self._say("421 4.7.0 too many letters, come again")
            return
        if self._sender:
            self._server.wrong.append("MAIL within a letter")
        self._sender = rest.partition("<")[2].partition(">")[0]
        self._parameters(rest, {"RET", "ENVID", "SMTPUTF8"})
        await self._say("250 ok")

    def _parameters(self, rest: str, known: set[str]) -> None:
        """Take the parameters of a command; those that are not offered or have no sense are wrong."""
        for parameter in rest.partition(">")[2].split():
            name, _, value = parameter.partition("=")
            offered = ("SMTPUTF8" if name == "SMTPUTF8" else "DSN") in self._server.offers
            sense = {
                "RET": value in {"HDRS", "FULL"},
                "ENVID": ENVID.fullmatch(value) is not None,
                "NOTIFY": set(value.split(",")) <= {"FAILURE", "DELAY", "SUCCESS"},
                "SMTPUTF8": not value,
            }
            if name not in known or not offered or not sense[name] or name in self._asked:
                self._server.wrong.append(parameter)
            self._asked[name] = value

    async def _rcpt(self, rest: str) -> None:
        if not self._sender:
            self._server.wrong.append("RCPT before MAIL")
        receiver = rest.partition("<")[2].partition(">")[0]
        self._parameters(rest, {"NOTIFY"})
        if self._server.reports and not {"RET", "NOTIFY"} <= set(self._asked):
            self._server.wrong.append("reports are offered and not asked for")
        match self._server.fault:
            case Fault.LATER:
                await self._say(f"451 4.7.1 greylisted {receiver}, come again")
            case Fault.NO:
                await self._say(f"{self._server.no} <{receiver}> we do not take")
            case _:
                self._receivers.append(receiver)
                await self._say("250 ok")

    async def _data(self) -> bool:
        if not self._receivers:
            self._server.wrong.append("DATA before RCPT")
            await self._say("503 first RCPT")
            return True
        await self._say("354 go on")
        raw = await self._reader.readuntil(b"\r\n.\r\n")
        content = raw[:-3].replace(b"\r\n..", b"\r\n.")
        if b"\n" in content.replace(b"\r\n", b""):
            self._server.wrong.append("a bare line feed")
        return await self._end(content)

    async def _end(self, content: bytes) -> bool:
        fault = self._server.fault
        if fault is Fault.HANGS_AT_THE_END:
            await asyncio.Event().wait()
        self._letters += 1
        sender, receivers, asked = self._sender, self._receivers, self._asked
        self._clear()
        if fault is Fault.NO_AT_THE_END:
            await self._say("554 5.7.1 we do not like what it says")
            return True
        if fault is Fault.SLOW:
            await asyncio.sleep(SLOW_S)
        self._server.letters.append(
            Letter(sender, receivers, content, safe=self._safe, signed_in=self._signed_in, asked=asked)
        )
        if fault is Fault.TAKES_AND_BREAKS:
            self._writer.transport.abort()
            return False
        await self._say(f"250 2.0.0 queued as Q{len(self._server.letters)}")
        return True
