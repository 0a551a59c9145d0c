"""A way to reach a person: a channel and an address, what was proven of it, and whether it is lost."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

import msgspec

WAYS_OF_ONE_MAX: Final = 20
"""Phones, tablets and programs of one person. Our judgement: more are a mistake or an attack."""

ADDRESS_BYTES_MAX: Final = 4_096
"""A push subscription as JSON takes up to 2 KB, a web address 2,000 letters."""

LABEL_CHARS_MAX: Final = 80

EMAIL: Final = "email"
WEBHOOK: Final = "webhook"
FIRST: Final = 1
"""The number of a person's first way of a channel. Of e-mail and webhook it is the one in `Person`."""

UNREADABLE: Final = "unreadable"
"""Why a way is lost whose address does not open with the key that we have."""

REFUSED: Final = "refused"
"""Why a way is lost whose provider said that the address is dead."""


class ProvenBy(StrEnum):
    """The best that was ever proven of a way, and by what."""

    NOTHING = ""
    DELIVERED = "delivered"  # something reached the device
    SEEN = "seen"  # a person looked at what came
    ANSWERED = "answered"  # a person said "I've got it" there


PROOFS: Final = tuple(ProvenBy)
"""In columns a proof is its place here; the greater, the better."""


class Way(msgspec.Struct, frozen=True, gc=False):
    """One way to reach one person.

    Attributes:
        channel: Name of the channel, as in the ledger.
        number: Which of the person's ways of this channel; stays as long as the way does.
        address: One text whose form the channel owns.
        label: What the person calls it.
        added_ms: When it was added, epoch ms; 0 if that was before we kept it.
        proven_ms: When it last was proven to work, 0 if never.
        proven_by: By what.
        lost_ms: When it was last found dead, 0 if it is not.
        lost_why: Why, a key of the catalogue under `account.lost_`.
    """

    channel: str
    number: int
    address: str
    label: str = ""
    added_ms: int = 0
    proven_ms: int = 0
    proven_by: ProvenBy = ProvenBy.NOTHING
    lost_ms: int = 0
    lost_why: str = ""


def is_label(text: str) -> bool:
    """Whether it can be a label: short and printable. Empty is fine."""
    return len(text) <= LABEL_CHARS_MAX and (text.isprintable() or not text)


def is_text(address: str) -> bool:
    """Whether it can be stored as an address at all; what it means is for its channel to say."""
    return bool(address) and len(address.encode()) <= ADDRESS_BYTES_MAX and address.isprintable()


def next_number(ways: Collection[Way], channel: str) -> int:
    """The number for one more way of this channel. The first e-mail and webhook are the person's own."""
    taken = [way.number for way in ways if way.channel == channel]
    return max(taken, default=FIRST if channel in {EMAIL, WEBHOOK} else 0) + 1


def found(ways: Collection[Way], channel: str, address: str) -> Way | None:
    """The way with this address."""
    return next((way for way in ways if way.channel == channel and way.address == address), None)


def numbered(ways: Collection[Way], channel: str, number: int) -> Way | None:
    """The way with this number."""
    return next((way for way in ways if way.channel == channel and way.number == number), None)


def after_proof(way: Way, by: ProvenBy, now_ms: int) -> Way:
    """The way after something was proven: it works, so it is not lost."""
    return msgspec.structs.replace(way, proven_ms=now_ms, proven_by=by, lost_ms=0, lost_why="")


def after_loss(way: Way, why: str, now_ms: int) -> Way:
    """The way after it was found dead. What was proven before stays known."""
    return msgspec.structs.replace(way, lost_ms=now_ms, lost_why=why)


def after_success(way: Way) -> Way:
    """The way after its provider took something for it again. That proves nothing, but it is not dead."""
    return msgspec.structs.replace(way, lost_ms=0, lost_why="") if way.lost_ms else way
