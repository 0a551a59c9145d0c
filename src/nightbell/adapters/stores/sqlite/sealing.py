"""Where people are reached is sealed in accounts.sqlite: AES-256-GCM, with a key in DIR/keys/contacts.

A sealed text is `s1:` and base64 of nonce, cipher text and tag. What it is and whose is bound to it, so that
one cannot be put in another's place. A text that is not sealed is read as it is: an older version wrote it.

Without the right key nothing is lost: addresses that are there stay as they are and read as empty, none can
be changed, and `failing` says what to do. Open screens ring all the same. An empty key file says that the
key is gone for good: a new one is made, and people give their addresses again.
"""

import base64
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nightbell.account.packed import bound_to
from nightbell.account.texts import FIELD_END
from nightbell.account.way import EMAIL, WEBHOOK
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError

KEY_NAME: Final = "contacts"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 random bits, as NIST SP 800-38D wants them: good for 2^32 seals with one key."""

MARK: Final = "s1:"
ROWS_AT_ONCE: Final = 5_000
"""Rows of an older version that are sealed in one transaction: some 3 MB of log."""

_OWNER_ONLY: Final = 0o600
_FOLDER_OWNER_ONLY: Final = 0o700
_PROOF: Final = "nightbell"

_log: Final = structlog.get_logger()


class ContactSeal:
    """Seals and opens addresses with the key in one file.

    Args:
        path: `DIR/keys/contacts`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: AESGCM | None = None
        self.failing = ""

    def start(self, connection: sqlite3.Connection) -> None:
        """Take the key, make it where nothing was ever sealed, and see that it is the one of this file.

        Raises:
            sqlite3.Error: The file failed.
            OSError: The key cannot be made.
        """
        row = connection.execute("SELECT proof FROM contact_key").fetchone()
        key = self._key(make=row is None)
        if key == b"":  # the operator says that the old one is gone for good
            key, row = self._made(), None
        self._cipher = AESGCM(key) if key is not None and len(key) == KEY_BYTES else None
        if row is None and self._cipher is not None:
            proof = self.sealed(_PROOF, KEY_NAME)
            connection.execute("INSERT OR REPLACE INTO contact_key VALUES (1, ?, 0)", (proof,))
        elif self._cipher is None or row is None or self.opened(row[0], KEY_NAME) != _PROOF:
            self._cipher = None
            self.failing = catalogue().say("account.contact_key_wrong")
            _log.error("contacts.wrong_key")

    def sealed(self, text: str, bound: str) -> str:
        """Seal a text; an empty one stays empty.

        Raises:
            PlatformError: We do not have the key (`NOT_DURABLE`).
        """
        if not text:
            return ""
        if self._cipher is None:
            raise PlatformError(ErrorCode.NOT_DURABLE, catalogue().say("account.contact_key_wrong"))
        nonce = os.urandom(NONCE_BYTES)
        closed = nonce + self._cipher.encrypt(nonce, text.encode(), bound.encode())
        return MARK + base64.urlsafe_b64encode(closed).decode()

    def opened(self, kept: str, bound: str) -> str:
        """A text as it was before; empty if our key does not open it."""
        if not is_sealed(kept):
            return kept
        if self._cipher is None:
            return ""
        try:
            closed = base64.urlsafe_b64decode(kept[len(MARK) :])
            return self._cipher.decrypt(closed[:NONCE_BYTES], closed[NONCE_BYTES:], bound.encode()).decode()
        except (InvalidTag, ValueError):
            return ""

    @property
    def ready(self) -> bool:
        """Whether we have the key."""
        return self._cipher is not None

    def _key(self, *, make: bool) -> bytes | None:
        try:
            if self._path.stat().st_mode & 0o077:
                self._path.chmod(_OWNER_ONLY)  # a copy put back from elsewhere may be open to others
            with self._path.open("rb") as file:
                return file.read(KEY_BYTES + 1)
        except FileNotFoundError:
            return self._made() if make else None
        except OSError as error:
            _log.error("contacts.key_unreadable", error=type(error).__name__)
            return None

    def _made(self) -> bytes:
        key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=_FOLDER_OWNER_ONLY)
        beside = self._path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(number, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return key


def is_sealed(kept: str) -> bool:
    """Whether a kept text is sealed: addresses have an @ or a slash, labelled ones a separator."""
    return kept.startswith(MARK) and "@" not in kept and "/" not in kept and FIELD_END not in kept


def seal_people(connection: sqlite3.Connection, seal: ContactSeal) -> int:
    """Seal what an older version wrote in plain, in bounded steps, and clear it off the disk; how many rows.

    Done once. What stops it halfway (a full disk, a kill) leaves every row either sealed or plain, and both
    are read; the next start goes on.

    Raises:
        sqlite3.Error: The file failed.
    """
    (done,) = connection.execute("SELECT people_sealed FROM contact_key").fetchone()
    if done or not seal.ready:
        return 0
    last, count = -1, 0
    while rows := connection.execute(_PLAIN, (last,)).fetchall():
        last = rows[-1][0]
        count += len(rows)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "UPDATE person SET email = ?, webhook = ? WHERE rowid = ?", _sealed_rows(rows, seal)
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    if connection.execute("SELECT 1 FROM person LIMIT 1").fetchone():
        connection.execute("VACUUM")  # pages that were given up before may still hold what stood in them
    connection.execute("UPDATE contact_key SET people_sealed = 1")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return count


_PLAIN: Final = (
    "SELECT rowid, id, email, webhook FROM person WHERE rowid > ? AND"
    f" ((email <> '' AND substr(email, 1, {len(MARK)}) <> '{MARK}')"
    f" OR (webhook <> '' AND substr(webhook, 1, {len(MARK)}) <> '{MARK}'))"
    f" ORDER BY rowid LIMIT {ROWS_AT_ONCE}"
)


def _sealed_rows(rows: Sequence[tuple[int, str, str, str]], seal: ContactSeal) -> list[tuple[str, str, int]]:
    return [
        (
            email if is_sealed(email) else seal.sealed(email, bound_to(person, EMAIL)),
            webhook if is_sealed(webhook) else seal.sealed(webhook, bound_to(person, WEBHOOK)),
            rowid,
        )
        for rowid, person, email, webhook in rows
    ]
