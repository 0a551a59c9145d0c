"""Facts: everything that evaluation and alarms depend on, besides readings, in the one order of the journal.

A fact is small, complete in itself, and carries the time at which it became true. Whoever replays the same
facts, readings and ticks comes to the same alarms. People appear by their ids only, never by name.
"""

from typing import Final

import msgspec

from nightbell.follow.ladder import Watch
from nightbell.follow.limits import Bounds, Telling

EVERYTHING: Final = -1
"""Covers whatever rang so far."""


class Fact(msgspec.Struct, frozen=True, tag_field="fact"):
    """What every fact has.

    Attributes:
        at_ms: When it became true: processing time, epoch ms.
    """

    at_ms: int


class FollowSet(Fact, frozen=True, tag="follow_set"):
    """A follow was made or changed; the whole of what matters for telling.

    Attributes:
        follow: The follow's number.
        sharer: The sharer's number.
        follower: Person id of the follower.
        told: Whether this follow may be told now: confirmed, permitted, neither paused nor ended.
            One that may not counts as nobody.
        bounds: What is compared.
        telling: Nine, in the order of `Condition`.
        zone: The follower's time zone, as `Europe/Lisbon`.
        by: Person id of who changed it; empty when the platform did (start-up, reconciliation).
    """

    follow: int
    sharer: int
    follower: str
    told: bool
    bounds: Bounds
    telling: tuple[Telling, ...]
    zone: str
    by: str


class FollowEnded(Fact, frozen=True, tag="follow_ended"):
    """A follow is over; its number is never used again."""

    follow: int
    by: str


class Answered(Fact, frozen=True, tag="answered"):
    """A person said "I've got it".

    Attributes:
        alarm: Alarm id.
        by: Person id.
        by_sharer: Whether it was the sharer, whose answer delays 5 min at most.
        covers: The greatest urgency that they were told of; `EVERYTHING` for who sees the alarm as it is.
    """

    alarm: str
    by: str
    by_sharer: bool
    covers: int = EVERYTHING


class AnswerUndone(Fact, frozen=True, tag="answer_undone"):
    """The person took the answer back within five seconds."""

    alarm: str
    by: str


class PassedOn(Fact, frozen=True, tag="passed_on"):
    """A person who was called said "call the next one"."""

    alarm: str
    by: str


class WatchSet(Fact, frozen=True, tag="watch_set"):
    """Who watches over a sharer was changed, or how alarms climb: the whole of it."""

    sharer: int
    watch: Watch
    by: str


class Snoozed(Fact, frozen=True, tag="snoozed"):
    """One follower asked for quiet about one family of one sharer until a time. Never hides urgent low.

    Attributes:
        follow: The follow's number.
        family: `Family` value.
        until_ms: When it ends by itself; at or before `at_ms` ends it now.
        by: Person id.
    """

    follow: int
    family: str
    until_ms: int
    by: str


class SensorStarted(Fact, frozen=True, tag="sensor_started"):
    """A new sensor is warming up: no readings are expected until `until_ms`."""

    sharer: int
    until_ms: int
    by: str


class ClockLearned(Fact, frozen=True, tag="clock_learned"):
    """An uploader's clock is wrong by `offset_ms` (true time minus its time), or right again (0)."""

    sharer: int
    source: int
    offset_ms: int


class SharerAdded(Fact, frozen=True, tag="sharer_added"):
    """A sharer exists from now on. Silence of one never seen counts from here."""

    sharer: int


class DoorOpened(Fact, frozen=True, tag="door_opened"):
    """The door was proven open (again) at `at_ms`."""


AnyFact = (
    FollowSet
    | FollowEnded
    | Answered
    | AnswerUndone
    | PassedOn
    | WatchSet
    | Snoozed
    | SensorStarted
    | ClockLearned
    | SharerAdded
    | DoorOpened
)
