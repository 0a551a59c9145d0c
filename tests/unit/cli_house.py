"""A platform of real services on memory stores behind a real control socket, for the command line."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from argon2 import PasswordHasher

from nightbell.account.service import Accounts
from nightbell.adapters.passwords.pool import PasswordPool
from nightbell.adapters.stores.memory.accounts import MemoryAccountStore, MemoryFollowStore, MemoryKeyFolder
from nightbell.app.control import ControlServer
from nightbell.app.control_commands import ControlCommands
from nightbell.app.control_words import Health, StatusLine
from nightbell.cli.main import main
from nightbell.follow.service import Follows
from nightbell.follow.standing import Ended, Standing
from nightbell.publish.reading import Reading
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode, PlatformError

NOW_MS = 1_795_342_200_000
"""2026-11-22T10:10:00Z."""


class ListedJournal:
    """Keeps what it is told, durable at once."""

    def __init__(self) -> None:
        self.sharers: list[int] = []
        self.facts: list[Standing | Ended] = []

    async def sharer_added(self, sharer: int, at_ms: int) -> None:
        """Keep a sharer."""
        assert at_ms > 0
        self.sharers.append(sharer)

    def append_fact(self, fact: Standing | Ended) -> asyncio.Future[int]:
        """Keep a fact."""
        self.facts.append(fact)
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(len(self.facts))
        return done


class ListedHistory:
    """Keeps what is filed; can be made to fail."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.full = False

    async def file_readings(self, readings: Sequence[Reading]) -> None:
        """Keep readings."""
        if self.full:
            raise PlatformError(ErrorCode.NOT_DURABLE, "The disk is full. Make room and import again.")
        self.readings.extend(readings)


class Said(NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str


class CliHouse:
    """The services, and the command line beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(NOW_MS)
        self.journal = ListedJournal()
        self.history = ListedHistory()
        self.health = Health(True, "http://127.0.0.1:8377", 7, 0, 0, NOW_MS, "")
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.accounts = Accounts(MemoryAccountStore(), MemoryKeyFolder(), self.journal, PasswordPool(quick))
        self.follows = Follows(MemoryFollowStore(), self.journal, self.accounts)
        self.commands = ControlCommands(
            accounts=self.accounts,
            follows=self.follows,
            history=self.history,
            health=lambda: self.health,
            status=self.status,
            link=lambda secret: f"{self.health.url}/invitation#{secret}",
            history_days=90,
            clock=self.clock,
        )

    async def status(self) -> list[StatusLine]:
        """Two numbers and one that is not there yet."""
        return [
            StatusLine("newest_age", "seconds", 61),
            StatusLine("told_most", "seconds", 3600, more=True),
            StatusLine("answered_half", "seconds", -1),
        ]

    async def nightbell(self, *arguments: str, stdin: str = "") -> Said:
        """Run one command of the command line in a thread."""
        return await asyncio.to_thread(run, [*arguments, "--data", str(self.folder)], stdin)


def run(arguments: Sequence[str], stdin: str = "") -> Said:
    """Run the command line in this process."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(stdin)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = main(arguments)
            except SystemExit as end:
                code = int(end.code or 0)
    finally:
        sys.stdin = before
    return Said(code, out.getvalue(), err.getvalue())


@asynccontextmanager
async def cli_house(folder: Path) -> AsyncIterator[CliHouse]:
    """A house that is open until the block ends."""
    house = CliHouse(folder)
    await house.accounts.start()
    await house.follows.start()
    server = ControlServer(folder, house.commands.registry())
    await server.start()
    try:
        yield house
    finally:
        await server.close()
        house.accounts.close()
