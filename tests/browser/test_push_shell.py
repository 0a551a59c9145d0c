"""Goal: the app can be installed, and without a connection it says so instead of showing what was."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from nightbell.web.pages.shell import KEPT
from tests.acceptance.web_house import People, WebHouse, served
from tests.browser.conftest import BROWSER_ARGS, PHONE, Screens, chromium, keep_picture

BACK_MS_MAX: Final = 60_000
"""How long the page may take to come back by itself: it looks every 10 s, and a machine may be slow."""


async def controlled(page: Page) -> None:
    """Wait until the page's worker serves it."""
    async with asyncio.timeout(30):
        while not await page.evaluate("navigator.serviceWorker.controller !== null"):
            await asyncio.sleep(0.05)


async def test_without_a_connection_it_says_so_shows_no_number_and_comes_back_by_itself(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, "/sign-in", size=PHONE)
    path = f"/people/{people.ana.id}"
    async with served(house) as own:
        port = int(own.rpartition(":")[2])
        await page.goto(own + path)
        await controlled(page)
        await expect(page.locator(".person-now .number")).to_have_text("112")

    await page.goto(own + path)

    heading = page.get_by_role("heading", name="No connection. You are NOT being watched here.")
    await expect(heading).to_be_visible()
    assert "112" not in await page.locator("body").inner_text()
    await keep_picture(page, "no-connection-phone")
    async with served(house, port=port):
        await expect(page.locator(".person-now .number")).to_have_text("112", timeout=BACK_MS_MAX)


async def test_a_browser_keeps_the_shell_and_never_a_page_or_a_reading(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, f"/people/{people.ana.id}")
    await controlled(page)
    await page.reload()
    await expect(page.locator(".chart canvas")).to_be_visible()

    kept: list[str] = await page.evaluate(
        """async () => {
            const names = await caches.keys();
            const shelves = await Promise.all(names.map((name) => caches.open(name)));
            const kept = await Promise.all(shelves.map((shelf) => shelf.keys()));
            return kept.flat().map((request) => new URL(request.url).pathname);
        }"""
    )

    assert sorted(path.rpartition("/")[2] for path in kept) == sorted(("offline", *KEPT))


@pytest.fixture
async def everyday(tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own: a private window can not install anything."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium(), args=list(BROWSER_ARGS)
        )
        yield context
        await context.close()


async def test_chromium_finds_nothing_in_the_way_of_installing(
    house: WebHouse, people: People, address: str, everyday: BrowserContext
) -> None:
    token = await house.grant(people.ben)
    await everyday.add_cookies(
        [{"name": "nightbell_grant", "value": token, "url": address, "sameSite": "Strict"}]
    )
    page = await everyday.new_page()
    await page.goto(f"{address}/settings")
    await controlled(page)
    line = await everyday.new_cdp_session(page)

    async with asyncio.timeout(30):
        while (await line.send("Page.getInstallabilityErrors"))["installabilityErrors"]:
            await asyncio.sleep(0.2)
    manifest = await line.send("Page.getAppManifest")

    assert manifest["errors"] == []
    assert manifest["url"] == f"{address}/manifest.webmanifest"
