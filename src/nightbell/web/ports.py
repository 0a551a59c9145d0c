"""What the web needs of the rest of the house."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nightbell.account.identity import Identity
from nightbell.account.person import Person
from nightbell.account.sign_in import SignedIn
from nightbell.account.way import Way
from nightbell.alarm.effects import AlarmView
from nightbell.alarm.service import SharerState
from nightbell.deliver.board import Board
from nightbell.deliver.record import Timeline
from nightbell.follow.follow import Follow, Invitation, InvitationView, Sight
from nightbell.follow.limits import Limits
from nightbell.follow.look import Look
from nightbell.load.service import Admission
from nightbell.publish.door import DoorHandler, DoorOffer
from nightbell.publish.reading import Reading
from nightbell.tell.callback import Callback, CallbackAnswer
from nightbell.tell.channel import Checklist
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import Clock
from nightbell.words.conditions import Family
from nightbell.words.glucose import Unit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""A callable as the ASGI 3 specification has it; its messages are dictionaries by that specification."""


class Accounts(Protocol):
    """People and their grants."""

    def person(self, person_id: str) -> Person | None:
        """The person of this id."""
        ...

    def sharer(self, sharer: int) -> Person | None:
        """The person who has this sharer number."""
        ...

    def identify(self, bearer: str, now_ms: int) -> Identity | None:
        """Who this bearer is."""
        ...

    async def sign_in(self, *, name: str, password: str, device: str, peer: str, now_ms: int) -> SignedIn:
        """Give a device a grant for a name and a password."""
        ...

    async def renew(self, bearer: str, now_ms: int) -> SignedIn:
        """A new grant for a device that holds one."""
        ...

    async def sign_out(self, bearer: str, now_ms: int) -> None:
        """Withdraw the grants of this device."""
        ...

    async def set_person(
        self,
        person_id: str,
        *,
        now_ms: int,
        email: str | None = None,
        unit: Unit | None = None,
        zone: str | None = None,
        webhook: str | None = None,
    ) -> Person:
        """Change what is given."""
        ...


class Ways(Protocol):
    """How people are reached."""

    def of(self, person: Person) -> Sequence[Way]:
        """How this person is reached, their own e-mail and webhook first."""
        ...

    async def add(self, *, person_id: str, channel: str, address: str, label: str, now_ms: int) -> Way:
        """Add a way, or name a known one anew."""
        ...

    async def remove(
        self, *, person_id: str, channel: str, address: str = "", number: int = 0, now_ms: int
    ) -> None:
        """Take a way away, named by its address or by its number."""
        ...


class Follows(Protocol):
    """Who follows whom."""

    async def invite(self, *, sharer: str, may_see_graph: bool, may_be_told: bool, now_ms: int) -> Invitation:
        """A new invitation; its secret is in this answer and nowhere else."""
        ...

    def invitation(self, secret: str, now_ms: int) -> InvitationView | None:
        """What an invitation offers; looking changes nothing."""
        ...

    async def accept(self, *, secret: str, follower: str, now_ms: int) -> Follow:
        """The follower says yes."""
        ...

    async def confirm(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """The sharer says yes."""
        ...

    async def refuse(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """The sharer says no."""
        ...

    async def pause(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """Nothing is seen or told for a while."""
        ...

    async def resume(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """The pause is over."""
        ...

    async def end(self, *, follow_id: str, by: str, now_ms: int) -> Follow:
        """It is over."""
        ...

    async def set_permissions(
        self, *, follow_id: str, by: str, may_see_graph: bool, may_be_told: bool, now_ms: int
    ) -> Follow:
        """The sharer changes what a follower may."""
        ...

    async def set_limits(self, *, follow_id: str, by: str, limits: Limits, now_ms: int) -> Follow:
        """The follower's own limits."""
        ...

    def of_follower(self, person_id: str) -> Sequence[Follow]:
        """Whom a person follows."""
        ...

    def of_sharer(self, person_id: str) -> Sequence[Follow]:
        """Who follows a person."""
        ...

    def follow(self, follow_id: str) -> Follow | None:
        """The follow of this id."""
        ...


class Access(Protocol):
    """The one door to somebody's readings."""

    def may_see(self, *, viewer: Identity, sharer: int) -> Sight:
        """What this viewer may see of this sharer now; nothing is written down."""
        ...

    async def open(self, *, viewer: Identity, sharer: int, what: str, now_ms: int) -> Sight:
        """The same, written down, or `NOT_FOUND`."""
        ...

    async def looks(self, *, sharer_person: str, limit: int) -> Sequence[Look]:
        """Who looked, newest first."""
        ...


class History(Protocol):
    """Readings by sharer and time."""

    async def readings(self, *, sharer: int, from_ms: int, to_ms: int, most: int = 0) -> NDArray[np.void]:
        """Readings of a span, oldest first."""
        ...

    def newest(self, sharer: int) -> Reading | None:
        """The newest durable reading."""
        ...


class Evaluation(Protocol):
    """What holds now."""

    @property
    def evaluated_tick_ms(self) -> int:
        """The newest tick that was folded."""
        ...

    def state_of(self, sharer: int) -> SharerState:
        """What is known of a sharer now."""
        ...

    def snoozed_until_ms(self, follow: int) -> dict[str, int]:
        """Until when a follow asked for quiet, by family."""
        ...

    def open_alarms(self, sharer: int) -> list[AlarmView]:
        """A sharer's open alarms."""
        ...

    def open_alarm(self, alarm_id: str) -> AlarmView | None:
        """One open alarm."""
        ...


class Answers(Protocol):
    """What people say back."""

    async def take(self, *, alarm: str, identity: Identity, now_ms: int) -> AlarmView:
        """Say "I've got it"."""
        ...

    async def undo(self, *, alarm: str, identity: Identity, now_ms: int) -> AlarmView:
        """Take it back within five seconds."""
        ...

    async def snooze(
        self, *, follow_id: str, family: Family, minutes: int, identity: Identity, now_ms: int
    ) -> None:
        """Quiet about one family for a while."""
        ...

    async def sensor_started(self, *, identity: Identity, warm_up_minutes: int, now_ms: int) -> None:
        """A new sensor warms up."""
        ...


class Deliver(Protocol):
    """What was told, and how it went."""

    async def receipt(
        self,
        *,
        notification: str,
        person: str,
        state: Literal["delivered", "seen"],
        now_ms: int,
        channel: str = ...,
    ) -> None:
        """A device says that a notification arrived or was seen."""
        ...

    async def alarms_of(self, *, sharer: int, limit: int) -> Sequence[AlarmView]:
        """Alarms of one sharer, newest first."""
        ...

    async def alarm(self, alarm_id: str) -> AlarmView | None:
        """One alarm."""
        ...

    async def timeline(self, alarm_id: str) -> Timeline | None:
        """Everything kept about one alarm."""
        ...


class Place(NamedTuple):
    """Where and how this house is reached.

    Attributes:
        public_url: What people type, without a slash at the end; the links we make begin with it.
        tls: Whether browsers reach us over TLS, by ourselves or by a proxy.
        channels: The channels that are set up, by name, with what each is good for.
        push_key: What a page subscribes to pushes with; empty where none are offered.
    """

    public_url: str
    tls: bool
    channels: Mapping[str, Checklist]
    push_key: str = ""


async def _no_channel(_name: str, _posted: Callback) -> CallbackAnswer:
    return CallbackAnswer(404)


class House(NamedTuple):
    """All that the web stands on."""

    accounts: Accounts
    ways: Ways
    follows: Follows
    access: Access
    history: History
    evaluation: Evaluation
    answers: Answers
    deliver: Deliver
    board: Board
    door: DoorOffer
    share: DoorHandler
    stream: AsgiApp
    clock: Clock
    words: Catalogue
    place: Place
    webhook_secret: Callable[[str], str]
    admission: Admission | None = None
    passwords_full_s: Callable[[], int] = int
    callback: Callable[[str, Callback], Awaitable[CallbackAnswer]] = _no_channel
