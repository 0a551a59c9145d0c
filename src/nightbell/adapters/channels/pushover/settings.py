"""How Pushover is used."""

from typing import Final

import msgspec

RETRY_S_MIN: Final = 30
"""Source: pushover.net/api, emergency priority: `retry` is at least 30 seconds."""

EXPIRE_S_MAX: Final = 10_800
"""Source: pushover.net/api, emergency priority: `expire` is at most 3 hours."""


class PushoverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One application of Pushover.

    Attributes:
        token: The application's API token.
        sound: What an urgent message sounds like; empty leaves it to the person's own choice.
        retry_s: How often an urgent message rings again on the phone.
        public_url: Where Pushover and people reach us; empty: they do not, so we only ask.
        api: Where Pushover answers.
    """

    token: str
    sound: str = ""
    retry_s: int = RETRY_S_MIN
    public_url: str = ""
    api: str = "https://api.pushover.net"

    def __repr__(self) -> str:
        """Without the token."""
        return f"PushoverSettings(api={self.api!r})"
