"""The message: what one person is told, free of any channel."""

from typing import Final

import msgspec

from nightbell.words.clock import NEVER_MS

SUBJECT_LENGTH_MAX: Final = 120
"""Longest subject. The first 40 characters carry the meaning: a lock screen shows no more."""

TEXT_LENGTH_MAX: Final = 4_000
"""Longest text: about what push services carry, and more than anybody reads at night."""


class Message(msgspec.Struct, frozen=True):
    """What one person is told.

    Attributes:
        id: Names what is told, for people and logs: a notification's or a notice's id. Without spaces.
        to: Person id of the receiver; never a name or an address.
        subject: The meaning in its first 40 characters. One line.
        text: The whole, in plain text.
        urgent: Whether it should wake.
        expires_ms: From then on it is no longer worth sending, epoch ms.
        made_ms: When it was made, epoch ms; 0 if that says nothing.
        fields: The same for a program, as a signed webhook carries it.
    """

    id: str
    to: str
    subject: str
    text: str
    urgent: bool
    expires_ms: int = NEVER_MS
    made_ms: int = 0
    fields: dict[str, str | int | bool] = {}

    def __post_init__(self) -> None:
        """Hold the limits: a message out of bounds is a programmer's error."""
        assert self.id.isprintable(), "a message's id is one printable word"
        assert not {" ", "<", ">"} & set(self.id), "a message's id is one printable word"
        assert len(self.subject) <= SUBJECT_LENGTH_MAX, "the subject is too long"
        assert "\n" not in self.subject, "the subject is one line"
        assert "\r" not in self.subject, "the subject is one line"
        assert len(self.text) <= TEXT_LENGTH_MAX, "the text is too long"
