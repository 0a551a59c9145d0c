"""Pushover's forms, both ways, without I/O.

Source: pushover.net/api and pushover.net/api/receipts.
"""

import re
from typing import Final
from urllib.parse import urlencode

import msgspec

from nightbell.adapters.channels.pushover.settings import EXPIRE_S_MAX, RETRY_S_MIN, PushoverSettings
from nightbell.tell.answers import away, cut
from nightbell.tell.callback import News, NewsKind
from nightbell.tell.http import HttpAnswer, retry_after_ms
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue

TEXT_LENGTH_MAX: Final = 1_024
URL_LENGTH_MAX: Final = 512
"""Limits of the vendor; the title's (250) and the URL title's (100) are wider than ours."""

_ADDRESS: Final = re.compile(r"[A-Za-z0-9]{30}(?:/[A-Za-z0-9_-]{1,25})?")
_RECEIPT: Final = re.compile(r"[A-Za-z0-9]{30}")
_TAG: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_QUOTA: Final = 429
_URGENT: Final = "2"
_NORMAL: Final = "0"


class _Said(msgspec.Struct):
    """What Pushover answers; of `errors` a list is documented, single words were seen."""

    status: int
    receipt: str = ""
    user: str = ""
    token: str = ""
    errors: list[str] | str = []


class _Receipt(msgspec.Struct):
    """What became of an urgent message."""

    status: int
    acknowledged: int = 0
    last_delivered_at: int = 0
    expired: int = 0


class _Limits(msgspec.Struct):
    """What is left of the quota."""

    remaining: int


def is_address(text: str) -> bool:
    """Whether it is a user's or a group's key, alone or with the name of one device: `KEY/phone`."""
    return _ADDRESS.fullmatch(text) is not None


def is_receipt(text: str) -> bool:
    """Whether it has the form of a receipt."""
    return _RECEIPT.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether it can stand among the tags, which commas divide, and in a path."""
    return _TAG.fullmatch(text) is not None


def callback_url(public_url: str, message: str, proof: str) -> str:
    """Where Pushover posts to when somebody acknowledges."""
    query = urlencode({"message": message, "proof": proof})
    return f"{public_url}/v1/channels/pushover?{query}"


def fields_of(
    message: Message, address: str, settings: PushoverSettings, *, proof: str, now_ms: int
) -> dict[str, str]:
    """The form of one message. What is urgent rings again until somebody acknowledges or it expires."""
    user, _, device = address.partition("/")
    fields = {
        "token": settings.token,
        "user": user,
        "title": message.subject,
        "message": cut(message.text or message.subject, signs_max=TEXT_LENGTH_MAX),
        "priority": _URGENT if message.urgent else _NORMAL,
    }
    if device:
        fields["device"] = device
    if message.made_ms > 0:
        fields["timestamp"] = str(message.made_ms // 1000)
    if settings.public_url and len(settings.public_url) <= URL_LENGTH_MAX:
        fields |= {"url": settings.public_url, "url_title": catalogue().say("deliver.open_page")}
    if message.urgent:
        fields |= _until_answered(message, settings, proof=proof, now_ms=now_ms)
    return fields


def _until_answered(
    message: Message, settings: PushoverSettings, *, proof: str, now_ms: int
) -> dict[str, str]:
    """What makes it ring until somebody acknowledges.

    The tags are the alarm's id and the message's own: by the latter it is silenced also where we never saw
    the receipt, as when the line broke after Pushover had taken it.
    """
    expire_s = (message.expires_ms - now_ms) // 1000
    fields = {
        "retry": str(max(RETRY_S_MIN, settings.retry_s)),
        "expire": str(max(RETRY_S_MIN, min(expire_s, EXPIRE_S_MAX))),
    }
    tags = [tag for tag in (str(message.fields.get("alarm", "")), message.id) if is_tag(tag)]
    if tags:
        fields["tags"] = ",".join(dict.fromkeys(tags))
    if settings.sound:
        fields["sound"] = settings.sound
    if settings.public_url:
        fields["callback"] = callback_url(settings.public_url, message.id, proof)
    return fields


def _said(answer: HttpAnswer) -> _Said | None:
    """Pushover's own words; None where something else spoke in its place."""
    try:
        return msgspec.json.decode(answer.body, type=_Said)
    except msgspec.DecodeError:
        return None


def outcome_of(answer: HttpAnswer) -> Outcome:
    """What an answer to a message, or to its cancellation, means.

    Only a no in Pushover's own words is one: a proxy or a gateway in between knows nothing of a person.
    """
    words = catalogue()
    said = _said(answer)
    if answer.status == _QUOTA:
        return Unavailable(words.say("deliver.pushover_quota"), retry_after_ms(answer))
    if said is None or answer.status >= 500 or 300 <= answer.status < 400:  # noqa: PLR2004 the classes of HTTP statuses
        return away(answer)
    if answer.status == 200 and said.status == 1:  # noqa: PLR2004 the class of HTTP statuses
        return Sent(said.receipt if is_receipt(said.receipt) else "")
    errors = said.errors if isinstance(said.errors, str) else " ".join(said.errors)
    if said.token or "application token" in errors:
        return Unavailable(words.say("deliver.pushover_token"))
    if said.user or "user identifier" in errors or "no active devices" in errors:
        return Refused(words.say("deliver.pushover_user"), lost=True)
    return Refused(words.say("deliver.pushover_refused", status=answer.status))


def news_of(message: str, answer: HttpAnswer) -> tuple[News, ...]:
    """What an answer about a receipt says. An acknowledgement is an answer: a person pressed for it."""
    if answer.status != 200:  # noqa: PLR2004 the one that carries it
        return ()
    try:
        receipt = msgspec.json.decode(answer.body, type=_Receipt)
    except msgspec.DecodeError:
        return ()
    if receipt.status != 1:
        return ()
    news = [News(message, NewsKind.DELIVERED)] if receipt.last_delivered_at > 0 else []
    if receipt.acknowledged == 1:
        news.append(News(message, NewsKind.ANSWERED))
    elif receipt.expired == 1:
        news.append(News(message, NewsKind.FAILED, catalogue().say("deliver.pushover_expired")))
    return tuple(news)


def fault_of(answer: HttpAnswer) -> str:
    """What the quota's answer says is wrong, and what to do; empty when nothing is."""
    words = catalogue()
    if answer.status == 200:  # noqa: PLR2004 the one that carries it
        try:
            limits = msgspec.json.decode(answer.body, type=_Limits)
        except msgspec.DecodeError:
            return words.say("deliver.provider_away", status=answer.status)
        return "" if limits.remaining > 0 else words.say("deliver.pushover_quota")
    said = _said(answer)
    if said is not None and said.token:
        return words.say("deliver.pushover_token")
    return words.say("deliver.provider_away", status=answer.status)
