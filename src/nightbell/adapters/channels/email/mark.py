"""The mark on a letter by which a bounce finds home: the message's id, and the proof that we wrote it. Pure.

It stands in the Message-ID, and in ENVID where the server takes delivery reports (RFC 3461). Whoever did not
get the letter can not make it, so nobody else can say that an address is dead.
"""

import hmac
import re
from typing import Final

from nightbell.tell.callback import Proofs

CHANNEL: Final = "email"

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MARK: Final = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{1,64})\.([0-9a-f]{32})(?![0-9a-z])")
"""With 64 + 1 + 32 signs it fits into an ENVID (at most 100, RFC 3461, 4.4) as it is."""

_LENGTH_MAX: Final = 1_000
"""How much of a header is looked at: ours are a tenth of that."""


def mark_of(message: str, proofs: Proofs | None) -> str:
    """The mark for a message; empty without proofs, or where the id can not stand in a header."""
    if proofs is None or _ID.fullmatch(message) is None:
        return ""
    return f"{message}.{proofs.of(CHANNEL, message)}"


def message_of(text: str, proofs: Proofs) -> str:
    """The message whose mark stands in a header; empty if there is none, or one that we did not make."""
    found = _MARK.search(text[:_LENGTH_MAX])
    if found is None or not hmac.compare_digest(found.group(2), proofs.of(CHANNEL, found.group(1))):
        return ""
    return found.group(1)
