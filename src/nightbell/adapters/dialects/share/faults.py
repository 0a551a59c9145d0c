"""Faults: how the Share service says that something is wrong. HTTP 500 and four strings, never anything else.

Clients decode the four as strings and decide by `Code` and by words in `Message`; so these are theirs, not
ours, and do not come from the catalogue.
"""

from enum import Enum
from typing import Final, NamedTuple
from xml.sax.saxutils import quoteattr

import msgspec

from nightbell.publish.door import DoorAnswer
from nightbell.words.clock import from_ms
from nightbell.words.identity import new_uuid

JSON_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-cache, no-store, max-age=0, must-revalidate"),
)
"""What the service sends with every answer."""

ECHO_CHARS_MAX: Final = 64
"""How much of what a client sent is said back."""


class _Kind(NamedTuple):
    code: str
    type_number: int
    type_string: str
    category: str


class Kind(Enum):
    """The faults there are, with the numbers and words that belong to each."""

    PASSWORD = _Kind("AccountPasswordInvalid", 13, "InvalidPassword", "4 Validation 1 Minor")
    ARGUMENT = _Kind("InvalidArgument", 10, "InvalidArgument", "4 Validation 1 Minor")
    NO_SESSION = _Kind("SessionIdNotFound", 5, "ObjectNotFound", "3 Database 4 Severe")
    SESSION_ENDED = _Kind("SessionNotValid", 6, "SessionNotValid", "2 Logical 3 Major")
    NO_METHOD = _Kind("InvalidOperation", 3, "InvalidOperation", "2 Logical 2 Minor")
    BUSY = _Kind("ServiceBusy", 2, "ServiceBusy", "1 System 4 Severe")


class Fault(Exception):  # noqa: N818 the protocol's own word
    """Something is wrong; the answer says so.

    Attributes:
        kind: Which fault.
        message: For the client's own log.
        hold_ms: How long the answer is held back because we are at fault, so that clients do not storm us.
    """

    def __init__(self, kind: Kind, message: str, *, hold_ms: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hold_ms = hold_ms


class _Body(msgspec.Struct):
    Code: str
    Message: str
    SubCode: str
    TypeName: str


def password_invalid() -> Fault:
    """Wrong password and unknown account alike."""
    return Fault(Kind.PASSWORD, "Publisher account password failed")


def argument_invalid(field: str) -> Fault:
    """A parameter is missing or cannot be read; clients look for its name."""
    return Fault(Kind.ARGUMENT, f"Missing required field(s): {field}")


def not_a_uuid(value: str) -> Fault:
    """An account id that is none; clients look for the word UUID."""
    return Fault(
        Kind.ARGUMENT,
        f'Missing required field(s): accountId "{value[:ECHO_CHARS_MAX]}" is not a UUID: '
        "a UUID has 36 characters in its standard form",
    )


def session_not_found(session_id: str) -> Fault:
    """No such session, or not any more: the client signs in again."""
    return Fault(
        Kind.NO_SESSION, f"Failed to find session object. [SessionId = {session_id[:ECHO_CHARS_MAX]}]"
    )


def busy(hold_ms: int) -> Fault:
    """We cannot do it now. No client takes this for a session that has ended."""
    message = "The service is busy. Nothing was lost on your side. Try again later."
    return Fault(Kind.BUSY, message, hold_ms=hold_ms)


def fault_answer(fault: Fault, now_ms: int) -> DoorAnswer:
    """The answer to a fault."""
    kind = fault.kind.value
    number, category, severity_number, severity = kind.category.split()
    thrown = from_ms(now_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now_ms % 1000 // 10:02d}"
    message = quoteattr(fault.message)
    sub_code = (
        f'<OnlineException DateThrownLocal="{thrown}" DateThrown="{thrown}Z" ErrorCode="{kind.code}" '
        f'Type="{kind.type_number}" Category="{number}" Severity="{severity_number}" '
        f'TypeString="{kind.type_string}" CategoryString="{category}" SeverityString="{severity}" '
        f'HostName="" HostIP="" Id="{{{new_uuid()}}}" Message={message} FullText={message} />'
    )
    body = _Body(kind.code, fault.message, sub_code, "FaultException")
    return DoorAnswer(500, JSON_HEADERS, msgspec.json.encode(body))
