"""DIR/keys: what grants are signed with, and the list of what was withdrawn.

It lies apart from the accounts on purpose. grant.key is the current private key, grant.previous.pub the
public key before it (both PEM, mode 0600), revoked the signed list. A file is replaced whole: written beside,
flushed, renamed, the folder flushed.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nightbell.account.ports import KeyRing
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError

CURRENT: Final = "grant.key"
PREVIOUS: Final = "grant.previous.pub"
REVOKED: Final = "revoked"
FILE_BYTES_MAX: Final = 64 * 1024 * 1024

_OWNER_ONLY: Final = 0o600
_FOLDER_OWNER_ONLY: Final = 0o700

Answer = TypeVar("Answer")


class FileKeyFolder:
    """The folder of keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def exists(self) -> bool:
        """Whether there is a key already."""
        return await _apart((self._folder / CURRENT).exists)

    async def ring(self) -> KeyRing:
        """The keys; the current one is made where there is none.

        Raises:
            PlatformError: A key cannot be read or written.
        """
        return await _apart(self._ring)

    async def rotate(self) -> None:
        """Sign with a new key from the next start on; grants signed with the one before are still accepted.

        Raises:
            PlatformError: A key cannot be read or written.
        """
        await _apart(self._rotate)

    async def revocations(self) -> bytes | None:
        """The list as it was last written.

        Raises:
            PlatformError: It cannot be read.
        """
        return await _apart(lambda: self._read(REVOKED))

    async def write_revocations(self, listed: bytes) -> None:
        """Replace the list; durable when this returns.

        Raises:
            PlatformError: It could not be written; the old one stands.
        """
        await _apart(lambda: self._write_list(listed))

    async def set_aside_revocations(self) -> str:
        """Rename a damaged list; the name."""
        return await _apart(self._set_aside)

    def _ring(self) -> KeyRing:
        stored = self._read(CURRENT)
        if stored is None:
            self._make()
            stored = self._read(CURRENT)
        signing = _private(stored or b"")
        previous = self._read(PREVIOUS)
        accepted = [signing.public_key()] + ([] if previous is None else [_public(previous)])
        return KeyRing(signing, tuple(accepted))

    def _rotate(self) -> None:
        signing = self._ring().signing
        public = signing.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._replace(
            PREVIOUS, public
        )  # first: a crash between leaves both files naming one key, which works
        self._make()

    def _make(self) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            self._replace(CURRENT, pem)
        except OSError as error:
            raise _unreadable(CURRENT) from error

    def _set_aside(self) -> str:
        number = 1
        while (self._folder / f"{REVOKED}.damaged-{number}").exists():
            number += 1
        name = f"{REVOKED}.damaged-{number}"
        (self._folder / REVOKED).rename(self._folder / name)
        return name

    def _write_list(self, listed: bytes) -> None:
        try:
            self._replace(REVOKED, listed)
        except OSError as error:
            sentence = catalogue().say("account.revocations_unwritten")
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence) from error

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        try:
            if path.stat().st_mode & 0o077:
                path.chmod(_OWNER_ONLY)  # a copy put back from elsewhere may be open to others
            with path.open("rb") as file:
                return file.read(FILE_BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(name) from error

    def _replace(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=_FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
        beside = self._folder / f"{name}.new"
        beside.unlink(missing_ok=True)
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


async def _apart(work: Callable[[], Answer]) -> Answer:
    """Do it in a thread: the disk may be slow."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _private(stored: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(stored, password=None)
    except (ValueError, TypeError) as error:
        raise _unreadable(CURRENT) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unreadable(CURRENT)
    return key


def _public(stored: bytes) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(stored)
    except ValueError as error:
        raise _unreadable(PREVIOUS) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _unreadable(PREVIOUS)
    return key


def _unreadable(name: str) -> PlatformError:
    return PlatformError(ErrorCode.INTERNAL, catalogue().say("account.key_unreadable", file=name))
