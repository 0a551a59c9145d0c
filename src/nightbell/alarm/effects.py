"""What alarms want done: plain values, written to the ledger in one transaction, performed after it."""

from enum import StrEnum
from typing import Final

import msgspec

NO_LADDER: Final = -1
"""The tier of a notification of an alarm that does not climb."""


class AlarmState(StrEnum):
    """Where one alarm stands."""

    PENDING = "pending"  # a condition holds, nobody's delay has passed: nobody has been told
    RINGING = "ringing"  # somebody was told, nobody has it
    ANSWERED = "answered"  # somebody has it, for a while
    RESOLVED = "resolved"  # over


class AlarmView(msgspec.Struct, frozen=True):
    """One alarm as it stands after a change; the newest replaces the one before in the ledger.

    Attributes:
        id: Alarm id: a hash of sharer, family and opening.
        sharer: The sharer's number.
        family: `Family` value.
        state: Where it stands.
        condition: The most urgent condition that holds or, when resolved, last held: a `Condition` number.
        unseen: Whether readings have stopped while it is open.
        version: Counts changes from 0; a smaller one never overwrites a greater one.
        opened_ms: When the first condition began (processing time).
        raised_ms: When somebody was first told; 0 if nobody yet.
        resolved_ms: When it ended; 0 while open.
        answered_by: Person id, empty if nobody has it.
        answered_ms: When they said so; 0 if nobody has it.
        answered_until_ms: When that ends by itself.
        level: Level of the newest reading when this version was made; -1 if there was never one.
        measured_ms: When that reading was measured; 0 if there was never one.
        exhausted: Whether everybody was told as loudly as we can, more than once, and nobody answered.
        climbs_ms: When the next step of its ladder comes; 0 if none does.
    """

    id: str
    sharer: int
    family: str
    state: AlarmState
    condition: int
    unseen: bool
    version: int
    opened_ms: int
    raised_ms: int
    resolved_ms: int
    answered_by: str
    answered_ms: int
    answered_until_ms: int
    level: int
    measured_ms: int
    exhausted: bool = False
    climbs_ms: int = 0


class EntryKind(StrEnum):
    """What one line of an alarm's timeline says."""

    OPENED = "opened"
    GREW = "grew"  # a more urgent condition began
    EASED = "eased"  # the most urgent condition ended, another still holds
    UNSEEN = "unseen"  # readings stopped while it is open
    SEEN_AGAIN = "seen_again"
    TOLD = "told"  # a notification was made for one follower
    WITHHELD = "withheld"  # one follower was not told, and why
    ANSWERED = "answered"
    ANSWER_UNDONE = "answer_undone"
    ANSWER_ENDED = "answer_ended"  # its time was over and the glucose still wrong
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    LIMIT_CHANGED = "limit_changed"
    PASSED_ON = "passed_on"  # somebody said: call the next one
    EXHAUSTED = "exhausted"  # nobody answered, all the way up the ladder
    RESOLVED = "resolved"


class Entry(msgspec.Struct, frozen=True):
    """One line of the timeline: what was decided, for whom, and why.

    Attributes:
        alarm: Alarm id.
        number: Counts from 0 within the alarm; (alarm, number) is unique and the same on every replay.
        at_ms: When.
        kind: What.
        reason: Key of the sentence that says why, in the catalogue under `reason.`.
        condition: `Condition` number it is about, -1 if none.
        follow: Follow number it is about, -1 if none.
        person: Person id who acted or was told, empty if none.
        until_ms: For answers and snoozes: until when; else 0.
    """

    alarm: str
    number: int
    at_ms: int
    kind: EntryKind
    reason: str
    condition: int
    follow: int
    person: str
    until_ms: int = 0


class NotificationKind(StrEnum):
    """Why a person is told."""

    RING = "ring"  # for the first time, or more urgent than before
    REPEAT = "repeat"  # again, because nobody has answered
    RECOVERED = "recovered"  # it is over
    CLOSED = "closed"  # it is over because somebody changed or ended a follow
    CLOCK = "clock"  # the phone's clock is wrong


class Notification(msgspec.Struct, frozen=True):
    """One alarm on its way to one follower; goes to the outbox in the same transaction as the alarm.

    Attributes:
        id: 32 hex digits, a hash of (alarm, step, follow): the same on every replay.
        alarm: Alarm id.
        step: Counts what this follow was told in this alarm, from 0.
        sharer: The sharer's number.
        follow: The follow's number.
        follower: Person id of the follower.
        kind: Why.
        condition: `Condition` number.
        unseen: Whether readings have stopped meanwhile.
        at_ms: When it was decided.
        urgent: Whether it should wake: ring and repeat yes, recovered and closed no.
        level: Level of the newest reading, -1 if there was never one.
        measured_ms: When that was measured.
        answered_by: Person id who has it already, empty if nobody.
        by: For `closed`: person id who changed or ended a follow; empty otherwise.
        tier: How loudly, a `Tier` number; -1 if the alarm climbs no ladder: then all but the loudest.
    """

    id: str
    alarm: str
    step: int
    sharer: int
    follow: int
    follower: str
    kind: NotificationKind
    condition: int
    unseen: bool
    at_ms: int
    urgent: bool
    level: int
    measured_ms: int
    answered_by: str
    by: str = ""
    tier: int = NO_LADDER


class Effects(msgspec.Struct, frozen=True):
    """Everything that one micro-batch of the journal led to, in order.

    Attributes:
        upto_seq: The newest journal group folded in.
        alarms: New versions of alarms.
        entries: New timeline lines.
        notifications: New notifications for the outbox.
    """

    upto_seq: int
    alarms: tuple[AlarmView, ...]
    entries: tuple[Entry, ...]
    notifications: tuple[Notification, ...]
