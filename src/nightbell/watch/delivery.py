"""Each notice on its way to each person: kept before it is sent, and again after, under the same identity.

So a crash at any moment repeats a mail at most under the same Message-ID, and never loses one. What is no
longer true is withdrawn before it is sent: nobody reads "not being watched" after it is over.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

import msgspec
from msgspec.structs import replace

from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.tell.retry import RetryRule, jitter_of, next_try_ms
from nightbell.watch.judge import Announce, Audience, NoticeKind
from nightbell.watch.notice import message_of
from nightbell.watch.roster import Affected
from nightbell.words.catalogue import Catalogue


class DeliveryState(StrEnum):
    """What became of one notice to one person."""

    DUE = "due"
    SENT = "sent"  # the mail server took it; that is not yet read
    REFUSED = "refused"  # the mail server will not take it for this address
    WITHDRAWN = "withdrawn"  # it was no longer true before it could be sent
    GIVEN_UP = "given_up"


class NoticeDelivery(msgspec.Struct, frozen=True):
    """One notice to one person by e-mail.

    Attributes:
        incident: Identity of the incident.
        kind: What the notice says.
        hit: Whom it is for, and whose readings they miss: the all-clear is told from it.
        message: What is sent; its `id` is the notice's, its `to` the person's.
        state: Where it is.
        tries: How often it was tried.
        made_ms: When it was decided, steady time.
        next_ms: When it is tried next, steady time.
        reason: Why it was not sent.
    """

    incident: str
    kind: NoticeKind
    hit: Affected
    message: Message
    state: DeliveryState
    tries: int
    made_ms: int
    next_ms: int
    reason: str = ""

    @property
    def key(self) -> str:
        """Its identity: the same after every restart. The Message-ID is made of it."""
        return f"{self.message.id}.{self.message.to}"


def deliveries_of(
    announce: Announce,
    people: Iterable[Affected],
    known: Iterable[NoticeDelivery],
    words: Catalogue,
    *,
    page_url: str,
    shift_ms: int,
) -> list[NoticeDelivery]:
    """The deliveries that an announcement asks for and that are not there yet.

    People without an address have none; the page counts them.
    """
    known = list(known)
    there = {delivery.key for delivery in known}
    made = []
    for hit in _hearers(announce, people, known):
        message = message_of(announce, hit, words, page_url=page_url, shift_ms=shift_ms)
        delivery = NoticeDelivery(
            incident=announce.incident.id,
            kind=announce.kind,
            hit=hit,
            message=message,
            state=DeliveryState.DUE,
            tries=0,
            made_ms=announce.at_ms,
            next_ms=announce.at_ms,
        )
        if delivery.key not in there:
            made.append(delivery)
    return made


def _hearers(
    announce: Announce, people: Iterable[Affected], known: Iterable[NoticeDelivery]
) -> list[Affected]:
    """Who hears it. Those who were told are known from what they were told, whatever the roster says now."""
    match announce.audience:
        case Audience.URGENT:
            hearers = [hit for hit in people if hit.urgent]
        case Audience.EVERYONE:
            hearers = list(people)
        case Audience.TOLD:
            told = {
                delivery.message.to: delivery.hit
                for delivery in known
                if delivery.incident == announce.incident.id and delivery.kind is NoticeKind.FIRST
            }
            hearers = list(told.values())
        case _:
            assert_never(announce.audience)
    return [hit for hit in hearers if hit.person.email]


def withdrawn(announce: Announce, known: Iterable[NoticeDelivery]) -> list[NoticeDelivery]:
    """What an announcement makes outdated before it was sent.

    The all-clear tells the whole story, and a newer update replaces an older one; a first word is never
    replaced by an update, for it says what to do.
    """
    if announce.kind is NoticeKind.FIRST:
        return []
    return [
        replace(delivery, state=DeliveryState.WITHDRAWN)
        for delivery in known
        if delivery.incident == announce.incident.id
        and delivery.state is DeliveryState.DUE
        and delivery.message.id != announce.notice
        and (announce.kind is NoticeKind.CLEAR or delivery.kind is NoticeKind.UPDATE)
    ]


def after_try(delivery: NoticeDelivery, outcome: Outcome, *, now_ms: int, rule: RetryRule) -> NoticeDelivery:
    """The delivery after one try."""
    tries = delivery.tries + 1
    match outcome:
        case Sent():
            return replace(delivery, state=DeliveryState.SENT, tries=tries, reason="")
        case Refused(reason):
            return replace(delivery, state=DeliveryState.REFUSED, tries=tries, reason=reason)
        case Unavailable(reason, retry_after_ms):
            next_ms = next_try_ms(
                rule,
                tries=tries,
                made_ms=delivery.made_ms,
                now_ms=now_ms,
                jitter=jitter_of(delivery.key, tries),
                retry_after_ms=retry_after_ms,
            )
            if next_ms is None:
                return replace(delivery, state=DeliveryState.GIVEN_UP, tries=tries, reason=reason)
            return replace(delivery, tries=tries, next_ms=next_ms, reason=reason)
        case _:
            assert_never(outcome)
