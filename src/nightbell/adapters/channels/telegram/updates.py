"""What comes from Telegram: a pressed button, or a chat that wants to be linked. Pure."""

import re
from typing import Final

import msgspec

from nightbell.adapters.channels.telegram.button import OVER, answered
from nightbell.adapters.channels.telegram.wire import TEXT_LENGTH_MAX, Call, Value, fitting
from nightbell.tell.callback import News, NewsKind, Proofs
from nightbell.words.catalogue import catalogue

ALLOWED: Final = ("message", "callback_query")
"""The kinds of updates that we ask for."""

NAME_LENGTH_MAX: Final = 40
"""Of a name that people gave themselves no more is shown."""

_START: Final = re.compile(r"/start(?:@\w+)?(?: ([A-Za-z0-9_-]{1,64}))?\s*")
"""Source: core.telegram.org/bots/features#deep-linking: up to 64 of `A-Za-z0-9_-`."""


class Linked(msgspec.Struct, frozen=True):
    """Somebody opened our link in Telegram: the code that stood in it, and the chat they opened it in."""

    code: str
    chat_id: str


class Taken(msgspec.Struct, frozen=True):
    """What one update means, and what is said back, the most telling first."""

    news: tuple[News, ...] = ()
    linked: Linked | None = None
    calls: tuple[Call, ...] = ()


class _Chat(msgspec.Struct):
    id: int
    type: str = ""


class _Person(msgspec.Struct):
    first_name: str = ""


class _Message(msgspec.Struct):
    message_id: int
    chat: _Chat
    text: str = ""


class _Pressed(msgspec.Struct):
    id: str
    sender: _Person = msgspec.field(name="from")
    message: _Message | None = None
    data: str = ""


class Update(msgspec.Struct):
    """One update; of each field only what we look at."""

    update_id: int
    message: _Message | None = None
    callback_query: _Pressed | None = None


def taken(update: Update, proofs: Proofs, channel: str) -> Taken:
    """What an update means. What makes no sense means nothing."""
    if update.callback_query is not None:
        return _pressed(update.callback_query, proofs, channel)
    if update.message is not None:
        return _written(update.message)
    return Taken()


def _pressed(pressed: _Pressed, proofs: Proofs, channel: str) -> Taken:
    words = catalogue()
    message = answered(pressed.data, proofs, channel)
    if not message:
        key = "deliver.telegram_over" if pressed.data == OVER else "deliver.telegram_old_button"
        return Taken(calls=(_toast(pressed, words.say(key)),))
    edit = () if pressed.message is None else (_with_name(pressed.message, pressed.sender),)
    toast = _toast(pressed, words.say("deliver.telegram_heard"))
    return Taken(news=(News(message, NewsKind.ANSWERED),), calls=(*edit, toast))


def _toast(pressed: _Pressed, text: str) -> Call:
    return Call("answerCallbackQuery", {"callback_query_id": pressed.id, "text": text})


def _with_name(message: _Message, who: _Person) -> Call:
    """The message with who has it below, and without its button."""
    words = catalogue()
    where: dict[str, Value] = {"chat_id": message.chat.id, "message_id": message.message_id}
    if not message.text:  # too old to be read by us
        nothing: Value = {"inline_keyboard": list[list[dict[str, str]]]()}
        return Call("editMessageReplyMarkup", {**where, "reply_markup": nothing})
    printable = "".join(sign for sign in who.first_name if sign.isprintable())
    name = printable[:NAME_LENGTH_MAX].strip() or words.say("alarm.somebody")
    line = "\n\n" + words.say("alarm.has_it", who=name)
    text = fitting(message.text, units_max=TEXT_LENGTH_MAX - 2 * len(line)) + line
    return Call("editMessageText", {**where, "text": text, "link_preview_options": {"is_disabled": True}})


def _written(message: _Message) -> Taken:
    """Only a start in a chat of one person is answered: nobody can make us talk to a crowd."""
    start = _START.fullmatch(message.text)
    if start is None or message.chat.type != "private":
        return Taken()
    code = start.group(1)
    key = "deliver.telegram_linked" if code else "deliver.telegram_start"
    reply = Call("sendMessage", {"chat_id": message.chat.id, "text": catalogue().say(key)})
    linked = Linked(code, str(message.chat.id)) if code else None
    return Taken(linked=linked, calls=(reply,))
