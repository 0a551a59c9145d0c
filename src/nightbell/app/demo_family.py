"""Makes the demo family live: people, follows and keys through the services, readings through the real door.

What it needs to go on after a restart lies in DIR/demo.json: the password that it showed, the keys, and how
far each sharer has come. It is written before anything is made, so that a crash in between is mended by the
next start.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from nightbell.app.control_commands import ControlCommands
from nightbell.app.control_words import (
    FollowAccept,
    FollowConfirm,
    FollowInvite,
    FollowList,
    KeyAdd,
    Nothing,
    PersonAdd,
)
from nightbell.app.demo import (
    DAY_MS,
    FAMILY,
    FOLLOWER,
    STEP_MS,
    DemoSharer,
    first_live_ms,
    past,
    reading_at,
)
from nightbell.app.publisher import (
    UPLOAD_READINGS_MAX,
    DoorClosedError,
    DoorRefusedError,
    Measured,
    Publisher,
)
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.glucose import Unit
from nightbell.words.identity import new_secret

FILE_NAME: Final = "demo.json"
PENDING_MAX: Final = 288
"""A day of readings is kept while the door is closed; older ones are of no use to a demo."""

KEY_LABEL: Final = "demo"

log = structlog.get_logger()


class DemoState(msgspec.Struct):
    """What DIR/demo.json holds.

    Attributes:
        password: Of every demo person.
        keys: Publish keys by sharer name.
        sent_ms: The newest reading sent, by sharer name.
    """

    password: str
    keys: dict[str, str] = {}
    sent_ms: dict[str, int] = {}


class DemoError(Exception):
    """There can be no demo on this data directory; the text says why."""


class DemoFamily:
    """The demo of one platform.

    Args:
        commands: What an operator can do.
        folder: The data directory.
        url: Where the real door answers, as `http://127.0.0.1:8377`.
        clock: The time of day.
        sleep: Waits that many seconds.
        trust: Certificates to trust if the door speaks https.
    """

    def __init__(
        self,
        commands: ControlCommands,
        *,
        folder: Path,
        url: str,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        trust: Path | None = None,
    ) -> None:
        self._commands = commands
        self._path = folder / FILE_NAME
        self._url = url
        self._clock = clock
        self._sleep = sleep
        self._trust = trust
        self._state = DemoState("")

    async def make(self, public_url: str) -> list[str]:
        """Make or find the family.

        Args:
            public_url: What people type to reach the platform.

        Returns:
            The sentences to print: what this is, the link to open, the sign-in.

        Raises:
            DemoError: A name of the family belongs to somebody else here.
            NightbellError: A service refused.
        """
        self._state = self._read() or DemoState("")
        people = {row.name for row in (await self._commands.person_list(Nothing())).people}
        names = [FOLLOWER, *(sharer.name for sharer in FAMILY)]
        if not self._state.password:
            taken = next((name for name in names if name in people), None)
            if taken is not None:
                raise DemoError(catalogue().say("demo.name_taken", name=taken))
            self._state = DemoState(new_secret("demo-"))
            self._write()
        units = {sharer.name: sharer.unit for sharer in FAMILY}
        for name in names:
            if name not in people:
                await self._commands.person_add(
                    PersonAdd(name, self._state.password, unit=units.get(name, Unit.MGDL))
                )
        for sharer in FAMILY:
            await self._follow(sharer.name)
            if sharer.name not in self._state.keys:
                added = await self._commands.key_add(KeyAdd(sharer.name, "publish", KEY_LABEL))
                self._state.keys[sharer.name] = added.secret
                self._write()
        return self._sentences(public_url)

    async def live(self) -> None:
        """Publish a day of history for each, then a reading every five minutes, until cancelled."""
        start_ms = self._clock.now_ms()
        async with asyncio.TaskGroup() as tasks:
            for sharer in FAMILY:
                tasks.create_task(self._live(sharer, start_ms))

    def _sentences(self, public_url: str) -> list[str]:
        say = catalogue().say
        low = next(sharer.name for sharer in FAMILY if sharer.goes_low)
        return [
            say("demo.not_real"),
            say("demo.open", url=public_url),
            say("demo.sign_in", name=FOLLOWER),
            say("demo.password", password=self._state.password),
            say("demo.sharer", name=low),
            say("demo.what_comes", name=low),
        ]

    async def _follow(self, sharer: str) -> None:
        """Take the follow as far as it still has to go."""
        rows = (await self._commands.follow_list(FollowList(sharer))).follows
        row = next((row for row in rows if row.sharer == sharer and row.follower == FOLLOWER), None)
        if row is None:
            invited = await self._commands.follow_invite(FollowInvite(sharer))
            row = await self._commands.follow_accept(FollowAccept(invited.secret, FOLLOWER))
        if row.state == "accepted":
            await self._commands.follow_confirm(FollowConfirm(row.follow))

    async def _live(self, sharer: DemoSharer, start_ms: int) -> None:
        sent_ms = self._state.sent_ms.get(sharer.name)
        since_ms = start_ms - DAY_MS if sent_ms is None else sent_ms + STEP_MS // 2
        pending = list(past(sharer, start_ms, since_ms))
        due_ms = first_live_ms(sharer, start_ms)
        async with Publisher(
            self._url, self._state.keys[sharer.name], clock=self._clock, trust=self._trust, sleep=self._sleep
        ) as publisher:
            while True:
                pending = await self._sent(sharer, pending, publisher)
                await self._sleep(max(0, due_ms - self._clock.now_ms()) / 1000)
                pending.append(reading_at(sharer, due_ms, start_ms))
                due_ms += STEP_MS

    async def _sent(
        self, sharer: DemoSharer, pending: list[Measured], publisher: Publisher
    ) -> list[Measured]:
        """Send what is pending; what is left if the door does not take it now."""
        if not pending:
            return pending
        part = pending[-min(PENDING_MAX, UPLOAD_READINGS_MAX) :]
        try:
            await publisher.publish(part)
        except (DoorClosedError, DoorRefusedError):
            log.warning("demo.unsent", readings=len(part))
            return part
        self._state.sent_ms[sharer.name] = part[-1].measured_ms
        self._write()
        return []

    def _read(self) -> DemoState | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=DemoState)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            raise DemoError(f"{self._path} is damaged. Remove it, or use another folder.") from None

    def _write(self) -> None:
        """Write it whole or not at all, for this user only: it holds keys."""
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self._state))
        fresh.replace(self._path)
