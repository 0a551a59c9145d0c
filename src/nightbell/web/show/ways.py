"""Ways to reach a person, as they read them: what each is, what it can promise, and whether it works."""

import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from nightbell.account.way import Way
from nightbell.tell.channel import Checklist, Proof
from nightbell.web.show.alarms import Reader
from nightbell.words.catalogue import Catalogue

PUSH: Final = "web_push"
PHONES: Final = frozenset({"sms", "voice"})
SHOWN_CHARS: Final = 4
"""Of a number or a key so much is shown: enough to know it by, too little to use it."""

HIDDEN: Final = "\N{HORIZONTAL ELLIPSIS}"
_PHONE_FILLING: Final = str.maketrans("", "", " -.()/\N{NO-BREAK SPACE}")


class WayLine(msgspec.Struct, frozen=True):
    """One way as a person reads it.

    Attributes:
        channel: Name of its channel.
        number: Which of their ways of this channel.
        name: What it is, with the label they gave.
        shown: The address, shortened.
        state: `proven`, `unproven`, `lost`, or `off` where the channel is not set up.
        text: The state in words, with what to do about it.
        promise: What the channel can honestly promise; empty where it is not set up.
    """

    channel: str
    number: int
    name: str
    shown: str
    state: str
    text: str
    promise: str


class Typed(msgspec.Struct, frozen=True):
    """A form that was not taken, with what was typed into it."""

    channel: str = ""
    address: str = ""
    label: str = ""


class WayForm(msgspec.Struct, frozen=True):
    """How a way of one channel is added.

    Attributes:
        kind: The field's `type` in HTML.
        fill: What a browser may fill in, its `autocomplete`.
        typed: What was typed before.
    """

    channel: str
    kind: str
    fill: str
    typed: Typed


class WaysView(msgspec.Struct, frozen=True):
    """All of a person's ways, and how to add one.

    Attributes:
        missing: Names of channels that are not set up here.
        push: Whether push to this browser is set up.
    """

    lines: list[WayLine]
    forms: list[WayForm]
    missing: list[str]
    push: bool


_FORMS: Final = {
    "email": ("email", "email"),
    "sms": ("tel", "tel"),
    "voice": ("tel", "tel"),
    "pushover": ("text", "off"),
    "ntfy": ("text", "off"),
    "telegram": ("text", "off"),
    "webhook": ("url", "off"),
    "apprise": ("text", "off"),
}
"""Channels that are added by typing an address: type and autocomplete of its field."""


def channel_name(channel: str, words: Catalogue) -> str:
    """What a channel is called, as a title."""
    key = f"page.way_{channel}"
    return words.say(key) if words.has(key) else channel


def shortened(channel: str, address: str) -> str:
    """An address by which its owner knows it, and nobody can use it."""
    if channel == "email":
        local, _, host = address.rpartition("@")
        return f"{local[:1]}{HIDDEN}@{host}"
    if channel == "apprise":  # what stands where others have a host is often a secret
        return f"{address.partition(':')[0]}://{HIDDEN}"
    if address.startswith("{"):
        return _host_of(_endpoint_of(address))
    if "://" in address:
        return _host_of(address)
    return HIDDEN + address[-SHOWN_CHARS:] if len(address) > 2 * SHOWN_CHARS else HIDDEN


def _endpoint_of(subscription: str) -> str:
    try:
        endpoint = json.loads(subscription).get("endpoint", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return endpoint if isinstance(endpoint, str) else ""


def _host_of(url: str) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return host + HIDDEN


def typed_address(channel: str, text: str) -> str:
    """What was meant by what was typed: people put blanks and dashes into phone numbers."""
    text = text.strip()
    return text.translate(_PHONE_FILLING) if channel in PHONES else text


def lost_text(way: Way, words: Catalogue) -> str:
    """Why a way is lost; empty if it is not."""
    if not way.lost_ms:
        return ""
    key = f"account.lost_{way.lost_why}"
    return words.say(key if words.has(key) else "account.lost_refused")


def way_line(way: Way, channels: Mapping[str, Checklist], reader: Reader) -> WayLine:
    """One way in words."""
    words, checklist = reader.words, channels.get(way.channel)
    name = channel_name(way.channel, words)
    state, text = _state_of(way, checklist, reader)
    return WayLine(
        channel=way.channel,
        number=way.number,
        name=words.say("page.way_named", way=name, label=way.label) if way.label else name,
        shown=shortened(way.channel, way.address) if way.address else HIDDEN,
        state=state,
        text=text,
        promise=words.say(checklist.promise) if checklist is not None else "",
    )


def _state_of(way: Way, checklist: Checklist | None, reader: Reader) -> tuple[str, str]:
    words = reader.words
    if way.lost_ms:
        do = words.say("page.way_lost_push" if way.channel == PUSH else "page.way_lost_do")
        when = reader.clock(way.lost_ms)
        return "lost", words.say("page.way_lost", time=when, why=lost_text(way, words), do=do)
    if checklist is None:
        return "off", words.say("page.way_off")
    if way.proven_ms:
        when = reader.clock(way.proven_ms)
        return "proven", words.say(f"page.way_proven_{way.proven_by.value}", time=when)
    unknown = checklist.proof is Proof.NOTHING
    return "unproven", words.say("page.way_unknown" if unknown else "page.way_unproven")


def ways_view(
    ways: Sequence[Way], channels: Mapping[str, Checklist], reader: Reader, typed: Typed | None = None
) -> WaysView:
    """All of a person's ways, and the forms to add one."""
    typed = typed or Typed()
    return WaysView(
        lines=[way_line(way, channels, reader) for way in ways],
        forms=[
            WayForm(channel, kind, fill, typed if channel == typed.channel else Typed())
            for channel, (kind, fill) in _FORMS.items()
            if channel in channels
        ],
        missing=[
            channel_name(channel, reader.words) for channel in (PUSH, *_FORMS) if channel not in channels
        ],
        push=PUSH in channels,
    )
