r"""A mailbox: real IMAP4rev1 (RFC 3501) over real sockets, with no commands but those we are said to use.

CAPABILITY, LOGIN, SELECT, EXAMINE, UID SEARCH UNSEEN SINCE, UID FETCH of a part by BODY.PEEK, UID STORE of
\Seen, LOGOUT. Anything else, above all what could delete or move, is wrong.
"""

import asyncio
import re
import ssl
from enum import StrEnum
from typing import Final

from tests.simulators.lines import LineServer

SLOW_S: Final = 0.05

_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^ "]+)')
_FETCH: Final = re.compile(r"\(BODY\.PEEK\[\]<0\.([0-9]+)>\)")
_SINCE: Final = re.compile(r"UNSEEN SINCE [0-9]{1,2}-[A-Z][a-z]{2}-[0-9]{4}")


class Trouble(StrEnum):
    """What the mailbox does."""

    NONE = "none"
    HANGS_AT_ONCE = "hangs_at_once"
    HANGS_AT_FETCH = "hangs_at_fetch"
    DRIPS = "drips"
    BREAKS = "breaks"
    TALKS_NONSENSE = "talks_nonsense"
    ANNOUNCES_TOO_MUCH = "announces_too_much"
    NO_SUCH_FOLDER = "no_such_folder"


class Kept:
    """One letter in the mailbox."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.seen = False
        self.fetched = 0


class ImapServer(LineServer):
    """An IMAP server of 127.0.0.1 on a free port, with one folder."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, folder: str = "INBOX") -> None:
        super().__init__(tls=tls)
        self.trouble = Trouble.NONE
        self.user, self.password, self.folder = "bell", 'open "sesame"', folder
        self.letters: list[Kept] = []
        self.validity = 1
        self.wrong: list[str] = []
        self.looks = 0

    def arrive(self, raw: bytes) -> Kept:
        """A letter arrives."""
        self.letters.append(Kept(raw))
        return self.letters[-1]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Talk(self, reader, writer).run()


class _Talk:
    """One connection."""

    def __init__(
        self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._signed_in = False
        self._selected = ""

    async def run(self) -> None:
        match self._server.trouble:
            case Trouble.HANGS_AT_ONCE:
                await asyncio.Event().wait()
            case Trouble.BREAKS:
                self._writer.transport.abort()
                return
            case Trouble.TALKS_NONSENSE:
                await self._say("220 this is no mailbox")
            case Trouble.DRIPS:
                while True:
                    await self._say("* OK a greeting that does not end")
                    await asyncio.sleep(SLOW_S)
            case _:
                await self._say("* OK [CAPABILITY IMAP4rev1] ready")
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            tag, _, rest = line.partition(" ")
            if not await self._command(tag, rest):
                return

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(line + "\r\n" for line in lines).encode())
        await self._writer.drain()

    async def _command(self, tag: str, rest: str) -> bool:
        command, _, arguments = rest.partition(" ")
        words = [re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in _WORD.findall(arguments)]
        match command:
            case "CAPABILITY":
                await self._say("* CAPABILITY IMAP4rev1", f"{tag} OK done")
            case "LOGIN":
                self._signed_in = words == [self._server.user, self._server.password]
                await self._say(f"{tag} OK in" if self._signed_in else f"{tag} NO wrong password")
            case "SELECT" | "EXAMINE":
                await self._select(tag, command, words)
            case "UID" if self._selected:
                await self._uid(tag, arguments)
            case "LOGOUT":
                await self._say("* BYE", f"{tag} OK bye")
                return False
            case _:
                self._server.wrong.append(rest)
                await self._say(f"{tag} BAD unknown")
        return True

    async def _select(self, tag: str, command: str, words: list[str]) -> None:
        if not self._signed_in:
            self._server.wrong.append("SELECT before LOGIN")
        if words != [self._server.folder] or self._server.trouble is Trouble.NO_SUCH_FOLDER:
            await self._say(f"{tag} NO no such folder")
            return
        self._selected = command
        await self._say(
            r"* FLAGS (\Seen \Deleted)",
            f"* {len(self._server.letters)} EXISTS",
            f"* OK [UIDVALIDITY {self._server.validity}] valid",
            f"{tag} OK [READ-{'WRITE' if command == 'SELECT' else 'ONLY'}] open",
        )

    async def _uid(self, tag: str, arguments: str) -> None:
        command, _, rest = arguments.partition(" ")
        letters = self._server.letters
        if command == "SEARCH" and _SINCE.fullmatch(rest):
            self._server.looks += 1
            numbers = [str(at + 1) for at, letter in enumerate(letters) if not letter.seen]
            await self._say(" ".join(["* SEARCH", *numbers]), f"{tag} OK done")
            return
        number, _, what = rest.partition(" ")
        letter = letters[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(letters) else None
        asked = _FETCH.fullmatch(what)
        if letter is not None and command == "FETCH" and asked:
            await self._fetch(tag, letter, number, int(asked.group(1)))
        elif letter is not None and command == "STORE" and what == r"+FLAGS.SILENT (\Seen)":
            if self._selected != "SELECT":
                self._server.wrong.append("STORE in a folder opened for reading")
            letter.seen = True
            await self._say(f"{tag} OK done")
        else:
            self._server.wrong.append(arguments)
            await self._say(f"{tag} BAD unknown")

    async def _fetch(self, tag: str, letter: Kept, number: str, most: int) -> None:
        letter.fetched += 1
        if self._server.trouble is Trouble.HANGS_AT_FETCH:
            await asyncio.Event().wait()
        raw = letter.raw[:most]
        announced = 1 << 40 if self._server.trouble is Trouble.ANNOUNCES_TOO_MUCH else len(raw)
        self._writer.write(f"* {number} FETCH (UID {number} BODY[]<0> {{{announced}}}\r\n".encode())
        self._writer.write(raw + b")\r\n")
        await self._say(f"{tag} OK done")
