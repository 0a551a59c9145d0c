"""What fits into an SMS: the alphabet of GSM, how much a text takes of it, and the nearest letters it has.

One SMS carries 160 letters of GSM 03.38 or 70 of UCS-2; one letter outside the alphabet turns all of it into
UCS-2. Longer texts are cut into segments that carry less, each of them sent and paid for by itself.
Source: 3GPP TS 23.038 (alphabet), 3GPP TS 23.040 (segments).
"""

import unicodedata
from typing import Final

GSM_LETTERS_MAX: Final = 160
GSM_SEGMENT_LETTERS: Final = 153
UCS2_LETTERS_MAX: Final = 70
UCS2_SEGMENT_LETTERS: Final = 67

SEGMENTS_MAX: Final = 2
"""Never more: senders bear one segment a second, and whoever wakes reads no more."""

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€")
"""These take two places each."""

_NEAREST: Final = {
    letter: nearest
    for letters, nearest in (
        ("\N{HORIZONTAL ELLIPSIS}", "..."),
        ("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),  # hyphens, dashes, minus
        ("\u2018\u2019\u201a`\u00b4", "'"),  # single quotation marks, accents that stand alone
        ("\u201c\u201d\u201e\u00ab\u00bb", '"'),  # double quotation marks
        ("\t\u00a0\u2009\u202f", " "),  # spaces
        ("\u00b7\u2022", "."),  # dots
        ("\N{MULTIPLICATION SIGN}", "x"),
        ("\N{LESS-THAN OR EQUAL TO}", "<="),
        ("\N{GREATER-THAN OR EQUAL TO}", ">="),
        ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
        ("ł", "l"), ("Ł", "L"), ("đð", "d"), ("ĐÐ", "D"), ("þ", "th"), ("Þ", "Th"), ("œ", "oe"), ("Œ", "OE"),
        ("ẞ", "SS"), ("ħ", "h"), ("Ħ", "H"), ("ŋ", "n"),
    )
    for letter in letters
}  # fmt: skip
"""What looks like it to a reader, where taking marks off a letter does not lead there."""


def _gsm_letter(letter: str) -> str:
    """The letter, or its nearest in the alphabet; itself again if there is none."""
    if letter in _BASIC or letter in _EXTENDED:
        return letter
    if letter in _NEAREST:
        return _NEAREST[letter]
    bare = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    near = "".join(_NEAREST.get(part, part) for part in bare)
    return near if near and is_gsm(near) else letter


def is_gsm(text: str) -> bool:
    """Whether the alphabet has every letter of it."""
    return all(letter in _BASIC or letter in _EXTENDED for letter in text)


def plain(text: str) -> str:
    """The text in letters of the alphabet, if each has one that is near enough; else as it is.

    A name in another script is not guessed at: whoever reads it knows it only as it is written.
    """
    whole = unicodedata.normalize("NFC", "".join(x if x.isprintable() or x == "\n" else " " for x in text))
    near = "".join(_gsm_letter(letter) for letter in whole)
    return near if is_gsm(near) else whole


def places(text: str) -> int:
    """How many places it takes: of the alphabet, or units of UTF-16."""
    if is_gsm(text):
        return len(text) + sum(letter in _EXTENDED for letter in text)
    return len(text.encode("utf-16-le")) // 2


def segments(text: str) -> int:
    """How many segments it is sent in."""
    whole, part = (
        (GSM_LETTERS_MAX, GSM_SEGMENT_LETTERS) if is_gsm(text) else (UCS2_LETTERS_MAX, UCS2_SEGMENT_LETTERS)
    )
    taken = places(text)
    return 1 if taken <= whole else -(-taken // part)


def cut(text: str, segments_max: int) -> str:
    """As much of its beginning as fits. For texts of a few hundred letters."""
    while segments(text) > segments_max:
        text = text[:-1]
    return text
