"""What a letter in our mailbox says: that one of ours came back, or nothing that concerns us. Pure.

A bounce is a report of RFC 3464: a `multipart/report` with a `message/delivery-status` that says what became
of it, and mostly the headers of the letter. It is believed only with our own mark in it (`mark.py`). What
anybody may send us is bounded: only so many bytes, parts, blocks and fields of it are looked at.
"""

from collections.abc import Iterator
from email.message import Message as Mail
from email.parser import BytesHeaderParser, BytesParser, HeaderParser
from email.policy import compat32
from typing import Final

from nightbell.adapters.channels.email.mark import message_of
from nightbell.adapters.channels.email.status import is_dead, status_in
from nightbell.tell.callback import News, NewsKind, Proofs
from nightbell.words.catalogue import catalogue

BOUNCE_BYTES_MAX: Final = 64 * 1024
"""How much of one letter is read: a report with our headers is a tenth of that."""

_PARTS_MAX: Final = 10
_BLOCKS_MAX: Final = 20
_BOUNDARIES_MAX: Final = 200
"""Lines that may begin a part: a letter nested deeper than anybody's is not parsed at all."""

_REPORTS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED: Final = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
)
"""How the letter itself comes back (RFC 3462, RFC 6533)."""

_VAGUE: Final = (".0.0", ".1.0")
"""Status codes that say nothing ("other"): then the other server's own words are asked."""


def bounce_in(raw: bytes, proofs: Proofs) -> News | None:
    """What a letter says of one of ours; None if it is no bounce, or not one of ours."""
    raw = raw[:BOUNCE_BYTES_MAX]
    try:
        if not _is_report(raw):
            return None
        parts = _parts(BytesParser(policy=compat32).parsebytes(raw))
        message = _message(parts, proofs)
        return _news(message, parts) if message else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # the parser stumbles over what no mail server writes


def _is_report(raw: bytes) -> bool:
    """Whether its own headers say so: all other letters are not parsed any further."""
    head = BytesHeaderParser(policy=compat32).parsebytes(raw)
    if head.get_content_type() != "multipart/report" or raw.count(b"\n--") > _BOUNDARIES_MAX:
        return False
    return str(head.get_param("report-type", "")).lower() in {"delivery-status", "global-delivery-status"}


def _parts(mail: Mail) -> list[Mail]:
    """Its parts, not theirs."""
    payload = mail.get_payload()
    return (
        [part for part in payload if isinstance(part, Mail)][:_PARTS_MAX] if isinstance(payload, list) else []
    )


def _text(part: Mail) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _blocks(part: Mail) -> Iterator[Mail]:
    """The groups of fields in a report or in returned headers: the parser made letters of some of them."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        yield from _written_out(part)
        return
    for block in payload[:_BLOCKS_MAX]:
        if isinstance(block, Mail):
            yield block
            if part.get_content_type() in _REPORTS:
                yield from _written_out(block)


def _written_out(part: Mail) -> Iterator[Mail]:
    """Groups of fields that stand as text."""
    if isinstance(part.get_payload(), str):
        blocks = _text(part).replace("\r\n", "\n").strip("\n").split("\n\n", _BLOCKS_MAX)
        for block in blocks[:_BLOCKS_MAX]:
            yield HeaderParser(policy=compat32).parsestr(block)


def _field(block: Mail, name: str) -> str:
    return str(block.get(name, ""))


def _message(parts: list[Mail], proofs: Proofs) -> str:
    """The message that it is about, by a mark that we made."""
    for part in parts:
        kind = part.get_content_type()
        name = "Original-Envelope-Id" if kind in _REPORTS else "Message-ID" if kind in _RETURNED else ""
        for block in _blocks(part) if name else ():
            message = message_of(_field(block, name), proofs)
            if message:
                return message
    return ""


def _news(message: str, parts: list[Mail]) -> News | None:
    """The worst that is said of any receiver: a letter of ours has one."""
    worst: News | None = None
    for part in parts:
        if part.get_content_type() in _REPORTS:
            for block in _blocks(part):
                news = _news_of(message, block)
                if news is not None and (worst is None or news.kind is NewsKind.LOST):
                    worst = news
    return worst


def _news_of(message: str, block: Mail) -> News | None:
    action = _field(block, "Action").partition(";")[0].strip().lower()
    status = status_in(_field(block, "Status"))
    if status.endswith(_VAGUE) or not status:
        status = status_in(_field(block, "Diagnostic-Code").partition(";")[2]) or status
    words = catalogue()
    match action:
        case "failed" if is_dead(status):
            return News(message, NewsKind.LOST, words.say("deliver.email_lost", status=status))
        case "failed":
            return News(message, NewsKind.FAILED, words.say("deliver.email_came_back", status=status or "?"))
        case "delayed":
            return News(message, NewsKind.FAILED, words.say("deliver.email_delayed"))
        case _:
            return None
