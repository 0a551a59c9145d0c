"""A person: who they are to others, and how they read."""

import unicodedata
from typing import Final

import msgspec

from nightbell.words.glucose import Unit

NAME_CHARS_MAX: Final = 80
EMAIL_CHARS_MAX: Final = 254
"""The longest address that mail can carry (RFC 5321, section 4.5.3.1)."""

PASSWORD_CHARS_MAX: Final = 1024
PASSWORD_CHARS_ADVISED: Final = 8
"""Shorter ones are taken, since people bring devices that hold them; whoever sets one should be warned."""

NOT_A_SHARER: Final = -1


class Person(msgspec.Struct, frozen=True, gc=False):
    """Somebody who shares, follows, or both.

    Attributes:
        id: Lower-case UUID.
        name: Unique whatever the case, 1 to 80 characters.
        email: May be empty.
        unit: The unit they read glucose in.
        zone: Their time zone, as `Europe/Lisbon`.
        sharer: Sharer number, -1 if they do not share.
        hidden: Whether it is one of the watcher's canaries.
        created_ms: When they were added, epoch ms.
        webhook: Where a program of theirs is told of alarms; empty if nowhere.
    """

    id: str
    name: str
    email: str
    unit: Unit
    zone: str
    sharer: int
    hidden: bool
    created_ms: int
    webhook: str = ""


def changed(
    person: Person,
    *,
    email: str | None = None,
    unit: Unit | None = None,
    zone: str | None = None,
    sharer: int | None = None,
    webhook: str | None = None,
) -> Person:
    """The person with what is given changed."""
    return msgspec.structs.replace(
        person,
        email=person.email if email is None else email,
        unit=person.unit if unit is None else unit,
        zone=person.zone if zone is None else zone,
        sharer=person.sharer if sharer is None else sharer,
        webhook=person.webhook if webhook is None else webhook,
    )


def tidied_name(name: str) -> str | None:
    """The name in one spelling without stray blanks; None if it cannot be a name."""
    tidied = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(tidied) <= NAME_CHARS_MAX or not tidied.isprintable():
        return None
    return tidied


def folded(name: str) -> str:
    """What names are compared by: ANA and ana are one person. Folded again it is the same."""
    plain = unicodedata.normalize("NFKC", name[: 4 * NAME_CHARS_MAX]).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())


def is_email(email: str) -> bool:
    """Whether it can be an address: one @ with something on both sides, no blanks. Empty is fine."""
    if email == "":
        return True
    local, _, host = email.rpartition("@")
    blank = any(sign.isspace() or not sign.isprintable() for sign in email)
    return bool(local) and bool(host) and len(email) <= EMAIL_CHARS_MAX and not blank and "@" not in local
