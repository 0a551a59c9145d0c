"""A real Chromium, and a house to look at, behind a real server."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from nightbell.account.person import Person
from nightbell.words.clock import SystemClock
from tests.acceptance.web_house import PASSWORD, People, WebHouse, open_web_house, served

SCREENSHOTS: Final = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PHONE: Final = (390, 844)
DESK: Final = (1280, 900)

BROWSER_ARGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


def chromium() -> str | None:
    """Where Chromium is; None if it is not here."""
    return os.environ.get("NIGHTBELL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs Chromium and sockets of this machine."""
    here = Path(__file__).parent
    found = chromium()
    for item in items:
        if here not in Path(item.path).parents:
            continue
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.network)
        item.add_marker(pytest.mark.enable_socket)
        if found is None:
            item.add_marker(
                pytest.mark.skip(reason="no Chromium found: install it or set NIGHTBELL_CHROMIUM")
            )


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    found = chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=list(BROWSER_ARGS))
        yield started
        await started.close()


@pytest.fixture
async def house() -> AsyncIterator[WebHouse]:
    async with open_web_house(SystemClock()) as opened:
        yield opened


@pytest.fixture
async def people(house: WebHouse) -> People:
    return await house.cast()


@pytest.fixture
async def address(house: WebHouse) -> AsyncIterator[str]:
    async with served(house) as url:
        yield url


class Screens:
    """Opens pages as a person; whatever goes wrong on them fails the test."""

    def __init__(self, browser: Browser, house: WebHouse, address: str) -> None:
        self._browser = browser
        self._house = house
        self.address = address
        self.complaints: list[str] = []
        self.contexts: list[BrowserContext] = []

    async def open(
        self, person: Person | None = None, path: str = "/", *, size: tuple[int, int] = DESK, **options: Any
    ) -> Page:
        """A page in a browser of its own."""
        context = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]}, timezone_id="Europe/Lisbon", **options
        )
        self.contexts.append(context)
        if person is not None:
            token = await self._house.grant(person)
            await context.add_cookies(
                [{"name": "nightbell_grant", "value": token, "url": self.address, "sameSite": "Strict"}]
            )
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self._console(said.type, said.text))
        await page.goto(f"{self.address}{path}")
        return page

    def _console(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.complaints.append(text)


@pytest.fixture
async def screens(browser: Browser, house: WebHouse, address: str) -> AsyncIterator[Screens]:
    opened = Screens(browser, house, address)
    yield opened
    for context in opened.contexts:
        await context.close()
    assert not opened.complaints, opened.complaints


async def keep_picture(page: Page, name: str) -> None:
    """A picture of the whole page, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


async def sign_in_by_hand(page: Page, person: Person) -> None:
    """As a person does."""
    await page.get_by_label("Name").fill(person.name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
