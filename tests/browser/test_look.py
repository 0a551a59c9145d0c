"""Goal: every page can be used by everybody, in light and in dark, on a phone and on a desk."""

import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from playwright.async_api import Page, expect

from nightbell.words.clock import SystemClock
from tests.acceptance.web_house import MINUTE_MS, People, WebHouse, open_web_house
from tests.browser.conftest import DESK, PHONE, Screens, keep_picture

AXE: Final = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES: Final = {"phone": PHONE, "desk": DESK}
TARGET_PX_MIN: Final = 44


class Living(NamedTuple):
    """A house in which there is something of everything to see."""

    house: WebHouse
    people: People
    alarm: str
    paths: dict[str, str]


def a_morning(low: int) -> list[int]:
    """Three hours that end low."""
    return [int(132 - 1.6 * at + 16 * math.sin(at / 4)) for at in range(34)] + [low + 14, low]


@pytest.fixture
async def house() -> AsyncIterator[WebHouse]:
    async with open_web_house(SystemClock()) as opened:
        yield opened


@pytest.fixture
async def living(house: WebHouse, people: People) -> Living:
    await house.publish_levels(people.ana, a_morning(54), newest_age_ms=2 * MINUTE_MS)
    await house.follow(people.ana, people.dan, told=False)
    for name, levels, age in (
        ("Ana two", [104, 108, 112, 115, 113, 112], 1),
        ("Ana three", [180, 176, 171, 165, 160, 158], 12),
        ("Ana four", [140, 138, 135, 131], 24),
        ("Ana five", [], 0),
    ):
        person = await house.add(name, shares=True)
        await house.follow(person, people.ben)
        if levels:
            await house.publish_levels(person, levels, newest_age_ms=age * MINUTE_MS)
    alarm = await house.ringing(people.ana)
    invitation = await house.follows.invite(
        sharer=people.ana.id, may_see_graph=True, may_be_told=True, now_ms=house.clock.now_ms()
    )
    paths = {
        "home": "/",
        "person": f"/people/{people.ana.id}",
        "alarm": f"/alarms/{alarm.id}",
        "followers": "/followers",
        "looks": "/looks",
        "settings": "/settings",
        "invitation": f"/invitation#{invitation.secret}",
        "missing": "/nowhere",
    }
    return Living(house, people, alarm.id, paths)


async def faults(page: Page) -> list[str]:
    """What axe finds wrong."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']]}"
        for one in found["violations"]
    ]


async def small_targets(page: Page) -> list[str]:
    """Buttons, fields and links of the navigation that a thumb would miss."""
    found: list[str] = await page.evaluate(
        """least => [...document.querySelectorAll('button, select, input, .nav a, summary, .tick')]
            .filter(one => one.type !== 'hidden')
            .filter(one => one.checkVisibility() && !one.closest('.tick:not(label)'))
            .map(one => [one, (one.closest('.tick') || one).getBoundingClientRect()])
            .filter(([, box]) => box.height < least && box.width > 0)
            .map(([one, box]) => `${one.outerHTML.slice(0, 80)} ${box.height}`)""",
        TARGET_PX_MIN,
    )
    return found


async def settled(page: Page, name: str) -> None:
    """Everything that the page draws by itself is there."""
    if name == "invitation":
        await expect(page.locator(".invited")).to_be_visible()
    if name == "person":
        await expect(page.locator(".chart canvas")).to_be_visible()
    if name != "missing":
        await expect(page.locator("#watch")).to_have_attribute("data-state", "watching")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_every_page(living: Living, screens: Screens, scheme: str, size: str) -> None:
    page = await screens.open(
        living.people.ben, size=SIZES[size], color_scheme=scheme, reduced_motion="reduce"
    )
    found: list[str] = []
    for name, path in living.paths.items():
        await page.goto("about:blank")
        await page.goto(f"{screens.address}{path}")
        await settled(page, name)
        if name == "person":
            await page.get_by_text("Change my limits").click()
        await keep_picture(page, f"{name}-{size}-{scheme}")
        found += [f"{name}: {fault}" for fault in await faults(page) + await small_targets(page)]
    await page.context.clear_cookies()
    await page.goto(f"{screens.address}/")
    await keep_picture(page, f"sign-in-{size}-{scheme}")
    found += [f"sign-in: {fault}" for fault in await faults(page)]

    assert not found, "\n".join(found)


async def test_nothing_is_wider_than_a_small_phone_or_a_page_at_twice_its_size(
    living: Living, screens: Screens
) -> None:
    page = await screens.open(living.people.ben, size=(320, 640))
    wide = []
    for name, path in living.paths.items():
        await page.goto("about:blank")
        await page.goto(f"{screens.address}{path}")
        await settled(page, name)
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)

    assert not wide


async def test_an_alarm_is_answered_with_two_keys(living: Living, screens: Screens) -> None:
    page = await screens.open(living.people.ben)
    button = page.get_by_role("button", name="I've got it")
    await button.focus()

    await page.keyboard.press("Enter")

    await expect(page.get_by_role("button", name="Undo")).to_be_visible()


async def test_the_sharer_sees_their_own_page(living: Living, screens: Screens) -> None:
    page = await screens.open(living.people.ana, reduced_motion="reduce")
    await expect(page.locator(".tile h2")).to_have_text(["Ana (you)"])
    await keep_picture(page, "own-home-desk")
    await page.goto(f"{screens.address}/people/{living.people.ana.id}")
    await expect(page.get_by_role("button", name="I put on a new sensor")).to_be_visible()
    await keep_picture(page, "own-person-desk")


async def test_states_stay_apart_without_any_colour(living: Living, screens: Screens) -> None:
    page = await screens.open(living.people.ben, size=PHONE, forced_colors="active")
    await expect(page.locator(".tile")).to_have_count(5)

    await keep_picture(page, "home-forced-colors")
    found = await faults(page)

    assert not found, "\n".join(found)
