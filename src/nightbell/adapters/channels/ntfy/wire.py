"""ntfy's forms, both ways, without I/O.

Source: docs.ntfy.sh/publish (publish as JSON, action buttons, updating notifications, limitations) and the
server's own rules: topics and sequence ids are up to 64 of `-_A-Za-z0-9`, messages up to 4,096 bytes.
"""

import hashlib
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from nightbell.tell.answers import asks_for_somebody, away, cut_bytes
from nightbell.tell.http import HttpAnswer, retry_after_ms
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue

TEXT_BYTES_MAX: Final = 4_096
"""A longer message becomes an attached file, which nobody reads at night."""

BODY_BYTES_MAX: Final = 2 * TEXT_BYTES_MAX
"""Of a message in JSON the server reads this much, all parts and escapes together."""

TOPIC_LENGTH_MIN: Final = 16
"""Whoever knows a topic reads it and answers in it: it has to be as hard to guess as a password. Ours."""

URL_LENGTH_MAX: Final = 300
"""Longest address of a topic on a server of one's own. Ours."""

_TOPIC: Final = re.compile(rf"[-_A-Za-z0-9]{{{TOPIC_LENGTH_MIN},64}}")
_SEQUENCE: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")

_ROOM_BYTES_MIN: Final = 256
"""No text is cut shorter than half of this: what is around it fits, or nothing does."""

PRIORITY_URGENT: Final = 5
PRIORITY_NORMAL: Final = 3
PRIORITY_QUIET: Final = 2

_NOT_US: Final = 401
_FORBIDDEN: Final = 403
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_FULL: Final = 507

_DAY_USED_UP: Final = 42908
"""ntfy's own code for a day's messages being used up; other 429s pass within seconds."""


class Topic(NamedTuple):
    """Where one person listens.

    Attributes:
        server: Its address without a path; empty is the server from the settings.
        name: The topic.
    """

    server: str
    name: str


class _Action(msgspec.Struct, kw_only=True):
    """The button. Its word goes in the body, and never by GET."""

    action: str = "http"
    label: str
    url: str
    method: str = "POST"
    body: str
    clear: bool = True


class _Publish(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is published."""

    topic: str
    title: str
    message: str
    priority: int
    sequence_id: str
    tags: list[str] = []
    click: str = ""
    actions: list[_Action] = []


class Pressed(msgspec.Struct):
    """What the button posts."""

    message: str
    proof: str


class _Published(msgspec.Struct):
    """What ntfy answers when it has taken a message."""

    id: str


class _Fault(msgspec.Struct):
    """What ntfy answers when it has not."""

    code: int
    error: str


class _Health(msgspec.Struct):
    healthy: bool


def topic_of(address: str) -> Topic | None:
    """Read an address: a topic, or a topic's whole URL on another server. None if it is neither."""
    if _TOPIC.fullmatch(address):
        return Topic("", address)
    if len(address) > URL_LENGTH_MAX or not address.isascii() or not address.isprintable() or " " in address:
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port  # asked for, because it raises a ValueError where it is none
    except ValueError:
        return None
    name = parts.path.removeprefix("/")
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or "?" in address or "#" in address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain or not _TOPIC.fullmatch(name):
        return None
    return Topic(f"{parts.scheme}://{parts.netloc}", name)


def is_address(text: str) -> bool:
    """Whether it is a topic that is hard to guess, or such a topic's whole URL on another server."""
    return topic_of(text) is not None


def sequence_of(message: str) -> str:
    """By what ntfy knows that a later copy is the same message: its id, where ntfy can write it."""
    return message if _SEQUENCE.fullmatch(message) else hashlib.sha256(message.encode()).hexdigest()[:32]


def body_of(message: Message, topic: Topic, *, public_url: str, proof: str) -> bytes:
    """The body of one message."""
    words = catalogue()
    actions = []
    if public_url and asks_for_somebody(message):
        pressed = msgspec.json.encode(Pressed(message.id, proof)).decode()
        url = f"{public_url}/v1/channels/ntfy"
        actions.append(_Action(label=words.say("deliver.button_got_it"), url=url, body=pressed))
    publish = _Publish(
        topic=topic.name,
        title=message.subject,
        message="",
        priority=PRIORITY_URGENT if message.urgent else PRIORITY_NORMAL,
        sequence_id=sequence_of(message.id),
        tags=["rotating_light"] if message.urgent else [],
        click=public_url,
        actions=actions,
    )
    text = message.text or message.subject
    bytes_max = TEXT_BYTES_MAX
    while True:  # signs that JSON has to escape take up to six times their room
        publish.message = cut_bytes(text, bytes_max=bytes_max)
        encoded = msgspec.json.encode(publish)
        if len(encoded) <= BODY_BYTES_MAX or bytes_max < _ROOM_BYTES_MIN:
            return encoded
        bytes_max //= 2


def over_body(message: str, topic: Topic) -> bytes:
    """The body that takes a message's place when it is over: quiet, and without its button."""
    words = catalogue()
    return msgspec.json.encode(
        _Publish(
            topic=topic.name,
            title=words.say("deliver.over_title"),
            message=words.say("deliver.over_text"),
            priority=PRIORITY_QUIET,
            sequence_id=sequence_of(message),
        )
    )


def outcome_of(answer: HttpAnswer) -> Outcome:
    """What an answer to a message means. Only a no in ntfy's own words is one."""
    if answer.status == 200:  # noqa: PLR2004 the one that takes it
        try:
            return Sent(msgspec.json.decode(answer.body, type=_Published).id[:64])
        except msgspec.DecodeError:
            return Unavailable(catalogue().say("deliver.ntfy_not_ntfy"))
    try:
        fault = msgspec.json.decode(answer.body, type=_Fault)
    except msgspec.DecodeError:
        return away(answer)
    return _later(answer, fault) or _never(answer)


def _later(answer: HttpAnswer, fault: _Fault) -> Outcome | None:
    """The outcome of a no that says nothing about this person."""
    key = {
        _NOT_US: "token",
        _TOO_MANY: "day" if fault.code == _DAY_USED_UP else "too_many",
        _FULL: "nobody",
    }.get(answer.status)
    if key is not None:
        return Unavailable(catalogue().say(f"deliver.ntfy_{key}"), retry_after_ms(answer))
    return None if 400 <= answer.status < 500 else away(answer)  # noqa: PLR2004 the classes of HTTP statuses


def _never(answer: HttpAnswer) -> Outcome:
    """The outcome of a no to this topic or this message."""
    key = {_FORBIDDEN: "forbidden", _TOO_LARGE: "too_large"}.get(answer.status, "refused")
    return Refused(catalogue().say(f"deliver.ntfy_{key}", status=answer.status))


def fault_of(health: HttpAnswer, account: HttpAnswer | None) -> str:
    """What is wrong with the server or our token, and what to do; empty when nothing is."""
    words = catalogue()
    try:
        healthy = health.status == 200 and msgspec.json.decode(health.body, type=_Health).healthy  # noqa: PLR2004 the one that carries it
    except msgspec.DecodeError:
        return words.say("deliver.ntfy_not_ntfy")
    if not healthy:
        return words.say("deliver.provider_away", status=health.status)
    if account is not None and account.status in (_NOT_US, _FORBIDDEN):
        return words.say("deliver.ntfy_token")
    return ""
