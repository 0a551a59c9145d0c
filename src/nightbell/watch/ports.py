"""What the watcher needs of the world. None of these belongs to the platform."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from nightbell.watch.canary import Flock
from nightbell.watch.delivery import NoticeDelivery
from nightbell.watch.evidence import Lost, Opened, Pulse, Why
from nightbell.watch.judge import Judged
from nightbell.watch.pairing import Pairing
from nightbell.watch.roster import Roster


class Done(NamedTuple):
    """The platform did what was asked."""


class Failed(NamedTuple):
    """It did not, or we do not know.

    Attributes:
        why: As far as it is known.
        untaken: Whether it certainly took nothing.
    """

    why: Why
    untaken: bool


class Ring(NamedTuple):
    """A low alarm rings for a canary.

    Attributes:
        canary: Person id of the canary.
        alarm: Alarm id.
    """

    canary: str
    alarm: str


StreamWord = Opened | Pulse | Ring | Lost
"""What the stream says. After `Lost` nothing more comes."""


class Probe(Protocol):
    """The platform as its users reach it. Every call ends in time and never raises for the world."""

    async def publish(self, canary: str, *, level: int, measured_ms: int) -> Done | Failed:
        """Publish one reading for a canary, through a new connection to the real door."""
        ...

    def listen(self) -> AsyncGenerator[StreamWord, None]:
        """Open the canary follower's stream and say what comes, until it is lost."""
        ...

    async def answer(self, alarm: str) -> Done | Failed:
        """Answer an alarm, as a follower does."""
        ...

    async def roster(self) -> Roster | Failed:
        """Fetch whom to tell."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class Kept(msgspec.Struct, frozen=True):
    """What the book held when it was opened.

    Attributes:
        judged: What the judge knew.
        flock: The canaries.
        roster: Whom to tell; None if there never was one.
        deliveries: Those of the last days.
        lost: Whether the file was damaged and set aside.
    """

    judged: Judged
    flock: Flock
    roster: Roster | None
    deliveries: tuple[NoticeDelivery, ...]
    lost: bool


class Change(msgspec.Struct, frozen=True):
    """What to write, all or nothing; None is unchanged."""

    judged: Judged | None = None
    flock: Flock | None = None
    roster: Roster | None = None
    deliveries: tuple[NoticeDelivery, ...] = ()


class Book(Protocol):
    """The watcher's own file. Encrypted: it holds addresses."""

    async def open(self, *, forget_before_ms: int) -> Kept:
        """Open; a damaged file is set aside. Deliveries made before the instant are deleted.

        Raises:
            PlatformError: `NOT_DURABLE`: it can neither be opened nor made.
        """
        ...

    async def write(self, change: Change) -> None:
        """Write durably.

        Raises:
            PlatformError: `NOT_DURABLE`: nothing was written.
        """
        ...

    async def close(self) -> None:
        """Close."""
        ...


class Pairings(Protocol):
    """Where the pairing lies."""

    async def read(self) -> Pairing | None:
        """The pairing as it is now; None if there is none, or none that can be used."""
        ...


class Site(Protocol):
    """Where the status page goes."""

    async def put(self, files: Mapping[str, bytes], health: bytes) -> None:
        """Show these files, each of them whole.

        Raises:
            PlatformError: `NOT_DURABLE`: they could not be written; what is served from memory is new all the
                same.
        """
        ...


ProbeMaker = Callable[[Pairing], Probe]
"""Makes a probe for a platform."""
