"""The parts of a backup: copies of what others write to, the archive that trusts nothing, the sealed keys."""

import asyncio
import io
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from nightbell.adapters.stores.backup.archive import (
    MANIFEST,
    ArchiveReader,
    ArchiveWriter,
    BadArchiveError,
    Manifest,
)
from nightbell.adapters.stores.backup.seal import UnknownSealError, WrongPassphraseError, opened, sealed
from nightbell.adapters.stores.backup.snapshot import copy_running
from nightbell.adapters.stores.sqlite.accounts import AccountsFile
from nightbell.app.backup import BackupError, make_backup
from nightbell.app.backup_commands import BackupCommands, LetGo
from nightbell.app.control_words import Nothing
from nightbell.app.platform import Platform
from nightbell.app.restore import Restoring
from nightbell.app.settings import load
from nightbell.words.clock import ManualClock
from nightbell.words.errors import CallerError

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

NOW_MS = 1_795_342_200_000
CHEAP = (4, 8, 1)


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """A file that somebody commits two rows to at once, again and again, until the block ends."""
    over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            while not over.is_set():
                connection.execute("INSERT INTO pair SELECT max(first) + 1, max(first) + 1, NULL FROM pair")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def test_a_copy_of_a_file_that_is_written_to_all_the_time_ends_and_is_of_one_moment(tmp_path: Path) -> None:
    source, target = tmp_path / "source.sqlite", tmp_path / "target.sqlite"
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("CREATE TABLE pair (first INTEGER PRIMARY KEY, second INTEGER, blank BLOB)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO pair SELECT i, i, zeroblob(2000) FROM n"
        )

    with written_to(source):
        copy_running(source, target, lambda _: None)

    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count, last = copy.execute("SELECT count(*), max(first) FROM pair").fetchone()
        assert count == last >= 20_000


async def accounts_file(folder: Path) -> AccountsFile:
    file = AccountsFile(folder / "accounts.sqlite")
    await file.start()
    return file


async def write_much(file: AccountsFile) -> None:
    """More than SQLite leaves in its log."""
    for _ in range(4):
        await file.write(
            lambda connection: connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                " INSERT INTO look (at_ms, viewer, sharer, what, credential, hash)"
                " SELECT 1, 'ben', 0, 'x', 0, zeroblob(1000) FROM n"
            )
        )


async def test_accounts_that_hold_still_are_written_to_and_their_file_does_not_change(tmp_path: Path) -> None:
    file = await accounts_file(tmp_path)
    await write_much(file)
    await file.hold_still()
    held = read(tmp_path / "accounts.sqlite")

    await write_much(file)
    still = read(tmp_path / "accounts.sqlite")
    await file.let_go()
    await write_much(file)
    after = read(tmp_path / "accounts.sqlite")
    await file.close()

    assert still == held
    assert after != held
    with closing(sqlite3.connect(f"file:{copy_of(held, tmp_path)}?immutable=1", uri=True)) as copy:
        assert copy.execute("SELECT count(*) FROM look").fetchone() == (8000,)


def read(path: Path) -> bytes:
    return path.read_bytes()


def copy_of(raw: bytes, folder: Path) -> Path:
    path = folder / "copy.sqlite"
    path.write_bytes(raw)
    return path


async def test_a_hold_ends_by_itself_and_then_the_copy_is_refused(tmp_path: Path) -> None:
    file = await accounts_file(tmp_path)
    commands = BackupCommands(file, lambda: True, hold_s_max=0.01)
    first = await commands.hold(Nothing())
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.01)
            try:
                second = await commands.hold(Nothing())
                break
            except CallerError:
                continue  # still held

    with pytest.raises(CallerError):
        await commands.let_go(LetGo(first.hold))
    await asyncio.sleep(0.1)
    with pytest.raises(CallerError):
        await commands.let_go(LetGo(second.hold))
    await file.close()


async def test_two_backups_do_not_hold_the_accounts_at_once(tmp_path: Path) -> None:
    file = await accounts_file(tmp_path)
    commands = BackupCommands(file, lambda: True)
    held = await commands.hold(Nothing())

    with pytest.raises(CallerError):
        await commands.hold(Nothing())
    await commands.let_go(LetGo(held.hold))
    again = await commands.hold(Nothing())
    await commands.let_go(LetGo(again.hold))
    await file.close()


async def test_no_backup_is_made_of_files_that_are_being_repaired(tmp_path: Path) -> None:
    file = await accounts_file(tmp_path)

    with pytest.raises(CallerError):
        await BackupCommands(file, lambda: False).begin(Nothing())
    await file.close()


async def whole_folder(folder: Path) -> Path:
    """A data directory with every file, of a platform that was stopped in order."""
    settings = load(folder, {}, chosen={"listen": "127.0.0.1:0"})
    platform = Platform(folder, settings, tls=None, clock=ManualClock(NOW_MS))
    await platform.start()
    await platform.close()
    return folder


async def test_what_follows_from_the_journal_is_taken_before_it_and_what_it_names_after_it(
    tmp_path: Path,
) -> None:
    folder = await whole_folder(tmp_path / "bell")

    made = backup_of(folder, tmp_path / "kept.tar")
    reader = ArchiveReader(Path(made))
    reader.close()

    assert [member.name for member in reader.manifest.members] == [
        "checkpoint/fold",
        "ledger.sqlite",
        "history.sqlite",
        "journal/2026-11-22.sqlite",
        "accounts.sqlite",
        "secrets.sealed",
    ]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def backup_of(folder: Path, target: Path) -> str:
    made = make_backup(
        folder, target, passphrase="of the cast", still=None, nightbell="0.1.0", clock=ManualClock(NOW_MS)
    )
    return made.file


async def test_a_backup_without_accounts_is_not_made(tmp_path: Path) -> None:
    folder = await whole_folder(tmp_path / "bell")
    (folder / "accounts.sqlite").unlink()

    with pytest.raises(BackupError) as refused:
        backup_of(folder, tmp_path / "kept.tar")

    assert refused.value.code == "lost"
    assert names_in(tmp_path) == ["bell"]


async def test_numbers_given_out_after_the_backup_are_not_given_to_others_after_a_restore(
    tmp_path: Path,
) -> None:
    folder = await whole_folder(tmp_path / "bell")
    made = backup_of(folder, tmp_path / "kept.tar")

    with closing(Restoring(Path(made))) as restoring:
        restoring.put_back(tmp_path / "new", passphrase="of the cast")

    assert reserved(tmp_path / "new") > reserved(folder) + 100_000


def reserved(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "accounts.sqlite")) as connection:
        return int(connection.execute("SELECT reserved FROM credentials_reserved").fetchone()[0])


def archive_with(path: Path, *names: str, change: Callable[[Manifest], Manifest] = lambda same: same) -> Path:
    """A whole archive with these members, its list changed and summed anew by somebody who knows how."""
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        for name in names:
            writer.add(name, io.BytesIO(b"content"), 7, taken_ms=1, advance=lambda _: None)
        listed = Manifest(1, "0.1.0", 1, 1, 1, tuple(writer._members))
        raw = msgspec.json.encode(change(listed))
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(raw)
        writer._tar.addfile(info, io.BytesIO(raw))
        writer._out.write(tail_of(writer))
    return path


def tail_of(writer: ArchiveWriter) -> bytes:
    content = writer._out.sum.hexdigest().encode() + b"\n"
    info = tarfile.TarInfo("sha256")
    info.size, info.mode = len(content), 0o600
    return info.tobuf(tarfile.PAX_FORMAT) + content.ljust(512, b"\0") + bytes(1024)


def test_an_archive_made_by_hand_as_ours_are_is_read(tmp_path: Path) -> None:
    reader = ArchiveReader(archive_with(tmp_path / "a.tar", "ledger.sqlite"))
    reader.check_whole(lambda _: None)
    reader.close()

    assert [member.name for member in reader.manifest.members] == ["ledger.sqlite"]


def test_an_archive_of_a_newer_format_says_so(tmp_path: Path) -> None:
    path = archive_with(
        tmp_path / "a.tar", "ledger.sqlite", change=lambda listed: msgspec.structs.replace(listed, format=2)
    )

    with pytest.raises(BadArchiveError) as refused:
        ArchiveReader(path)

    assert refused.value.what == "newer"


@pytest.mark.parametrize(
    "name", ["../accounts.sqlite", "/etc/passwd", "journal/../../x.sqlite", "keys/grant.key", "x"]
)
def test_a_name_that_no_backup_holds_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))

    with pytest.raises(BackupError) as refused:
        Restoring(path)

    assert refused.value.code == "strange"


def test_a_link_under_a_good_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("ledger.sqlite")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)

    with pytest.raises(BackupError) as refused:
        Restoring(path)

    assert refused.value.code == "strange"


def test_an_archive_whose_end_is_gone_is_refused(tmp_path: Path) -> None:
    path = archive_with(tmp_path / "a.tar", "ledger.sqlite")
    path.write_bytes(path.read_bytes()[:1024])

    with pytest.raises(BackupError) as refused:
        Restoring(path)

    assert refused.value.code == "cut_short"


def test_sealed_keys_open_with_their_passphrase_and_their_backup_only() -> None:
    content = sealed({"keys/webhook": b"secret"}, "of the cast", bound_to=b"1", cost=CHEAP)

    assert opened(content, "of the cast", bound_to=b"1") == {"keys/webhook": b"secret"}
    with pytest.raises(WrongPassphraseError):
        opened(content, "of somebody", bound_to=b"1")
    with pytest.raises(WrongPassphraseError):
        opened(content, "of the cast", bound_to=b"2")


def test_a_seal_that_would_eat_the_memory_is_not_tried() -> None:
    content = bytearray(sealed({}, "of the cast", bound_to=b"", cost=CHEAP))
    content[4] = 30

    with pytest.raises(UnknownSealError):
        opened(bytes(content), "of the cast", bound_to=b"")
