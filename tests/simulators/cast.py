"""The cast as it is told: Ana shares; Ben follows with alarms; Cleo without; Dan sees nothing."""

from collections.abc import Iterable

import msgspec

from nightbell.account.identity import FOLLOW, Identity
from nightbell.alarm.effects import (
    AlarmState,
    AlarmView,
    Effects,
    Entry,
    EntryKind,
    Notification,
    NotificationKind,
)
from nightbell.deliver.ports import Contact, ContactWay
from nightbell.follow.follow import Sight
from nightbell.publish.reading import Reading
from nightbell.words.conditions import Condition
from nightbell.words.errors import CallerError, ErrorCode
from nightbell.words.glucose import Unit

NOW_MS = 1_795_312_800_000
"""2026-11-22T02:00:00Z."""

ANA = 0
BEN_FOLLOW, CLEO_FOLLOW = 10, 11
ALARM = "a" * 32


def alarm_view(**changes: object) -> AlarmView:
    """Ana is urgently low, ringing."""
    view = AlarmView(
        id=ALARM,
        sharer=ANA,
        family="low",
        state=AlarmState.RINGING,
        condition=Condition.URGENT_LOW,
        unseen=False,
        version=1,
        opened_ms=NOW_MS,
        raised_ms=NOW_MS,
        resolved_ms=0,
        answered_by="",
        answered_ms=0,
        answered_until_ms=0,
        level=52,
        measured_ms=NOW_MS - 60_000,
    )
    return msgspec.structs.replace(view, **changes)


def ring(step: int = 0, **changes: object) -> Notification:
    """Ben is told."""
    told = Notification(
        id=f"{step:032x}",
        alarm=ALARM,
        step=step,
        sharer=ANA,
        follow=BEN_FOLLOW,
        follower="ben",
        kind=NotificationKind.RING if step == 0 else NotificationKind.REPEAT,
        condition=Condition.URGENT_LOW,
        unseen=False,
        at_ms=NOW_MS,
        urgent=True,
        level=52,
        measured_ms=NOW_MS - 60_000,
        answered_by="",
    )
    return msgspec.structs.replace(told, **changes)


def entry(number: int = 0, **changes: object) -> Entry:
    """One line of the timeline."""
    line = Entry(ALARM, number, NOW_MS, EntryKind.TOLD, "first", Condition.URGENT_LOW, BEN_FOLLOW, "ben")
    return msgspec.structs.replace(line, **changes)


def effects(
    *notifications: Notification, alarms: tuple[AlarmView, ...] | None = None, upto_seq: int = 1
) -> Effects:
    """What the evaluator hands over for these."""
    views = (alarm_view(),) if alarms is None else alarms
    return Effects(upto_seq, views, (entry(),), notifications)


def reading(
    level: int = 52, *, measured_ms: int = NOW_MS - 60_000, sharer: int = ANA, trend: int = 5
) -> Reading:
    """One of Ana's."""
    return Reading(sharer, measured_ms, measured_ms + 20_000, level, trend, 1)


def identity(person: str) -> Identity:
    """A screen of this person."""
    return Identity(person, frozenset({FOLLOW}), ANA if person == "ana" else -1, 7)


class Family:
    """Contacts, access and newest readings of the cast: small, real, changeable."""

    def __init__(self) -> None:
        self.contacts = {
            "ana": Contact("ana", "Ana", ways=(ContactWay("email", 1, "ana@example.test"),)),
            "ben": Contact("ben", "Ben", (ContactWay("email", 1, "ben@example.test"),), zone="Europe/Lisbon"),
            "cleo": Contact("cleo", "Cleo", unit=Unit.MMOL),
            "dan": Contact("dan", "Dan"),
        }
        self.sights = {("ana", ANA): Sight.GRAPH, ("ben", ANA): Sight.GRAPH, ("cleo", ANA): Sight.NUMBER}
        self.told_follows = {BEN_FOLLOW}
        self.newest_readings: dict[int, Reading] = {}
        self.heard: dict[int, int] = {}
        self.tick_ms = NOW_MS
        self.ana = "Ana"
        self.looks: list[tuple[str, int, str]] = []
        self.signed_in = {"ana", "ben", "cleo", "dan"}

    def contact(self, person: str) -> Contact | None:
        return self.contacts.get(person)

    def sharer_name(self, sharer: int) -> str:
        return self.ana if sharer == ANA else ""

    def heard_ms(self, sharer: int) -> int:
        return self.heard.get(sharer, 0)

    def may_be_told(self, follow: int) -> bool:
        return follow in self.told_follows

    def may_see(self, *, viewer: Identity, sharer: int) -> Sight:
        return self.sights.get((viewer.person, sharer), Sight.NOTHING)

    async def open(self, *, viewer: Identity, sharer: int, what: str, now_ms: int) -> Sight:
        assert now_ms > 0
        sight = self.may_see(viewer=viewer, sharer=sharer)
        if sight is Sight.NOTHING:
            raise CallerError(ErrorCode.NOT_FOUND, "There is nothing here.")
        self.looks.append((viewer.person, sharer, what))
        return sight

    def followed_by(self, viewer: Identity) -> Iterable[int]:
        return [sharer for person, sharer in self.sights if person == viewer.person]

    def newest(self, sharer: int) -> Reading | None:
        return self.newest_readings.get(sharer)

    def evaluated_tick_ms(self) -> int:
        return self.tick_ms

    def identify(self, bearer: str, now_ms: int) -> Identity | None:
        assert now_ms > 0
        return identity(bearer) if bearer in self.signed_in else None
