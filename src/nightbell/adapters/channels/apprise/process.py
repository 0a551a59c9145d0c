"""The child process as the channel sees it: started, asked, and killed when it does not answer."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Final, Self

import msgspec

from nightbell.adapters.channels.apprise.frames import HEAD, Answer, Ask, Result, framed, length_of
from nightbell.adapters.channels.apprise.settings import AppriseSettings

_MODULE: Final = "nightbell.adapters.channels.apprise.child"

_ENDED_WITHIN_S: Final = 2
"""How long a child may take to end once its input has ended."""


class ChildGoneError(Exception):
    """The child ended, or was killed, before it answered."""


def _environment() -> dict[str, str]:
    """Nothing of ours but where Python finds its modules: no settings, no secrets, no proxies, no home."""
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path and Path(path).exists()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "MALLOC_ARENA_MAX": "2",
    }


class ChildProcess:
    """One child, from its start to its end.

    Attributes:
        missing: Whether it said that Apprise is not installed.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.missing = False
        self._process = process
        self._answers: dict[int, asyncio.Future[Result]] = {}
        self._number = 0
        self._killed = False
        self._ready: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._answers[0] = self._ready
        self._reading = asyncio.create_task(self._read(), name="apprise-child")

    @classmethod
    async def started(cls, settings: AppriseSettings) -> Self:
        """Start one; it is not ready yet."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-s", "-m", _MODULE,
            "--memory", str(settings.memory_bytes_max),
            "--threads", str(settings.messages_at_once),
            *(["--private"] if settings.private_allowed else []),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            cwd="/",
            start_new_session=True,  # a Ctrl-C at our terminal is for us: we end it ourselves
        )  # fmt: skip
        return cls(process)

    @property
    def alive(self) -> bool:
        """Whether it may still answer."""
        return not self._killed and not self._reading.done()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait until it has loaded what it needs.

        Raises:
            ChildGoneError: It ended before, or has nothing to load.
        """
        self.missing = await asyncio.shield(self._ready) is Result.MISSING
        if self.missing:
            raise ChildGoneError

    async def ask(self, url: str, title: str, body: str, *, urgent: bool) -> Result:
        """Hand one message over and wait for what becomes of it.

        Raises:
            ChildGoneError: It ended before it said so; the message may have been sent.
        """
        self._number += 1
        number = self._number
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        assert self._process.stdin is not None
        try:
            if not self.alive:
                raise ChildGoneError
            self._process.stdin.write(framed(Ask(number, url, title, body, urgent)))
            await self._process.stdin.drain()
            return await answer
        except (ConnectionError, RuntimeError):
            raise ChildGoneError from None
        finally:
            self._answers.pop(number, None)

    def kill(self) -> None:
        """End it at once; whoever waits for it learns that it is gone."""
        if self.alive:
            self._killed = True
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self) -> None:
        """Close its input, so that it ends; kill it if it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_ENDED_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        """Hand answers to those who wait, until there is no child any more."""
        assert self._process.stdout is not None
        try:
            while True:
                head = await self._process.stdout.readexactly(HEAD.size)
                content = await self._process.stdout.readexactly(length_of(head))
                answer = msgspec.msgpack.decode(content, type=Answer)
                waiting = self._answers.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer.result)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it ended
        except (ValueError, msgspec.DecodeError):
            self.kill()  # what it says makes no sense
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ChildGoneError())
                    waiting.exception()  # nobody may be waiting: then nobody need hear of it
