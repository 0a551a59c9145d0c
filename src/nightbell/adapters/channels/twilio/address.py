"""The form of an address: a telephone number as E.164 has it."""

import re
from typing import Final

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""ITU-T E.164: a country code and at most 15 digits in all. No number of a person has fewer than 7."""

_NORTH_AMERICAN_SERVICE: Final = re.compile(r"\+1[2-9]11.*")
"""911 and its like behind the country code: no area code has that form, but a switch may take it for one."""


def is_address(text: str) -> bool:
    """Whether it is a person's number. Emergency numbers are none: 112, 911, 999, 110, 000 and the like.

    They are short numbers that begin without a country code, so nothing that is E.164 is one of them.
    """
    return bool(_E164.fullmatch(text)) and not _NORTH_AMERICAN_SERVICE.fullmatch(text)
