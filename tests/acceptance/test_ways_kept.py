"""Goal: how people are reached outlives restarts and upgrades, and lies in no file in plain."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from nightbell.account.way import ProvenBy
from nightbell.app.platform import Platform
from tests.acceptance.test_released import VERSIONS, files_of, opened, read_as

EMAIL: Final = "ben@example.org"
HOOK: Final = "https://hooks.example.org/of-bens-house"
SECOND: Final = "https://hooks.example.org/of-bens-shed"

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


def lived_with_email(version: str, folder: Path) -> dict[str, Any]:
    """What an older version left, in which Ben had an e-mail address."""
    lived = files_of(version, folder)
    with closing(sqlite3.connect(folder / "accounts.sqlite")) as connection:
        connection.execute("UPDATE person SET email = ? WHERE name = 'Ben'", (EMAIL,))
        connection.commit()
    return lived


def in_plain(folder: Path, secret: str) -> list[str]:
    """Files below this folder in which it stands."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "keys")
    return [path.name for path in files if secret.encode() in path.read_bytes()]


async def ways_of(client: httpx.AsyncClient) -> list[tuple[str, int, str, bool]]:
    """What the API lists of whoever asks."""
    listed = (await client.get("/v1/ways")).json()["ways"]
    return [(way["channel"], way["number"], way["label"], way["proven_ms"] > 0) for way in listed]


async def signed_in(platform: Platform, name: str) -> httpx.AsyncClient:
    grant = await platform.accounts.sign_in(
        name=name,
        password="a long password of the cast",
        device="x",
        peer="x",
        now_ms=platform.clock.now_ms(),
    )
    return read_as(platform, grant.token)


@pytest.mark.parametrize("version", VERSIONS)
async def test_ways_are_there_after_an_upgrade_and_a_restart_and_no_file_gives_them_away(
    version: str, tmp_path: Path
) -> None:
    lived = lived_with_email(version, tmp_path)
    assert in_plain(tmp_path, EMAIL) == ["accounts.sqlite"]

    async with opened(tmp_path, lived["until_ms"] + 1_000) as platform:
        async with await signed_in(platform, "Ben") as ben:
            for address, label in ((HOOK, "House"), (SECOND, "Shed")):
                body = {"channel": "webhook", "address": address, "label": label}
                assert (await ben.put("/v1/ways", json=body)).status_code == 200
        person = platform.accounts.person(lived["people"]["Ben"])
        assert person is not None
        assert (person.email, person.webhook) == (EMAIL, HOOK)
        platform.ways.proven(person.id, "webhook", 2, ProvenBy.SEEN, platform.clock.now_ms())
        assert [in_plain(tmp_path, secret) for secret in (EMAIL, HOOK, SECOND, "Shed")] == [[]] * 4
    assert [in_plain(tmp_path, secret) for secret in (EMAIL, HOOK, SECOND, "Shed")] == [[]] * 4

    async with opened(tmp_path, lived["until_ms"] + 2_000) as platform:
        async with await signed_in(platform, "Ben") as ben:
            assert await ways_of(ben) == [
                ("email", 1, "", False),
                ("webhook", 1, "House", False),
                ("webhook", 2, "Shed", True),
            ]
        contact = platform.hub._contacts.contact(lived["people"]["Ben"])
        assert contact is not None
        assert [(way.key, way.address) for way in contact.ways] == [
            ("email", EMAIL),
            ("webhook", HOOK),
            ("webhook:2", SECOND),
        ]
        roster = await platform._roster(platform.clock.now_ms())
        assert {one.name: one.email for one in roster.people}["Ben"] == EMAIL


async def test_without_the_key_the_bell_starts_and_health_says_what_to_do(tmp_path: Path) -> None:
    lived = lived_with_email(VERSIONS[-1], tmp_path)
    async with opened(tmp_path, lived["until_ms"] + 1_000):
        pass
    key = tmp_path / "keys" / "contacts"
    kept = key.read_bytes()
    key.unlink()

    async with opened(tmp_path, lived["until_ms"] + 2_000) as platform:
        assert "keys/contacts" in platform.health().failing
        async with await signed_in(platform, "Ben") as ben:
            refused = await ben.put("/v1/ways", json={"channel": "webhook", "address": HOOK})
            assert (await ben.get("/settings")).status_code == 200
        assert refused.status_code == 503
        assert "keys/contacts" in refused.json()["detail"]

    key.write_bytes(kept)
    async with opened(tmp_path, lived["until_ms"] + 3_000) as platform:
        assert platform.health().failing == ""
        person = platform.accounts.person(lived["people"]["Ben"])
        assert person is not None
        assert person.email == EMAIL
