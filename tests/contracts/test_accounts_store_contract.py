"""What every store of accounts, follows, looks and keys promises: in memory and in files alike."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from nightbell.account.person import Person
from nightbell.account.ports import AccountChange, StoredKey, StoredPerson, StoredSession, StoredShare
from nightbell.account.share import ShareCredential
from nightbell.adapters.stores.files.keys import FileKeyFolder
from nightbell.adapters.stores.memory.accounts import MemoryKeyFolder
from nightbell.adapters.stores.sqlite.accounts import AccountsFile, SqliteAccountStore
from nightbell.adapters.stores.sqlite.accounts_follows import SqliteFollowStore, SqliteLookStore
from nightbell.follow.defaults import default_limits
from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.limits import Hours
from nightbell.follow.look import GENESIS, Look, chained, first_broken
from nightbell.follow.ports import FollowChange, StoredInvitation
from nightbell.words.errors import ErrorCode, PlatformError
from nightbell.words.glucose import Unit
from tests.contracts.taken_over import follows_in, keys_in, people_in, sessions_in, shares_in
from tests.household import ANAS_PASSWORD, NOW_MS, FactsKept, House, Stores, assemble, memory_stores

ANAS, BENS, KEYS, SHARES, INVS, FOLLOWS, TWINS, EVES, OTHERS = (
    f"{n:08d}-0000-4000-8000-{n:012d}" for n in range(1, 10)
)
"""Ids of them all."""

ANA = Person(ANAS, "Ana", "ana@example.org", Unit.MMOL, "Europe/Lisbon", 0, hidden=False, created_ms=5)
BEN = Person(BENS, "Ben", "", Unit.MGDL, "UTC", -1, hidden=True, created_ms=6)
KEY = StoredKey(KEYS, 3, ANAS, "publish", "pump", b"\x01" * 32, 7, 0)
SHARE = StoredShare(ShareCredential(SHARES, "Ana", ANAS, 4, 8), "phc")
SESSION = StoredSession(b"\x02" * 32, SHARES, 9, 10)
INVITATION = StoredInvitation(INVS, b"\x03" * 32, ANAS, may_see_graph=True, may_be_told=False, expires_ms=99)
FOLLOW = Follow(
    id=FOLLOWS,
    number=0,
    sharer=ANAS,
    sharer_number=0,
    follower=BENS,
    state=FollowState.PAUSED,
    may_see_graph=False,
    may_be_told=True,
    limits=default_limits(Unit.MMOL),
    since_ms=11,
    paused_by=BENS,
)
TWO_PEOPLE = AccountChange(people=(StoredPerson(ANA, "phc"), StoredPerson(BEN, "")))


class Opened:
    """Stores, and a way to open them again as another process would."""

    def __init__(self, stores: Stores, folder: Path | None = None, file: AccountsFile | None = None) -> None:
        self.stores = stores
        self.folder = folder
        self.file = file

    async def again(self) -> Stores:
        """The same stores after a restart."""
        if self.folder is not None:
            await self.close()
            fresh = await open_files(self.folder)
            self.stores, self.file = fresh.stores, fresh.file
        return self.stores

    async def close(self) -> None:
        """Close what is open."""
        if self.file is not None:
            await self.file.close()
            self.file = None


async def open_files(folder: Path) -> Opened:
    """Everything in files."""
    file = AccountsFile(folder / "accounts.sqlite")
    await file.start()
    keys = FileKeyFolder(folder / "keys")
    stores = Stores(SqliteAccountStore(file), keys, SqliteFollowStore(file), SqliteLookStore(file))
    return Opened(stores, folder, file)


@pytest.fixture(params=["memory", "files"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """One kind of store after the other."""
    made = Opened(memory_stores()) if request.param == "memory" else await open_files(tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[Opened]:
    """The stores in files."""
    made = await open_files(tmp_path)
    yield made
    await made.close()


def modes_below(folder: Path) -> dict[str, int]:
    """Who may read each file and folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


# Accounts


async def test_an_empty_store_loads_as_nothing(opened: Opened) -> None:
    loaded = await opened.stores.accounts.load()
    follows = await opened.stores.follows.load()

    assert (people_in(loaded), keys_in(loaded)) == ([], [])
    assert (shares_in(loaded), sessions_in(loaded), loaded.credentials_reserved) == ([], [], 0)
    assert (follows_in(follows), follows.invitations) == ([], [])
    assert await opened.stores.looks.tail() == (0, GENESIS)


async def test_everything_that_was_committed_is_there_after_a_restart(opened: Opened) -> None:
    await opened.stores.accounts.commit(
        TWO_PEOPLE._replace(keys=(KEY,), shares=(SHARE,), sessions=(SESSION,))
    )

    again = await (await opened.again()).accounts.load()

    assert people_in(again, opened.stores.accounts.opened) == list(TWO_PEOPLE.people)
    assert keys_in(again) == [KEY]
    assert shares_in(again) == [SHARE]
    assert sessions_in(again) == [SESSION]


async def test_a_row_with_the_same_id_is_replaced(opened: Opened) -> None:
    store = opened.stores.accounts
    await store.commit(TWO_PEOPLE._replace(shares=(SHARE,), sessions=(SESSION,)))
    moved = msgspec.structs.replace(BEN, email="b@example.org", zone="Asia/Tokyo", sharer=1, unit=Unit.MMOL)

    await store.commit(
        AccountChange(
            people=(StoredPerson(moved, "new"),),
            shares=(msgspec.structs.replace(SHARE, password="new"),),
            sessions=(msgspec.structs.replace(SESSION, used_ms=500),),
        )
    )

    loaded = await store.load()
    assert people_in(loaded, store.opened)[1] == StoredPerson(moved, "new")
    assert shares_in(loaded)[0].password == "new"
    assert sessions_in(loaded)[0].used_ms == 500
    assert len(people_in(loaded)) == 2


async def test_dropped_sessions_are_gone(opened: Opened) -> None:
    store = opened.stores.accounts
    await store.commit(TWO_PEOPLE._replace(shares=(SHARE,), sessions=(SESSION,)))

    await store.commit(AccountChange(sessions_dropped=(SESSION.id_hash, b"unknown")))

    assert sessions_in(await store.load()) == []


async def test_numbers_are_never_given_twice(opened: Opened) -> None:
    first = await opened.stores.accounts.reserve_credentials(10)
    second = await opened.stores.accounts.reserve_credentials(1)

    again = await opened.again()

    assert (first, second) == (1, 11)
    assert await again.accounts.reserve_credentials(5) == 12
    assert (await again.accounts.load()).credentials_reserved == 16


# Follows


async def test_follows_and_invitations_are_there_after_a_restart(opened: Opened) -> None:
    await opened.stores.accounts.commit(TWO_PEOPLE)
    await opened.stores.follows.commit(FollowChange(follows=(FOLLOW,), invitations=(INVITATION,)))

    again = await (await opened.again()).follows.load()

    assert follows_in(again, ANAS) == [FOLLOW]
    assert again.invitations == [INVITATION]


async def test_a_follow_is_replaced_and_a_used_invitation_goes_in_one_step(opened: Opened) -> None:
    await opened.stores.accounts.commit(TWO_PEOPLE)
    store = opened.stores.follows
    await store.commit(FollowChange(follows=(FOLLOW,), invitations=(INVITATION,)))
    high = msgspec.structs.replace(FOLLOW.limits.high, hours=Hours(60, 120, days=3))
    changed = msgspec.structs.replace(
        FOLLOW,
        state=FollowState.ACTIVE,
        paused_by="",
        may_see_graph=True,
        may_be_told=False,
        since_ms=12,
        limits=msgspec.structs.replace(FOLLOW.limits, high=high),
    )

    await store.commit(FollowChange(follows=(changed,), invitations_dropped=(INVITATION.id,)))

    loaded = await store.load()
    assert follows_in(loaded, ANAS) == [changed]
    assert loaded.invitations == []


# Looks


async def test_the_chain_of_looks_goes_on_after_a_restart(opened: Opened) -> None:
    looks = [Look(NOW_MS + at, f"viewer {at % 2}", at % 3, "screen", at) for at in range(9)]
    await opened.stores.looks.append(chained(looks[:5], 0, GENESIS))
    again = (await opened.again()).looks
    number, tail = await again.tail()

    await again.append(chained(looks[5:], number, tail))

    links = await again.links(0, 100)
    assert [link.look for link in links] == looks
    assert first_broken(links, await again.anchor_hash()) is None
    assert [link.look for link in await again.of_sharer(2, 2)] == [looks[8], looks[5]]
    assert [link.number for link in await again.links(7, 1)] == [8]


async def test_old_looks_go_from_the_beginning_and_the_rest_still_holds(opened: Opened) -> None:
    store = opened.stores.looks
    await store.append(chained([Look(at, "ben", 0, "screen", 1) for at in range(10)], 0, GENESIS))

    dropped = [await store.drop_before(4), await store.drop_before(4)]

    assert dropped == [4, 0]
    links = await store.links(0, 100)
    assert [link.number for link in links] == [5, 6, 7, 8, 9, 10]
    assert first_broken(links, await store.anchor_hash()) is None
    assert await store.drop_before(100) == 6
    number, tail = await store.tail()
    assert (number, tail) == (10, links[-1].hash)
    await store.append(chained([Look(200, "ben", 0, "screen", 1)], number, tail))
    assert first_broken(await store.links(0, 100), await store.anchor_hash()) is None


# Keys


async def test_keys_are_made_once_and_the_one_before_is_still_accepted(opened: Opened) -> None:
    folder = opened.stores.keys
    assert isinstance(folder, MemoryKeyFolder | FileKeyFolder)
    assert not await folder.exists()
    first = await folder.ring()
    assert await folder.exists()
    assert (await folder.ring()).signing.private_bytes_raw() == first.signing.private_bytes_raw()
    signature = first.signing.sign(b"words")

    await folder.rotate()

    second = await folder.ring()
    assert second.signing.private_bytes_raw() != first.signing.private_bytes_raw()
    assert len(second.accepted) == 2
    second.accepted[1].verify(signature, b"words")
    await folder.rotate()
    raw = {key.public_bytes_raw() for key in (await folder.ring()).accepted}
    assert first.signing.public_key().public_bytes_raw() not in raw


async def test_the_list_of_revocations_is_replaced_whole_and_set_aside_by_name(opened: Opened) -> None:
    folder = opened.stores.keys
    assert await folder.revocations() is None
    await folder.write_revocations(b"first and longer")
    await folder.write_revocations(b"second")
    assert await folder.revocations() == b"second"

    name = await folder.set_aside_revocations()

    assert name == "revoked.damaged-1"
    assert await folder.revocations() is None


# Files only


async def test_what_is_secret_is_readable_by_its_owner_only(files: Opened, tmp_path: Path) -> None:
    await files.stores.keys.ring()
    await files.stores.keys.write_revocations(b"list")
    await files.stores.accounts.commit(TWO_PEOPLE)

    modes = modes_below(tmp_path)
    assert modes.pop("keys") == 0o700
    assert set(modes) == {"accounts.sqlite", "accounts.sqlite-wal", "contacts", "grant.key", "revoked"}
    assert set(modes.values()) == {0o600}


async def test_a_key_copied_back_open_to_others_is_closed_again(files: Opened, tmp_path: Path) -> None:
    await files.stores.keys.ring()
    (tmp_path / "keys" / "grant.key").chmod(0o644)

    await files.stores.keys.ring()

    assert stat.S_IMODE((tmp_path / "keys" / "grant.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["grant.key", "grant.previous.pub"])
async def test_a_damaged_key_is_named_and_nothing_is_overwritten(
    files: Opened, tmp_path: Path, name: str
) -> None:
    await files.stores.keys.ring()
    (tmp_path / "keys" / name).write_bytes(b"rubbish")

    with pytest.raises(PlatformError) as failed:
        await files.stores.keys.ring()

    assert name in failed.value.sentence
    assert (tmp_path / "keys" / name).read_bytes() == b"rubbish"


async def test_a_failed_write_leaves_the_old_list(files: Opened, tmp_path: Path) -> None:
    await files.stores.keys.write_revocations(b"old")
    (tmp_path / "keys" / "revoked.new").mkdir()  # cannot be replaced by a file

    with pytest.raises(PlatformError) as failed:
        await files.stores.keys.write_revocations(b"new")

    assert failed.value.code is ErrorCode.NOT_DURABLE
    assert await files.stores.keys.revocations() == b"old"


async def test_a_commit_is_all_or_nothing(files: Opened) -> None:
    await files.stores.accounts.commit(TWO_PEOPLE)
    eve = msgspec.structs.replace(BEN, id=EVES, name="Eve")
    twin = msgspec.structs.replace(BEN, id=TWINS, name="ANA")  # the name is taken

    with pytest.raises(PlatformError) as failed:
        await files.stores.accounts.commit(
            AccountChange(people=(StoredPerson(eve, ""), StoredPerson(twin, "")))
        )

    assert failed.value.code is ErrorCode.NOT_DURABLE
    assert len(people_in(await files.stores.accounts.load())) == 2


async def test_a_number_or_a_pair_of_people_is_never_taken_twice(files: Opened) -> None:
    await files.stores.accounts.commit(TWO_PEOPLE)
    await files.stores.follows.commit(FollowChange(follows=(FOLLOW,)))

    for wrong in (
        msgspec.structs.replace(FOLLOW, id=OTHERS, follower=ANAS),
        msgspec.structs.replace(FOLLOW, id=OTHERS, number=1),
    ):
        with pytest.raises(PlatformError):
            await files.stores.follows.commit(FollowChange(follows=(wrong,)))

    assert follows_in(await files.stores.follows.load(), ANAS) == [FOLLOW]


async def test_the_file_is_flushed_at_every_commit(files: Opened) -> None:
    assert files.file is not None

    settings = await files.file.read(
        lambda connection: [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )

    assert settings == ["wal", 2, 1]


@pytest.mark.parametrize("harm", ["taken away", "swapped", "overwritten"])
async def test_accounts_harmed_while_we_run_stop_no_grant_and_no_session(
    files: Opened, tmp_path: Path, harm: str
) -> None:
    house = House(files.stores, FactsKept())
    await house.start()
    cast = await assemble(house)
    signed_in = await house.accounts.sign_in(
        name="Ana", password=ANAS_PASSWORD, device="phone", peer="home", now_ms=NOW_MS
    )
    share = await house.accounts.add_share_credential(name="Ana", password="share", now_ms=NOW_MS)
    session = await house.accounts.share.share_session_open(share, NOW_MS)
    path = tmp_path / "accounts.sqlite"

    if harm == "overwritten":
        size = path.stat().st_size
        path.write_bytes(os.urandom(size))
        (tmp_path / "accounts.sqlite-wal").write_bytes(b"")
    else:
        path.unlink()
    if harm == "swapped":
        sqlite3.connect(path).close()
        path.touch()

    house.accounts._grants._remembered.clear()  # verified anew, from the signature
    assert house.accounts.identify(signed_in.token, NOW_MS) == signed_in.identity
    assert house.accounts.share.share_session(session, NOW_MS) is not None
    assert cast.access.may_see(viewer=cast.as_follower(cast.ben), sharer=0) == 2
    renewed = await house.accounts.renew(signed_in.token, NOW_MS)
    await house.accounts.sign_out(renewed.token, NOW_MS)
    assert house.accounts.identify(signed_in.token, NOW_MS) is None
    with pytest.raises(PlatformError) as failed:
        await house.accounts.add_person(name="Eve", password=None, now_ms=NOW_MS)
    assert "accounts.sqlite" in failed.value.sentence
    house.accounts.close()


async def test_no_file_of_the_accounts_is_mapped_so_none_kills_us_when_it_is_cut_short(
    files: Opened, tmp_path: Path
) -> None:
    await files.stores.accounts.commit(TWO_PEOPLE)

    assert "accounts.sqlite-shm" not in modes_below(tmp_path)


async def test_a_file_that_is_no_database_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "accounts.sqlite").write_bytes(b"no database at all" * 100)

    with pytest.raises(PlatformError) as failed:
        await AccountsFile(tmp_path / "accounts.sqlite").start()

    assert "accounts.sqlite" in failed.value.sentence


async def test_a_file_of_a_newer_version_is_not_touched(files: Opened, tmp_path: Path) -> None:
    assert files.file is not None
    await files.file.write(lambda connection: connection.execute("PRAGMA user_version = 999"))
    await files.close()
    before = (tmp_path / "accounts.sqlite").read_bytes()

    with pytest.raises(PlatformError) as failed:
        await AccountsFile(tmp_path / "accounts.sqlite").start()

    assert "newer" in failed.value.sentence
    assert (tmp_path / "accounts.sqlite").read_bytes() == before


async def test_a_migration_that_fails_halfway_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "accounts.sqlite"
    before = sqlite3.connect(path)
    before.execute("CREATE TABLE look_anchor (somebody TEXT)")  # in the way of the last statements
    before.commit()
    before.close()

    with pytest.raises(PlatformError):
        await AccountsFile(path).start()

    after = sqlite3.connect(path)
    tables = [name for (name,) in after.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert tables == ["look_anchor"]
    assert after.execute("PRAGMA user_version").fetchone() == (0,)
    after.close()


async def test_a_household_in_files_is_the_same_after_a_restart(files: Opened) -> None:
    house = House(files.stores, FactsKept())
    await house.start()
    cast = await assemble(house)
    await asyncio.gather(
        *(
            cast.access.open(viewer=cast.as_follower(cast.ben), sharer=0, what=what, now_ms=NOW_MS)
            for what in ("screen", "graph", "stream")
        )
    )
    facts = list(house.journal.facts)

    again = House(await files.again(), house.journal)
    await again.start()

    assert list(again.accounts.people()) == [cast.ana, cast.ben, cast.cleo, cast.dan]
    assert list(again.follows.everybody()) == [cast.bens, cast.cleos]
    assert again.journal.facts == facts
    assert len(await again.access.looks(sharer_person=cast.ana.id, limit=10)) == 3
    assert await again.access.first_broken() is None
    house.accounts.close()
    again.accounts.close()
