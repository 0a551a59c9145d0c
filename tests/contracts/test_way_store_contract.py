"""What every store of ways promises, in memory and in files; and that a file gives no address away."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nightbell.account.person import Person
from nightbell.account.ports import AccountChange, StoredPerson, StoredWay, WayChange, WayStore
from nightbell.account.way import UNREADABLE, ProvenBy, Way
from nightbell.account.way_book import WayBook
from nightbell.adapters.stores.memory.accounts import MemoryWayStore
from nightbell.adapters.stores.sqlite import sealing
from nightbell.adapters.stores.sqlite.accounts import AccountsFile, SqliteAccountStore
from nightbell.adapters.stores.sqlite.accounts_ways import SqliteWayStore
from nightbell.words.errors import PlatformError
from nightbell.words.glucose import Unit
from tests.contracts.taken_over import people_in
from tests.tidy.source import ROOT

BENS, CLEOS, NOBODYS = (f"{n:08d}-0000-4000-8000-{n:012d}" for n in range(1, 4))
PHONE: Final = "+351912345678"
EMAIL: Final = "ben.of.the.cast@example.org"
HOOK: Final = "https://hooks.example.org/of-bens-house"
LABEL: Final = "Ben's bedside phone"
BEN = Person(BENS, "Ben", EMAIL, Unit.MGDL, "UTC", -1, hidden=False, created_ms=6, webhook=HOOK)
CLEO = Person(CLEOS, "Cleo", "", Unit.MGDL, "UTC", -1, hidden=False, created_ms=7)
SMS = Way("sms", 1, PHONE, LABEL, 10, 20, ProvenBy.SEEN)
SECOND = Way("sms", 2, "+351987654321", "", 11, lost_ms=30, lost_why="refused")
PUSH = Way("push", 1, '{"endpoint":"https://push.example.net/x"}', "Laptop", 12)


class Opened:
    """A store, and a way to open it again as another process would."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.store: WayStore = MemoryWayStore()
        self.file: AccountsFile | None = None

    async def open(self) -> WayStore:
        """Open; people must be there before their ways."""
        if self.folder is not None:
            await self.close()
            self.file = AccountsFile(self.folder / "accounts.sqlite")
            await self.file.start()
            self.store = SqliteWayStore(self.file)
            people = (StoredPerson(BEN, "phc"), StoredPerson(CLEO, "phc"))
            await SqliteAccountStore(self.file).commit(AccountChange(people=people))
        return self.store

    async def again(self) -> dict[str, list[Way]]:
        """What is there after a restart, by person."""
        return await ways_in(await self.open())

    async def close(self) -> None:
        """Close what is open."""
        if self.file is not None:
            await self.file.close()
            self.file = None


async def ways_in(store: WayStore) -> dict[str, list[Way]]:
    """What a store hands over, as a book holds it."""
    book = WayBook(store.opened)
    book.load(await store.load())
    return {person: book.of_person(person) for person in (BENS, CLEOS, NOBODYS)}


@pytest.fixture(params=["memory", "files"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    made = Opened(tmp_path if request.param == "files" else None)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Opened]:
    made = Opened(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_an_empty_store_of_ways_loads_as_nothing(opened: Opened) -> None:
    assert await opened.again() == {BENS: [], CLEOS: [], NOBODYS: []}


async def test_ways_are_there_after_a_restart_with_all_that_is_known_of_them(opened: Opened) -> None:
    await opened.store.commit(
        WayChange(ways=(StoredWay(BENS, SMS), StoredWay(CLEOS, PUSH), StoredWay(BENS, SECOND)))
    )

    again = await opened.again()

    assert again == {BENS: [SMS, SECOND], CLEOS: [PUSH], NOBODYS: []}


async def test_a_way_is_replaced_by_its_number_and_one_that_is_dropped_is_gone(opened: Opened) -> None:
    await opened.store.commit(WayChange(ways=tuple(StoredWay(BENS, way) for way in (SMS, SECOND, PUSH))))
    found = msgspec.structs.replace(SECOND, lost_ms=0, lost_why="", label="Cleo's old one")

    await opened.store.commit(
        WayChange(ways=(StoredWay(BENS, found),), dropped=((BENS, "sms", 1), (BENS, "sms", 9)))
    )

    assert (await opened.again())[BENS] == [PUSH, found]


# Files only


def bytes_on_disk(folder: Path) -> bytes:
    """Everything that is in the accounts' files, the log beside them too."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("accounts.sqlite*")))


SECRETS: Final = (PHONE, PHONE[4:], EMAIL, EMAIL.partition("@")[0], HOOK, "of-bens-house", LABEL)


async def test_no_address_and_no_number_can_be_found_in_the_files(files: Opened, tmp_path: Path) -> None:
    await files.store.commit(WayChange(ways=(StoredWay(BENS, SMS), StoredWay(BENS, PUSH))))
    while_open = bytes_on_disk(tmp_path)
    await files.close()
    after = bytes_on_disk(tmp_path)

    assert (tmp_path / "accounts.sqlite-wal").exists() or b"Ben" in after
    for raw in (while_open, after):
        assert b"Ben\x00" in raw or b"Ben" in raw  # a name is not sealed: we look at the right bytes
        assert not [secret for secret in SECRETS if secret.encode() in raw]
        assert b"push.example.net" not in raw


async def test_what_is_sealed_cannot_be_put_in_anothers_place(files: Opened) -> None:
    await files.store.commit(WayChange(ways=(StoredWay(BENS, SMS), StoredWay(CLEOS, PUSH))))
    assert files.file is not None
    await files.file.write(
        lambda connection: connection.execute(
            "UPDATE way SET sealed = (SELECT sealed FROM way WHERE person = ?) WHERE person = ?",
            (BENS, CLEOS),
        )
    )

    [stolen] = (await ways_in(files.store))[CLEOS]

    assert (stolen.address, stolen.label, stolen.lost_why) == ("", "", UNREADABLE)


@asynccontextmanager
async def reopened(folder: Path) -> AsyncIterator[AccountsFile]:
    file = AccountsFile(folder / "accounts.sqlite")
    await file.start()
    try:
        yield file
    finally:
        await file.close()


@pytest.mark.parametrize("harm", ["lost", "another", "damaged"])
async def test_without_the_key_nothing_is_overwritten_it_is_said_and_all_is_back_with_the_key(
    files: Opened, tmp_path: Path, harm: str
) -> None:
    await files.store.commit(WayChange(ways=(StoredWay(BENS, SMS),)))
    await files.close()
    key = tmp_path / "keys" / "contacts"
    right = key.read_bytes()
    key.unlink() if harm == "lost" else key.write_bytes(os.urandom(32) if harm == "another" else b"short")

    async with reopened(tmp_path) as file:
        accounts, ways = SqliteAccountStore(file), SqliteWayStore(file)
        assert "keys/contacts" in file.seal.failing
        people = {one.person.name: one for one in people_in(await accounts.load(), accounts.opened)}
        assert people["Ben"].person.email == ""
        [unread] = (await ways_in(ways))[BENS]
        assert (unread.address, unread.lost_why) == ("", UNREADABLE)
        renamed = msgspec.structs.replace(people["Ben"], password="new")
        await accounts.commit(AccountChange(people=(renamed,)))
        with pytest.raises(PlatformError):
            await accounts.commit(AccountChange(people=(StoredPerson(BEN, "new"),)))
        with pytest.raises(PlatformError):
            await ways.commit(WayChange(ways=(StoredWay(BENS, SECOND),)))
    assert not key.exists() or harm != "lost"

    key.write_bytes(right)
    async with reopened(tmp_path) as file:
        accounts = SqliteAccountStore(file)
        assert file.seal.failing == ""
        assert people_in(await accounts.load(), accounts.opened)[0] == StoredPerson(BEN, "new")
        assert (await ways_in(SqliteWayStore(file)))[BENS] == [SMS]


async def test_an_empty_key_file_begins_anew(files: Opened, tmp_path: Path) -> None:
    await files.close()
    (tmp_path / "keys" / "contacts").write_bytes(b"")

    async with reopened(tmp_path) as file:
        assert file.seal.failing == ""
        await SqliteWayStore(file).commit(WayChange(ways=(StoredWay(BENS, SMS),)))
    async with reopened(tmp_path) as file:
        assert (await ways_in(SqliteWayStore(file)))[BENS] == [SMS]
    assert len((tmp_path / "keys" / "contacts").read_bytes()) == 32


def written_by_an_older_version(folder: Path, people: int) -> None:
    """A file of form 1: addresses stand in it in plain, also in what was given up when half of it went."""
    path = ROOT / "src/nightbell/adapters/stores/sqlite/accounts_0001_people_and_follows.sql"
    with closing(sqlite3.connect(folder / "accounts.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF").fetchone()
        connection.executescript(path.read_text(encoding="utf-8"))
        connection.execute("PRAGMA user_version = 1")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO person VALUES (?, ?, ?, ?, 'mg/dL', 'UTC', -1, 0, 5, 'phc', ?)",
            (
                (f"{n:08d}-0000-4000-8000-{n:012d}", f"P{n}", f"p{n}", f"secret-{n}@example.org", HOOK)
                for n in range(people)
            ),
        )
        connection.execute("COMMIT")
        connection.execute("UPDATE person SET email = '' WHERE name = 'P3'")
        connection.execute("DELETE FROM person WHERE rowid > ?", (people // 2,))


def addresses_in(raw: bytes) -> int:
    return raw.count(b"@example.org") + raw.count(HOOK.encode())


async def test_what_an_older_version_wrote_in_plain_is_sealed_and_leaves_no_trace(tmp_path: Path) -> None:
    written_by_an_older_version(tmp_path, 12_000)
    assert addresses_in(bytes_on_disk(tmp_path)) > 15_000

    async with reopened(tmp_path) as file:
        assert addresses_in(bytes_on_disk(tmp_path)) == 0
        store = SqliteAccountStore(file)
        people = {one.person.name: one.person for one in people_in(await store.load(), store.opened)}
    assert addresses_in(bytes_on_disk(tmp_path)) == 0

    assert len(people) == 6_000
    assert (people["P7"].email, people["P7"].webhook) == ("secret-7@example.org", HOOK)
    assert people["P3"].email == ""


async def test_sealing_that_was_killed_halfway_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_by_an_older_version(tmp_path, 12_000)

    def full(rows: object, seal: object) -> None:
        del rows, seal
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sealing, "ROWS_AT_ONCE", 5_000)
    monkeypatch.setattr(sealing, "_sealed_rows", full)
    async with reopened(tmp_path) as file:  # it starts all the same
        store = SqliteAccountStore(file)
        assert len(people_in(await store.load(), store.opened)) == 6_000
    monkeypatch.undo()

    async with reopened(tmp_path) as file:
        store = SqliteAccountStore(file)
        assert people_in(await store.load(), store.opened)[8].person.email == "secret-8@example.org"
        assert addresses_in(bytes_on_disk(tmp_path)) == 0
