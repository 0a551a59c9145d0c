"""Attempts and receipts: what we did, and what came back as proof."""

from enum import StrEnum
from typing import assert_never

import msgspec

from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable


class AttemptResult(StrEnum):
    """How one try ended, as kept on disk."""

    SENT = "sent"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


class Attempt(msgspec.Struct, frozen=True):
    """One try to send one message through one channel.

    Attributes:
        message: Id of what was sent (a notification's or a notice's).
        channel: Name of the channel.
        number: Counts from 1 for this message and channel.
        at_ms: When the try began, epoch ms.
        result: How it ended.
        reason: Why, where it was not sent; else empty.
        provider_id: What the provider called it; may be empty.
    """

    message: str
    channel: str
    number: int
    at_ms: int
    result: AttemptResult
    reason: str
    provider_id: str


class ReceiptState(StrEnum):
    """What a receipt proves. None says that somebody has it: that is an answer."""

    DELIVERED = "delivered"  # it reached the device
    SEEN = "seen"  # a person looked at it
    FAILED = "failed"  # it did not arrive after all


class Receipt(msgspec.Struct, frozen=True):
    """Proof that one message arrived or was seen. The first one for (message, channel, state) counts.

    Attributes:
        message: Id of what was sent.
        channel: Name of the channel it came back through.
        state: What it proves.
        person: Person id of who sent the proof.
        at_ms: When we got it, epoch ms.
    """

    message: str
    channel: str
    state: ReceiptState
    person: str
    at_ms: int


def attempt_of(outcome: Outcome, *, message: str, channel: str, number: int, at_ms: int) -> Attempt:
    """The record of one try."""
    match outcome:
        case Sent(provider_id):
            result, reason, provider = AttemptResult.SENT, "", provider_id
        case Unavailable(reason):
            result, provider = AttemptResult.UNAVAILABLE, ""
        case Refused(reason):
            result, provider = AttemptResult.REFUSED, ""
        case _:
            assert_never(outcome)
    return Attempt(message, channel, number, at_ms, result, reason, provider)
