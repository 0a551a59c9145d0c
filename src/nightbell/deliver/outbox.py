"""The rules of the outbox: which ways a notification takes, what is too old, what follows a try. All pure.

What rang late must not sound as if it were now, and what was never told must not be lost: so a ring that
could not go out for 15 min is dropped, with its reason, unless it is the newest word on an alarm that is
still open.
"""

from collections.abc import Collection, Mapping
from typing import Final, assert_never

import msgspec

from nightbell.alarm.effects import AlarmState, AlarmView, Notification, NotificationKind
from nightbell.deliver.ports import Contact, ContactWay
from nightbell.deliver.record import APP, Delivery, DeliveryState
from nightbell.deliver.tiers import of_tier
from nightbell.tell.channel import Checklist
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.tell.retry import RetryRule, jitter_of, next_try_ms
from nightbell.words.catalogue import Catalogue
from nightbell.words.tier import Tier

RING_STALE_MS: Final = 15 * 60_000
"""A ring older than this is not told as if it were now. As long as a reading counts as live."""

NEWS_STALE_MS: Final = 60 * 60_000
"""Recovered, closed and clock are worth reading this long. Our judgement."""

LOST_AGAIN_MS: Final = 24 * 60 * 60_000
"""A way that was found dead gets one more try after a day. Our judgement."""

FIRST: Final = 1
_NUMBER_DIGITS: Final = 9

OPEN_TRIES_MAX: Final = 300
OPEN_GIVE_UP_AFTER_MS: Final = 24 * 60 * 60_000
"""The newest word on an open alarm is tried for a day: nothing newer may ever take its place."""

_OPEN_SLOWER: Final = 5
"""Such late tries are this much further apart at most: a provider that is down for hours is not hammered."""


class Standing(msgspec.Struct, frozen=True):
    """What is known about a notification's alarm when it is about to be sent.

    Attributes:
        alarm: The alarm as it stands; None if we do not know it (the ledger could not be read).
        newest_step: The newest step told to this follow in this alarm, as loudly or louder.
    """

    alarm: AlarmView | None
    newest_step: int


def channel_of(key: str) -> str:
    """The channel of a delivery: what stands before the number of the way."""
    return key.partition(":")[0]


def number_of(key: str) -> int:
    """The number of a delivery's way."""
    return int(key.partition(":")[2] or FIRST)


def message_id(notification: str, key: str) -> str:
    """What a notification is called on one way, so that what comes back names the way too."""
    number = number_of(key)
    return notification if number == FIRST else f"{notification}-{number}"


def told_by(message: str) -> tuple[str, int]:
    """Notification and number of the way of a `message_id`."""
    notification, _, number = message.partition("-")
    plain = number.isascii() and number.isdecimal() and len(number) <= _NUMBER_DIGITS
    return (notification, int(number)) if plain else (message, FIRST)


def key_of(channel: str, number: int) -> str:
    """What the ledger calls a way."""
    return ContactWay(channel, number, "").key


def way_of(contact: Contact, key: str) -> ContactWay | None:
    """The way that the ledger calls so, if the person still has it."""
    return next((way for way in contact.ways if way.key == key), None)


def ways_to_take(contact: Contact, channels: Collection[str], now_ms: int) -> list[ContactWay]:
    """The ways worth a try now.

    One that was found dead is tried again once a day; or at once, if there is no other: a try costs little,
    and the provider may have been wrong.
    """
    ways = [way for way in contact.ways if way.channel in channels]
    alive = [way for way in ways if not way.lost_ms or now_ms - way.lost_ms >= LOST_AGAIN_MS]
    return alive or ways


def deliveries_of(
    notification: Notification, contact: Contact | None, *, channels: Mapping[str, Checklist], now_ms: int
) -> list[Delivery]:
    """The ways one notification takes: open screens always, the follower's own as loud as it asks for."""
    ways = ways_to_take(contact, channels, now_ms) if contact is not None else []
    ways = of_tier(ways, channels, notification.tier)
    return [
        Delivery(notification.id, key, DeliveryState.WAITING, 0, now_ms)
        for key in (APP, *(way.key for way in ways))
    ]


def is_ring(notification: Notification) -> bool:
    """Whether it asks for somebody, rather than telling what is over."""
    return notification.kind in (NotificationKind.RING, NotificationKind.REPEAT)


def is_newest_of_open(notification: Notification, standing: Standing) -> bool:
    """Whether it is a ring of an alarm that is still open, and nothing newer was said."""
    return (
        is_ring(notification)
        and standing.alarm is not None
        and standing.alarm.state is not AlarmState.RESOLVED
        and notification.step >= standing.newest_step
    )


def why_not(notification: Notification, standing: Standing, *, may_be_told: bool, now_ms: int) -> str:
    """The reason not to send it now, a key under `deliver.reason_`; empty is: send it.

    An alarm we do not know is taken for open: unknown is never silence.
    """
    if not may_be_told and notification.kind is not NotificationKind.CLOSED:
        return "follow_ended"  # that it ended is itself told, once, to whom it rang for
    age_ms = now_ms - notification.at_ms
    if not is_ring(notification):
        return "stale" if age_ms > NEWS_STALE_MS else ""
    if standing.alarm is not None and standing.alarm.state is AlarmState.RESOLVED:
        return "over"
    if standing.alarm is not None and _is_answered(notification, standing.alarm):
        return "answered"
    if age_ms > RING_STALE_MS and not is_newest_of_open(notification, standing):
        return "stale"
    return ""


def _is_answered(notification: Notification, alarm: AlarmView) -> bool:
    """Whether somebody has what it asks for: then nobody is called any more; a nudge says who has it."""
    return notification.tier > Tier.NUDGE and alarm.state is AlarmState.ANSWERED


def _patience_while_open(rule: RetryRule) -> RetryRule:
    return msgspec.structs.replace(
        rule,
        longest_ms=rule.longest_ms * _OPEN_SLOWER,
        tries_max=max(rule.tries_max, OPEN_TRIES_MAX),
        give_up_after_ms=max(rule.give_up_after_ms, OPEN_GIVE_UP_AFTER_MS),
    )


def reason_sentence(reason: str, words: Catalogue) -> str:
    """The sentence for why a delivery ended as it did; empty while all is well."""
    return words.say(f"deliver.reason_{reason}") if reason else ""


def settled(delivery: Delivery, state: DeliveryState, reason: str, *, now_ms: int) -> Delivery:
    """The delivery at its end."""
    return Delivery(delivery.notification, delivery.channel, state, delivery.tries, now_ms, reason)


def after_try(
    delivery: Delivery, outcome: Outcome, *, made_ms: int, now_ms: int, rule: RetryRule, open_newest: bool
) -> Delivery:
    """Where a delivery stands after one more try.

    Args:
        delivery: As it stood before.
        outcome: What came of the try.
        made_ms: When the notification was made.
        now_ms: Processing time.
        rule: The channel's patience.
        open_newest: Whether it is the newest word on an open alarm; then it is tried much longer.
    """
    tried = msgspec.structs.replace(delivery, tries=delivery.tries + 1)
    match outcome:
        case Sent():
            return settled(tried, DeliveryState.SENT, "", now_ms=now_ms)
        case Refused():
            return settled(tried, DeliveryState.REFUSED, "refused", now_ms=now_ms)
        case Unavailable(retry_after_ms=retry_after_ms):
            patience = _patience_while_open(rule) if open_newest else rule
            due_ms = next_try_ms(
                patience,
                tries=tried.tries,
                made_ms=made_ms,
                now_ms=now_ms,
                jitter=jitter_of(f"{delivery.notification}.{delivery.channel}", tried.tries),
                retry_after_ms=min(retry_after_ms, rule.longest_ms * _OPEN_SLOWER),
            )
            if due_ms is None:
                return settled(tried, DeliveryState.GIVEN_UP, "given_up", now_ms=now_ms)
            return msgspec.structs.replace(tried, due_ms=due_ms)
        case _:
            assert_never(outcome)
