"""From a notification to the sentences one person reads: their language, their unit, their time. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from nightbell.alarm.effects import Notification, NotificationKind
from nightbell.deliver.broken_link import likely_broken
from nightbell.deliver.outbox import NEWS_STALE_MS, RING_STALE_MS, is_ring
from nightbell.deliver.ports import Contact
from nightbell.tell.message import Message
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import NEVER_MS, from_ms
from nightbell.words.conditions import Condition, Family
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW, is_censored, shown
from nightbell.words.zones import zone_or_utc

NAME_SHOWN_MAX: Final = 14
"""Longest name in a subject: so that name, meaning and number fit into the 40 characters of a lock screen."""

RELY_FOR_MS: Final = 11 * 60_000
"""How long a reading may be relied on after it was measured: two intervals, and one minute to arrive."""

LATE_MS: Final = 2 * 60_000
"""A message that goes out later than this says so."""

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS


def short_name(name: str) -> str:
    """A name cut to what fits into a subject, on one line."""
    flat = " ".join(name.split())
    return flat if len(flat) <= NAME_SHOWN_MAX else flat[: NAME_SHOWN_MAX - 1].rstrip() + "…"


def ago(span_ms: int, words: Catalogue) -> str:
    """A span of time in the coarsest unit that still says enough, as `20 min`."""
    if span_ms < _MINUTE_MS:
        return words.say("alarm.ago_moments")
    if span_ms < 2 * _HOUR_MS:
        return words.say("alarm.ago_minutes", count=span_ms // _MINUTE_MS)
    if span_ms < 2 * _DAY_MS:
        return words.say("alarm.ago_hours", count=span_ms // _HOUR_MS)
    return words.say("alarm.ago_days", count=span_ms // _DAY_MS)


def clock_time(at_ms: int, zone: str, now_ms: int, words: Catalogue) -> str:
    """An instant as a clock on the reader's wall, with the day where it is another."""
    at = from_ms(at_ms).astimezone(zone_or_utc(zone))
    now = from_ms(now_ms).astimezone(zone_or_utc(zone))
    slots = _clock_slots(at, words)
    if at.date() == now.date():
        return words.say("alarm.time_today", **slots)
    month = words.say(f"alarm.month_{at.month}")
    return words.say("alarm.time_other_day", day=at.day, month=month, **slots)


def _clock_slots(at: datetime, words: Catalogue) -> dict[str, str | int]:
    half = words.say("alarm.am" if at.hour < 12 else "alarm.pm")  # noqa: PLR2004 noon
    return {"hour": at.hour % 12 or 12, "minute": f"{at.minute:02d}", "half": half}


def compose(
    told: Notification,
    *,
    contact: Contact,
    sharer_name: str,
    name_of: Callable[[str], str],
    now_ms: int,
    words: Catalogue,
    link: str = "",
    heard_ms: int = 0,
) -> Message:
    """The message for one notification.

    Args:
        told: What is told.
        contact: Who reads it.
        sharer_name: Whom it is about; empty if unknown.
        name_of: The name of a person id; empty if they are gone.
        now_ms: When it is sent; ages count to here.
        words: The reader's language.
        link: Where the reader answers; empty leaves it out.
        heard_ms: When the sharer's uploader last spoke to us, 0 if not since our start.
    """
    name = short_name(sharer_name) or words.say("alarm.the_sharer")
    lines = [f"{_headline(told, name, now_ms, words)}."]
    lines += _number(told, contact, name, now_ms, words)
    lines += _lateness(told, contact, now_ms, words)
    lines += _who(told, name_of, words)
    lines += _broken_link(told, name, heard_ms, now_ms, words)
    lines += _what_to_do(told, name, name_of, words, link)
    stale_ms = NEVER_MS if is_ring(told) else told.at_ms + NEWS_STALE_MS
    return Message(
        id=told.id,
        to=contact.person,
        subject=_subject(told, contact, name, now_ms, words),
        text="\n\n".join(lines),
        urgent=told.urgent,
        expires_ms=min(stale_ms, now_ms + RING_STALE_MS),
        made_ms=told.at_ms,
        fields=_fields(told, contact, name, name_of),
    )


def _stem(told: Notification) -> str:
    """The start of the keys of a notification's sentences."""
    condition = Condition(told.condition)
    match told.kind:
        case NotificationKind.RECOVERED:
            return f"alarm.recovered_{condition.family}"
        case NotificationKind.CLOSED:
            return "alarm.closed"
        case NotificationKind.CLOCK:
            return "alarm.clock"
        case NotificationKind.RING | NotificationKind.REPEAT:
            return f"alarm.{condition.word}"


def _headline(told: Notification, name: str, now_ms: int, words: Catalogue) -> str:
    """What happened, without the number."""
    if is_ring(told) and Condition(told.condition) is Condition.NO_READINGS:
        if told.measured_ms <= 0:
            return words.say("alarm.no_readings_never", name=name)
        return words.say("alarm.no_readings_subject", name=name, age=ago(now_ms - told.measured_ms, words))
    if is_ring(told) and told.unseen:
        return words.say(f"{_stem(told)}_unseen", name=name)
    return words.say(f"{_stem(told)}_headline", name=name)


def _subject(told: Notification, contact: Contact, name: str, now_ms: int, words: Catalogue) -> str:
    """What happened, with the number where the reader allows it and it is still worth showing."""
    key = f"{_stem(told)}_subject"
    silence = is_ring(told) and Condition(told.condition) is Condition.NO_READINGS
    if silence or told.unseen or told.level < 0 or not contact.number_in_subject or not words.has(key):
        return _headline(told, name, now_ms, words)
    return words.say(key, name=name, number=shown(told.level, contact.unit))


def _number(told: Notification, contact: Contact, name: str, now_ms: int, words: Catalogue) -> list[str]:
    """The newest number with its age, and whether it is still worth anything."""
    if told.kind in (NotificationKind.CLOSED, NotificationKind.CLOCK):
        return []
    if told.level < 0:
        return [words.say("alarm.number_never", name=name)]
    slots: dict[str, str | int] = {
        "time": clock_time(told.measured_ms, contact.zone, now_ms, words),
        "ago": ago(now_ms - told.measured_ms, words),
    }
    if told.level == CENSORED_LOW:
        lines = [words.say("alarm.number_low", **slots)]
    elif told.level == CENSORED_HIGH:
        lines = [words.say("alarm.number_high", **slots)]
    else:
        number = shown(told.level, contact.unit)
        lines = [words.say("alarm.number_now", number=number, unit=contact.unit, **slots)]
    if is_ring(told) and (told.unseen or Condition(told.condition) is Condition.NO_READINGS):
        lines.append(words.say(f"alarm.unseen_{Condition(told.condition).family}", name=name))
    return lines


def _lateness(told: Notification, contact: Contact, now_ms: int, words: Catalogue) -> list[str]:
    """That we are late, where we are."""
    late_ms = now_ms - told.at_ms
    if late_ms <= LATE_MS:
        return []
    key = "alarm.late" if is_ring(told) else "alarm.late_over"
    return [words.say(key, time=clock_time(told.at_ms, contact.zone, now_ms, words), ago=ago(late_ms, words))]


def _who(told: Notification, name_of: Callable[[str], str], words: Catalogue) -> list[str]:
    """Who has it, or that nobody has."""
    if not is_ring(told):
        return []
    if told.answered_by:
        return [words.say("alarm.has_it", who=name_of(told.answered_by) or words.say("alarm.somebody"))]
    return [words.say("alarm.nobody_has_it")] if told.kind is NotificationKind.REPEAT else []


def _broken_link(told: Notification, name: str, heard_ms: int, now_ms: int, words: Catalogue) -> list[str]:
    """Where we think the gap is, when numbers are missing."""
    silence = told.unseen or Condition(told.condition) is Condition.NO_READINGS
    if not is_ring(told) or not silence:
        return []
    link = likely_broken(measured_ms=told.measured_ms, heard_ms=heard_ms, now_ms=now_ms)
    return [words.say(f"alarm.link_{link}", name=name)]


def _what_to_do(
    told: Notification, name: str, name_of: Callable[[str], str], words: Catalogue, link: str
) -> list[str]:
    """What the reader can do now."""
    if told.kind is NotificationKind.RECOVERED:
        return [words.say("alarm.recovered_do")]
    if told.kind is NotificationKind.CLOSED:
        who = (name_of(told.by) if told.by else "") or words.say("alarm.somebody")
        return [words.say("alarm.closed_do", name=name, who=who)]
    lines = [words.say(f"{_stem(told)}_do", name=name)]
    if not is_ring(told):
        return lines
    if Condition(told.condition).family is Family.SILENCE:
        lines.append(words.say("alarm.no_readings_where", name=name))
    else:
        lines.append(words.say("alarm.plan_first"))
    lines.append(words.say("alarm.answer_link", link=link) if link else words.say("alarm.answer_here"))
    return lines


def _fields(
    told: Notification, contact: Contact, name: str, name_of: Callable[[str], str]
) -> dict[str, str | int | bool]:
    """The same for a program. A level that is no number carries its word only."""
    fields: dict[str, str | int | bool] = {
        "alarm": told.alarm,
        "answered_by": name_of(told.answered_by) if told.answered_by else "",
        "at_ms": told.at_ms,
        "condition": Condition(told.condition).word,
        "family": str(Condition(told.condition).family),
        "kind": str(told.kind),
        "name": name,
        "sharer": told.sharer,
        "step": told.step,
        "unit": str(contact.unit),
        "unseen": told.unseen,
    }
    if told.level >= 0:
        fields["shown"] = shown(told.level, contact.unit)
        fields["measured_ms"] = told.measured_ms
        fields["rely_until_ms"] = told.measured_ms + RELY_FOR_MS
        if not is_censored(told.level):
            fields["level_mgdl"] = told.level
    return fields
