"""A real platform in a process of its own, to be killed."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self, TypeVar

import httpx
import msgspec

from nightbell.app.control_words import (
    FollowAccept,
    FollowConfirm,
    FollowInvite,
    FollowRow,
    Invited,
    KeyAdd,
    KeyAdded,
    PersonAdd,
    PersonRow,
)
from nightbell.cli.asking import Platform as Control

OPEN: Final = re.compile(rb"Nightbell is open at (http://[0-9.:]+)")
PASSWORD: Final = "a long password of the cast"
Result = TypeVar("Result", bound=msgspec.Struct)


class RealPlatform:
    """`nightbell up` on a free port. Use it in an `async with` block, or `start` and `kill` by hand."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self.url = ""
        self.said: list[bytes] = []
        """Everything it has printed, over all its lives."""
        self.module = "nightbell.cli.main"
        """What is started: a test may start one that can be broken from outside."""
        self._options = options or ("--no-watcher",)
        self.environment = {"NIGHTBELL_CANARY": "false"} | environment
        self.process: asyncio.subprocess.Process

    async def start(self, port: int = 0, *, under: Sequence[str] = ()) -> None:
        """Start on this port, or a free one, under another command if any; wait until the door is open."""
        self.process = await asyncio.create_subprocess_exec(
            *under,
            sys.executable,
            "-m",
            self.module,
            "up",
            "--data",
            str(self.folder),
            "--listen",
            f"127.0.0.1:{port}",
            *self._options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | self.environment,
        )
        assert self.process.stdout is not None
        begun = len(self.said)
        async for line in self.process.stdout:
            self.said.append(line)
            if found := OPEN.search(line):
                self.url = found[1].decode()
                self._listening = asyncio.create_task(self._drain())
                return
        raise AssertionError(b"".join(self.said[begun:]).decode())

    async def _drain(self) -> None:
        """Keep its output from filling the pipe."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(line)

    async def kill(self, how: int = signal.SIGKILL) -> None:
        """End it, and wait for its end."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        await self.process.wait()
        await self._listening

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop in order."""
        await self.kill(signal.SIGTERM)

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self.url.rpartition(":")[2])

    def client(self, secret: str = "") -> httpx.AsyncClient:
        """An HTTP client that holds a key."""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=10, trust_env=False)

    # What an operator does, through the control socket.

    def ask(self, command: str, arguments: msgspec.Struct, result: type[Result]) -> Result:
        """One command."""
        with Control(self.folder) as control:
            return control.ask(command, arguments, result)

    def add_person(self, name: str) -> PersonRow:
        """Somebody who signs in with `PASSWORD`."""
        return self.ask("person.add", PersonAdd(name, PASSWORD), PersonRow)

    def let_follow(self, sharer: str, follower: str) -> None:
        """Invite, accept, confirm."""
        invited = self.ask("follow.invite", FollowInvite(sharer), Invited)
        row = self.ask("follow.accept", FollowAccept(invited.secret, follower), FollowRow)
        self.ask("follow.confirm", FollowConfirm(row.follow), FollowRow)

    def add_key(self, name: str, scope: str) -> str:
        """A key's secret."""
        return self.ask("key.add", KeyAdd(name, scope), KeyAdded).secret
