"""The address of Web Push: a browser's subscription, as its `toJSON()` writes it.

Whoever knows the endpoint can push to the device: it is a secret, and stands in no log and no reason.
"""

import base64
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

ADDRESS_LENGTH_MAX: Final = 3_000
"""Longest subscription: endpoints of today have some 200 characters, of Windows up to 600."""

ENDPOINT_LENGTH_MAX: Final = 2_000

AUTH_BYTES: Final = 16
"""RFC 8291, section 3.2."""


class Subscription(msgspec.Struct, frozen=True):
    """Where one device is pushed to.

    Attributes:
        endpoint: The URL at its push service. A secret.
        key: The device's public key as it wrote it, 65 bytes.
        public: The same, to reckon with.
        auth: What device and we share, 16 bytes. A secret.
    """

    endpoint: str
    key: bytes
    public: EllipticCurvePublicKey
    auth: bytes

    def __repr__(self) -> str:
        """Without its secrets."""
        return "Subscription()"

    @property
    def origin(self) -> str:
        """Scheme, name and port of the push service, as a token is made out to (RFC 8292, section 2)."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}".removesuffix(":443")


class _Keys(msgspec.Struct, frozen=True):
    p256dh: Annotated[str, msgspec.Meta(max_length=100)]
    auth: Annotated[str, msgspec.Meta(max_length=40)]


class _Wire(msgspec.Struct, frozen=True):
    endpoint: Annotated[str, msgspec.Meta(max_length=ENDPOINT_LENGTH_MAX)]
    keys: _Keys


def from_base64url(text: str) -> bytes:
    """Bytes of base64url, with or without its padding.

    Raises:
        ValueError: It is not base64url.
    """
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)


def to_base64url(content: bytes) -> str:
    """Base64url without padding, as JSON Web Tokens and browsers write it."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def subscription_of(text: str) -> Subscription | None:
    """The subscription in an address; None if it is none."""
    if len(text) > ADDRESS_LENGTH_MAX:
        return None
    try:
        wire = msgspec.json.decode(text, type=_Wire)
        key, auth = from_base64url(wire.keys.p256dh), from_base64url(wire.keys.auth)
        public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
        parts = urlsplit(wire.endpoint)
        _ = parts.port  # asked for, because it raises a ValueError where it is none
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    bare = wire.endpoint.isascii() and wire.endpoint.isprintable() and " " not in wire.endpoint
    if not bare or parts.scheme != "https" or not parts.hostname or parts.username is not None:
        return None
    if len(auth) != AUTH_BYTES:
        return None
    return Subscription(wire.endpoint, key, public, auth)


def is_address(text: str) -> bool:
    """Whether this is the JSON of a subscription that we can push to."""
    return subscription_of(text) is not None
