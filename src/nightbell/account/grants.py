"""Grants: what a device holds after a sign-in. Signed, so that nobody has to be asked whether it is true.

A grant is written as `nbg1.<payload>.<signature>.<tag>`, each in base64url. The signature is for whoever has
our public key. The tag says the same to ourselves, with a key made from our own private one: it takes a few
microseconds where a signature takes a hundred. A grant without a tag, or of an earlier key of ours, is as
good by its signature.

A grant lasts 30 days; the device renews it in the last 20, at a moment that follows from the grant's own id,
so devices do not all come at once and a sign-in that is down for days is noticed by nobody.
"""

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Sequence
from typing import Final, NamedTuple

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


_TAGGED_AS: Final = b"nightbell grant tag 1\n"
_TAG_BYTES: Final = 16
_FROM_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_PARTS: Final = (3, 4)
"""Prefix, payload, signature, and since there are tags, one."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Grant)


def tag_key_of(key: Ed25519PrivateKey) -> bytes:
    """The key of our own tags: whoever does not have the private key can neither make nor check one."""
    return hashlib.blake2b(_TAGGED_AS, key=key.private_bytes_raw()).digest()


def sealed(grant: Grant, key: Ed25519PrivateKey) -> str:
    """The grant as its device carries it."""
    payload = _encoder.encode(grant)
    signature = key.sign(_SIGNED_AS + payload)
    return f"{PREFIX}.{_b64(payload)}.{_b64(signature)}.{_b64(_tag(payload, tag_key_of(key)))}"


def opened(token: str, keys: Sequence[Ed25519PublicKey]) -> Grant | None:
    """The grant, if one of the keys signed it. Whether it still holds is for the caller to say."""
    parts = _parts(token)
    if parts is None or not any(_signed(key, parts.signature, parts.payload) for key in keys):
        return None
    return _decoded(parts.payload)


def tagged(token: str, tag_key: bytes) -> Grant | None:
    """The grant, if it carries our own tag, whose key is `tag_key_of` our private one."""
    parts = token.split(".")
    if len(token) > GRANT_CHARS_MAX or len(parts) != max(_PARTS) or parts[0] != PREFIX:
        return None
    try:
        # Not the signature: this is asked for every reading.
        payload, tag = _unb64(parts[1]), _unb64(parts[3])
    except (binascii.Error, ValueError):
        return None
    return _decoded(payload) if hmac.compare_digest(tag, _tag(payload, tag_key)) else None


def read(token: str) -> Grant | None:
    """What a token says, whoever signed it: only for one that was `opened` before."""
    parts = _parts(token)
    return None if parts is None else _decoded(parts.payload)


class _Token(NamedTuple):
    payload: bytes
    signature: bytes


def _parts(token: str) -> _Token | None:
    """What was signed, and by what; a tag is not looked at."""
    parts = token.split(".")
    if len(token) > GRANT_CHARS_MAX or len(parts) not in _PARTS or parts[0] != PREFIX:
        return None
    try:
        return _Token(_unb64(parts[1]), _unb64(parts[2]))
    except (binascii.Error, ValueError):
        return None


def _decoded(payload: bytes) -> Grant | None:
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return None


def _tag(payload: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=_TAG_BYTES).digest()


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
    return a2b_base64(text.encode("ascii").translate(_FROM_URL_SAFE) + b"=" * (-len(text) % 4))
