"""What was withdrawn before its time: a small list, signed, that every verification looks at.

It holds numbers of credentials (a device that signed out, a key that was revoked) and, for people who signed
out everywhere, the instant up to which no grant counts. Entries leave when what they name has run out anyway.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nightbell.account.grants import GRANT_LASTS_MS, Grant

_SIGNED_AS: Final = b"nightbell revocations 1\n"
_SIGNATURE_BYTES: Final = 64


class Revocations(msgspec.Struct, frozen=True):
    """The list. Fields may be added with a default.

    Attributes:
        credentials: Number of each withdrawn credential, and until when it must be remembered.
        people: Person id, and the instant up to which grants of theirs are void.
    """

    credentials: dict[int, int] = {}
    people: dict[str, int] = {}

    def covers(self, grant: Grant) -> bool:
        """Whether this grant was withdrawn."""
        if grant.credential in self.credentials:
            return True
        return bool(self.people) and grant.issued_ms <= self.people.get(grant.person, -1)

    def with_credential(self, credential: int, until_ms: int, now_ms: int) -> "Revocations":
        """The list with one more credential, without what has run out."""
        kept = _still(self.credentials, now_ms)
        return Revocations({**kept, credential: until_ms}, self._people(now_ms))

    def with_person(self, person: str, now_ms: int) -> "Revocations":
        """The list after somebody signed out everywhere."""
        return Revocations(_still(self.credentials, now_ms), {**self._people(now_ms), person: now_ms})

    def _people(self, now_ms: int) -> dict[str, int]:
        return {person: at for person, at in self.people.items() if at + GRANT_LASTS_MS > now_ms}


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Revocations)


def sealed(listed: Revocations, key: Ed25519PrivateKey) -> bytes:
    """The list as it is stored: signature, then content."""
    content = _encoder.encode(listed)
    return key.sign(_SIGNED_AS + content) + content


def opened(stored: bytes, keys: Sequence[Ed25519PublicKey]) -> Revocations | None:
    """The list, or None if none of the keys signed it."""
    signature, content = stored[:_SIGNATURE_BYTES], stored[_SIGNATURE_BYTES:]
    for key in keys:
        try:
            key.verify(signature, _SIGNED_AS + content)
            return _decoder.decode(content)
        except InvalidSignature:
            continue
        except msgspec.DecodeError:
            return None
    return None


def _still(entries: Mapping[int, int], now_ms: int) -> dict[int, int]:
    return {number: until for number, until in entries.items() if until > now_ms}
