"""What a device is told, and for how long its push service keeps it. Pure.

The JSON is that of declarative Web Push: Safari shows it by itself, and elsewhere our service worker shows
the same. `data` is ours: what the worker needs to say that it was shown, and to open the page.

Source: webkit.org/blog/16535 (declarative), RFC 8030 sections 5.2 to 5.4 (TTL, Urgency, Topic).
"""

import hashlib
from typing import Final

import msgspec

from nightbell.adapters.channels.web_push.encryption import PLAIN_BYTES_MAX
from nightbell.adapters.channels.web_push.subscription import to_base64url
from nightbell.tell.message import Message
from nightbell.words.catalogue import Catalogue

DECLARATIVE: Final = 8030
"""What says that a push is declarative; the number of the RFC."""

TTL_S_MAX: Final = 60 * 60
"""A push that a phone gets later than this is news of yesterday. Our judgement."""

TTL_S_MIN: Final = 30
"""With 0 it would be dropped where a phone does not answer at that instant, although the service says 201."""

_TOPIC_BYTES: Final = 24


class ForWorker(msgspec.Struct, frozen=True):
    """What our service worker needs.

    Attributes:
        id: The notification's id, to say that it was shown.
        key: The same on every try.
        alarm: The alarm it is about; empty if none.
        urgent: Whether it should wake.
        sent_ms: When we sent it: the worker says so if it comes late.
    """

    id: str
    key: str
    alarm: str
    urgent: bool
    sent_ms: int


class Shown(msgspec.Struct, frozen=True, rename="camel"):
    """What the device shows.

    Attributes:
        navigate: The page that a tap opens. A page that is opened answers nothing.
        tag: A newer word on the same alarm takes the place of the older one.
    """

    title: str
    body: str
    navigate: str
    lang: str
    tag: str
    renotify: bool
    require_interaction: bool
    silent: bool
    timestamp: int
    data: ForWorker


class PushBody(msgspec.Struct, frozen=True):
    """The whole."""

    web_push: int
    notification: Shown


def page_of(message: Message, public_url: str) -> str:
    """The page that a tap opens: the alarm's, or the first one."""
    alarm = message.fields.get("alarm")
    return f"{public_url}/alarms/{alarm}" if isinstance(alarm, str) and alarm.isalnum() else f"{public_url}/"


def body_of(message: Message, *, key: str, public_url: str, now_ms: int, words: Catalogue) -> bytes:
    """The JSON of one push, its text cut to what a push can carry; what is cut is said."""
    alarm = message.fields.get("alarm", "")
    whole = PushBody(
        DECLARATIVE,
        Shown(
            title=message.subject,
            body=message.text,
            navigate=page_of(message, public_url),
            lang=words.language,
            tag=str(alarm) or message.id,
            renotify=True,
            require_interaction=message.urgent,
            silent=False,
            timestamp=message.made_ms or now_ms,
            data=ForWorker(message.id, key, str(alarm), message.urgent, now_ms),
        ),
    )
    encoded = msgspec.json.encode(whole)
    if len(encoded) <= PLAIN_BYTES_MAX:
        return encoded
    rest = f"…\n\n{words.say('deliver.web_push_cut')}"
    least, most = 0, len(message.text)
    while least < most:  # the longest beginning that fits: letters and escapes are of many lengths
        middle = (least + most + 1) // 2
        if (
            len(msgspec.json.encode(_with_text(whole, message.text[:middle].rstrip() + rest)))
            <= PLAIN_BYTES_MAX
        ):
            least = middle
        else:
            most = middle - 1
    return msgspec.json.encode(_with_text(whole, message.text[:least].rstrip() + rest))


def _with_text(body: PushBody, text: str) -> PushBody:
    shown = msgspec.structs.replace(body.notification, body=text)
    return msgspec.structs.replace(body, notification=shown)


def ttl_s(message: Message, now_ms: int) -> int:
    """How long the push service keeps it for a phone that does not answer, seconds."""
    return max(TTL_S_MIN, min(TTL_S_MAX, (message.expires_ms - now_ms) // 1000))


def topic_of(message: Message) -> str:
    """What makes a newer word take the place of one that waits: 32 characters that tell a service nothing.

    Empty if it is about no alarm.
    """
    alarm = message.fields.get("alarm")
    if not isinstance(alarm, str) or not alarm:
        return ""
    return to_base64url(hashlib.blake2b(alarm.encode(), digest_size=_TOPIC_BYTES).digest())
