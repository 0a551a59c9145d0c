"""The archive: a plain tar that any `tar` can list, with a list of its own and a sum over every byte.

    members        in the order in which they were taken
    manifest.json  what they are, their sums, when and by what they were made
    sha256         the sum of every byte of the file before this member

Nothing after the first byte can change unnoticed: the members have their sums, everything has one more, and
what follows the last is always the same bytes.
"""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SUM: Final = "sha256"
SEALED: Final = "secrets.sealed"

CHUNK_BYTES: Final = 4 << 20
SYNC_EVERY_BYTES: Final = 64 << 20
"""How much may wait in memory for the disk, so that the journal's own syncs never wait behind gigabytes."""

MANIFEST_BYTES_MAX: Final = 4 << 20

_NAME: Final = re.compile(
    r"(accounts|history|ledger)\.sqlite|journal/\d{4}-\d\d-\d\d(\.\d{1,4})?\.sqlite|checkpoint/fold|secrets\.sealed"
)
"""The only names a backup holds: whatever else stands in a file is refused, paths above all."""

Advance = Callable[[int], None]
"""Called with how many bytes were done since the last call."""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the backup, and when the moment was that it shows."""

    name: str
    size_bytes: int
    sha256: str
    taken_ms: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself. Fields may be added with a default.

    Attributes:
        format: Of this list; a version that does not know it refuses.
        nightbell: The version that made it.
        began_ms: Everything that was acknowledged before is in it.
        made_ms: When it was complete.
        seq: The newest group of the journal in it.
        members: Every file.
    """

    format: int
    nightbell: str
    began_ms: int
    made_ms: int
    seq: int
    members: tuple[Member, ...]

    @property
    def has_secrets(self) -> bool:
        """Whether the keys are in it."""
        return any(member.name == SEALED for member in self.members)

    @property
    def size_bytes(self) -> int:
        """How much room it takes when it is put back."""
        return sum(member.size_bytes for member in self.members)


class BadArchiveError(Exception):
    """It is no whole backup. `what` names the fault, `name` the member if one is at fault."""

    def __init__(self, what: str, name: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.name = name


class _Summed(io.RawIOBase):
    """A file that is written front to back, summed, and handed to the disk now and then."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unsynced = 0
        self.sum = hashlib.sha256()
        self.at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def write(self, content: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._file.write(content)
        self.sum.update(content)
        self.at += len(content)
        self._unsynced += len(content)
        if self._unsynced >= SYNC_EVERY_BYTES:
            self.sync()
        return len(content)

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unsynced = 0


class ArchiveWriter:
    """Writes one archive into an open file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._out = _Summed(file)
        self._tar = tarfile.TarFile(fileobj=self._out, mode="w", format=tarfile.PAX_FORMAT)
        self._members: list[Member] = []

    def add(self, name: str, source: IO[bytes], size: int, *, taken_ms: int, advance: Advance) -> None:
        """Add one member from a file; `size` bytes of it.

        Raises:
            OSError: It cannot be read or written, or has become shorter.
        """
        assert _NAME.fullmatch(name)
        reader = _Reader(source, size, advance)
        self._tar.addfile(_info(name, size), reader)
        self._members.append(Member(name, size, reader.sum.hexdigest(), taken_ms))

    def finish(self, *, nightbell: str, began_ms: int, made_ms: int, seq: int) -> Manifest:
        """Write the list and the sum; durable when this returns.

        Raises:
            OSError: It cannot be written.
        """
        manifest = Manifest(FORMAT, nightbell, began_ms, made_ms, seq, tuple(self._members))
        listed = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        self._tar.addfile(_info(MANIFEST, len(listed)), io.BytesIO(listed))
        tail = _tail(self._out.sum.hexdigest())
        self._out.write(tail)
        self._out.sync()
        return manifest


class _Reader:
    """Reads exactly so many bytes, summed as they go."""

    def __init__(self, source: IO[bytes], size: int, advance: Advance) -> None:
        self._source = source
        self._left = size
        self._advance = advance
        self.sum = hashlib.sha256()

    def read(self, count: int = CHUNK_BYTES, /) -> bytes:
        """The next bytes; tarfile asks for no more than were promised."""
        content = self._source.read(min(count, self._left))
        self.sum.update(content)
        self._left -= len(content)
        self._advance(len(content))
        return content


class ArchiveReader:
    """Reads one archive. Use `manifest`, then `check_whole`, then `extract`."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: It cannot be read.
            BadArchiveError: It is no archive of ours, or not a whole one.
        """
        self._file = path.open("rb")
        try:
            self._index = self._indexed()
            self.manifest = self._manifest()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _indexed(self) -> dict[str, tarfile.TarInfo]:
        try:
            with tarfile.open(fileobj=self._file, mode="r:") as tar:
                infos = tar.getmembers()
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise BadArchiveError("not_ours") from error
        index = {info.name: info for info in infos}
        if len(index) != len(infos):
            raise BadArchiveError("twice")
        for info in infos:
            known = info.name in (MANIFEST, SUM) or _NAME.fullmatch(info.name)
            if not known or info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise BadArchiveError("strange", info.name)
        if SUM not in index or MANIFEST not in index or infos[-1].name != SUM:
            raise BadArchiveError("cut_short")
        return index

    def _manifest(self) -> Manifest:
        info = self._index[MANIFEST]
        if info.size > MANIFEST_BYTES_MAX:
            raise BadArchiveError("damaged", MANIFEST)
        self._file.seek(info.offset_data)
        raw = self._file.read(info.size)
        try:
            format_ = msgspec.json.decode(raw, type=_AnyFormat).format
            if format_ != FORMAT:
                raise BadArchiveError("newer", str(format_))
            manifest = msgspec.json.decode(raw, type=Manifest)
        except msgspec.DecodeError:
            raise BadArchiveError("damaged", MANIFEST) from None
        listed = {member.name: member.size_bytes for member in manifest.members}
        found = {name: info.size for name, info in self._index.items() if name not in (MANIFEST, SUM)}
        if listed != found:
            raise BadArchiveError("differs")
        return manifest

    def check_whole(self, advance: Advance) -> None:
        """Read every byte once and compare every sum.

        Raises:
            BadArchiveError: Something was changed; the member is named where one is.
            OSError: It cannot be read.
        """
        for member in self.manifest.members:
            if self._sum_of(self._index[member.name], advance) != member.sha256:
                raise BadArchiveError("damaged", member.name)
        before = self._index[SUM].offset
        self._file.seek(0)
        whole, left = hashlib.sha256(), before
        while left:
            content = self._file.read(min(CHUNK_BYTES, left))
            if not content:
                raise BadArchiveError("cut_short")
            whole.update(content)
            left -= len(content)
        expected = _tail(whole.hexdigest())
        if self._file.read(len(expected) + 1) != expected:
            raise BadArchiveError("changed")

    def _sum_of(self, info: tarfile.TarInfo, advance: Advance) -> str:
        found, left = hashlib.sha256(), info.size
        self._file.seek(info.offset_data)
        while left:
            content = self._file.read(min(CHUNK_BYTES, left))
            if not content:
                raise BadArchiveError("cut_short", info.name)
            found.update(content)
            left -= len(content)
            advance(len(content))
        return found.hexdigest()

    def content(self, name: str) -> bytes:
        """A small member whole."""
        info = self._index[name]
        self._file.seek(info.offset_data)
        return self._file.read(info.size)

    def extract(self, member: Member, target: Path, advance: Advance) -> None:
        """Write one member to a new file; durable when this returns, and its sum is the right one.

        Raises:
            BadArchiveError: Its sum is wrong.
            OSError: It cannot be read or written.
        """
        found, left = hashlib.sha256(), member.size_bytes
        self._file.seek(self._index[member.name].offset_data)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            while left and (content := self._file.read(min(CHUNK_BYTES, left))):
                found.update(content)
                out.write(content)
                left -= len(content)
                advance(len(content))
            out.flush()
            os.fsync(out.fileno())
        if found.hexdigest() != member.sha256:
            raise BadArchiveError("damaged", member.name)


class _AnyFormat(msgspec.Struct):
    format: int


def _info(name: str, size: int) -> tarfile.TarInfo:
    """The same header for the same member, whoever makes it: no owner, no time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _tail(whole_sum: str) -> bytes:
    """What every archive with this sum ends with: the sum, and the two empty blocks of a tar."""
    content = whole_sum.encode() + b"\n"
    header = _info(SUM, len(content)).tobuf(tarfile.PAX_FORMAT)
    padded = content.ljust(-(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE, b"\0")
    return header + padded + bytes(2 * tarfile.BLOCKSIZE)
