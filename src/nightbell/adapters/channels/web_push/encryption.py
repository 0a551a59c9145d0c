"""What is pushed is sealed for the device: the push service carries it and cannot read it.

Source: RFC 8291 (keys) and RFC 8188 (`aes128gcm`). The order of the steps and their labels are theirs.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDH, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nightbell.adapters.channels.web_push.subscription import Subscription

BODY_BYTES_MAX: Final = 4_096
"""What every push service takes (RFC 8030, section 7.2)."""

SALT_BYTES: Final = 16
_KEY_BYTES: Final = 65
_TAG_BYTES: Final = 16
_LAST_RECORD: Final = b"\x02"
_HEAD_BYTES: Final = SALT_BYTES + 4 + 1 + _KEY_BYTES

PLAIN_BYTES_MAX: Final = BODY_BYTES_MAX - _HEAD_BYTES - len(_LAST_RECORD) - _TAG_BYTES
"""3,993: what is left for the message in the one record that there is."""


def public_bytes(key: EllipticCurvePrivateKey) -> bytes:
    """The public half as an uncompressed point, 65 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def sealed(plain: bytes, to: Subscription, *, once: EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of one push.

    Args:
        plain: At most `PLAIN_BYTES_MAX`.
        to: The device.
        once: A key made for this push alone.
        salt: 16 bytes of chance.
    """
    assert len(plain) <= PLAIN_BYTES_MAX, "cut what is pushed before it is sealed"
    assert len(salt) == SALT_BYTES
    ours = public_bytes(once)
    shared = once.exchange(ECDH(), to.public)
    secret = _derived(shared, to.auth, b"WebPush: info\x00" + to.key + ours, 32)
    content_key = _derived(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\x00", 12)
    head = salt + BODY_BYTES_MAX.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + AESGCM(content_key).encrypt(nonce, plain + _LAST_RECORD, None)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
