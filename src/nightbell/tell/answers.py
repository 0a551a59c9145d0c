"""What channels share that speak HTTP: what silence means, whether a word is ours, how much text fits."""

import hmac
from typing import Final

from nightbell.tell.callback import Proofs
from nightbell.tell.http import HttpAnswer, HttpFailure, retry_after_ms
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Unavailable, one_line
from nightbell.words.catalogue import catalogue

_OVER: Final = frozenset({"recovered", "closed", "clock"})
"""Kinds of what is told about an alarm that ask nobody to do anything (`NotificationKind`)."""


def asks_for_somebody(message: Message) -> bool:
    """Whether "I've got it" is an answer to it: it is about an alarm, and does not say that it is over."""
    return "alarm" in message.fields and message.fields.get("kind") not in _OVER


def is_proven(proofs: Proofs, channel: str, message: str, proof: str) -> bool:
    """Whether what came back for a message began with us."""
    return hmac.compare_digest(proofs.of(channel, message).encode(), proof.encode("utf-8", "replace"))


def not_reached(failure: HttpFailure) -> Outcome:
    """The outcome where there was no answer at all."""
    reason = one_line(failure.reason)
    return Refused(reason) if failure.forbidden else Unavailable(reason)


def away(answer: HttpAnswer) -> Unavailable:
    """The outcome of an answer that is none of the provider's own: from a proxy, or from its bad day."""
    return Unavailable(catalogue().say("deliver.provider_away", status=answer.status), retry_after_ms(answer))


def cut(text: str, *, signs_max: int) -> str:
    """The text, or as much of its beginning as fits, with words that say where the rest is."""
    if len(text) <= signs_max:
        return text
    end = "\n" + catalogue().say("deliver.cut_here")
    return text[: signs_max - len(end)].rstrip() + end


def cut_bytes(text: str, *, bytes_max: int) -> str:
    """The same, counted in bytes of UTF-8."""
    if len(text.encode()) <= bytes_max:
        return text
    end = "\n" + catalogue().say("deliver.cut_here")
    kept = text.encode()[: bytes_max - len(end.encode())].decode("utf-8", "ignore")
    return kept.rstrip() + end
