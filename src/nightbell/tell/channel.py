"""The channel: one way to reach a person. Adapters implement it; the contract suite holds them to it."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome
from nightbell.words.tier import Tier


class Proof(StrEnum):
    """The best that a channel can prove by itself. What is not proven is not claimed."""

    NOTHING = "nothing"  # handed over, nothing more is known
    DELIVERED = "delivered"  # it reached the device
    SEEN = "seen"  # a person looked
    ANSWERED = "answered"  # a person pressed a key


class Checklist(msgspec.Struct, frozen=True):
    """What a channel is and is not good for; shown to people who choose it.

    Attributes:
        proof: The best it can prove by itself.
        duplicates_merge: Whether the receiving side recognises our key and drops the second copy.
        may_wake: Whether it can be expected to wake a sleeping person.
        at_most_per_minute: What one address bears a minute; 0 if there is no limit worth keeping.
        tier: How much it disturbs: which steps of a ladder go through it.
        at_most_per_s: What the provider takes from us a second in all; 0 if there is no limit worth keeping.
        promise: Catalogue key of the sentence that says what it can honestly promise.
    """

    proof: Proof
    duplicates_merge: bool
    may_wake: bool
    at_most_per_minute: int
    promise: str
    at_most_per_s: float = 0
    tier: Tier = Tier.NUDGE


@runtime_checkable
class Proves(Protocol):
    """A channel that can try its credentials without telling anybody anything."""

    async def prove(self) -> str:
        """What is wrong and what to do, in one sentence or two; empty if all is well."""
        ...


class Channel(Protocol):
    """One way to reach a person."""

    @property
    def name(self) -> str:
        """One lower-case word, as in the ledger: `email`, `webhook`."""
        ...

    @property
    def checklist(self) -> Checklist:
        """What it is good for."""
        ...

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Try once to hand the message over.

        Ends within the channel's own time limit and never raises for what the world does: a failure is an
        `Unavailable` or a `Refused`. May be called again with the same key after a crash; the key goes along,
        so that whoever receives it twice can tell.
        """
        ...
