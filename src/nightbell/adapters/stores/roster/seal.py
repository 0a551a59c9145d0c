"""Sealing: AES-256-GCM with a key that lies in a file of its own, apart from what it seals."""

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nightbell.adapters.stores.roster.folder import PRIVATE, read_small, write_whole
from nightbell.words.errors import ErrorCode, PlatformError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 random bits, as NIST SP 800-38D wants them: good for 2^32 seals with one key, a century of ours."""


class Seal:
    """Seals and opens. What a piece is for is bound to it, so that one cannot be put in another's place."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close_up(self, plain: bytes, what: str) -> bytes:
        """Seal."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, what.encode())

    def open_up(self, sealed: bytes, what: str) -> bytes:
        """Open.

        Raises:
            ValueError: It was not sealed with this key, or for something else, or is damaged.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], what.encode())
        except (InvalidTag, ValueError):
            raise ValueError("cannot be opened with this key") from None


def own_seal(path: Path) -> Seal:
    """The seal of the key in this file; a new key if there is none.

    Raises:
        PlatformError: NOT_DURABLE: the file cannot be read, made, or is no key.
    """
    try:
        key = read_small(path, bytes_max=KEY_BYTES)
    except FileNotFoundError:
        key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        try:
            write_whole(path, key, mode=PRIVATE)
        except OSError as error:
            sentence = f"The watcher's key cannot be written to {path}: {error.strerror}. Make room there."
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence) from None
    except OSError as error:
        sentence = f"The watcher's key {path} cannot be read: {error.strerror}. Give this user the right."
        raise PlatformError(ErrorCode.NOT_DURABLE, sentence) from None
    if len(key) != KEY_BYTES:
        sentence = f"{path} is not a key of {KEY_BYTES} bytes. Move it away: a new key and list will be made."
        raise PlatformError(ErrorCode.NOT_DURABLE, sentence)
    return Seal(key)
