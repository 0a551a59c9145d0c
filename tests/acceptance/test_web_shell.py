"""Goal: what a browser keeps of us is about nobody, and it gets anew what changed."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from nightbell.web.pages.shell import KEPT
from nightbell.words.clock import ManualClock
from tests.acceptance.real_platform import PASSWORD, RealPlatform
from tests.acceptance.web_house import WebHouse, open_web_house

NOW_MS: Final = 1_795_345_200_000


@pytest.fixture
async def house() -> AsyncIterator[WebHouse]:
    async with open_web_house(ManualClock(NOW_MS), push_key="BKey") as opened:
        yield opened


async def test_the_manifest_has_what_an_installed_app_needs_and_its_pictures_are_there(
    house: WebHouse,
) -> None:
    async with house.client() as anyone:
        answer = await anyone.get("/manifest.webmanifest")
        manifest = msgspec.json.decode(answer.content)
        pictures = [await anyone.get(icon["src"]) for icon in manifest["icons"]]

    assert answer.headers["content-type"] == "application/manifest+json"
    assert answer.headers["cache-control"] == "no-cache"
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/", "/", "standalone")
    assert {(icon["sizes"], icon["purpose"]) for icon in manifest["icons"]} >= {
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon, picture in zip(manifest["icons"], pictures, strict=True):
        assert picture.status_code == 200
        assert picture.headers["content-type"].partition(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(picture.content[at : at + 4], "big") for at in (16, 20))
            assert f"{width}x{height}" == icon["sizes"]


async def test_the_worker_serves_the_whole_site_and_is_looked_at_each_time(house: WebHouse) -> None:
    async with house.client() as anyone:
        answer = await anyone.get("/service-worker.js")
        begin, _, script = answer.text.partition(";\n")
        knows = msgspec.json.decode(begin.removeprefix("self.nightbell = "))
        kept = [await anyone.get(path) for path in knows["kept"]]

    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert len(kept) == len(KEPT)
    assert all(file.status_code == 200 for file in kept)
    assert all(knows["build"] in path for path in knows["kept"])
    assert set(re.findall(r"words\.(\w+)", script)) <= set(knows["words"])


async def test_pages_may_load_worker_and_manifest_and_still_nothing_of_others(house: WebHouse) -> None:
    async with house.client() as anyone:
        policies = {
            (await anyone.get(path)).headers["content-security-policy"]
            for path in ("/sign-in", "/offline", "/service-worker.js")
        }

    (policy,) = policies
    parts = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert parts["default-src"] == ["'none'"]
    assert parts["manifest-src"] == parts["worker-src"] == parts["connect-src"] == ["'self'"]
    assert not any(word in policy for word in ("unsafe", "http", "*", "data:"))


async def test_the_page_without_a_connection_is_about_nobody_and_has_no_number(house: WebHouse) -> None:
    people = await house.cast()
    await house.publish_levels(people.ana, [117, 113])
    async with await house.as_person(people.ben) as ben, house.client() as anyone:
        his, anyones = await ben.get("/offline"), await anyone.get("/offline")

    assert his.text == anyones.text
    assert "You are NOT being watched" in his.text
    assert "OLD" in his.text
    assert "113" not in his.text


async def test_where_no_push_is_set_up_the_settings_say_so() -> None:
    async with open_web_house(ManualClock(NOW_MS)) as house:
        people = await house.cast()
        async with await house.as_person(people.ben) as ben:
            page = await ben.get("/settings")

    assert "Push is not set up here" in page.text
    assert "push-turn-on" not in page.text


async def test_no_page_promises_that_a_push_wakes_anybody(house: WebHouse) -> None:
    people = await house.cast()
    async with await house.as_person(people.ben) as ben:
        page = (await ben.get("/settings")).text

    assert "Some never arrive" in page
    assert "A push is not made to wake you" in page
    assert "guarantee" not in page.lower()


async def test_a_receipt_says_by_which_way_and_one_that_is_not_here_proves_nothing(house: WebHouse) -> None:
    people = await house.cast()
    async with await house.as_person(people.ben) as ben:
        unknown = await ben.post(
            f"/v1/notifications/{'a' * 32}/receipt", json={"state": "seen", "channel": "web_push"}
        )
        made_up = await ben.post(
            f"/v1/notifications/{'a' * 32}/receipt", json={"state": "seen", "channel": "pigeon"}
        )

    assert unknown.status_code == 404
    assert made_up.status_code == 400


async def push_key_of(platform: RealPlatform) -> str:
    """What Ben's page subscribes with."""
    async with httpx.AsyncClient(base_url=platform.url) as line:
        signed_in = await line.post("/v1/sign-in", json={"name": "Ben", "password": PASSWORD})
        line.headers["authorization"] = f"Bearer {signed_in.json()['token']}"
        page = await line.get("/settings")
    [key] = re.findall(r'data-push-key="([^"]*)"', page.text)
    return str(key)


@pytest.mark.process
@pytest.mark.network
@pytest.mark.enable_socket
async def test_devices_subscribe_under_the_same_key_after_a_kill(tmp_path: Path) -> None:
    contact = {"NIGHTBELL_WEB_PUSH__CONTACT": "mailto:ana@bell.example.org"}
    async with RealPlatform(tmp_path, **contact) as platform:
        platform.add_person("Ben")
        first = await push_key_of(platform)
        await platform.kill()
        await platform.start()
        second = await push_key_of(platform)

    assert len(first) == 87
    assert first == second
