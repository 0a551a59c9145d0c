"""What a call says, in TwiML: what happened, twice, and which keys there are. Pure.

The text is for somebody who was asleep: it begins with who calls, waits a moment before that, and comes twice
before anything is expected. What is pressed is posted to `key`; who presses nothing comes to `end`.
Source: Twilio, "TwiML for Programmable Voice", Gather, Say, Pause, Redirect, Hangup.
"""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from nightbell.tell.message import Message
from nightbell.words.catalogue import Catalogue, catalogue

TWIML_LETTERS_MAX: Final = 4_000
"""Longest `Twiml` of a call. Source: Twilio, Call resource, `Twiml`."""

PARAGRAPHS_MAX: Final = 4
"""How much of a message is said beside its subject: about half a minute."""

KEY_WAIT_S: Final = 8
"""How long a key is waited for when all is said."""

LANGUAGE: Final = {"en": "en-US"}
"""How the catalogue's languages are spoken."""

_SHOUTED: Final = re.compile(r"\b[A-Z]{3,}\b")
"""A word in capitals may be spelled letter by letter."""

_AS_SPOKEN: Final = (
    (re.compile(r"(?<=\d )min\b"), "minutes"),
    (re.compile(r"(?<=\d )h\b"), "hours"),
    (re.compile(r"\bmg/dL"), "mgdl"),
    (re.compile(r"\bmmol/L"), "mmol"),
)
"""Short forms, and the key `deliver.voice_<word>` of what is said for them."""


def opening(message: Message, *, key_url: str, end_url: str) -> str:
    """The whole call from its beginning."""
    words = catalogue()
    said = speech(message, words)
    while True:
        whole = " ".join([words.say("deliver.voice_opening"), *said, words.say("deliver.voice_keys")])
        inside = f'<Pause length="1"/>{_say(whole)}<Pause length="1"/>'
        inside += _say(f"{words.say('deliver.voice_once_more')} {whole}")
        twiml = _response(_gather(inside, key_url), _redirect(end_url))
        if len(twiml) <= TWIML_LETTERS_MAX or len(said) == 1:
            return twiml
        said = said[:-1]


def once_more(*, key_url: str, end_url: str) -> str:
    """After a key that means nothing: which keys there are, once."""
    words = catalogue()
    inside = _say(f"{words.say('deliver.voice_wrong_key')} {words.say('deliver.voice_keys')}")
    return _response(_gather(inside, key_url), _redirect(end_url))


def goodbye(key: str) -> str:
    """The last words, and the end of the call."""
    return _response(_say(catalogue().say(key)), "<Hangup/>")


def speech(message: Message, words: Catalogue) -> list[str]:
    """The subject and the first lines of a message, as one says them; without what is only for the eye."""
    only_seen = {words.say("alarm.answer_here"), words.say("alarm.plan_first")}
    paragraphs = [" ".join(part.split()) for part in message.text.split("\n")]
    subject = _spoken(message.subject, words)
    said = [subject]
    for paragraph in paragraphs:
        line = _spoken(paragraph, words)
        if not line or "://" in line or paragraph in only_seen or line.rstrip(".") == _headline(subject):
            continue
        said.append(line)
    return said[: PARAGRAPHS_MAX + 1]


def _headline(subject: str) -> str:
    """The subject without its number: the first line of most messages, which need not be said again."""
    return subject.rstrip(".").partition(":")[0]


def _spoken(text: str, words: Catalogue) -> str:
    """The text as one says it, with a full stop."""
    text = " ".join("".join(x if x.isprintable() else " " for x in text).split())
    text = _SHOUTED.sub(lambda found: found.group().lower(), text)
    for short, word in _AS_SPOKEN:
        text = short.sub(words.say(f"deliver.voice_{word}"), text)
    return text if not text or text[-1] in ".?!" else f"{text}."


def _say(text: str) -> str:
    return f"<Say language={quoteattr(LANGUAGE[catalogue().language])}>{escape(text)}</Say>"


def _gather(inside: str, url: str) -> str:
    """Take one key at any moment; `#` is a key like the others."""
    attributes = f'input="dtmf" numDigits="1" finishOnKey="" timeout="{KEY_WAIT_S}" method="POST"'
    return f"<Gather action={quoteattr(url)} {attributes}>{inside}</Gather>"


def _redirect(url: str) -> str:
    return f'<Redirect method="POST">{escape(url)}</Redirect>'


def _response(*parts: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{"".join(parts)}</Response>'
