"""Secrets sealed with a passphrase: scrypt makes the key, AES-256-GCM seals.

    magic, version   "NBS", 1
    cost             log2 of scrypt's n, its r and p: one byte each
    salt, nonce      16 and 12 bytes of chance
    sealed           one msgpack map from name to content, 16 bytes of tag at its end

Everything before `sealed`, and what it belongs to, is bound to it: it opens as it was made, or not at all.
"""

import os
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC: Final = b"NBS\x01"
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
COST: Final = (17, 8, 1)
"""n = 2^17, r = 8, p = 1: 128 MiB and a third of a second. Source: OWASP's password storage cheat sheet."""

COST_MAX: Final = (20, 16, 4)
"""More than this is no backup of ours, and would take gigabytes to try."""

_HEAD_BYTES: Final = len(MAGIC) + 3 + SALT_BYTES + NONCE_BYTES
_DECODER: Final = msgspec.msgpack.Decoder(dict[str, bytes])


class WrongPassphraseError(Exception):
    """This passphrase does not open it."""


class UnknownSealError(Exception):
    """It is not sealed in a way that this version knows."""


def sealed(
    secrets: Mapping[str, bytes], passphrase: str, *, bound_to: bytes, cost: tuple[int, int, int] = COST
) -> bytes:
    """Seal contents by their names."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    head = MAGIC + bytes(cost) + salt + nonce
    plain = msgspec.msgpack.encode(dict(secrets))
    return head + AESGCM(_key(passphrase, salt, cost)).encrypt(nonce, plain, head + bound_to)


def opened(content: bytes, passphrase: str, *, bound_to: bytes) -> dict[str, bytes]:
    """Open what was sealed.

    Raises:
        WrongPassphraseError: It does not open with this passphrase.
        UnknownSealError: It is no seal of ours, or a newer one.
    """
    head = content[:_HEAD_BYTES]
    if len(head) < _HEAD_BYTES or not head.startswith(MAGIC):
        raise UnknownSealError
    cost = head[len(MAGIC)], head[len(MAGIC) + 1], head[len(MAGIC) + 2]
    if any(not 0 < asked <= most for asked, most in zip(cost, COST_MAX, strict=True)):
        raise UnknownSealError
    salt, nonce = head[-SALT_BYTES - NONCE_BYTES : -NONCE_BYTES], head[-NONCE_BYTES:]
    try:
        plain = AESGCM(_key(passphrase, salt, cost)).decrypt(nonce, content[_HEAD_BYTES:], head + bound_to)
    except InvalidTag:
        raise WrongPassphraseError from None
    return _DECODER.decode(plain)


def _key(passphrase: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n_log2, r, p = cost
    return Scrypt(salt=salt, length=KEY_BYTES, n=1 << n_log2, r=r, p=p).derive(passphrase.encode())
