"""What became of one try to send: sent, unavailable for now, or refused for good."""

from typing import Final

import msgspec

REASON_LENGTH_MAX: Final = 200
"""Reasons are one short line: they are stored with every attempt and shown in the timeline."""


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """The provider took it. That is not yet delivered.

    Attributes:
        provider_id: What the provider calls it, to find it again; may be empty.
    """

    provider_id: str = ""


class Unavailable(msgspec.Struct, frozen=True, tag="unavailable"):
    """Not now: unreachable, too slow, too busy, or not our fault for ever. Trying again may help.

    Attributes:
        reason: One line for a person, without names, addresses or secrets.
        retry_after_ms: How long the provider asked us to wait; 0 if it did not say.
    """

    reason: str
    retry_after_ms: int = 0


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The provider will not take it for this address, now or later. Trying again does not help.

    Attributes:
        reason: One line for a person, without names, addresses or secrets.
        lost: Whether the address itself is dead: nothing will arrive there any more.
    """

    reason: str
    lost: bool = False


Outcome = Sent | Unavailable | Refused


def one_line(text: str) -> str:
    """Cut a provider's words to one printable line of bounded length, fit for a reason."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * REASON_LENGTH_MAX])
    return " ".join(printable.split())[:REASON_LENGTH_MAX]
