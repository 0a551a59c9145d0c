"""Files of every released version open with the code of today, and everything in them is there.

`tests/released/VERSION` was written by that version itself (`tools/freeze_release.py`) and is never changed.
"""

import base64
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from structlog.testing import capture_logs

from nightbell.adapters.stores.sqlite import migrations
from nightbell.app.control_words import Health, Nothing
from nightbell.app.platform import Platform
from nightbell.app.settings import load
from nightbell.words.clock import ManualClock
from tests.acceptance.real_platform import RealPlatform
from tests.acceptance.test_backup import in_journal
from tests.tidy.source import ROOT

RELEASED: Final = ROOT / "tests" / "released"
VERSIONS: Final = sorted(path.name for path in RELEASED.iterdir())
DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
FORMED: Final = ("accounts.sqlite", "history.sqlite", "ledger.sqlite", "journal/2026-11-22.sqlite")

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


def files_of(version: str, folder: Path) -> dict[str, Any]:
    """A data directory as this version left it; what it lived through."""
    frozen = RELEASED / version
    (folder / "journal").mkdir(parents=True)
    (folder / "checkpoint").mkdir()
    for path in frozen.glob("*.sql"):
        below = folder / "journal" if DAY.match(path.stem) else folder
        with closing(sqlite3.connect(below / f"{path.stem}.sqlite")) as connection:
            connection.executescript(path.read_text(encoding="utf-8"))
    fold = base64.decodebytes((frozen / "checkpoint.txt").read_bytes())
    (folder / "checkpoint" / "fold").write_bytes(fold)
    lived: dict[str, Any] = json.loads((frozen / "lived.json").read_text(encoding="utf-8"))
    return lived


@asynccontextmanager
async def opened(folder: Path, at_ms: int) -> AsyncIterator[Platform]:
    """Today's platform on these files, a moment after the old one stopped."""
    settings = load(folder, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    platform = Platform(folder, settings, tls=None, clock=ManualClock(at_ms))
    await platform.start()
    try:
        yield platform
    finally:
        await platform.close()


def read_as(platform: Platform, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=platform.url, headers=headers, trust_env=False)


def test_there_are_files_of_every_version_that_was_released() -> None:
    named = re.findall(r"^## (\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(named) | {"0.1"} == set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
async def test_people_follows_and_ways_in_of_an_older_version_are_there(version: str, tmp_path: Path) -> None:
    lived = files_of(version, tmp_path)

    async with opened(tmp_path, lived["until_ms"] + 1_000) as platform:
        people = await platform.commands.person_list(Nothing())
        found = {row.name: row.person for row in people.people if row.name != "Ana's phone"}
        assert found == lived["people"]
        followers = {(follow.follower, follow.may_be_told) for follow in platform.follows.everybody()}
        assert followers == {(lived["people"]["Ben"], True), (lived["people"]["Cleo"], False)}
        now_ms = platform.clock.now_ms()
        assert platform.accounts.identify(lived["publish_key"], now_ms)
        assert platform.accounts.identify(lived["follow_key"], now_ms)
        signed = await platform.accounts.sign_in(
            name="Dan", password="a long password of the cast", device="x", peer="x", now_ms=now_ms
        )
        assert signed.identity.person == lived["people"]["Dan"]
        async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as client:
            asked: dict[str, str | int] = {
                "sessionId": lived["share_session"],
                "minutes": 1440,
                "maxCount": 1,
            }
            path = "/ShareWebServices/Services/Publisher/ReadPublisherLatestGlucoseValues"
            assert (await client.post(path, params=asked)).status_code == 200


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("replayed", [False, True], ids=["from the checkpoint", "from the journal alone"])
async def test_every_reading_and_alarm_of_an_older_version_is_there(
    version: str, *, replayed: bool, tmp_path: Path
) -> None:
    lived = files_of(version, tmp_path)
    if replayed:
        (tmp_path / "checkpoint" / "fold").unlink()

    with capture_logs() as logs:
        async with (
            opened(tmp_path, lived["until_ms"] + 1_000) as platform,
            read_as(platform, lived["follow_key"]) as client,
        ):
            path = f"/v1/people/{lived['people']['Ana']}/readings"
            answer = (await client.get(path, params={"hours": 24})).json()
            points = [[one["measured_ms"], int(one["shown"])] for one in answer["points"]]
            timeline = (await client.get(f"/v1/alarms/{lived['alarm']}")).json()

    seconds = [[measured_ms // 1000, level] for measured_ms, level in lived["readings"]]
    assert [[measured_ms // 1000, level] for measured_ms, level in points] == seconds
    assert [told["name"] for told in timeline["told"]][:1] == ["Ben"]
    assert timeline["alarm"]["answered_by"] == "Ben"
    assert sorted(second for _, second in in_journal(tmp_path)) == [second for second, _ in seconds]
    wrong = [line["event"] for line in logs if line["event"].endswith(("refused", "set_aside", "damaged"))]
    # A checkpoint only saves time: its form is not carried over, the journal gives the same.
    assert wrong == ([] if replayed else ["checkpoint.refused"])


@pytest.mark.process
@pytest.mark.parametrize("name", FORMED)
@pytest.mark.parametrize("version", VERSIONS[-1:])
async def test_a_file_of_a_newer_version_is_not_touched_and_it_is_said(
    name: str, version: str, tmp_path: Path
) -> None:
    files_of(version, tmp_path)
    newer(tmp_path / name)
    before = content_of(tmp_path / name)
    platform = RealPlatform(tmp_path)

    try:
        await platform.start()
        # Alarms ring without a ledger, so that one alone stops nothing.
        said = platform.ask("health", Nothing(), Health).failing
        await platform.kill()
    except AssertionError as ended:
        said = str(ended)
        await platform.process.wait()

    assert "newer Nightbell" in said
    assert content_of(tmp_path / name) == before


def newer(path: Path) -> None:
    """Make it a file of some later form."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE of_later (x)")
        connection.execute("PRAGMA user_version = 99")


def content_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]


async def test_a_checkpoint_of_another_version_is_not_used_and_the_journal_gives_the_same(
    tmp_path: Path,
) -> None:
    lived = files_of("0.1", tmp_path)
    fold = tmp_path / "checkpoint" / "fold"
    async with opened(tmp_path, lived["until_ms"] + 1_000) as platform:
        dumped = list(platform.evaluation._fold.dump())
        told_seq = platform.evaluation._told_seq
        store = platform.evaluation._checkpoints
    of_later = [part.replace(b"\xa7version\x02", b"\xa7version\x63", 1) for part in dumped]
    assert of_later != dumped

    await store.keep([told_seq.to_bytes(8, "little"), *of_later])
    with capture_logs() as logs:
        async with opened(tmp_path, lived["until_ms"] + 1_000) as platform:
            known = platform.evaluation.known_follows()

    assert len(known) == 2
    assert "checkpoint.refused" in [line["event"] for line in logs]
    assert fold.is_file()


def test_steps_are_taken_wholly_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = migrations.steps("ledger")[1]
    steps = {1: first, 2: "CREATE TABLE two (x);", 3: "CREATE TABLE three (x); SELECT wrong FROM nowhere;"}
    monkeypatch.setattr(migrations, "steps", lambda _name: steps)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as connection:
        connection.executescript(first)
        before = list(connection.iterdump())

        with pytest.raises(sqlite3.OperationalError):
            migrations.migrate(connection, "ledger")
        assert list(connection.iterdump()) == before
        steps[3] = "CREATE TABLE three (x);"
        migrations.migrate(connection, "ledger")

        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert {"alarm", "two", "three"} <= names
