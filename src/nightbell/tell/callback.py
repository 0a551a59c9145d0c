"""What providers tell us afterwards: it arrived, somebody looked, somebody has it, or the address is dead.

A channel hears of it in three ways, each a protocol of its own: the provider posts to us (`TakesCallbacks`),
we ask about one message (`Asks`), or we listen all the time (`Listens`); the last two also work where nobody
can reach us from outside. `Retracts` is for channels that can fall silent again, as a call that is hung up.
Nothing that a GET does is an answer.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, Never, Protocol, runtime_checkable

import msgspec

from nightbell.tell.outcome import Outcome


class NewsKind(StrEnum):
    """What became known of one message."""

    DELIVERED = "delivered"  # it reached the device
    SEEN = "seen"  # a person looked at it, or listened to it
    ANSWERED = "answered"  # a person said "I've got it"
    PASSED_ON = "passed_on"  # a person said "call the next one"
    FAILED = "failed"  # it did not arrive after all; the address may be good
    LOST = "lost"  # the address is dead: nothing will arrive there any more


class News(msgspec.Struct, frozen=True):
    """What became known of one message. The same may come twice and in any order; who takes it, sees to that.

    Attributes:
        message: Id of what was sent, as in `Message.id`.
        kind: What became known.
        reason: For `FAILED` and `LOST` one line for a person, without names, addresses or secrets.
    """

    message: str
    kind: NewsKind
    reason: str = ""


class Callback(msgspec.Struct, frozen=True):
    """What a provider posted to `/v1/channels/<name>`.

    Attributes:
        url: The whole URL as the provider knows it: our public one, with its query.
        headers: Names in lower case; of repeated ones the last.
        body: At most `BODY_BYTES_MAX`.
        now_ms: When it came.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    now_ms: int


BODY_BYTES_MAX: Final = 64 * 1024
"""The largest callback that is read: providers send a few hundred bytes."""


class CallbackAnswer(msgspec.Struct, frozen=True):
    """What is answered, and what became known: nothing if it was forged (403) or makes no sense (400)."""

    status: int
    news: tuple[News, ...] = ()
    content_type: str = "text/plain"
    body: bytes = b""


@runtime_checkable
class TakesCallbacks(Protocol):
    """A channel whose provider posts to us. Pure: it verifies, reads, and says what it means."""

    def heard(self, callback: Callback) -> CallbackAnswer:
        """Take what was posted. Never raises for what the world sent."""
        ...


@runtime_checkable
class Asks(Protocol):
    """A channel that can ask its provider what became of one message."""

    @property
    def ask_every_ms(self) -> int:
        """How far apart two questions about one message are at least."""
        ...

    async def ask(self, message: str, provider_id: str) -> tuple[News, ...]:
        """What is known now. Ends within the channel's time limit; a failure is no news."""
        ...


@runtime_checkable
class Listens(Protocol):
    """A channel that hears from its provider over a connection of ours, as long as we run."""

    async def listen(self, heard: Callable[[News], None]) -> Never:
        """Hand on what comes, for ever; what the world does is waited out with growing pauses."""
        ...


@runtime_checkable
class Retracts(Protocol):
    """A channel that can take back what it sent, or make it fall silent."""

    async def retract(self, message: str, provider_id: str, address: str) -> Outcome:
        """Do so once, within the channel's time limit. What was over already is `Sent` as well."""
        ...


class Proofs(Protocol):
    """Makes the word by which we know that what comes back for a message began with us."""

    def of(self, channel: str, message: str) -> str:
        """32 hex digits that nobody can make without our secret."""
        ...
