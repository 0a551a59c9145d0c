"""The watcher's own folder: sealed, whole, and never in the way."""

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from nightbell.adapters.stores.roster.book import SqliteBook
from nightbell.adapters.stores.roster.folder import write_whole
from nightbell.adapters.stores.roster.pairings import FilePairings
from nightbell.adapters.stores.roster.seal import Seal, own_seal
from nightbell.adapters.stores.roster.site import FolderSite
from nightbell.watch.canary import Flock, flock_of
from nightbell.watch.delivery import NoticeDelivery, deliveries_of
from nightbell.watch.evidence import Detector
from nightbell.watch.judge import Announce, Audience, Incident, Judged, NoticeKind
from nightbell.watch.ports import Change
from nightbell.watch.roster import affected
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import PlatformError
from tests.simulators.watch_world import NIGHT_MS, PAIRED, family

INCIDENT = Incident("i1", NIGHT_MS, NIGHT_MS + 1, (Detector.DOOR,))


def mails() -> tuple[NoticeDelivery, ...]:
    said = Announce("i1-first", NoticeKind.FIRST, Audience.EVERYONE, INCIDENT, NIGHT_MS, NIGHT_MS)
    return tuple(deliveries_of(said, affected(family()), [], catalogue(), page_url="", shift_ms=0))


CHANGE = Change(
    judged=Judged(incident=INCIDENT), flock=flock_of(("a", "b"), Flock()), roster=family(), deliveries=mails()
)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def written(folder: Path, change: Change = CHANGE) -> None:
    book = SqliteBook(folder)
    await book.open(forget_before_ms=0)
    await book.write(change)
    await book.close()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    await written(tmp_path)

    kept = await (book := SqliteBook(tmp_path)).open(forget_before_ms=0)
    await book.close()

    assert kept.judged.incident == INCIDENT
    assert kept.flock == CHANGE.flock
    assert kept.roster == family()
    assert {one.key: one for one in kept.deliveries} == {one.key: one for one in mails()}
    assert not kept.lost


async def test_no_name_address_or_text_can_be_read_in_the_file(tmp_path: Path) -> None:
    await written(tmp_path)

    raw = b"".join(path.read_bytes() for path in files_in(tmp_path) if path.name.startswith("roster"))

    for secret in (b"ben@example.org", b"Ana", b"Lisbon", b"finger stick"):
        assert secret not in raw
    assert len(raw) > 1000
    for name in ("key", "roster.sqlite"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


async def test_old_deliveries_are_forgotten(tmp_path: Path) -> None:
    await written(tmp_path)

    kept = await (book := SqliteBook(tmp_path)).open(forget_before_ms=NIGHT_MS + 1)
    await book.close()

    assert not kept.deliveries


@pytest.mark.parametrize("damage", ["header", "other_key", "swapped"])
async def test_a_damaged_book_is_set_aside_and_said(tmp_path: Path, damage: str) -> None:
    await written(tmp_path)
    file = tmp_path / "roster.sqlite"
    if damage == "header":
        file.write_bytes(b"not a database at all" * 500)
    elif damage == "other_key":
        (tmp_path / "key").unlink()
    else:
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE part SET sealed = (SELECT sealed FROM part WHERE name = 'flock')")
        connection.close()

    kept = await (book := SqliteBook(tmp_path)).open(forget_before_ms=0)
    await book.write(CHANGE)
    await book.close()

    assert kept.lost
    assert kept.roster is None
    assert (tmp_path / "roster.sqlite.damaged").exists()


async def test_a_folder_that_cannot_be_is_said_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "watcher").write_text("a file where the folder should be")
    book = SqliteBook(tmp_path / "watcher")

    with pytest.raises(PlatformError, match="Look at its disk"):
        await book.open(forget_before_ms=0)
    await book.close()


def test_a_seal_opens_only_what_it_sealed_for_the_same_purpose(tmp_path: Path) -> None:
    seal = own_seal(tmp_path / "key")
    sealed = seal.close_up(b"whom to tell", "part:roster")

    assert own_seal(tmp_path / "key").open_up(sealed, "part:roster") == b"whom to tell"
    for wrong, what in ((sealed, "part:judged"), (sealed[:-1], "part:roster"), (b"", "part:roster")):
        with pytest.raises(ValueError, match="cannot be opened"):
            seal.open_up(wrong, what)
    with pytest.raises(ValueError, match="cannot be opened"):
        Seal(bytes(32)).open_up(sealed, "part:roster")


def test_a_key_that_is_none_is_not_replaced_silently(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")

    with pytest.raises(PlatformError, match="Move it away"):
        own_seal(tmp_path / "key")


async def test_the_pairing_is_private_and_read_back_as_written(tmp_path: Path) -> None:
    pairings = FilePairings(tmp_path / "watcher")

    assert await pairings.read() is None
    pairings.write(PAIRED)

    assert await pairings.read() == PAIRED
    assert stat.S_IMODE((tmp_path / "watcher" / "pairing.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("raw", [b"", b"{}", b"x" * 300_000, b'{"base_url": "ftp://x"}'])
async def test_a_pairing_that_cannot_be_used_is_none(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "pairing.json").write_bytes(raw)

    assert await FilePairings(tmp_path).read() is None


async def test_the_page_is_written_whole_beside_its_health(tmp_path: Path) -> None:
    site = FolderSite(tmp_path)

    await site.put({"index.html": b"one", "api/v2/summary.json": b"{}"}, b'{"state":"quiet"}')
    await site.put({"index.html": b"two", "api/v2/summary.json": b"{}"}, b'{"state":"quiet"}')

    assert (tmp_path / "status" / "index.html").read_bytes() == b"two"
    assert (tmp_path / "status" / "api" / "v2" / "summary.json").read_bytes() == b"{}"
    assert (tmp_path / "health.json").read_bytes() == b'{"state":"quiet"}'
    assert not [path for path in files_in(tmp_path) if path.name.endswith(".new")]


async def test_a_page_that_cannot_be_written_is_still_served(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("in the way")
    site = FolderSite(tmp_path)

    with pytest.raises(PlatformError, match="Make room"):
        await site.put({"index.html": b"new"}, b"{}")

    assert site.files["index.html"] == b"new"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page"
    write_whole(path, b"old", mode=0o600)
    (tmp_path / ".page.new").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_whole(path, b"new", mode=0o600)

    assert path.read_bytes() == b"old"


async def test_writes_that_come_together_are_all_kept(tmp_path: Path) -> None:
    book = SqliteBook(tmp_path)
    await book.open(forget_before_ms=0)

    await asyncio.gather(*(book.write(Change(deliveries=(one,))) for one in mails()))
    await book.close()

    kept = await (again := SqliteBook(tmp_path)).open(forget_before_ms=0)
    await again.close()
    assert len(kept.deliveries) == len(mails())
