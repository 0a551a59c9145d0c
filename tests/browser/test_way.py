"""Goal: the whole way as people walk it, in a real browser: publish, ring, answer, read why."""

from playwright.async_api import expect

from tests.acceptance.web_house import People, WebHouse
from tests.browser.conftest import PHONE, Screens, keep_picture, sign_in_by_hand


async def test_a_low_rings_on_the_followers_page_and_one_press_stops_it_for_all(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [118, 112, 104, 97, 90, 84], newest_age_ms=5 * 60_000)
    page = await screens.open(size=PHONE)
    await sign_in_by_hand(page, people.ben)
    await expect(page.locator(".tile .number")).to_have_text("84")
    await expect(page.locator("#watch")).to_have_attribute("data-state", "watching")

    await house.publish_levels(people.ana, [53])
    bar = page.locator("#alarms .alarm-bar")
    await expect(bar.get_by_role("heading")).to_have_text("Ana: Urgent low, 53")
    await expect(page.locator(".tile .number")).to_have_text("53")
    await keep_picture(page, "ring-phone")
    await bar.get_by_role("button", name="I've got it").click()

    await expect(bar.get_by_role("button", name="Undo")).to_be_visible()
    await keep_picture(page, "answered-phone")
    await expect(bar).to_have_count(0, timeout=10_000)
    await expect(page.locator(".chip")).to_contain_text("You have it")
    alarm = house.evaluation.open_alarms(people.ana.sharer)[0]
    assert alarm.answered_by == people.ben.id
    await page.goto(f"{screens.address}/alarms/{alarm.id}")
    story = page.locator("#story")
    await expect(story).to_contain_text("It began: Urgent low")
    await expect(story).to_contain_text("Ben was told")
    await expect(story).to_contain_text("Ben has it")
    await expect(page.locator(".steps")).to_contain_text("Arrived")
    await expect(page.locator(".steps")).to_contain_text("Seen")
    await keep_picture(page, "story-phone")


async def test_an_answer_can_be_undone_for_five_seconds(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [96, 75, 53])
    await house.ringing(people.ana)
    page = await screens.open(people.ben)

    await page.get_by_role("button", name="I've got it").click()
    await page.get_by_role("button", name="Undo").click()

    await expect(page.get_by_role("button", name="I've got it")).to_be_visible()
    assert house.evaluation.open_alarms(people.ana.sharer)[0].state == "ringing"


async def test_the_others_read_who_has_it(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [96, 75, 53])
    alarm = await house.ringing(people.ana)
    page = await screens.open(people.cleo)
    await expect(page.locator(".chip")).to_have_text("Urgent low")

    async with await house.as_person(people.ben) as ben:
        await ben.post(f"/v1/alarms/{alarm.id}/answer")

    await expect(page.locator(".chip")).to_contain_text("Ben has it")
