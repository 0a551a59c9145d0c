"""Goal: nothing old is shown as current, and a lost server is said, on the page's own clock."""

import re

from playwright.async_api import Page, expect

from tests.acceptance.web_house import MINUTE_MS, People, WebHouse, served
from tests.browser.conftest import PHONE, Screens, keep_picture

SIZE = PHONE


async def moved_on(page: Page, seconds: int) -> None:
    """The page's time goes on, its timers with it, while the server's does not."""
    await page.clock.fast_forward(seconds * 1000)


async def test_a_number_is_struck_through_from_eleven_minutes_and_gone_from_fifteen(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112], newest_age_ms=12 * MINUTE_MS)
    page = await screens.open(people.ben, f"/people/{people.ana.id}", size=SIZE)
    reading = page.locator(".person-now")

    await expect(reading).to_have_attribute("data-state", "old")
    await expect(reading.locator(".old-word")).to_be_visible()
    await expect(reading.locator(".way")).to_have_count(1)
    await expect(reading.locator(".way")).to_be_hidden()
    assert "line-through" in await reading.locator(".number").evaluate(
        "one => getComputedStyle(one).textDecorationLine"
    )
    await keep_picture(page, "old-phone")

    await house.publish_levels(people.ana, [111], newest_age_ms=11 * MINUTE_MS)
    await expect(reading.locator(".number")).to_have_text("111")


async def test_a_page_left_open_ages_by_itself(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    async with served(house) as own:
        page = await screens.open(people.ben, "/sign-in", size=SIZE)
        await page.clock.install()
        await page.goto(f"{own}/people/{people.ana.id}")
        reading = page.locator(".person-now")
        await expect(reading).to_have_attribute("data-state", "fresh")
        await expect(reading.locator(".age")).to_have_text("just now")

    await moved_on(page, 4 * 60)
    await expect(reading.locator(".age")).to_have_text(re.compile(r"[45] min ago"))
    await moved_on(page, 8 * 60)
    await expect(reading).to_have_attribute("data-state", "old")
    await moved_on(page, 9 * 60)

    await expect(reading).to_have_attribute("data-state", "gone")
    await expect(reading.locator(".gone-word")).to_have_text(
        re.compile(r"No number for\s+2\d min\s+\(last 112 mg/dL\)")
    )
    await expect(reading.locator(".number")).to_be_hidden()


async def test_a_lost_server_is_said_within_ninety_seconds_and_so_is_its_return(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    async with served(house) as own:
        port = int(own.rpartition(":")[2])
        page = await screens.open(people.ben, "/sign-in", size=SIZE)
        await page.clock.install()
        await page.goto(f"{own}/")
        await expect(page.locator("#watch")).to_have_attribute("data-state", "watching")

    await moved_on(page, 31)
    await expect(page.locator("#watch")).to_have_attribute("data-state", "trying")
    await expect(page.locator("#trying")).to_have_text(re.compile("numbers here may be old"))
    await keep_picture(page, "trying-phone")
    await moved_on(page, 58)

    await expect(page.get_by_role("heading", name="You are NOT being watched")).to_be_visible()
    await expect(page).to_have_title(re.compile("You are NOT being watched"))
    await expect(page.locator(".lost-page")).to_contain_text("finger stick")
    await keep_picture(page, "lost-phone")

    async with served(house, port=port):
        await moved_on(page, 20)
        await expect(page.locator("#watch")).to_have_attribute("data-state", "watching", timeout=15_000)
        await expect(page.locator(".lost-page")).to_have_count(0)
        await expect(page.locator("#trying")).to_have_text(re.compile("We are watching again"))


async def test_an_evaluation_that_stands_still_counts_as_nobody_watching(
    house: WebHouse, people: People, screens: Screens
) -> None:
    """The socket lives and heartbeats come, but they say that alarms are not being evaluated."""
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, "/", size=SIZE)
    await expect(page.locator("#watch")).to_have_attribute("data-state", "watching")

    await house.evaluation.close()

    await expect(page.locator("#watch")).to_have_attribute("data-state", "trying", timeout=25_000)
    await expect(page.locator("#trying")).to_contain_text("runs late")


async def test_without_scripts_number_and_age_are_readable_and_an_alarm_can_be_answered(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [96, 75, 53])
    await house.ringing(people.ana)
    page = await screens.open(people.ben, size=SIZE, java_script_enabled=False)

    await expect(page.locator(".tile .number")).to_have_text("53")
    await expect(page.locator(".tile .age")).to_have_text(re.compile(r"as of \d\d:\d\d"))
    await expect(page.locator("#watch")).to_have_text(re.compile(r"Page from \d\d:\d\d"))
    await page.get_by_role("button", name="I've got it").click()

    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert house.evaluation.open_alarms(people.ana.sharer)[0].answered_by == people.ben.id


async def test_a_tab_that_slept_shows_its_numbers_as_old_at_once(
    house: WebHouse, people: People, screens: Screens
) -> None:
    """Before anything has been fetched: the server may be gone meanwhile."""
    await house.publish_levels(people.ana, [118, 115, 112])
    async with served(house) as own:
        page = await screens.open(people.ben, "/sign-in", size=SIZE)
        await page.clock.install()
        await page.goto(f"{own}/")
        await expect(page.locator(".tile .reading")).to_have_attribute("data-state", "fresh")

    await page.clock.fast_forward("40:00")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    await expect(page.locator(".tile .reading")).to_have_attribute("data-state", "gone")
