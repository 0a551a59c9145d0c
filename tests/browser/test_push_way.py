"""Goal: the whole way of a push: turned on, sealed, carried, shown, tapped, answered by a press on the page.

Enabled by itself as soon as the house keeps addresses (`/v1/ways`); until then it is skipped and says so.
"""

import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from playwright.async_api import Page, expect

from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient
from nightbell.words.clock import SystemClock
from tests.acceptance.web_house import People, WebHouse, open_web_house
from tests.browser.conftest import Screens, keep_picture
from tests.browser.test_push import MANAGER, SETTINGS, phone_of, told_of
from tests.simulators.push_server import PushServer


@pytest.fixture
async def service() -> AsyncIterator[PushServer]:
    server = PushServer(SystemClock())
    await server.start()
    yield server
    await server.stop()
    assert server.wrong == []


@pytest.fixture
async def channel(service: PushServer) -> AsyncIterator[WebPushChannel]:
    http = HttpxClient(HttpLimits(private_allowed=True), tls=service.trust)
    yield WebPushChannel(http, SETTINGS, key=generate_private_key(SECP256R1()), clock=SystemClock())
    await http.close()


@pytest.fixture
async def house(channel: WebPushChannel) -> AsyncIterator[WebHouse]:
    async with open_web_house(SystemClock(), channels=[channel], push_key=channel.public_key) as opened:
        yield opened


async def turned_on(house: WebHouse, people: People, screens: Screens, address: str) -> Page:
    """Ben's settings, with push turned on."""
    if "/v1/ways" not in {route.path for route in house.app.routes()}:
        pytest.skip("the house keeps no addresses yet (/v1/ways)")
    page = await screens.open(people.ben, "/v1/me")
    await page.context.add_init_script(f"window.pushedTo = {address};\n{MANAGER}")
    await page.context.grant_permissions(["notifications"], origin=screens.address)
    await page.goto(f"{screens.address}/settings")
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    await page.reload()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    return page


async def test_who_takes_this_device_off_their_list_turns_push_off_here(
    house: WebHouse, people: People, screens: Screens, service: PushServer, channel: WebPushChannel
) -> None:
    page = await turned_on(house, people, screens, service.address(service.subscribe(channel.public_key)))

    remove = page.locator("#ways form:has(input[name=channel][value=web_push])")
    await remove.get_by_role("button").click()

    await expect(page.locator("#push")).to_have_attribute("data-state", "off")
    await expect(remove).to_have_count(0)


async def test_a_subscription_that_the_browser_replaced_is_known_before_any_page_is_opened(
    house: WebHouse, people: People, screens: Screens, service: PushServer, channel: WebPushChannel
) -> None:
    old = service.address(service.subscribe(channel.public_key))
    fresh = service.subscribe(channel.public_key)
    page = await turned_on(house, people, screens, old)
    phone = await phone_of(page, page.context)

    # As Chromium does when its push service asks for another address.
    await phone.worker.evaluate(
        """([old, fresh]) => self.dispatchEvent(Object.assign(new ExtendableEvent("pushsubscriptionchange"), {
            oldSubscription: old, newSubscription: fresh }))""",
        [json.loads(old), json.loads(service.address(fresh))],
    )
    async with await house.as_person(people.ben) as ben:
        while [way["number"] for way in (await ben.get("/v1/ways")).json()["ways"][1:]] != [2]:
            await house.breathe()
    await page.evaluate("told => localStorage.setItem('pushed-to', told)", service.address(fresh))
    await page.reload()

    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    service.unsubscribe(service.devices[json.loads(old)["endpoint"].removeprefix(service.origin)])
    await house.publish_levels(people.ana, [96, 75, 53])
    push = await house.eventually(lambda: service.pushes[0] if service.pushes else None)
    assert push.device == fresh


async def test_a_push_goes_the_whole_way_and_only_a_press_on_the_page_answers(
    house: WebHouse, people: People, screens: Screens, service: PushServer, channel: WebPushChannel
) -> None:
    address = service.address(service.subscribe(channel.public_key))
    page = await turned_on(house, people, screens, address)
    await keep_picture(page, "push-way-desk")
    phone = await phone_of(page, page.context)

    await house.publish_levels(people.ana, [96, 75, 53])
    alarm = await house.ringing(people.ana)
    push = await house.eventually(lambda: service.pushes[0] if service.pushes else None)
    await phone.push(push.plain.decode())
    [shown] = await phone.shows()
    await phone.tap()
    await page.wait_for_url(f"{screens.address}/alarms/{alarm.id}")

    assert shown["title"] == json.loads(push.plain)["notification"]["title"]
    assert house.evaluation.open_alarms(people.ana.sharer)[0].state == "ringing"
    await page.get_by_role("button", name="I've got it").click()
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    [told] = await told_of(house, alarm.id)
    proven = {str(one.state) for one in told.receipts if one.channel.startswith("web_push")}
    assert proven == {"delivered", "seen"}
    assert house.evaluation.open_alarms(people.ana.sharer)[0].answered_by == people.ben.id
