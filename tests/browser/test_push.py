"""Goal: a device is told while no page is open, and says what it did. Method: a real Chromium's worker.

The browser's own push service can not be reached here. So Chromium is handed each push by its own protocol,
as if its service had brought it, and `PushManager` is one that behaves like it but asks no service.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from playwright.async_api import (
    BrowserContext,
    CDPSession,
    Page,
    Request,
    Route,
    Worker,
    expect,
)

from nightbell.adapters.channels.web_push.body import body_of
from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.channels.web_push.settings import WebPushSettings
from nightbell.adapters.channels.web_push.subscription import is_address
from nightbell.adapters.http_client import HttpxClient
from nightbell.deliver.record import Told
from nightbell.tell.message import Message
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import SystemClock
from tests.acceptance.web_house import MINUTE_MS, People, WebHouse, open_web_house
from tests.browser.conftest import DESK, PHONE, Screens, keep_picture
from tests.browser.test_look import faults, small_targets
from tests.browser.test_push_shell import controlled

SIZES: Final = {"phone": PHONE, "desk": DESK}
SETTINGS: Final = WebPushSettings(
    contact="mailto:ana@bell.example.org", public_url="https://bell.example.org"
)
MANAGER: Final = (Path(__file__).parent / "push_manager.js").read_text(encoding="utf-8")


@pytest.fixture
async def channel() -> AsyncIterator[WebPushChannel]:
    http = HttpxClient()
    yield WebPushChannel(http, SETTINGS, key=generate_private_key(SECP256R1()), clock=SystemClock())
    await http.close()


@pytest.fixture
async def house(channel: WebPushChannel) -> AsyncIterator[WebHouse]:
    async with open_web_house(SystemClock(), channels=[channel], push_key=channel.public_key) as opened:
        yield opened


PUSH_AGAIN_S: Final = 8.0


class Ways:
    """What the platform keeps of this person's addresses, as `/v1/ways` does."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.puts = 0
        self.status = 200

    async def at(self, route: Route, request: Request) -> None:
        answer: dict[str, Any] = {}
        if self.status == 200:
            answer = self._answer(request.method, json.loads(request.post_data or "{}"))
        await route.fulfill(status=self.status, json=answer)

    def _answer(self, method: str, told: dict[str, Any]) -> dict[str, Any]:
        if method == "GET":
            return {"ways": [{"channel": "web_push", "number": self.numbers[one]} for one in self.kept]}
        assert told.pop("channel") == "web_push"
        if method == "DELETE":
            self.kept.pop(told["address"], None)
            return {"ways": []}
        assert method == "PUT"
        assert is_address(told["address"])
        self.puts += 1
        self.kept[told["address"]] = told["label"]
        number = self.numbers.setdefault(told["address"], len(self.numbers) + 1)
        return {"channel": "web_push", "number": number}


class Phone:
    """One browser of Ben's, with its service worker."""

    def __init__(self, page: Page, worker: Worker, line: CDPSession, registration: str) -> None:
        self.page = page
        self.worker = worker
        self._line = line
        self._registration = registration
        self._last = ""

    async def push(self, text: str) -> None:
        """As the browser does when its push service brings something."""
        self._last = text
        origin = re.sub(r"(https?://[^/]+).*", r"\1", self.page.url)
        await self._line.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": origin, "registrationId": self._registration, "data": text},
        )

    async def shown(self) -> list[dict[str, Any]]:
        """What stands on the screen."""
        return list(
            await self.worker.evaluate(
                """async () => (await self.registration.getNotifications()).map((one) => ({
                    title: one.title, body: one.body, tag: one.tag, data: one.data,
                    requireInteraction: one.requireInteraction, silent: one.silent,
                }))"""
            )
        )

    async def shows(self, count: int = 1) -> list[dict[str, Any]]:
        """The same, once there are so many."""
        begun, looks = asyncio.get_running_loop().time(), 0
        async with asyncio.timeout(40):
            while len(found := await self.shown()) != count:
                await asyncio.sleep(0.05)
                if asyncio.get_running_loop().time() - begun > PUSH_AGAIN_S * (looks + 1):
                    # A worker that is just starting may miss one; the same once more takes its own place.
                    looks += 1
                    await self.push(self._last)
        return found

    async def tap(self) -> None:
        """Tap the only one there is."""
        await self.worker.evaluate(
            """async () => {
                const [notification] = await self.registration.getNotifications();
                self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
            }"""
        )


async def phone_of(page: Page, context: BrowserContext) -> Phone:
    """Wait until the page's worker serves it."""
    await controlled(page)
    line = await context.new_cdp_session(page)
    registrations: list[str] = []
    line.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: registrations.extend(one["registrationId"] for one in told["registrations"]),
    )
    await line.send("ServiceWorker.enable")
    async with asyncio.timeout(20):
        while not registrations or not context.service_workers:
            await asyncio.sleep(0.05)
    return Phone(page, context.service_workers[0], line, registrations[-1])


@pytest.fixture
async def ways() -> Ways:
    return Ways()


class Opens:
    """Opens pages with push allowed."""

    def __init__(self, screens: Screens, ways: Ways, people: People) -> None:
        self._screens = screens
        self._ways = ways
        self._people = people
        self.address = screens.address

    async def page(
        self, path: str = "/settings", *, manager: str = MANAGER, allowed: bool = True, **options: Any
    ) -> Page:
        page = await self._screens.open(self._people.ben, "/v1/me", **options)
        if manager:
            await page.context.add_init_script(manager)
        if allowed:
            await page.context.grant_permissions(["notifications"], origin=self.address)
        await page.context.route("**/v1/ways", self._ways.at)
        await page.goto(f"{self.address}{path}")
        return page

    async def phone(self, path: str = "/settings", **options: Any) -> Phone:
        page = await self.page(path, **options)
        return await phone_of(page, page.context)


@pytest.fixture
async def opens(screens: Screens, ways: Ways, people: People) -> Opens:
    return Opens(screens, ways, people)


async def the_ring(house: WebHouse, people: People) -> Message:
    """Ana is low, Ben is told: the message as the channel gets it."""
    await house.publish_levels(people.ana, [96, 75, 53])
    alarm = await house.ringing(people.ana)
    [told] = await told_of(house, alarm.id)
    return Message(
        id=told.notification.id,
        to=people.ben.id,
        subject="Ana is VERY LOW: 53",
        text="Ana is VERY LOW.\n\nCheck Ana now.",
        urgent=True,
        made_ms=told.notification.at_ms,
        fields={"alarm": alarm.id},
    )


async def told_of(house: WebHouse, alarm: str) -> list[Told]:
    async with asyncio.timeout(20):
        while (timeline := await house.deliver.timeline(alarm)) is None or not timeline.told:
            await asyncio.sleep(0.05)
    return list(timeline.told)


def body(message: Message, house: WebHouse, *, sent_ms: int = 0) -> str:
    """What the channel seals."""
    return body_of(
        message,
        key=f"{message.id}.web_push",
        public_url=SETTINGS.public_url,
        now_ms=sent_ms or house.clock.now_ms(),
        words=catalogue(),
    ).decode()


async def test_a_push_is_shown_and_the_platform_hears_that_it_arrived(
    house: WebHouse, people: People, opens: Opens
) -> None:
    phone = await opens.phone()
    ring = await the_ring(house, people)

    await phone.push(body(ring, house))

    [shown] = await phone.shows()
    assert shown["title"] == "Ana is VERY LOW: 53"
    assert shown["body"] == "Ana is VERY LOW.\n\nCheck Ana now."
    assert shown["requireInteraction"]
    assert not shown["silent"]
    assert "web_push delivered" in await receipts(house, ring, 1)
    assert house.evaluation.open_alarms(people.ana.sharer)[0].state == "ringing"


async def receipts(house: WebHouse, ring: Message, least: int) -> set[str]:
    """What was proven by push, once there is so much."""
    async with asyncio.timeout(20):
        while True:
            [told] = await told_of(house, str(ring.fields["alarm"]))
            found = {f"{one.channel} {one.state}" for one in told.receipts if one.channel == "web_push"}
            if len(found) >= least:
                return found
            await asyncio.sleep(0.05)


async def test_a_tap_opens_the_alarms_page_and_answers_nothing(
    house: WebHouse, people: People, opens: Opens
) -> None:
    phone = await opens.phone()
    ring = await the_ring(house, people)
    await phone.push(body(ring, house))
    await phone.shows()

    await phone.tap()

    await phone.page.wait_for_url(f"{opens.address}/alarms/{ring.fields['alarm']}")
    await expect(phone.page.get_by_role("button", name="I've got it")).to_be_visible()
    assert await phone.shows(0) == []
    assert await receipts(house, ring, 2) == {"web_push delivered", "web_push seen"}
    alarm = house.evaluation.open_alarms(people.ana.sharer)[0]
    assert (alarm.state, alarm.answered_by) == ("ringing", "")


async def test_a_tap_without_an_open_page_opens_one(house: WebHouse, people: People, opens: Opens) -> None:
    phone = await opens.phone()
    ring = await the_ring(house, people)
    await phone.push(body(ring, house))
    await phone.shows()
    # A browser opens windows for a real tap only, which nobody can make here.
    await phone.worker.evaluate(
        """() => {
            self.clients.matchAll = async () => [];
            self.clients.openWindow = async (path) => { self.opened = path; };
        }"""
    )

    await phone.tap()

    async with asyncio.timeout(20):
        while (opened := await phone.worker.evaluate("() => self.opened")) is None:
            await asyncio.sleep(0.05)
    assert opened == f"/alarms/{ring.fields['alarm']}"


async def test_every_push_is_shown_whatever_is_in_it(opens: Opens) -> None:
    phone = await opens.phone()
    for text in ("", "no JSON", "[]", '{"notification": null}', '{"notification": {"title": ""}}'):
        await phone.push(text)

        [shown] = await phone.shows()
        assert shown["title"] == catalogue().say("device.push_unreadable")
        await phone.worker.evaluate(
            "async () => { for (const one of await self.registration.getNotifications()) one.close(); }"
        )
        await phone.shows(0)

    await phone.push('{"notification": {"title": "Bare", "navigate": "https://["}}')

    [shown] = await phone.shows()
    assert (shown["title"], shown["data"]["path"]) == ("Bare", "/")


async def test_a_newer_word_takes_the_place_of_the_older_one_and_a_late_one_says_so(
    house: WebHouse, people: People, opens: Opens
) -> None:
    phone = await opens.phone()
    ring = await the_ring(house, people)
    await phone.push(body(ring, house))
    await phone.shows()

    await phone.push(body(ring, house, sent_ms=house.clock.now_ms() - 12 * MINUTE_MS))

    async with asyncio.timeout(20):
        while (shown := await phone.shown())[0]["title"] != "(12 min ago) Ana is VERY LOW: 53":
            await asyncio.sleep(0.05)
    assert len(shown) == 1


async def test_push_is_turned_on_looked_after_and_turned_off(
    opens: Opens, ways: Ways, channel: WebPushChannel
) -> None:
    page = await opens.page()
    card = page.locator("#push")
    await expect(card).to_have_attribute("data-state", "off")
    await expect(card).not_to_contain_text("guaranteed")

    await page.get_by_role("button", name="Turn on push").click()
    await expect(card).to_have_attribute("data-state", "on")
    [(address, label)] = ways.kept.items()
    assert label == "Chrome on Linux"
    assert await page.evaluate("localStorage.getItem('pushed-under')") == channel.public_key

    puts = ways.puts
    await page.goto(f"{opens.address}/followers")
    async with asyncio.timeout(20):
        while ways.puts == puts:
            await asyncio.sleep(0.05)
    assert list(ways.kept) == [address]

    await page.goto(f"{opens.address}/settings")
    await page.get_by_role("button", name="Turn off push").click()
    await expect(card).to_have_attribute("data-state", "off")
    assert ways.kept == {}
    assert await page.evaluate("localStorage.getItem('pushed-under')") is None


async def test_a_subscription_that_the_browser_replaced_is_known_at_the_next_page(
    opens: Opens, ways: Ways
) -> None:
    page = await opens.page()
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    [old] = ways.kept

    await page.evaluate("localStorage.removeItem('pushed-under')")
    await page.goto(f"{opens.address}/settings")

    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    [new] = ways.kept
    assert new != old


async def test_push_that_stopped_is_said_on_every_page(opens: Opens) -> None:
    page = await opens.page()
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")

    await page.evaluate(
        "localStorage.removeItem('pushed-under'); localStorage.setItem('push-refuses', 'yes')"
    )
    await page.goto(f"{opens.address}/")

    await expect(page.locator("#push-stopped")).to_contain_text("Push to this device has stopped")
    await page.locator("#push-stopped a").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "stopped")
    await expect(page.get_by_role("button", name="Turn on push")).to_be_visible()


async def test_a_device_that_was_taken_off_the_list_does_not_come_back_by_itself(
    opens: Opens, ways: Ways
) -> None:
    page = await opens.page()
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")

    ways.kept.clear()
    await page.goto(f"{opens.address}/")
    await expect(page.locator("#push-stopped")).to_be_visible()
    await page.goto(f"{opens.address}/settings")
    await expect(page.locator("#push")).to_have_attribute("data-state", "removed")
    assert ways.kept == {}

    await page.get_by_role("button", name="Turn off push").click()
    await page.goto(f"{opens.address}/")
    await expect(page.locator("#push-stopped")).to_be_hidden()


async def test_what_could_not_be_saved_is_not_called_on(opens: Opens, ways: Ways) -> None:
    page = await opens.page()
    ways.status = 503

    await page.get_by_role("button", name="Turn on push").click()

    await expect(page.locator("#push")).to_have_attribute("data-state", "failed")
    ways.status = 200
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")


async def test_signing_out_ends_push_to_this_device(opens: Opens, ways: Ways) -> None:
    page = await opens.page()
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")

    await page.get_by_role("button", name="Sign out").click()

    await page.wait_for_url(re.compile("/sign-in"))
    assert ways.kept == {}
    assert await page.evaluate("localStorage.getItem('pushed-under')") is None


async def test_somebody_else_on_this_device_gets_none_of_it(
    opens: Opens, ways: Ways, house: WebHouse, people: People
) -> None:
    page = await opens.page()
    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    puts, token = ways.puts, await house.grant(people.dan)

    await page.context.add_cookies(
        [{"name": "nightbell_grant", "value": token, "url": opens.address, "sameSite": "Strict"}]
    )
    await page.goto(f"{opens.address}/settings")

    await expect(page.locator("#push")).to_have_attribute("data-state", "off")
    assert await page.evaluate("localStorage.getItem('pushed-under')") is None
    assert ways.puts == puts


@pytest.mark.parametrize(
    ("manager", "state"),
    [
        ("delete window.PushManager;", "unsupported"),
        ("delete window.PushManager; navigator.standalone = false;", "home_screen"),
        ("Object.defineProperty(Notification, 'permission', {get: () => 'denied'});", "blocked"),
        ("Object.defineProperty(window, 'isSecureContext', {get: () => false});", "insecure"),
    ],
)
async def test_a_device_that_can_not_do_it_is_told_what_it_can_do(
    opens: Opens, manager: str, state: str
) -> None:
    page = await opens.page(manager=manager)

    await expect(page.locator("#push")).to_have_attribute("data-state", state)
    await expect(page.locator(f"[data-push={state}]")).to_be_visible()
    await expect(page.get_by_role("button", name="Turn on push")).to_be_hidden()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_the_section_in_every_state(opens: Opens, scheme: str, size: str) -> None:
    page = await opens.page(size=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
    await expect(page.locator("#push")).to_have_attribute("data-state", "off")
    await keep_picture(page, f"push-off-{size}-{scheme}")
    found = await faults(page) + await small_targets(page)

    await page.get_by_role("button", name="Turn on push").click()
    await expect(page.locator("#push")).to_have_attribute("data-state", "on")
    await keep_picture(page, f"push-on-{size}-{scheme}")
    found += await faults(page) + await small_targets(page)
    await page.evaluate(
        "localStorage.removeItem('pushed-under'); localStorage.setItem('push-refuses', 'yes')"
    )
    await page.reload()
    await expect(page.locator("#push")).to_have_attribute("data-state", "stopped")
    await keep_picture(page, f"push-stopped-{size}-{scheme}")
    found += await faults(page) + await small_targets(page)
    await page.goto(f"{opens.address}/offline")
    await expect(page.get_by_role("button", name="Try again now")).to_be_visible()
    await keep_picture(page, f"offline-{size}-{scheme}")
    found += await faults(page) + await small_targets(page)

    assert not found, "\n".join(found)
