"""The e-mail channel: letters in a bounded number of threads, on lines that are used again while well.

A line belongs to one sender at a time and changes hands on the loop only: taken there before its thread works
on it, put back or cut there afterwards. So a time limit never cuts a line that already carries another's
letter. What each line keeps to stands in `line.py`.
"""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Never

from nightbell.adapters.channels.email.bounces import Bounces
from nightbell.adapters.channels.email.letter import is_address
from nightbell.adapters.channels.email.line import Line
from nightbell.adapters.channels.email.settings import BouncesSettings, EmailSettings
from nightbell.tell.callback import News, Proofs
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Unavailable
from nightbell.words.catalogue import catalogue


class EmailChannel:
    """A `tell.channel.Channel`; its address is an e-mail address.

    Args:
        settings: The mail server.
        proofs: Marks letters so that bounces are believed; without them nobody is believed.
        bounces: The mailbox that letters come back to; without it nobody looks.
    """

    name = "email"
    checklist = Checklist(
        proof=Proof.NOTHING,
        duplicates_merge=False,
        may_wake=False,
        at_most_per_minute=0,
        promise="deliver.promise_email",
    )

    def __init__(
        self,
        settings: EmailSettings,
        *,
        proofs: Proofs | None = None,
        bounces: BouncesSettings | None = None,
    ) -> None:
        self._settings = settings
        self._proofs = proofs
        self._tls = ssl.create_default_context()
        if settings.ca_file:
            self._tls.load_verify_locations(settings.ca_file)
        self._threads = ThreadPoolExecutor(settings.letters_at_once, thread_name_prefix="email")
        self._slots = asyncio.Semaphore(settings.letters_at_once)
        self._idle: dict[Line, asyncio.TimerHandle] = {}
        self._closed = False
        self._bounces = None if bounces is None or proofs is None else Bounces(bounces, proofs)

    async def close(self) -> None:
        """Let the threads end; letters under way are cut by their senders' time limits."""
        self._closed = True
        for line in list(self._idle):
            self._end(line)
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        if self._bounces is not None:
            await self._bounces.close()

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Send one letter."""
        words = catalogue()
        if not is_address(address):
            return Refused(words.say("deliver.email_bad_address"), lost=True)
        begun = False
        try:
            async with asyncio.timeout(self._settings.whole_ms / 1000), self._slots:
                begun = True
                return await self._send(message, address, idempotency_key)
        except TimeoutError:
            return Unavailable(words.say("deliver.email_too_slow" if begun else "deliver.email_busy"))

    async def listen(self, heard: Callable[[News], None]) -> Never:
        """Hand on what comes back to our own mailbox, for ever; where none is set up, nothing ever does."""
        if self._bounces is not None:
            await self._bounces.listen(heard)
        while True:
            await asyncio.Event().wait()

    async def prove(self) -> str:
        """Sign in to the mail server, and to the mailbox for bounces; nothing is sent and nothing is read."""
        line = Line(self._settings, self._tls)
        words = catalogue()
        try:
            async with asyncio.timeout(self._settings.whole_ms / 1000), self._slots:
                wrong = await asyncio.get_running_loop().run_in_executor(self._threads, line.prove)
        except TimeoutError:
            wrong = words.say("deliver.email_too_slow")
        finally:
            line.cut()
        if wrong:
            return words.say("deliver.email_prove", what=wrong)
        return "" if self._bounces is None else await self._bounces.prove()

    def _take(self) -> Line:
        """The line that was used last: the others may fall idle and end."""
        if not self._idle:
            return Line(self._settings, self._tls, self._proofs)
        line, ends = self._idle.popitem()
        ends.cancel()
        return line

    async def _send(self, message: Message, address: str, idempotency_key: str) -> Outcome:
        line = self._take()
        working = self._threads.submit(line.send, message, address, idempotency_key)
        try:
            outcome = await asyncio.wrap_future(working)
        except BaseException:
            line.cut()
            working.add_done_callback(lambda _: line.end())  # when its thread is done with it, not before
            raise
        self._put_back(line)
        return outcome

    def _put_back(self, line: Line) -> None:
        if self._closed:
            line.end()
        elif line.usable:
            after_s = self._settings.line_idle_ms_max / 1000
            self._idle[line] = asyncio.get_running_loop().call_later(after_s, self._end, line)

    def _end(self, line: Line) -> None:
        self._idle.pop(line).cancel()
        self._threads.submit(line.end)
