"""What Twilio's error codes mean for us: whose fault it is, and whether the number is dead.

Twilio adds codes and splits them, so an unknown one is read by its HTTP status, and never as a dead number.
Source: Twilio, "Error and Warning Dictionary".
"""

from enum import StrEnum
from typing import Final, NamedTuple

from nightbell.tell.callback import News, NewsKind
from nightbell.tell.outcome import Outcome, Refused, Unavailable
from nightbell.words.catalogue import catalogue


class Fault(StrEnum):
    """Whose fault it is."""

    NUMBER = "number"  # the number is dead for this way: nothing will arrive there any more
    THIS_ONE = "this_one"  # this one did not arrive; the next may
    OURS = "ours"  # something the operator has to mend; no number is to blame
    LATER = "later"  # too much at once


class _Meaning(NamedTuple):
    fault: Fault
    word: str
    """The key of its sentence is `deliver.twilio_<word>`."""


_MEANINGS: Final = {
    10001: _Meaning(Fault.OURS, "account"),  # account is not active
    10002: _Meaning(Fault.OURS, "trial"),
    10004: _Meaning(Fault.LATER, "busy"),  # too many calls at the same time
    13224: _Meaning(Fault.NUMBER, "no_such_number"),  # a call: the number does not exist
    20003: _Meaning(Fault.OURS, "sign_in"),
    20005: _Meaning(Fault.OURS, "account"),
    20008: _Meaning(Fault.OURS, "sign_in"),  # test credentials
    20404: _Meaning(Fault.OURS, "sign_in"),  # there is no such account
    20429: _Meaning(Fault.LATER, "busy"),
    21210: _Meaning(Fault.OURS, "sender"),
    21211: _Meaning(Fault.NUMBER, "no_such_number"),
    21212: _Meaning(Fault.OURS, "sender"),
    21215: _Meaning(Fault.OURS, "region"),
    21216: _Meaning(Fault.OURS, "region"),
    21217: _Meaning(Fault.NUMBER, "no_such_number"),
    21219: _Meaning(Fault.OURS, "trial"),
    21265: _Meaning(Fault.NUMBER, "no_such_number"),  # a short code
    21408: _Meaning(Fault.OURS, "region"),
    21601: _Meaning(Fault.OURS, "sender"),
    21603: _Meaning(Fault.OURS, "sender"),
    21606: _Meaning(Fault.OURS, "sender"),
    21608: _Meaning(Fault.OURS, "trial"),
    21609: _Meaning(Fault.OURS, "public_url"),
    21610: _Meaning(Fault.NUMBER, "stopped"),
    21611: _Meaning(Fault.LATER, "busy"),  # ten hours of texts wait already
    21614: _Meaning(Fault.NUMBER, "no_texts"),
    21635: _Meaning(Fault.NUMBER, "no_texts"),  # a landline
    21659: _Meaning(Fault.OURS, "sender"),
    21660: _Meaning(Fault.OURS, "sender"),
    21661: _Meaning(Fault.OURS, "sender"),
    21701: _Meaning(Fault.OURS, "sender"),
    21703: _Meaning(Fault.OURS, "sender"),
    21705: _Meaning(Fault.OURS, "sender"),
    30001: _Meaning(Fault.LATER, "busy"),
    30002: _Meaning(Fault.OURS, "account"),
    30003: _Meaning(Fault.THIS_ONE, "phone_off"),
    30004: _Meaning(Fault.THIS_ONE, "blocked"),  # by a network at times, so not dead
    30005: _Meaning(Fault.NUMBER, "no_such_number"),
    30006: _Meaning(Fault.NUMBER, "no_texts"),
    30007: _Meaning(Fault.OURS, "filtered"),
    30032: _Meaning(Fault.OURS, "registration"),
    30034: _Meaning(Fault.OURS, "registration"),
    30036: _Meaning(Fault.THIS_ONE, "too_old"),
}

_LATER: Final = frozenset({408, 425, 429})
"""Of the answers that blame us, those that a later try may change (RFC 9110, 8470, 6585)."""

_NOT_US: Final = frozenset({401, 403, 404})
"""Answers about who asks, not about whom it is for."""


def outcome_of(status: int, code: int, retry_after_ms: int) -> Outcome:
    """What an answer that is no 2xx says about one try.

    Args:
        status: HTTP status.
        code: Twilio's error code, 0 if it gave none.
        retry_after_ms: How long it asked us to wait.
    """
    words = catalogue()
    if code in _MEANINGS:
        fault, word = _MEANINGS[code]
        reason = words.say(f"deliver.twilio_{word}")
        if fault is Fault.NUMBER:
            return Refused(reason, lost=True)
        return Unavailable(reason, retry_after_ms)
    if status in _LATER:
        return Unavailable(words.say("deliver.twilio_busy"), retry_after_ms)
    if status >= 500 or status < 400:  # noqa: PLR2004 the classes of HTTP statuses
        return Unavailable(words.say("deliver.twilio_away", status=status), retry_after_ms)
    if status in _NOT_US:
        return Unavailable(words.say("deliver.twilio_sign_in"), retry_after_ms)
    return Refused(words.say("deliver.twilio_refused", code=code or status))


def failed(message: str, code: int, otherwise: str) -> News:
    """The news of what did not arrive.

    Args:
        message: Id of what was sent.
        code: Twilio's error code, 0 if it gave none.
        otherwise: The word for a failure without a code that we know.
    """
    words = catalogue()
    if code in _MEANINGS:
        fault, word = _MEANINGS[code]
        kind = NewsKind.LOST if fault is Fault.NUMBER else NewsKind.FAILED
        return News(message, kind, words.say(f"deliver.twilio_{word}"))
    if code:
        return News(message, NewsKind.FAILED, words.say("deliver.twilio_failed", code=code))
    return News(message, NewsKind.FAILED, words.say(f"deliver.twilio_{otherwise}"))
