"""What Twilio posts to us: whether it was Twilio, and what it says."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.adapters.channels.twilio.signature import HEADER, is_genuine
from nightbell.tell.callback import BODY_BYTES_MAX, Callback, CallbackAnswer

FIELDS_MAX: Final = 200
"""Most fields of one form. Twilio sends about thirty."""

FORGED: Final = CallbackAnswer(403)
SENSELESS: Final = CallbackAnswer(400)
TOO_LARGE: Final = CallbackAnswer(413)
HEARD: Final = CallbackAnswer(204)


class Part(StrEnum):
    """What a callback is about; it stands in the URL that we gave, so that it is signed as well."""

    STATUS = "status"  # the message or call came to an end, or nearer to it
    KEY = "key"  # a key was pressed when everything had been said
    KEY_AGAIN = "again"  # a key was pressed at the second chance
    NO_KEY = "end"  # everything was said, and no key was pressed
    WHO_ANSWERED = "who"  # Twilio has listened whether it is a machine


class Posted(msgspec.Struct, frozen=True):
    """What Twilio posted.

    Attributes:
        message: Id of the message it is about, out of the URL that we gave.
        part: What it is about.
        fields: The form; of a field that stands there twice the last.
    """

    message: str
    part: Part
    fields: Mapping[str, str]

    @property
    def error_code(self) -> int:
        """Twilio's error code; 0 if there is none."""
        code = self.fields.get("ErrorCode", "")
        return int(code) if code.isascii() and code.isdigit() and len(code) <= 6 else 0  # noqa: PLR2004 they have five digits


def callback_url(settings: TwilioSettings, channel: str, message: str, part: Part) -> str:
    """Where Twilio is to post; empty if it can not."""
    root = settings.callback_root
    query = urlencode({"message": message, "part": str(part)})
    return f"{root}/v1/channels/{channel}?{query}" if root else ""


def read(settings: TwilioSettings, callback: Callback) -> Posted | CallbackAnswer:
    """What was posted, or the answer to what was not posted by Twilio or makes no sense."""
    if len(callback.body) > BODY_BYTES_MAX:
        return TOO_LARGE
    try:
        fields = _pairs(callback.body.decode("utf-8"))
        if not is_genuine(settings.auth_token, callback.url, fields, callback.headers.get(HEADER, "")):
            return FORGED
        query = dict(_pairs(urlsplit(callback.url).query))
    except ValueError:  # what can not be read can not be verified
        return FORGED
    message, part = query.get("message", ""), query.get("part", "")
    if not message or not fields or part not in set(Part):
        return SENSELESS
    return Posted(message, Part(part), dict(fields))


def _pairs(encoded: str) -> list[tuple[str, str]]:
    """The fields of a form.

    Raises:
        ValueError: Too many, or not UTF-8.
    """
    return parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
