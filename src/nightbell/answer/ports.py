"""What answering needs of the rest of the house."""

import asyncio
from typing import Protocol

from nightbell.account.identity import Identity
from nightbell.alarm.effects import AlarmView
from nightbell.follow.follow import Follow, Sight
from nightbell.journal.facts import AnyFact


class FactLog(Protocol):
    """The journal, as far as people's words go."""

    def append_fact(self, fact: AnyFact) -> asyncio.Future[int]:
        """Journal a fact; resolves when it is durable and consumers have it."""
        ...


class Alarms(Protocol):
    """The running evaluation."""

    def open_alarm(self, alarm_id: str) -> AlarmView | None:
        """One open alarm, or None."""
        ...

    async def caught_up(self) -> None:
        """Wait until everything journaled so far is folded."""
        ...


class Sees(Protocol):
    """The one door to somebody's readings."""

    def may_see(self, *, viewer: Identity, sharer: int) -> Sight:
        """What a viewer may see of a sharer."""
        ...

    def is_sharer(self, person: str, sharer: int) -> bool:
        """Whether this person is that sharer."""
        ...


class KnowsFollows(Protocol):
    """Follows by their ids."""

    def follow(self, follow_id: str) -> Follow | None:
        """A follow, or None."""
        ...
