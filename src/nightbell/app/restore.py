"""A backup put back into a new folder: everything is looked at before anything is put in place."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from nightbell.adapters.stores.backup.archive import SEALED, Advance, ArchiveReader, BadArchiveError, Manifest
from nightbell.adapters.stores.backup.seal import UnknownSealError, WrongPassphraseError, opened
from nightbell.adapters.stores.sqlite.accounts import keep_numbers_free
from nightbell.app.backup import ACCOUNTS, SECRETS, BackupError, failure_of, sync_folder
from nightbell.app.leftovers import HELD_NAME, PARTIALS, holding, sweep

ROOM_BYTES_SPARE: Final = 64 << 20
"""What a first start needs beside the files themselves."""


class Restored(msgspec.Struct, frozen=True):
    """What was put back.

    Attributes:
        folder: Where.
        began_ms: What happened after this is not in it.
        seq: The newest group of the journal.
        keys: Whether the keys are back; without them everybody must sign in again.
        nightbell: The version that made the backup.
    """

    folder: str
    began_ms: int
    seq: int
    keys: bool
    nightbell: str


class Restoring:
    """One archive, opened to be put back. Close it."""

    def __init__(self, path: Path) -> None:
        """Open the archive.

        Raises:
            BackupError: It is no backup, or not a whole one.
        """
        self._path = path
        try:
            self._reader = ArchiveReader(path)
        except FileNotFoundError:
            raise BackupError("no_file", file=str(path)) from None
        except OSError as error:
            raise BackupError("unreadable", file=str(path), why=error.strerror or str(error)) from None
        except BadArchiveError as error:
            raise self._bad(error) from error

    @property
    def manifest(self) -> Manifest:
        """What the archive says of itself."""
        return self._reader.manifest

    def close(self) -> None:
        """Close the archive."""
        self._reader.close()

    def put_back(self, folder: Path, *, passphrase: str, advance: Advance = lambda _: None) -> Restored:
        """Put everything into a new folder; durable when this returns.

        Args:
            folder: It does not exist, or is empty.
            passphrase: Opens the keys; empty leaves them out.
            advance: Called with how many bytes were read; every byte is read twice.

        Raises:
            BackupError: Nothing was put in place.
        """
        folder = folder.resolve()
        _check_empty(folder)
        try:
            self._reader.check_whole(advance)
        except BadArchiveError as error:
            raise self._bad(error) from error
        except OSError as error:
            raise BackupError("unreadable", file=str(self._path), why=error.strerror or str(error)) from None
        secrets = self._secrets(passphrase)
        sweep(folder.parent, PARTIALS)
        work = folder.with_name(f".{folder.name}.restoring-{os.getpid()}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._check_room(folder)
            work.mkdir(mode=0o700)
            with holding(work):
                self._write(work, secrets, advance)
                keep_numbers_free(work / ACCOUNTS)
                (work / HELD_NAME).unlink(missing_ok=True)
                _give_to_owner_of(folder, work)
                work.rename(folder)  # over an empty folder too, at once
            sync_folder(folder.parent)
        except BadArchiveError as error:
            raise self._bad(error) from error
        except (OSError, sqlite3.Error) as error:
            raise failure_of(error, folder) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        manifest = self.manifest
        return Restored(str(folder), manifest.began_ms, manifest.seq, bool(secrets), manifest.nightbell)

    def _secrets(self, passphrase: str) -> dict[str, bytes]:
        if not passphrase or not self.manifest.has_secrets:
            return {}
        bound_to = str(self.manifest.began_ms).encode()
        try:
            secrets = opened(self._reader.content(SEALED), passphrase, bound_to=bound_to)
        except WrongPassphraseError:
            raise BackupError("wrong_passphrase") from None
        except (UnknownSealError, msgspec.DecodeError):
            raise BackupError("newer", file=str(self._path), version=self.manifest.nightbell) from None
        strange = [name for name in secrets if name not in SECRETS]
        if strange:
            raise BackupError("strange", file=str(self._path), name=strange[0])
        return secrets

    def _check_room(self, folder: Path) -> None:
        room = os.statvfs(folder.parent)
        if room.f_bavail * room.f_frsize < self.manifest.size_bytes + ROOM_BYTES_SPARE:
            raise BackupError("disk_full", place=str(folder.parent))

    def _write(self, work: Path, secrets: dict[str, bytes], advance: Advance) -> None:
        for member in self.manifest.members:
            if member.name != SEALED:
                target = _made(work, member.name)
                self._reader.extract(member, target, advance)
        for name, content in secrets.items():
            descriptor = os.open(_made(work, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for inside in [*(path for path in work.iterdir() if path.is_dir()), work]:
            sync_folder(inside)

    def _bad(self, error: BadArchiveError) -> BackupError:
        if error.what == "newer":
            return BackupError("newer", file=str(self._path), version=f"format {error.name}")
        if error.what == "strange":
            return BackupError("strange", file=str(self._path), name=error.name)
        if error.name:
            return BackupError("damaged", file=str(self._path), name=error.name)
        codes = {"not_ours": "not_ours", "cut_short": "cut_short"}
        return BackupError(codes.get(error.what, "changed"), file=str(self._path))


def _made(work: Path, name: str) -> Path:
    path = work / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return path


def _check_empty(folder: Path) -> None:
    """Refuse a folder with anything in it.

    Raises:
        BackupError: There is something.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BackupError("not_empty", folder=str(folder))
    except OSError as error:
        raise BackupError("unreadable", file=str(folder), why=error.strerror or str(error)) from None


def _give_to_owner_of(folder: Path, work: Path) -> None:
    """Root restores for the user whose empty folder it is."""
    if os.geteuid() != 0 or not folder.exists():
        return
    owner = folder.stat()
    for path in [work, *work.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid)
