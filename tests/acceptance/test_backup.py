"""Goal: a backup taken while a real platform publishes brings everything back, with nobody signed out.

Method: phones send without a pause; a backup is taken; `kill -9`; it is put back into a new folder.
"""

import asyncio
import json
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from nightbell.adapters.stores.sqlite.journal import listed_segments
from nightbell.adapters.stores.sqlite.journal_segment import sound
from nightbell.app.control_words import FollowList, FollowRows, Nothing, People, PersonAdd, PersonRow
from nightbell.app.leftovers import HELD_NAME
from tests.acceptance.real_platform import PASSWORD, RealPlatform
from tests.acceptance.test_kill_nine import until_evaluated

PHONES = 3
PASSPHRASE = "the passphrase of the cast"
SHARE_PASSWORD = "only for the phone"
SHARE = "/ShareWebServices/Services/"
APP = "d89443d2-327c-4a6f-89e5-496bbb0317db"
FLIPS = 12
LARGE_MB = 100
SEED = 20261128

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


async def nightbell(*arguments: str, stdin: str = PASSPHRASE, code: int = 0) -> dict[str, Any]:
    """One command as a program sees it; what it said, or why it failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nightbell.cli.main", *arguments, "--json",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(stdin.encode() + b"\n")
    assert process.returncode == code, (out + err).decode()
    said: dict[str, Any] = json.loads(out or err)
    return said


@dataclass
class Phone:
    """Sends reading after reading, each a second older than the last; keeps what was acknowledged."""

    secret: str
    sharer: int
    next_ms: int
    acknowledged: dict[int, float] = field(default_factory=dict)
    """By second of measurement, when we were told."""

    async def send_all(self, platform: RealPlatform) -> None:
        """Until cancelled or the platform is gone."""
        async with platform.client(self.secret) as client:
            while True:
                measured_ms, self.next_ms = self.next_ms, self.next_ms - 1_000
                body = {"readings": [{"measured_at": measured_ms, "glucose_mgdl": 120}]}
                try:
                    answer = await client.post("/v1/readings", json=body)
                except httpx.TransportError:
                    return
                if answer.status_code == 200 and answer.json()["accepted"] == 1:
                    self.acknowledged[measured_ms // 1000] = time.monotonic()


@dataclass
class Kept:
    """What must be the same afterwards, as Ben and the operator see it."""

    people: People
    follows: FollowRows
    limits: Any
    alarms: list[str]
    timeline: Any


class House:
    """Ana with one low that Ben has answered, phones that publish, and everybody's ways in."""

    def __init__(self, platform: RealPlatform) -> None:
        self.platform = platform
        self.phones: list[Phone] = []
        self.ana: PersonRow
        self.grant = self.session = self.key = ""

    async def settle(self) -> None:
        """Make everybody, and let Ana's alarm come to rest."""
        platform = self.platform
        platform.add_person("Ben")
        self.ana = platform.add_person("Ana")
        platform.ask("person.add", PersonAdd("Ana's phone", SHARE_PASSWORD, share=True), PersonRow)
        platform.let_follow("Ana", "Ben")
        self.key = platform.add_key("Ana", "publish")
        now_ms = time.time_ns() // 1_000_000
        for number in range(PHONES):
            name = f"Ana {number}"
            person = platform.add_person(name)
            platform.let_follow(name, "Ben")
            secret = platform.add_key(name, "publish")
            listed = platform.ask("person.list", Nothing(), People).people
            sharer = next(row.sharer for row in listed if row.person == person.person)
            self.phones.append(Phone(secret, sharer, now_ms))
        async with platform.client() as client:
            signed = await client.post(
                "/v1/sign-in", json={"name": "Ben", "password": PASSWORD, "device": "x"}
            )
            self.grant = signed.json()["token"]
            login = {"accountName": "Ana's phone", "password": SHARE_PASSWORD, "applicationId": APP}
            opened = await client.post(f"{SHARE}General/LoginPublisherAccountByName", json=login)
            self.session = opened.json()
        await self.publish_low(self.key, now_ms)
        await until_evaluated(platform)
        async with platform.client(self.grant) as client:
            alarm = (await client.get(f"/v1/people/{self.ana.person}/alarms")).json()["alarms"][0]
            answered = await client.post(f"/v1/alarms/{alarm['id']}/answer")
            assert answered.status_code == 200
            follow = platform.ask("follow.list", FollowList("Ana"), FollowRows).follows[0].follow
            limits = (await client.get(f"/v1/follows/{follow}/limits")).json()["limits"]
            limits["high"]["limit"]["value"] = "231"
            changed = await client.put(f"/v1/follows/{follow}/limits", json=limits)
            assert changed.status_code == 200
        await until_evaluated(platform)

    async def publish_low(self, key: str, now_ms: int) -> None:
        """An urgent low, measured now."""
        async with self.platform.client(key) as client:
            body = {"readings": [{"measured_at": now_ms, "glucose_mgdl": 48}]}
            answer = await client.post("/v1/readings", json=body)
            assert answer.json()["accepted"] == 1

    async def kept(self) -> Kept:
        """Look at all of it."""
        platform = self.platform
        people = platform.ask("person.list", Nothing(), People)
        follows = platform.ask("follow.list", FollowList(), FollowRows)
        follow = next(row.follow for row in follows.follows if row.sharer == "Ana")
        async with platform.client(self.grant) as client:
            limits = (await client.get(f"/v1/follows/{follow}/limits")).json()
            alarms = (await client.get(f"/v1/people/{self.ana.person}/alarms")).json()["alarms"]
            ids = [alarm["id"] for alarm in alarms]
            timeline = (await client.get(f"/v1/alarms/{ids[0]}")).json()
        timeline.pop("server_ms", None)
        return Kept(people, follows, limits, ids, timeline)


def in_journal(folder: Path) -> Counter[tuple[int, int]]:
    """How often each reading stands in the journal, by sharer and second."""
    found: Counter[tuple[int, int]] = Counter()
    for path in listed_segments(folder / "journal"):
        with closing(sqlite3.connect(path)) as connection:
            for seq, packed in connection.execute("SELECT seq, packed FROM record ORDER BY seq").fetchall():
                for reading in sound(seq, packed).readings:
                    found[int(reading["sharer"]), int(reading["measured_ms"]) // 1000] += 1
    return found


async def rings(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """What the stream says first, and each time it rings."""
    async with client.stream("GET", "/v1/stream") as stream:
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name in {"snapshot", "notification"}:
                yield f"{name} {line}"


async def test_everything_comes_back_and_nobody_is_signed_out(tmp_path: Path) -> None:
    platform = RealPlatform(tmp_path / "bell", NIGHTBELL_LOG_FORMAT="json")
    await platform.start()
    house = House(platform)
    await house.settle()
    before = await house.kept()
    sending = [asyncio.create_task(phone.send_all(platform)) for phone in house.phones]
    await asyncio.sleep(1)

    began_s = time.monotonic()
    made = await nightbell("backup", str(tmp_path), "--data", str(platform.folder))
    ended_s = time.monotonic()
    await asyncio.sleep(0.5)
    await platform.kill()
    await asyncio.gather(*sending)
    restored = await nightbell("restore", made["file"], "--data", str(tmp_path / "new"))

    assert restored["keys"]
    assert restored["seq"] == made["seq"]
    journal = in_journal(tmp_path / "new")
    for phone in house.phones:
        during = [at for at in phone.acknowledged.values() if began_s < at < ended_s]
        assert len(during) > 5, "publishing stood still while the backup was made"
        owed = {second for second, at in phone.acknowledged.items() if at < began_s}
        assert len(owed) > 5
        assert {journal[phone.sharer, second] for second in owed} == {1}
    house.platform = RealPlatform(tmp_path / "new", NIGHTBELL_LOG_FORMAT="json")
    async with house.platform:
        await until_evaluated(house.platform)
        assert await house.kept() == before
        await nobody_signed_out(house)
        await history_holds_all(house, began_s)
        await alarms_ring(house)


async def nobody_signed_out(house: House) -> None:
    """The grant (by `kept` already), the Share session and the key open what they did."""
    async with house.platform.client() as client:
        asked: dict[str, str | int] = {"sessionId": house.session, "minutes": 1440, "maxCount": 1}
        path = f"{SHARE}Publisher/ReadPublisherLatestGlucoseValues"
        assert (await client.post(path, params=asked)).status_code == 200
    async with house.platform.client(house.grant) as client:
        assert (await client.get("/v1/me")).json()["name"] == "Ben"


async def history_holds_all(house: House, began_s: float) -> None:
    """Every reading that was acknowledged before the backup began, once."""
    people = house.platform.ask("person.list", Nothing(), People).people
    async with house.platform.client(house.grant) as client:
        for phone in house.phones:
            person = next(row.person for row in people if row.sharer == phone.sharer)
            answer = (await client.get(f"/v1/people/{person}/readings", params={"hours": 24})).json()
            found = Counter(point["measured_ms"] // 1000 for point in answer["points"])
            owed = {second for second, at in phone.acknowledged.items() if at < began_s}
            assert {found[second] for second in owed} == {1}


async def alarms_ring(house: House) -> None:
    """A new low of another sharer, sent with a key of before, rings on Ben's screen."""
    phone = house.phones[0]
    async with house.platform.client(house.grant) as client, asyncio.timeout(30):
        listening = rings(client)
        assert (await anext(listening)).startswith("snapshot")
        await house.publish_low(phone.secret, time.time_ns() // 1_000_000)
        async for ring in listening:
            if ring.startswith("notification"):
                return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a platform that was killed."""
    folder = tmp_path_factory.mktemp("stopped")
    platform = RealPlatform(folder / "bell")
    await platform.start()
    platform.add_person("Ben")
    platform.add_person("Ana")
    platform.let_follow("Ana", "Ben")
    await platform.kill()
    made = await nightbell("backup", str(folder / "kept.tar"), "--data", str(platform.folder))
    return Path(made["file"])


async def test_a_stopped_platform_is_copied_and_its_files_are_not_touched(tmp_path: Path) -> None:
    platform = RealPlatform(tmp_path / "bell")
    await platform.start()
    platform.add_person("Ana")
    await platform.kill()
    before = files_of(platform.folder)

    made = await nightbell("backup", str(tmp_path / "kept.tar"), "--data", str(platform.folder))
    await nightbell("restore", made["file"], "--data", str(tmp_path / "new"))

    assert files_of(platform.folder) == before
    async with RealPlatform(tmp_path / "new") as again:
        assert [row.name for row in again.ask("person.list", Nothing(), People).people] == ["Ana"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip_a_bit(archive: Path, broken: Path, number: int) -> int:
    """Copy it with one bit turned; where."""
    raw = bytearray(archive.read_bytes())
    place = random.Random(SEED + number).randrange(len(raw))
    raw[place] ^= 1 << number % 8
    broken.write_bytes(raw)
    return place


@pytest.mark.parametrize("number", range(FLIPS))
async def test_a_flipped_byte_anywhere_is_found_and_nothing_is_put_back(
    archive: Path, number: int, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tar"
    place = flip_a_bit(archive, broken, number)

    said = await nightbell("restore", str(broken), "--data", str(tmp_path / "new"), code=1)

    assert said["code"] in {"damaged", "changed", "cut_short", "not_ours", "strange", "newer"}, place
    assert not (tmp_path / "new").exists()
    assert names_in(tmp_path) == ["broken.tar"]


async def test_a_restore_with_the_wrong_passphrase_puts_nothing_back(archive: Path, tmp_path: Path) -> None:
    said = await nightbell(
        "restore", str(archive), "--data", str(tmp_path / "new"), stdin="another one that is long", code=1
    )

    assert said["code"] == "wrong_passphrase"
    assert not (tmp_path / "new").exists()


async def test_without_a_passphrase_nothing_is_put_back_unless_that_is_asked_for(
    archive: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"

    await nightbell("restore", str(archive), "--data", str(new), stdin="", code=2)
    assert not new.exists()
    said = await nightbell("restore", str(archive), "--data", str(new), "--without-keys", stdin="")

    assert not said["keys"]
    assert not (new / "keys").exists()
    async with RealPlatform(new) as again:
        assert len(again.ask("person.list", Nothing(), People).people) == 2


async def test_a_folder_with_anything_in_it_is_not_touched(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    said = await nightbell("restore", str(archive), "--data", str(tmp_path), code=1)

    assert said["code"] == "not_empty"
    assert names_in(tmp_path) == ["mine.txt"]


async def test_a_file_that_is_there_is_never_overwritten(archive: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.tar"
    taken.write_text("mine")

    said = await nightbell("backup", str(taken), "--data", str(archive.parent / "bell"), code=1)

    assert said["code"] == "exists"
    assert taken.read_text() == "mine"


async def test_a_disk_without_room_is_said_and_nothing_half_is_left(archive: Path, tmp_path: Path) -> None:
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000));"
        "from nightbell.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, "backup", str(tmp_path / "kept.tar"), "--data",
        str(archive.parent / "bell"), "--json",
        stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await process.communicate(PASSPHRASE.encode())

    assert process.returncode == 1, err.decode()
    assert json.loads(err)["code"] == "disk_full"
    assert names_in(tmp_path) == []


async def test_no_secret_lies_in_the_clear(tmp_path: Path) -> None:
    platform = RealPlatform(tmp_path / "bell")
    await platform.start()
    key = platform.add_key(platform.add_person("Ana").name, "publish")
    (platform.folder / "settings.toml").write_text('[smtp]\npassword = "of the mail server"\n')
    made = await nightbell("backup", str(tmp_path), "--data", str(platform.folder))
    await platform.kill()

    raw = files_of(tmp_path)[made["file"]]

    secrets = [key.encode(), b"of the mail server", (platform.folder / "keys" / "webhook").read_bytes()]
    secrets += [line for line in (platform.folder / "keys" / "grant.key").read_bytes().split(b"\n") if line]
    assert [secret for secret in secrets if secret in raw] == []


async def begun(*arguments: str) -> asyncio.subprocess.Process:
    """A backup that is being made; its secret is given."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nightbell.cli.main", "backup", *arguments, "--json",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(PASSPHRASE.encode() + b"\n")
    process.stdin.write_eof()
    return process


async def test_what_a_killed_backup_leaves_is_removed_by_the_next_and_never_while_its_process_lives(
    tmp_path: Path,
) -> None:
    large, small, kept = tmp_path / "large", tmp_path / "small", tmp_path / "kept"
    kept.mkdir()
    for folder in (large, small):
        async with RealPlatform(folder) as platform:
            platform.add_person("Ana")
    with closing(sqlite3.connect(large / "ledger.sqlite")) as ledger:  # so that the copy takes a while
        ledger.execute("CREATE TABLE large (content BLOB)")
        ledger.executemany("INSERT INTO large VALUES (randomblob(1000000))", [()] * LARGE_MB)
        ledger.commit()
    process = await begun(str(kept), "--data", str(large))
    async with asyncio.timeout(60):
        while not (held := list(kept.glob(f".*.partial-*/{HELD_NAME}"))):
            assert process.returncode is None
            await asyncio.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    place = held[0].parent

    beside = await nightbell("backup", str(kept / "beside.tar"), "--data", str(small))
    there = place.is_dir()
    process.kill()
    await process.wait()
    after = await nightbell("backup", str(kept / "after.tar"), "--data", str(small))

    assert there
    assert (beside["removed"], beside["left"]) == ([], [])
    assert (after["removed"], after["left"]) == ([str(place)], [])
    assert sorted(path.name for path in kept.iterdir()) == ["after.tar", "beside.tar"]
