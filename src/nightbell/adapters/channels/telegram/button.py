"""What the button carries: which message it answers, and the proof that we made it. Pure.

Telegram gives a button 64 bytes (core.telegram.org/bots/api#inlinekeyboardbutton). An id of 32 hex digits and
a proof of 32 take 22 letters each in base64url: `h<id><proof>`, 45 in all. Another id stands as it is,
`r<id>.<proof>`, if it is no longer than 40 bytes. None of the proof is left out.
"""

import base64
import re
from typing import Final

from nightbell.tell.answers import is_proven
from nightbell.tell.callback import Proofs

DATA_BYTES_MAX: Final = 64
OVER: Final = "o"
"""What the button of a message carries that is over: it answers nothing."""

_PACKED_LENGTH: Final = 22
_HEX: Final = re.compile(r"[0-9a-f]{32}")


def _packed(hex_digits: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(hex_digits)).decode("ascii").rstrip("=")


def _unpacked(letters: str) -> str:
    """The hex digits; empty if these letters are none."""
    try:
        return base64.b64decode(letters + "==", altchars=b"-_", validate=True).hex()
    except ValueError:
        return ""


def button_data(message: str, proof: str) -> str:
    """What the button of a message carries; empty if its id is too long for one."""
    if _HEX.fullmatch(message):
        return f"h{_packed(message)}{_packed(proof)}"
    data = f"r{message}.{_packed(proof)}"
    return data if len(data.encode()) <= DATA_BYTES_MAX else ""


def answered(data: str, proofs: Proofs, channel: str) -> str:
    """The message that a pressed button answers; empty if it is none of ours."""
    if data.startswith("h") and len(data) == 1 + 2 * _PACKED_LENGTH:
        message = _unpacked(data[1 : 1 + _PACKED_LENGTH])
        proof = _unpacked(data[1 + _PACKED_LENGTH :])
    elif data.startswith("r"):
        message, _, packed = data[1:].rpartition(".")
        proof = _unpacked(packed)
    else:
        return ""
    return message if message and proof and is_proven(proofs, channel, message, proof) else ""
