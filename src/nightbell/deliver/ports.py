"""What telling people needs of the world: the ledger, whom to tell and where, and who may see what."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from nightbell.account.identity import Identity
from nightbell.account.way import ProvenBy
from nightbell.alarm.effects import AlarmView, Notification
from nightbell.deliver.record import Batch, HandedOver, Opened, Timeline, Waiting
from nightbell.follow.follow import Sight
from nightbell.publish.reading import Reading
from nightbell.words.catalogue import DEFAULT_LANGUAGE
from nightbell.words.glucose import Unit


class Ledger(Protocol):
    """Where alarms and everything about telling them are kept. Rebuilt from the journal when it is lost."""

    async def open(self, now_ms: int) -> Opened:
        """Open, and set a damaged one aside.

        Raises:
            PlatformError: `NOT_DURABLE` with the field `fault`, a `LedgerFault`: it can neither be opened nor
                made.
        """
        ...

    async def close(self) -> None:
        """Close; what was written is durable."""
        ...

    async def write(self, batch: Batch) -> frozenset[str]:
        """Write all of it or nothing, once, and return the ids of the notifications that were new.

        Raises:
            PlatformError: `NOT_DURABLE` with the field `fault`, a `LedgerFault`; nothing was written.
        """
        ...

    async def waiting(self, *, limit: int) -> list[Waiting]:
        """Deliveries that still wait, earliest due first."""
        ...

    async def handed_over(self, *, after_ms: int, limit: int) -> list[HandedOver]:
        """Messages of open alarms that a provider took after an instant, newest first."""
        ...

    async def notification(self, notification_id: str) -> Notification | None:
        """One notification."""
        ...

    async def alarm(self, alarm_id: str) -> AlarmView | None:
        """One alarm as it stands."""
        ...

    async def alarms_of(self, *, sharer: int, limit: int) -> list[AlarmView]:
        """Alarms of one sharer, newest first."""
        ...

    async def timeline(self, alarm_id: str, *, limit: int) -> Timeline | None:
        """Everything kept about one alarm, at most `limit` entries and notifications, the newest of them."""
        ...

    async def forget(self, *, before_ms: int, limit: int) -> int:
        """Delete alarms that were over before an instant, with all about them; return how many."""
        ...


class ContactWay(msgspec.Struct, frozen=True):
    """One way to a person.

    Attributes:
        channel: Name of the channel.
        number: Which of the person's ways of this channel, from 1; it stays while the way does.
        address: The channel's own form of an address.
        lost_ms: When it was last found dead, epoch ms; 0 if it is not.
    """

    channel: str
    number: int
    address: str
    lost_ms: int = 0

    @property
    def key(self) -> str:
        """What the ledger calls it: the channel, and for a second one and more its number."""
        return self.channel if self.number == 1 else f"{self.channel}:{self.number}"


class Contact(msgspec.Struct, frozen=True):
    """How one person is reached and reads.

    Attributes:
        person: Person id.
        name: How others call them.
        ways: How they are reached, besides open screens.
        unit: The unit they read glucose in.
        zone: Their time zone, as `Europe/Lisbon`.
        language: Their language, as `en`.
        number_in_subject: Whether the number may stand where a lock screen shows it.
    """

    person: str
    name: str
    ways: tuple[ContactWay, ...] = ()
    unit: Unit = Unit.MGDL
    zone: str = "UTC"
    language: str = DEFAULT_LANGUAGE
    number_in_subject: bool = True


class Contacts(Protocol):
    """Whom to tell, where. Answers from memory: it must work while accounts cannot be read."""

    def contact(self, person: str) -> Contact | None:
        """How a person is reached; None if there is no such person any more."""
        ...

    def sharer_name(self, sharer: int) -> str:
        """The name of a sharer; empty if unknown."""
        ...

    def heard_ms(self, sharer: int) -> int:
        """When the uploader of a sharer last spoke to us, with a number or not; 0 if not since our start."""
        ...

    def may_be_told(self, follow: int) -> bool:
        """Whether this follow may be told now: active, and permitted."""
        ...


class WayNews(Protocol):
    """Who keeps what becomes known of a person's ways. Called on the loop; returns at once."""

    def lost(self, person_id: str, channel: str, number: int, address: str, now_ms: int) -> None:
        """The provider says that this address is dead. Empty says it of the address that is there now."""
        ...

    def works(self, person_id: str, channel: str, number: int, address: str) -> None:
        """The provider took something for this address."""
        ...

    def proven(self, person_id: str, channel: str, number: int, by: ProvenBy, now_ms: int) -> None:
        """Something arrived by this way, was seen or answered there."""
        ...


class Unheard:
    """Keeps nothing: where ways are not kept at all."""

    def lost(self, person_id: str, channel: str, number: int, address: str, now_ms: int) -> None:
        """Let it go."""

    def works(self, person_id: str, channel: str, number: int, address: str) -> None:
        """Let it go."""

    def proven(self, person_id: str, channel: str, number: int, by: ProvenBy, now_ms: int) -> None:
        """Let it go."""


class Access(Protocol):
    """The one door to somebody's readings, as far as the stream needs it: `follow/access.py`."""

    def may_see(self, *, viewer: Identity, sharer: int) -> Sight:
        """What this viewer may see of this sharer now."""
        ...

    async def open(self, *, viewer: Identity, sharer: int, what: str, now_ms: int) -> Sight:
        """The same, and write down that they looked.

        Raises:
            CallerError: `NOT_FOUND`: they may see nothing.
        """
        ...


class Watched(Protocol):
    """What the stream shows of each sharer, besides alarms."""

    def followed_by(self, viewer: Identity) -> Iterable[int]:
        """Numbers of the sharers this viewer may see now, themselves included if they share."""
        ...

    def newest(self, sharer: int) -> Reading | None:
        """The newest reading."""
        ...

    def evaluated_tick_ms(self) -> int:
        """The newest tick that evaluation has folded; 0 if there was none yet."""
        ...
