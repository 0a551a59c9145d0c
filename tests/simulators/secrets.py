"""Everything that must stand in no log, in every form in which it could get there."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

HASH_CHARS: Final = 8
"""So much of a hash is enough to try names against it."""

PREFIX_CHARS: Final = 12
"""So much of the beginning of a long secret is enough to tell it by."""

LONG_CHARS: Final = 20

GLUCOSE_WORDS: Final = r"(?:glucose|mgdl|mg_dl|mg/dl|mmol|value|level|reading|egv|sgv)"
NEAR: Final = r"[^0-9a-z]{0,8}(?:[a-z_]{1,12}[^0-9a-z]{1,6}){0,2}"
"""What may stand between such a word and its number."""


def forms(secret: str) -> Iterator[str]:
    """A secret as it is, encoded, and as the beginnings of its hashes."""
    raw = secret.encode()
    yield secret.lower()
    yield quote(secret, safe="").lower()
    yield json.dumps(secret)[1:-1].lower()
    yield raw.hex()
    for pad in range(3):
        # Base64 of a text that the secret is part of: three alignments, less the ends the neighbours change.
        core = base64.b64encode(b"\0" * pad + raw).decode().rstrip("=")
        core = core[-(-pad * 8 // 6) :]
        yield core[:-1].lower()
        yield core[:-1].replace("+", "-").replace("/", "_").lower()
    for name in ("sha256", "sha1", "md5", "blake2b", "sha512"):
        digest = hashlib.new(name, raw, usedforsecurity=False).digest()
        yield digest.hex()[:HASH_CHARS]
        yield base64.b64encode(digest).decode()[:HASH_CHARS].lower()
        yield base64.urlsafe_b64encode(digest).decode()[:HASH_CHARS].lower()
    if len(secret) > LONG_CHARS:
        yield secret[:PREFIX_CHARS].lower()
        yield secret[-PREFIX_CHARS:].lower()


def leaks(text: str, secrets: Iterable[str], levels: Iterable[int]) -> list[str]:
    """Every line that holds one of the secrets in any form, or one of these levels beside a word for it."""
    needles = {form: secret for secret in secrets for form in forms(secret)}
    numbers = "|".join(
        [str(level) for level in levels] + [re.escape(f"{level / 18.0182:.1f}") for level in levels]
    )
    beside = re.compile(rf"{GLUCOSE_WORDS}{NEAR}(?:{numbers})(?![0-9])")
    found = []
    for line in text.splitlines():
        low = line.lower()
        found += [f"{needles[needle]}: {line}" for needle in needles if needle in low]
        if beside.search(low):
            found.append(f"glucose: {line}")
    return found
