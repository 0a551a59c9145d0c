"""How e-mail leaves."""

from enum import StrEnum

import msgspec


class Safety(StrEnum):
    """How the line to the mail server is kept safe."""

    STARTTLS = "starttls"  # begin in plain, then TLS; without it nothing is sent
    TLS = "tls"  # TLS from the first byte (port 465)
    NONE = "none"  # in plain: only for a server on this very machine


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One mail server, and how patient we are with it.

    Attributes:
        host: Name of the mail server.
        port: 587 for STARTTLS, 465 for TLS, 25 for a relay.
        sender: Our address; its domain stands in every Message-ID.
        sender_name: How we call ourselves.
        safety: How the line is kept safe.
        user: Name to sign in with; empty does not sign in.
        password: Its password.
        ca_file: Certificates to trust beside the system's; empty for none.
        step_ms: Longest wait for one answer of the server.
        whole_ms: Longest time for one letter, however slowly the server drips.
        letters_at_once: How many are sent at the same time, each in a thread.
        letters_per_line_max: How many letters one connection carries; servers end those that carry too many
            (Exim's `smtp_accept_max_per_connection` is 1,000, Microsoft's limit is 20 to 30).
        line_idle_ms_max: How long a connection is kept without a letter: shorter than any server's or
            router's patience, long enough for a burst.
    """

    host: str
    port: int = 587
    sender: str
    sender_name: str = "Nightbell"
    safety: Safety = Safety.STARTTLS
    user: str = ""
    password: str = ""
    ca_file: str = ""
    step_ms: int = 10_000
    whole_ms: int = 25_000
    letters_at_once: int = 8
    letters_per_line_max: int = 20
    line_idle_ms_max: int = 4_000

    def __repr__(self) -> str:
        """Without the password."""
        return f"EmailSettings(host={self.host!r}, port={self.port}, safety={self.safety})"


class BouncesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The mailbox of our own sender, where letters come back to.

    Attributes:
        host: Name of the IMAP server.
        port: 993 for TLS, 143 without.
        user: Whom to sign in as.
        password: Its password.
        folder: Which folder bounces lie in.
        tls: TLS from the first byte; without only for a server on this very machine.
        ca_file: Certificates to trust beside the system's; empty for none.
        every_ms: How often it is looked into.
        step_ms: Longest wait for one answer of the server.
        whole_ms: Longest time for one look, however slowly the server drips.
        letters_max: How many letters are read at one look.
    """

    host: str
    port: int = 993
    user: str
    password: str
    folder: str = "INBOX"
    tls: bool = True
    ca_file: str = ""
    every_ms: int = 60_000
    step_ms: int = 10_000
    whole_ms: int = 45_000
    letters_max: int = 100

    def __repr__(self) -> str:
        """Without the password."""
        return f"BouncesSettings(host={self.host!r}, port={self.port}, folder={self.folder!r})"
