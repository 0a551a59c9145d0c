"""Grants: what a device holds after a sign-in. Signed, so that nobody has to be asked whether it is true.

A grant is written as `nbg1.<payload>.<signature>`, both in base64url. It lasts 30 days; the device renews it
in the last 20, at a moment that follows from the grant's own id, so devices do not all come at once and a
sign-in that is down for days is noticed by nobody.
"""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX: Final = "nbg1"
GRANT_CHARS_MAX: Final = 2048
DEVICE_CHARS_MAX: Final = 80

_DAY_MS: Final = 86_400_000
GRANT_LASTS_MS: Final = 30 * _DAY_MS
RENEW_NOT_BEFORE_MS: Final = 10 * _DAY_MS
RENEW_AT_LATEST_MS: Final = 28 * _DAY_MS
"""Blueprint, section 9: in the last 20 days; two of them are left for a device that was off."""

_SIGNED_AS: Final = b"nightbell grant 1\n"
"""Goes before what is signed, so that a signature for one purpose never serves another."""


class Grant(msgspec.Struct, frozen=True):
    """What the signature vouches for. Fields may be added with a default, never change their meaning.

    Attributes:
        id: Grant id.
        person: Person id.
        scopes: What it opens.
        device: The device's own name for itself.
        issued_ms: From when, epoch ms.
        expires_ms: Until when.
        credential: Number of the device's credential; stays the same when renewed.
    """

    id: str
    person: str
    scopes: tuple[str, ...]
    device: str
    issued_ms: int
    expires_ms: int
    credential: int


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Grant)


def sealed(grant: Grant, key: Ed25519PrivateKey) -> str:
    """The grant as its device carries it."""
    payload = _encoder.encode(grant)
    signature = key.sign(_SIGNED_AS + payload)
    return f"{PREFIX}.{_b64(payload)}.{_b64(signature)}"


def opened(token: str, keys: Sequence[Ed25519PublicKey]) -> Grant | None:
    """The grant, if one of the keys signed it. Whether it still holds is for the caller to say."""
    parts = _parts(token)
    if parts is None or not any(_signed(key, parts[1], parts[0]) for key in keys):
        return None
    return _decoded(parts[0])


def read(token: str) -> Grant | None:
    """What a token says, whoever signed it: only for one that was `opened` before."""
    parts = _parts(token)
    return None if parts is None else _decoded(parts[0])


def _parts(token: str) -> tuple[bytes, bytes] | None:
    """Payload and signature."""
    parts = token.split(".")
    if len(token) > GRANT_CHARS_MAX or len(parts) != 3 or parts[0] != PREFIX:  # noqa: PLR2004 prefix, payload, signature
        return None
    try:
        return _unb64(parts[1]), _unb64(parts[2])
    except (binascii.Error, ValueError):
        return None


def _decoded(payload: bytes) -> Grant | None:
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return None


def renew_ms(grant: Grant) -> int:
    """When the device should renew, epoch ms: spread over the window by the grant's id."""
    drawn = int.from_bytes(hashlib.sha256(grant.id.encode()).digest()[:6], "big")
    window_ms = RENEW_AT_LATEST_MS - RENEW_NOT_BEFORE_MS
    return grant.issued_ms + RENEW_NOT_BEFORE_MS + drawn * window_ms // 2**48


def _signed(key: Ed25519PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, _SIGNED_AS + payload)
    except InvalidSignature:
        return False
    return True


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
