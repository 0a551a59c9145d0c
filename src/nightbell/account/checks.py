"""What a person gives us, checked before anything is saved."""

from typing import Final
from urllib.parse import urlsplit

from nightbell.account.person import is_email, tidied_name
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode
from nightbell.words.zones import zone_info

WEBHOOK_CHARS_MAX: Final = 2_000
"""As much as the HTTP client follows."""


def checked_name(name: str) -> str:
    """The name in one spelling.

    Raises:
        CallerError: It cannot be a name.
    """
    tidied = tidied_name(name)
    if tidied is None:
        raise _malformed("account.name_malformed")
    return tidied


def check_email(email: str) -> None:
    """See that it can be an address, or is empty.

    Raises:
        CallerError: It cannot be one.
    """
    if not is_email(email):
        raise _malformed("account.email_malformed")


def check_zone(zone: str) -> None:
    """See that we know the zone.

    Raises:
        CallerError: We do not.
    """
    if zone_info(zone) is None:
        raise _malformed("account.zone_unknown")


def check_webhook(webhook: str) -> None:
    """See that it can be the address of a program, or is empty.

    Raises:
        CallerError: It cannot be one.
    """
    if webhook and not is_web_address(webhook):
        raise _malformed("account.webhook_malformed")


def is_web_address(text: str) -> bool:
    """Whether it can be the address of a program: http or https, no name or password in it."""
    plain = text.isascii() and text.isprintable() and " " not in text
    return plain and len(text) <= WEBHOOK_CHARS_MAX and _has_host(text)


def _has_host(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and "@" not in parts.netloc
        )
    except ValueError:
        return False


def _malformed(key: str) -> CallerError:
    return CallerError(ErrorCode.MALFORMED, catalogue().say(key))
