"""How ntfy is used."""

import msgspec


class NtfySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server that plain topics lie on.

    Attributes:
        server: Its address without a path, as `https://ntfy.sh`.
        token: An access token of that server; empty for none. It goes to no other server.
        public_url: Where phones reach us; empty: they do not, so there is no button.
    """

    server: str
    token: str = ""
    public_url: str = ""

    def __repr__(self) -> str:
        """Without the token."""
        return f"NtfySettings(server={self.server!r})"
