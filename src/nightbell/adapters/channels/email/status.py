"""What a mail server's enhanced status code says about an address (RFC 3463). Pure."""

import re
from typing import Final

DEAD: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""The mailbox is not there any more: no such mailbox, no such domain, an address that can not be, moved away,
a domain that takes no mail (RFC 7505), switched off. A full mailbox (5.2.2) is there; a refusal for policy or
as spam (5.7) is about us or the letter.

Source: RFC 3463, 3.2 and 3.3; RFC 7505, 4.2.
"""

_STATUS: Final = re.compile(r"(?<![0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
_WORDS_MAX: Final = 400
"""How far into a server's words a code is looked for: it stands in front."""


def status_in(words: str) -> str:
    """The first enhanced status code in a server's words; empty if there is none."""
    found = _STATUS.search(words[:_WORDS_MAX])
    return found.group(1) if found else ""


def is_dead(status: str) -> bool:
    """Whether an address with this status will never take anything again."""
    return status in DEAD
