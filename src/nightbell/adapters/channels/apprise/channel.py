"""The channel for the long tail: a bounded number of messages go to a child process that may be killed.

Rules:

1. The child is started when the first message needs it, and again after it has ended for whatever reason.
2. A message that takes too long costs the child its life. Others that were with it come again, as after any
   crash: at least once, with the same number in their text.
3. What the child says is all that is known: handed over, or not.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from nightbell.adapters.channels.apprise.address import is_address
from nightbell.adapters.channels.apprise.frames import Result
from nightbell.adapters.channels.apprise.process import ChildGoneError, ChildProcess
from nightbell.adapters.channels.apprise.settings import AppriseSettings
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue

_log = structlog.get_logger(__name__)

_NUMBER_BYTES: Final = 4
"""Enough that a person sees whether two messages are the same one."""


def reference(idempotency_key: str) -> str:
    """The number that stands in the text: the same on every try."""
    return hashlib.blake2b(idempotency_key.encode(), digest_size=_NUMBER_BYTES).hexdigest()


class AppriseChannel:
    """A `tell.channel.Channel`; its address is an Apprise URL."""

    name = "apprise"
    checklist = Checklist(
        proof=Proof.NOTHING,
        duplicates_merge=False,
        may_wake=False,
        at_most_per_minute=0,
        promise="deliver.promise_apprise",
    )

    def __init__(self, settings: AppriseSettings | None = None) -> None:
        self._settings = settings or AppriseSettings()
        self._slots = asyncio.Semaphore(self._settings.messages_at_once)
        self._under_way = 0
        self._starting: asyncio.Task[ChildProcess] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End the child."""
        self._let_go()
        while self._ending:  # a start that is broken off leaves a child to be waited for in its turn
            await asyncio.gather(*self._ending, return_exceptions=True)
            await asyncio.sleep(0)  # whoever ended is taken off the list by a callback of its own

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Hand one message to the child."""
        words = catalogue()
        settings = self._settings
        if not is_address(address, private_allowed=settings.private_allowed):
            return Refused(words.say("deliver.apprise_bad_address"), lost=True)
        if self._under_way >= settings.waiting_max:
            return Unavailable(words.say("deliver.apprise_busy"))
        number = words.say("deliver.apprise_number", number=reference(idempotency_key))
        self._under_way += 1
        try:
            async with self._slot():
                child = await self._child()
                return _outcome(await self._ask(child, address, message, f"{message.text}\n\n{number}"))
        except ChildGoneError as error:
            return Unavailable(str(error) or words.say("deliver.apprise_broken"))
        except TimeoutError:
            return Unavailable(words.say("deliver.apprise_too_slow"))
        finally:
            self._under_way -= 1

    async def prove(self) -> str:
        """Start the child and see that it answers; nobody is told anything."""
        try:
            await self._child()
        except ChildGoneError as error:
            return str(error) or catalogue().say("deliver.apprise_no_start")
        return ""

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """A thread of the child, waited for no longer than a message may take."""
        async with asyncio.timeout(self._settings.whole_ms / 1000):
            await self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def _ask(self, child: ChildProcess, address: str, message: Message, body: str) -> Result:
        """Ask within the time limit; whoever is not answered, or does not wait, leaves no child behind."""
        try:
            async with asyncio.timeout(self._settings.whole_ms / 1000):
                return await child.ask(address, message.subject, body, urgent=message.urgent)
        except (TimeoutError, asyncio.CancelledError):
            _log.warning("apprise.killed")
            child.kill()
            raise

    async def _child(self) -> ChildProcess:
        """The child that lives, or a new one, ready.

        Raises:
            ChildGoneError: There is none; says why.
        """
        starting = self._starting
        if starting is not None and starting.done() and not _lives(starting):
            self._let_go()
            starting = None
        if starting is None:
            starting = self._starting = asyncio.create_task(self._started(), name="apprise-start")
            starting.add_done_callback(_heard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():
                raise ChildGoneError from None
            raise

    async def _started(self) -> ChildProcess:
        words = catalogue()
        try:
            child = await ChildProcess.started(self._settings)
        except OSError:
            raise ChildGoneError(words.say("deliver.apprise_no_start")) from None
        try:
            async with asyncio.timeout(self._settings.start_ms / 1000):
                await child.ready()
        except (ChildGoneError, TimeoutError, asyncio.CancelledError) as error:
            child.kill()
            self._later(child.end())
            if isinstance(error, asyncio.CancelledError):
                raise
            why = "apprise_missing" if child.missing else "apprise_no_start"
            raise ChildGoneError(words.say(f"deliver.{why}")) from None
        return child

    def _let_go(self) -> None:
        """Forget the child that was; its end is waited for elsewhere."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        if not starting.done():
            starting.cancel()
            self._later(_cancelled(starting))
        elif not starting.cancelled() and starting.exception() is None:
            self._later(starting.result().end())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _lives(starting: asyncio.Task[ChildProcess]) -> bool:
    return not starting.cancelled() and starting.exception() is None and starting.result().alive


def _heard(starting: asyncio.Task[ChildProcess]) -> None:
    """A start that failed is told to those who wait; if nobody does any more, that is no fault."""
    if not starting.cancelled():
        starting.exception()


async def _cancelled(task: asyncio.Task[ChildProcess]) -> None:
    await asyncio.gather(task, return_exceptions=True)


def _outcome(result: Result) -> Outcome:
    words = catalogue()
    match result:
        case Result.SENT:
            return Sent()
        case Result.REFUSED:
            return Refused(words.say("deliver.apprise_refused"))
        case Result.BAD_ADDRESS | Result.FORBIDDEN:
            return Refused(words.say("deliver.apprise_bad_address"), lost=True)
        case Result.FAILED | Result.MISSING | Result.READY:
            return Unavailable(words.say("deliver.apprise_failed"))
