"""A mail server of the smallest kind: takes letters over SMTP (RFC 5321), keeps them as they came."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import NamedTuple, Self

from tests.simulators.lines import LineServer


class Letter(NamedTuple):
    """One letter as it was taken."""

    to: str
    mail: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.mail["Subject"])

    @property
    def text(self) -> str:
        return str(self.mail.get_content())


class MailHost(LineServer):
    """Listens on a free port of this machine while used as a context."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Letter] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to = ""
        writer.write(b"220 mail.example.org\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"RCPT":
                to = line.decode().partition("<")[2].partition(">")[0]
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                self.letters.append(Letter(to, await self._letter(reader)))
            if word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            writer.write(b"250 fine\r\n")
            await writer.drain()

    async def _letter(self, reader: asyncio.StreamReader) -> EmailMessage:
        lines = []
        while (line := await reader.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(letter, EmailMessage)
        return letter
