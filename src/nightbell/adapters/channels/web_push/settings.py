"""How pushes leave."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import msgspec

CONTACT_LENGTH_MAX: Final = 320

_NOT_REAL: Final = frozenset(
    {"localhost", "local", "localdomain", "internal", "lan", "home", "invalid", "test", "example", "arpa"}
)
"""Last parts of names that nobody can reach from outside (RFC 6761, 6762, 8375)."""


class WebPushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to push services, and where a tap leads.

    Attributes:
        contact: Whom a push service writes to when something is wrong with us: `mailto:` or `https:`.
        public_url: What people type to reach us; the pages that a push opens begin with it.
    """

    contact: str
    public_url: str


def is_contact(text: str) -> bool:
    """Whether a push service takes it as somebody real. Apple answers 403 to made-up ones (`BadJwtToken`)."""
    if len(text) > CONTACT_LENGTH_MAX or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "mailto":
        name, _, host = parts.path.rpartition("@")
        return bool(name) and "@" not in name and _is_real(host)
    return parts.scheme == "https" and _is_real(host)


def _is_real(host: str) -> bool:
    """Whether a name can be one of the public internet."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.lower().split(".")
        return len(labels) > 1 and all(labels) and labels[-1] not in _NOT_REAL
    return False
