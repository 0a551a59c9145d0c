"""What a backup asks of a running platform: to leave the accounts' file alone for a while.

Every other file can be copied while we write to it. Accounts are held by one connection alone (see
`adapters/stores/sqlite/accounts.py`), so the platform brings the file up to date and then writes only beside
it, until the copy is made. Whoever asked may die: the hold ends by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
import structlog

from nightbell.app.control import Command
from nightbell.app.control_words import Done, Nothing
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, NightbellError
from nightbell.words.identity import new_uuid

HOLD_S_MAX: Final = 900.0
"""Copying the accounts of a million people takes a minute; the log beside the file must not grow for ever."""

_log: Final = structlog.get_logger()


class HoldsStill(Protocol):
    """What is needed of the accounts' file."""

    async def hold_still(self) -> None:
        """Write only beside it."""
        ...

    async def let_go(self) -> None:
        """Write into it again."""
        ...


class Held(msgspec.Struct, frozen=True):
    """The file holds still; whoever let it go names this hold."""

    hold: str


class LetGo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let the file go that was held by this hold."""

    hold: str


class BackupCommands:
    """The commands of one platform.

    Args:
        file: The accounts' file.
        is_open: Whether the platform has started.
        hold_s_max: After how long a hold ends by itself.
    """

    def __init__(
        self, file: HoldsStill, is_open: Callable[[], bool], *, hold_s_max: float = HOLD_S_MAX
    ) -> None:
        self._file = file
        self._is_open = is_open
        self._hold_s_max = hold_s_max
        self._hold = ""
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    def registry(self) -> Mapping[str, Command[Any]]:
        """Every command by its name."""
        return {
            "backup.begin": Command(Nothing, self.begin),
            "backup.hold": Command(Nothing, self.hold),
            "backup.let_go": Command(LetGo, self.let_go),
        }

    async def begin(self, _asked: Nothing) -> Done:
        """Whether a backup can be made now.

        Raises:
            CallerError: The platform is still starting: its files are being repaired.
        """
        if not self._is_open():
            raise CallerError(ErrorCode.CONFLICT, catalogue().say("backup.starting"))
        return Done()

    async def hold(self, asked: Nothing) -> Held:
        """Hold the accounts' file still.

        Raises:
            NightbellError: Another backup holds it, or it cannot be done.
        """
        await self.begin(asked)
        if self._hold:
            raise CallerError(ErrorCode.CONFLICT, catalogue().say("backup.another"))
        self._hold = new_uuid()
        try:
            await self._file.hold_still()
        except BaseException:
            self._hold = ""
            raise
        self._timer = asyncio.get_running_loop().call_later(self._hold_s_max, self._lapse)
        return Held(self._hold)

    async def let_go(self, asked: LetGo) -> Done:
        """Let it go.

        Raises:
            NightbellError: It was not held all the time, so what was copied is not to be trusted.
        """
        if not self._hold or asked.hold != self._hold:
            raise CallerError(ErrorCode.CONFLICT, catalogue().say("backup.lapsed"))
        await self._end()
        return Done()

    async def _end(self) -> None:
        self._hold = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._file.let_go()

    def _lapse(self) -> None:
        self._ending = asyncio.get_running_loop().create_task(self._end_lapsed())

    async def _end_lapsed(self) -> None:
        _log.warning("backup.lapsed")
        try:
            await self._end()
        except NightbellError as error:
            _log.warning("backup.not_let_go", code=error.code)
