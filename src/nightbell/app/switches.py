"""Kill switches: what can be switched off while all runs, by a change of the settings file.

Rules:
1. Whoever has a switch asks the board each time. A switch that is off raises SWITCHED_OFF, which is answered
   with 503, a sentence and Retry-After.
2. The file is looked at every second. A changed one is read whole, as at the start; only `[switches]` of it
   acts now, everything else at the next start.
3. A file that cannot be used changes nothing, and health says so until it can.
4. Alarms, answers, live readings and open screens pass no switch.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from nightbell.account.ports import Passwords
from nightbell.app.settings import Settings, SettingsError, Switches
from nightbell.load.gate import Work
from nightbell.publish.reading import Reading
from nightbell.words.catalogue import Catalogue
from nightbell.words.errors import ErrorCode, PlatformError

LOOK_EVERY_S: Final = 1.0
"""A change acts within 5 s (issue): one look, and reading the file on a busy machine."""

RETRY_AFTER_S: Final = 60
"""An operator thinks for minutes; whoever waits a minute storms nobody."""

_log = structlog.get_logger()

Mark = tuple[int, int, int]
"""By what a changed file is known: when it was changed in ns, its bytes, its number on the disk."""


class SwitchBoard:
    """Where every switch stands, and why the file was not taken, if so."""

    def __init__(self, switches: Switches, words: Catalogue) -> None:
        self._on = switches
        self._words = words
        self.failing = ""

    def positions(self) -> Mapping[str, bool]:
        """Every switch by its name, and whether it is on."""
        return {name: bool(getattr(self._on, name)) for name in Switches.model_fields}

    def off(self) -> list[str]:
        """The names of those that are off."""
        return [name for name, on in self.positions().items() if not on]

    def set(self, switches: Switches) -> None:
        """Turn the switches; every turn is logged."""
        before, self._on = self.positions(), switches
        for name, on in self.positions().items():
            if on is not before[name]:
                _log.warning("switch.turned", switch=name, on=on)

    def may_backfill(self) -> None:
        """Pass, or raise that late readings are switched off."""
        self._pass("backfill", on=self._on.backfill)

    def may_read_history(self) -> None:
        """Pass, or raise that older readings are switched off."""
        self._pass("history", on=self._on.history)

    def may_sign_in(self) -> None:
        """Pass, or raise that new sign-ins are switched off."""
        self._pass("new_sign_ins", on=self._on.new_sign_ins)

    def _pass(self, name: str, *, on: bool) -> None:
        if not on:
            sentence = self._words.say(f"platform.off_{name}")
            raise PlatformError(ErrorCode.SWITCHED_OFF, sentence, retry_after_s=RETRY_AFTER_S)


class ReadsHistory(Protocol):
    """What others need of history."""

    async def readings(
        self, *, sharer: int, from_ms: int, to_ms: int, most: int = 0, work: Work = Work.HISTORY
    ) -> NDArray[np.void]:
        """Readings of a span, oldest first."""
        ...

    def newest(self, sharer: int) -> Reading | None:
        """The newest durable reading, from memory."""
        ...


class SwitchedHistory:
    """History behind its switch. The newest reading is in memory and has none."""

    def __init__(self, history: ReadsHistory, board: SwitchBoard) -> None:
        self._history = history
        self._board = board

    async def readings(
        self, *, sharer: int, from_ms: int, to_ms: int, most: int = 0, work: Work = Work.HISTORY
    ) -> NDArray[np.void]:
        """Readings of a span, oldest first.

        Raises:
            PlatformError: SWITCHED_OFF, or they cannot be read.
        """
        self._board.may_read_history()
        return await self._history.readings(sharer=sharer, from_ms=from_ms, to_ms=to_ms, most=most, work=work)

    def newest(self, sharer: int) -> Reading | None:
        """The newest durable reading."""
        return self._history.newest(sharer)


class SwitchedPasswords:
    """Implements `account.ports.Passwords`: a password is checked only while new sign-ins are on.

    This is the one place that all ways in come through, and the dear one: nothing else costs so much. Grants,
    sessions, keys, and Share logins proven a moment ago need no password and pass.
    """

    def __init__(self, passwords: Passwords, board: SwitchBoard) -> None:
        self._passwords = passwords
        self._board = board

    async def start(self) -> None:
        """Prepare."""
        await self._passwords.start()

    def close(self) -> None:
        """Let what has begun finish."""
        self._passwords.close()

    async def hashed(self, password: str) -> str:
        """What is stored of a password: nobody signs in by it yet."""
        return await self._passwords.hashed(password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the password.

        Raises:
            PlatformError: SWITCHED_OFF; nobody looked at it.
        """
        self._board.may_sign_in()
        return await self._passwords.matches(stored, password)

    async def together(self, key: tuple[str, bytes], work: Callable[[], Coroutine[None, None, bool]]) -> bool:
        """Those who ask the same at the same time share one answer."""
        return await self._passwords.together(key, work)


class SwitchFile:
    """Looks at the settings file, and turns the switches as it says.

    Args:
        path: The file. Without one every switch is as it was.
        read: Reads the settings anew, as at the start.
        board: What is turned.
        words: The sentences.
    """

    def __init__(
        self, path: Path, read: Callable[[], Settings], board: SwitchBoard, words: Catalogue
    ) -> None:
        self._path = path
        self._read = read
        self._board = board
        self._words = words
        self._seen: Mark | None = None

    async def run(self) -> None:
        """Look every second, until cancelled. The disk may be slow: another thread waits for it."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except Exception:  # noqa: BLE001 the outermost loop: a bell never stops because of a file
                _log.exception("settings.look_failed")
                self._board.failing = self._words.say("platform.settings_broken", why=str(self._path))
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Look once. Nothing that is wrong with the file gets out of here."""
        mark = self._mark()
        if mark is None or mark == self._seen:
            return
        self._seen = mark
        try:
            switches = self._read().switches
        except SettingsError as error:
            self._board.failing = self._words.say("platform.settings_broken", why=" ".join(error.lines))
            _log.warning("settings.unusable", faults=len(error.lines))
            return
        self._board.failing = ""
        self._board.set(switches)

    def _mark(self) -> Mark | None:
        try:
            found = self._path.stat()
        except OSError:
            return None  # a file that is away is being written, or is missed at the next start: nothing turns
        return found.st_mtime_ns, found.st_size, found.st_ino
