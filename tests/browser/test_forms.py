"""Goal: what people set up by hand works by hand: an invitation, limits, quiet, a sensor, one's own unit."""

from playwright.async_api import Page, expect

from nightbell.tell.attempt import ReceiptState
from tests.acceptance.web_house import MINUTE_MS, People, WebHouse
from tests.browser.conftest import PHONE, Screens, keep_picture, sign_in_by_hand

COUNT_TONES = """
window.tones = 0;
const begin = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.tones += 1; return begin.apply(this, when); };
"""


async def test_a_link_is_made_opened_accepted_and_confirmed(
    house: WebHouse, people: People, screens: Screens
) -> None:
    eve = await house.add("Eve")
    ana = await screens.open(people.ana, "/followers", size=PHONE)
    await ana.get_by_role("button", name="Make a link").click()
    link = (await ana.locator("#invitation-link").inner_text()).strip()
    secret = link.partition("#")[2]
    await keep_picture(ana, "link-phone")

    asked: list[str] = []
    page = await screens.open(size=PHONE)
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{screens.address}/invitation#{secret}")
    await expect(page.locator(".invited")).to_have_text("Ana asks you to follow them.")
    await page.get_by_role("link", name="Sign in first").click()
    await sign_in_by_hand(page, eve)
    await page.get_by_role("button", name="Yes, I will follow").click()
    await expect(page.get_by_text("Now Ana has to say yes too.")).to_be_visible()
    assert not house.follows.of_sharer(people.ana.id)[-1].told
    await ana.goto(f"{screens.address}/followers")
    await ana.get_by_role("button", name="Yes, let them follow Eve").click()

    await expect(ana.get_by_text("They follow you now.")).to_be_visible()
    assert house.follows.of_sharer(people.ana.id)[-1].told
    assert not [url for url in asked if secret in url.partition("#")[0]], "the secret went into an address"


async def test_a_limit_that_is_not_safe_comes_back_with_its_reason_and_what_was_typed(
    house: WebHouse, people: People, screens: Screens
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, f"/people/{people.ana.id}")
    await page.get_by_text("Change my limits").click()
    low = page.get_by_role("group", name="Low", exact=True)
    await low.get_by_label("Limit").fill("40")
    await page.get_by_role("button", name="Save my limits").click()

    await expect(page.locator("main > .said")).to_contain_text("limit", ignore_case=True)
    await expect(low.get_by_label("Limit")).to_have_value("40")
    await low.get_by_label("Limit").fill("80")
    await page.get_by_role("button", name="Save my limits").click()

    await expect(page.get_by_text("The new limits count from now on.")).to_be_visible()
    kept = house.follows.of_follower(people.ben.id)[0].limits.low.limit
    assert kept is not None
    assert kept.value == "80"


async def test_quiet_is_seen_by_the_sharer_too(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, f"/people/{people.ana.id}")

    await page.get_by_label("About").select_option("High, 60 minutes")
    await page.get_by_role("button", name="Be quiet").click()
    await expect(page.get_by_text("Urgent low still rings. The others can see it.").first).to_be_visible()
    ana = await screens.open(people.ana)

    await expect(ana.locator(".tile")).to_contain_text("Ben asked for quiet until")


async def test_a_new_sensor_is_said_to_followers(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    ana = await screens.open(people.ana, f"/people/{people.ana.id}")

    await ana.get_by_role("button", name="I put on a new sensor").click()
    await expect(ana.get_by_text("Noted. No numbers are due")).to_be_visible()
    page = await screens.open(people.ben)

    await expect(page.locator(".tile")).to_contain_text("New sensor. Numbers start again by")


async def test_numbers_are_in_the_readers_own_unit(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, "/settings")

    await page.get_by_label("Unit of numbers").select_option("mmol/L")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await page.goto(f"{screens.address}/people/{people.ana.id}")

    await expect(page.locator(".number")).to_have_text("6.2")
    await expect(page.locator(".change")).to_contain_text("\N{MINUS SIGN}0.2 in 5 min")
    await expect(page.locator("#chart-summary")).to_contain_text("from 6.2 to 6.5")
    await keep_picture(page, "person-mmol-desk")


async def heard(page: Page) -> bool:
    tones: int = await page.evaluate("window.tones")
    return tones > 0


async def test_a_ring_sounds_and_is_seen_only_when_a_person_stirs(
    house: WebHouse, people: People, screens: Screens
) -> None:
    page = await screens.open(people.ben, "/settings")
    await page.add_init_script(COUNT_TONES)
    await page.goto(f"{screens.address}/")
    await expect(page.locator("#watch")).to_have_attribute("data-state", "watching")
    await expect(page.locator("#sound")).to_have_attribute("data-on", "yes")
    assert not await heard(page)

    await house.publish_levels(people.ana, [96, 75, 53])
    alarm = await house.ringing(people.ana)
    await expect(page.locator(".alarm-bar")).to_be_visible()
    await page.wait_for_function("window.tones > 0")

    assert await receipts(house, alarm.id, at_least=1) == {ReceiptState.DELIVERED}
    await page.mouse.move(200, 300)
    assert await receipts(house, alarm.id, at_least=2) == {ReceiptState.DELIVERED, ReceiptState.SEEN}


async def receipts(house: WebHouse, alarm: str, *, at_least: int) -> set[ReceiptState]:
    """What was proven about the notifications of an alarm, once there is so much."""
    timeline = await house.deliver.timeline(alarm)
    while timeline is None or len(timeline.told) == 0 or len(timeline.told[0].receipts) < at_least:
        await house.breathe()
        timeline = await house.deliver.timeline(alarm)
    return {receipt.state for receipt in timeline.told[0].receipts}


async def test_the_graph_keeps_its_gaps(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [150, 148, 146], newest_age_ms=90 * MINUTE_MS)
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, f"/people/{people.ana.id}")

    await expect(page.locator(".chart canvas")).to_be_visible()
    await expect(page.locator("#chart-summary")).to_contain_text("One gap without numbers, 80 min long.")
    await expect(page.locator("#chart")).to_have_attribute("data-gaps", "1")
    await page.get_by_role("button", name="24 h").click()
    await expect(page.locator("#chart-summary")).to_contain_text("Last 24 hours")
    await keep_picture(page, "gap-desk")
    await page.get_by_text("The same as a table").click()
    await expect(page.locator("#chart-table tr")).to_have_count(6)


async def test_a_sound_that_is_off_is_said(house: WebHouse, people: People, screens: Screens) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    page = await screens.open(people.ben, "/settings")
    await page.add_init_script(
        "Object.defineProperty(AudioContext.prototype, 'state',"
        "  {get() { return window.woken || 'suspended'; }});"
        "AudioContext.prototype.resume = async function () {"
        "  window.woken = 'running'; this.dispatchEvent(new Event('statechange')); };"
    )
    await page.goto(f"{screens.address}/")
    await expect(page.locator("#sound-said")).to_have_text(
        "Sound is off. This page can not ring until you turn it on."
    )

    await page.get_by_role("button", name="Turn sound on").click()

    await expect(page.locator("#sound-said")).to_have_text("Sound is on. Keep the volume up.")
