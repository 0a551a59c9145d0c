"""Goal: anybody can add a way to be reached and see whether it works, also without scripts."""

import pytest
from playwright.async_api import expect

from nightbell.account.way import ProvenBy
from tests.acceptance.web_house import People, WebHouse
from tests.browser.conftest import Screens, keep_picture
from tests.browser.test_look import SIZES, faults, small_targets


async def test_a_phone_is_added_and_removed_without_scripts(
    house: WebHouse, people: People, screens: Screens
) -> None:
    page = await screens.open(people.ben, "/settings", java_script_enabled=False)
    await page.get_by_text("Add a phone for text messages").first.click()
    await page.get_by_label("Phone number for texts").fill("0912 345 678")
    await page.locator("details[open]").get_by_label("Name for it").fill("Ben's phone")
    await page.get_by_role("button", name="Add a phone for text messages").click()

    await expect(page.locator("main > .said-wrong")).to_contain_text("Nothing was saved.")
    await expect(page.get_by_label("Phone number for texts")).to_have_value("0912 345 678")
    await page.get_by_label("Phone number for texts").fill("+351 912 345 678")
    await page.get_by_role("button", name="Add a phone for text messages").click()
    await expect(page.get_by_text("Saved. It is used from the next alarm on.")).to_be_visible()
    await expect(page.locator("#ways li")).to_have_count(2)
    assert house.ways.of(people.ben)[1].address == "+351912345678"

    await page.get_by_role("button", name="Remove Text message: Ben's phone").click()

    await expect(page.get_by_text("Removed. Nothing goes there any more.")).to_be_visible()
    assert [way.channel for way in house.ways.of(people.ben)] == ["email"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_ways_can_be_read_and_used_by_everybody(
    house: WebHouse, people: People, screens: Screens, scheme: str, size: str
) -> None:
    now_ms = house.clock.now_ms()
    for address, label in (
        ("+351912345678", "Ben's phone"),
        ("+351987654321", "The old one"),
        ("+351911222333", ""),
    ):
        await house.ways.add(
            person_id=people.ben.id, channel="sms", address=address, label=label, now_ms=now_ms
        )
    house.ways.proven(people.ben.id, "sms", 1, ProvenBy.SEEN, now_ms)
    house.ways.lost(people.ben.id, "sms", 2, "", now_ms)
    page = await screens.open(
        people.ben, "/settings", size=SIZES[size], color_scheme=scheme, reduced_motion="reduce"
    )
    await expect(page.locator("#watch")).to_have_attribute("data-state", "watching")
    for summary in await page.locator("#ways > details > summary").all():
        await summary.click()

    await keep_picture(page, f"ways-{size}-{scheme}")
    found = await faults(page) + await small_targets(page)

    assert not found, "\n".join(found)


async def test_a_house_without_ways_says_that_a_closed_page_can_not_ring(
    people: People, screens: Screens
) -> None:
    page = await screens.open(people.cleo, "/settings", size=SIZES["phone"])

    await expect(page.locator("#ways")).to_contain_text("So when no page is open, we can not reach you.")
    await keep_picture(page, "ways-none-phone")
