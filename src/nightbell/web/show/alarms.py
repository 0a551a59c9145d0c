"""One alarm as a person reads it: its title, the bar that asks for an answer, the story with its reasons."""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from nightbell.alarm.alarm import UNDO_MS
from nightbell.alarm.effects import AlarmState, AlarmView, Entry, EntryKind
from nightbell.deliver.outbox import FIRST, channel_of, number_of, reason_sentence
from nightbell.deliver.record import APP, Delivery, DeliveryState, Told
from nightbell.tell.attempt import ReceiptState
from nightbell.web.show.times import clock_text, iso_text
from nightbell.words.catalogue import Catalogue
from nightbell.words.conditions import Condition, Family
from nightbell.words.glucose import Unit, shown

_ACT_NOW: Final = frozenset({Condition.URGENT_LOW, Condition.URGENT_LOW_SOON, Condition.URGENT_HIGH})
"""What is shown in red: only what asks somebody to get up."""

_RANK: Final = (
    Condition.RISING_FAST,
    Condition.HIGH,
    Condition.URGENT_HIGH_SOON,
    Condition.FALLING_FAST,
    Condition.NO_READINGS,
    Condition.LOW,
    Condition.URGENT_HIGH,
    Condition.URGENT_LOW_SOON,
    Condition.URGENT_LOW,
)
"""Across families, what matters more comes later: our order of tiles, nobody else's."""


class Reader(NamedTuple):
    """For whom words are made.

    Attributes:
        person: Their id.
        name_of: The name of a person by id; for strangers a word that names nobody.
    """

    person: str
    unit: Unit
    zone: str
    words: Catalogue
    name_of: Callable[[str], str]
    now_ms: int

    def clock(self, at_ms: int) -> str:
        """A time of day in their zone."""
        return clock_text(at_ms, zone=self.zone, now_ms=self.now_ms)

    def condition(self, number: int) -> str:
        """The name of a condition."""
        return self.words.say(f"page.condition_{Condition(number).word}")


class AlarmLine(msgspec.Struct, frozen=True):
    """One alarm in a list."""

    id: str
    title: str
    chip: str
    look: str
    text: str
    may_answer: bool = False


class Bar(msgspec.Struct, frozen=True):
    """One alarm that asks for an answer, across the top of every page."""

    id: str
    look: str
    title: str
    text: str
    may_answer: bool
    may_undo: bool


class StoryEntry(msgspec.Struct, frozen=True):
    """One line of what happened and why."""

    kind: str
    at_iso: str
    time: str
    title: str
    reason: str


class Step(msgspec.Struct, frozen=True):
    """One of the four states of a notification, or a failed try."""

    text: str
    done: bool
    wrong: bool


class ToldLine(msgspec.Struct, frozen=True):
    """One notification to one person, with sent, delivered, seen and answered kept apart."""

    name: str
    what: str
    time: str
    steps: list[Step]


def urgency(alarm: AlarmView) -> int:
    """How urgent an open alarm is among all: nobody has it counts more than somebody has it."""
    if alarm.state is AlarmState.RESOLVED:
        return 0
    rank = 1 + _RANK.index(Condition(alarm.condition))
    ringing = alarm.state is AlarmState.RINGING
    return rank + (100 if ringing else 0) + (50 if alarm.unseen and alarm.family == Family.LOW else 0)


def look_of(alarm: AlarmView) -> str:
    """How it is drawn: `act`, `low`, `high`, `silence` or `quiet`."""
    if alarm.state is not AlarmState.RINGING:
        return "quiet"
    if Condition(alarm.condition) in _ACT_NOW or (alarm.unseen and alarm.family == Family.LOW):
        return "act"
    return alarm.family


def chip_text(alarm: AlarmView, reader: Reader) -> str:
    """An alarm in a few words."""
    condition = reader.condition(alarm.condition)
    match alarm.state:
        case AlarmState.RESOLVED:
            return reader.words.say("page.chip_over")
        case AlarmState.PENDING:
            return reader.words.say("page.chip_pending", condition=condition)
        case AlarmState.RINGING:
            return reader.words.say("page.chip_ringing", condition=condition)
        case AlarmState.ANSWERED:
            time = reader.clock(alarm.answered_ms)
            if alarm.answered_by == reader.person:
                return reader.words.say("page.chip_you_have_it", time=time)
            return reader.words.say("page.chip_has_it", name=reader.name_of(alarm.answered_by), time=time)


def alarm_text(alarm: AlarmView, reader: Reader) -> str:
    """Since when, and who has it."""
    since = reader.clock(alarm.opened_ms)
    match alarm.state:
        case AlarmState.RESOLVED:
            return reader.words.say("page.alarm_text_over", time=since, until=reader.clock(alarm.resolved_ms))
        case AlarmState.PENDING:
            return reader.words.say("page.alarm_text_pending", time=since)
        case AlarmState.RINGING:
            return reader.words.say("page.alarm_text_open", time=since)
        case AlarmState.ANSWERED:
            return reader.words.say(
                "page.alarm_text_has_it",
                time=since,
                who=reader.name_of(alarm.answered_by),
                until=reader.clock(alarm.answered_until_ms),
            )


def alarm_line(alarm: AlarmView, reader: Reader) -> AlarmLine:
    """An alarm in a person's list."""
    return AlarmLine(
        id=alarm.id,
        title=reader.condition(alarm.condition),
        chip=chip_text(alarm, reader),
        look=look_of(alarm),
        text=alarm_text(alarm, reader),
    )


def may_undo(alarm: AlarmView, reader: Reader) -> bool:
    """Whether this reader answered it within the last five seconds."""
    mine = alarm.state is AlarmState.ANSWERED and alarm.answered_by == reader.person
    return mine and reader.now_ms - alarm.answered_ms < UNDO_MS


def bar_of(alarm: AlarmView, *, sharer_name: str, may_answer: bool, reader: Reader) -> Bar:
    """The bar for an alarm that rings, or that this reader has just answered."""
    words, condition = reader.words, reader.condition(alarm.condition)
    if alarm.level >= 0 and alarm.family != Family.SILENCE:
        level = shown(alarm.level, reader.unit)
        title = words.say("page.bar_title_level", name=sharer_name, condition=condition, level=level)
    else:
        title = words.say("page.bar_title", name=sharer_name, condition=condition)
    parts = [words.say("page.bar_open", time=reader.clock(alarm.raised_ms or alarm.opened_ms))]
    if alarm.unseen and alarm.family == Family.LOW:
        parts.insert(0, words.say("page.bar_unseen", name=sharer_name))
    if alarm.measured_ms:
        level = f"{shown(alarm.level, reader.unit)} {reader.unit.value}"
        parts.append(words.say("page.bar_last", level=level, time=reader.clock(alarm.measured_ms)))
    else:
        parts.append(words.say("page.bar_never"))
    undo = may_undo(alarm, reader)
    return Bar(
        id=alarm.id,
        look=look_of(alarm),
        title=title,
        text=words.say("page.you_have_it") if undo else " ".join(parts),
        may_answer=may_answer and alarm.state is AlarmState.RINGING,
        may_undo=undo,
    )


def story_entry(entry: Entry, reader: Reader) -> StoryEntry:
    """One line of the story, with its reason in words."""
    slots: dict[str, str] = {"name": reader.name_of(entry.person)}
    if entry.condition >= 0:
        slots["condition"] = reader.condition(entry.condition)
    if entry.until_ms:
        slots["until"] = reader.clock(entry.until_ms)
    if entry.kind is EntryKind.LIMIT_CHANGED and not entry.person:
        title = reader.words.say("page.entry_limits_reset")
    else:
        title = reader.words.say(f"page.entry_{entry.kind.value}", **slots)
    reason = f"reason.{entry.reason}"
    return StoryEntry(
        kind=entry.kind.value,
        at_iso=iso_text(entry.at_ms),
        time=reader.clock(entry.at_ms),
        title=title,
        reason=reader.words.say(reason, **slots) if reader.words.has(reason) else "",
    )


def _way_text(key: str, reader: Reader) -> str:
    """What a way is called: its channel, and a second one and more with its number."""
    name = f"page.channel_{channel_of(key)}"
    channel = reader.words.say(name) if reader.words.has(name) else channel_of(key)
    number = number_of(key)
    return channel if number == FIRST else f"{channel} {number}"


def _sent_step(delivery: Delivery, reader: Reader) -> Step:
    channel = _way_text(delivery.channel, reader)
    match delivery.state:
        case DeliveryState.SENT:
            return Step(reader.words.say("page.step_sent", channel=channel), done=True, wrong=False)
        case DeliveryState.WAITING:
            return Step(reader.words.say("page.step_waiting", channel=channel), done=False, wrong=False)
        case _:
            reason = reason_sentence(delivery.reason, reader.words) or delivery.state.value
            text = reader.words.say("page.step_failed", channel=channel, reason=reason)
            return Step(text, done=False, wrong=delivery.channel != APP)


def told_line(told: Told, alarm: AlarmView, reader: Reader) -> ToldLine:
    """What became of one notification: sent, delivered, seen, answered."""
    words, notification = reader.words, told.notification
    steps = [_sent_step(delivery, reader) for delivery in told.deliveries]
    at = {receipt.state: receipt.at_ms for receipt in reversed(told.receipts)}
    for state, done, missing in (
        (ReceiptState.DELIVERED, "page.step_delivered", "page.step_not_delivered"),
        (ReceiptState.SEEN, "page.step_seen", "page.step_not_seen"),
    ):
        if state is ReceiptState.SEEN and ReceiptState.FAILED in at and state not in at:
            time = reader.clock(at[ReceiptState.FAILED])
            steps.append(Step(words.say("page.step_not_arrived", time=time), done=False, wrong=True))
        if state in at:
            steps.append(Step(words.say(done, time=reader.clock(at[state])), done=True, wrong=False))
        else:
            steps.append(Step(words.say(missing), done=False, wrong=False))
    if alarm.answered_by and alarm.answered_by == notification.follower:
        name = reader.name_of(alarm.answered_by)
        steps.append(Step(words.say("page.step_answered", name=name), done=True, wrong=False))
    return ToldLine(
        name=reader.name_of(notification.follower),
        what=words.say(
            f"page.told_{notification.kind.value}", condition=reader.condition(notification.condition)
        ),
        time=reader.clock(notification.at_ms),
        steps=steps,
    )
