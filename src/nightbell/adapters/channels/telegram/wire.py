"""Telegram's forms, both ways, without I/O.

Source: core.telegram.org/bots/api (sendMessage, editMessageText, editMessageReplyMarkup, answerCallbackQuery,
getUpdates, setWebhook, ResponseParameters).
"""

import re
from typing import Final, NamedTuple

import msgspec

from nightbell.adapters.channels.telegram.button import OVER, button_data
from nightbell.tell.answers import asks_for_somebody, away, cut
from nightbell.tell.http import RETRY_AFTER_MS_MAX, HttpAnswer, retry_after_ms
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue

TEXT_LENGTH_MAX: Final = 4_096
"""Counted in UTF-16 code units, as Telegram's apps count."""

_WIDE_FROM: Final = 0x10000
"""From this sign on one takes two code units."""

_FORBIDDEN: Final = 403

_CHAT: Final = re.compile(r"-?[1-9][0-9]{0,15}")

_DEAD: Final = ("chat not found", "chat was deactivated", "upgraded to a supergroup", "peer_id_invalid")
"""Of the reasons for 400, those that say that the chat is gone."""

_OVER: Final = ("message is not modified", "message to edit not found", "message can't be edited")
"""Of the reasons for 400 to an edit, those that say that there is nothing left to change."""

Value = str | int | bool | list[str] | dict[str, bool] | dict[str, list[list[dict[str, str]]]]


class Call(NamedTuple):
    """A method of the bot, with its parameters."""

    method: str
    fields: dict[str, Value]

    def body(self) -> bytes:
        """The parameters, for a request of ours."""
        return msgspec.json.encode(self.fields)

    def as_answer(self) -> bytes:
        """The same as the answer to a webhook."""
        return msgspec.json.encode({"method": self.method, **self.fields})


class Parameters(msgspec.Struct, frozen=True):
    """What Telegram says besides a no."""

    retry_after: int = 0


class Said(msgspec.Struct):
    """What Telegram answers."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    description: str = ""
    parameters: Parameters = Parameters()


class _Made(msgspec.Struct):
    """The message that was sent or changed."""

    message_id: int


class WebhookInfo(msgspec.Struct):
    """Whether Telegram reaches us."""

    pending_update_count: int = 0
    last_error_message: str = ""


def is_address(text: str) -> bool:
    """Whether it is a chat's id: a whole number, negative for a group."""
    return _CHAT.fullmatch(text) is not None


def fitting(text: str, *, units_max: int = TEXT_LENGTH_MAX) -> str:
    """The text, or as much of its beginning as Telegram takes."""
    wide = sum(ord(sign) >= _WIDE_FROM for sign in text)
    return text if len(text) + wide <= units_max else cut(text, signs_max=units_max - wide)


def sending(message: Message, chat: str, *, proof: str) -> Call:
    """How a message is sent: with its button where it asks for somebody, silent where it is not urgent."""
    text = "\n\n".join(part for part in (message.subject, message.text) if part)
    fields: dict[str, Value] = {
        "chat_id": int(chat),
        "text": fitting(text),
        "disable_notification": not message.urgent,
        "protect_content": True,
        "link_preview_options": {"is_disabled": True},
    }
    data = button_data(message.id, proof) if asks_for_somebody(message) else ""
    if data:
        button = {"text": catalogue().say("deliver.button_got_it"), "callback_data": data}
        fields["reply_markup"] = {"inline_keyboard": [[button]]}
    return Call("sendMessage", fields)


def over(chat: str, message_id: int) -> Call:
    """How a message is taken back: it stays to be read, and where its button was it says that it is over."""
    button = {"text": catalogue().say("deliver.over_title"), "callback_data": OVER}
    markup: Value = {"inline_keyboard": [[button]]}
    return Call(
        "editMessageReplyMarkup", {"chat_id": int(chat), "message_id": message_id, "reply_markup": markup}
    )


def said(answer: HttpAnswer) -> Said | None:
    """Telegram's own words; None where something else spoke in its place."""
    try:
        return msgspec.json.decode(answer.body, type=Said)
    except msgspec.DecodeError:
        return None


def wait_ms(words: Said, answer: HttpAnswer) -> int:
    """How long Telegram asked us to wait."""
    asked_ms = max(0, words.parameters.retry_after) * 1000
    return min(asked_ms, RETRY_AFTER_MS_MAX) or retry_after_ms(answer)


def outcome_of(answer: HttpAnswer) -> Outcome:
    """What an answer means. Only a no in Telegram's own words is one."""
    spoken = said(answer)
    if spoken is None or answer.status >= 500:  # noqa: PLR2004 the class of HTTP statuses
        return away(answer)
    if spoken.ok:
        return Sent(_message_id(spoken.result))
    words = catalogue()
    match answer.status:
        case 429:
            return Unavailable(words.say("deliver.telegram_too_many"), wait_ms(spoken, answer))
        case 401 | 404:
            return Unavailable(words.say("deliver.telegram_token"))
        case 400 | 403:
            return _never(answer.status, spoken.description.lower())
        case _:
            return away(answer)


def _never(status: int, reason: str) -> Outcome:
    """The outcome of a no to this chat or this message."""
    words = catalogue()
    if status == _FORBIDDEN:
        return Refused(words.say("deliver.telegram_blocked"), lost=True)
    if any(part in reason for part in _OVER):
        return Sent()
    if any(part in reason for part in _DEAD):
        return Refused(words.say("deliver.telegram_no_chat"), lost=True)
    return Refused(words.say("deliver.telegram_refused"))


def _message_id(result: msgspec.Raw) -> str:
    try:
        return str(msgspec.json.decode(result, type=_Made).message_id)
    except msgspec.DecodeError:
        return ""  # some methods answer true


def webhook_fault(answer: HttpAnswer) -> str:
    """Why Telegram does not reach us, with what to do; empty if it does."""
    spoken = said(answer)
    if spoken is None or not spoken.ok:
        return catalogue().say("deliver.provider_away", status=answer.status)
    try:
        info = msgspec.json.decode(spoken.result, type=WebhookInfo)
    except msgspec.DecodeError:
        return catalogue().say("deliver.provider_away", status=answer.status)
    failing = info.last_error_message and info.pending_update_count
    return catalogue().say("deliver.telegram_no_way_in") if failing else ""
