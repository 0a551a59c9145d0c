"""From a message to a letter, as bytes that go over the wire."""

import re
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from nightbell.tell.message import Message
from nightbell.words.clock import from_ms

ADDRESS_LENGTH_MAX: Final = 254
"""RFC 5321, 4.5.3.1.3 less the two angle brackets."""

_PLAIN: Final = r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]"
_ADDRESS: Final = re.compile(_PLAIN + r"{1,64}@" + _PLAIN + r"+")


def is_address(address: str) -> bool:
    """Whether it can be an address at all: one @, nothing that ends a line or begins another address."""
    return len(address) <= ADDRESS_LENGTH_MAX and _ADDRESS.fullmatch(address) is not None


def message_id(idempotency_key: str, sender: str, mark: str = "") -> str:
    """The same for every try, so that whoever gets it twice can tell; with our mark if there is one."""
    name = idempotency_key
    if mark:
        name = f"{mark}.{idempotency_key.removeprefix(mark.partition('.')[0] + '.')}"
    return f"<{name}@{sender.rpartition('@')[2]}>"


def letter(
    message: Message,
    *,
    to: str,
    sender: str,
    sender_name: str,
    idempotency_key: str,
    utf8: bool,
    mark: str = "",
) -> bytes:
    """A plain letter. `utf8` is for addresses that ASCII can not write; `mark` is for bounces."""
    mail = EmailMessage(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
    sender_user, _, sender_domain = sender.rpartition("@")
    mail["From"] = Address(sender_name, sender_user, sender_domain)
    user, _, domain = to.rpartition("@")
    mail["To"] = Address(username=user, domain=domain)  # not parsed: `is_address` has looked at it
    mail["Subject"] = message.subject
    if message.made_ms:
        mail["Date"] = format_datetime(from_ms(message.made_ms))
    mail["Message-ID"] = message_id(idempotency_key, sender, mark)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = "1" if message.urgent else "3"
    mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
    return mail.as_bytes()
