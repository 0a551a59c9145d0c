"""The kill switches on a real bell: flipped in the file, they act within five seconds, and back."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest

from nightbell.app.control_words import Health, Nothing, PersonAdd, PersonRow
from tests.acceptance.real_platform import PASSWORD, RealPlatform
from tests.acceptance.running import nightbell

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket]

ACTS_WITHIN_S: Final = 5.0
"""What is promised (issue)."""

MINUTE_MS: Final = 60_000
SHARE: Final = "/ShareWebServices/Services"
APP: Final = "d8665ade-9673-4e27-9ff6-92db4ce13d13"


def now_ms() -> int:
    """A phone's own clock."""
    return int(time.time() * 1000)  # noqa: TID251 a phone's own clock


class Bell(NamedTuple):
    """A running bell: Ana's phone, Ben who is signed in and follows her."""

    folder: Path
    platform: RealPlatform
    phone: httpx.AsyncClient
    ben: httpx.AsyncClient
    ana: str

    def flip(self, *off: str) -> None:
        """Write a settings file in which these are off."""
        lines = "".join(f"{name} = false\n" for name in off)
        (self.folder / "settings.toml").write_text(f"[switches]\n{lines}")

    def health(self) -> Health:
        """How it is."""
        return self.platform.ask("health", Nothing(), Health)

    async def publish(self, *ages_ms: int, level: int = 112) -> httpx.Response:
        """An upload of readings as old as this."""
        readings = [{"measured_at": now_ms() - age_ms, "glucose_mgdl": level} for age_ms in ages_ms]
        return await self.phone.post("/v1/readings", json={"readings": readings})

    async def newest(self) -> dict[str, object]:
        """Ana as Ben sees her."""
        answer = await self.ben.get(f"/v1/people/{self.ana}")
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()["person"]["reading"]
        return found

    async def sign_in(self) -> httpx.Response:
        """Ben signs in on one more device."""
        async with self.platform.client() as client:
            asked = {"name": "Ben", "password": PASSWORD, "device": "new phone"}
            return await client.post("/v1/sign-in", json=asked)


async def acts(ask: Callable[[], Awaitable[httpx.Response]], status: int) -> httpx.Response:
    """Ask until it answers so; it must within the promise."""
    began = time.monotonic()
    while (answer := await ask()).status_code != status:
        assert time.monotonic() - began < ACTS_WITHIN_S, f"still {answer.status_code}: {answer.text}"
        await asyncio.sleep(0.2)
    return answer


def check_refusal(answer: httpx.Response, words: str) -> None:
    """A problem document with a sentence and when to come again."""
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert 60 <= int(answer.headers["retry-after"]) <= 120
    assert answer.json()["code"] == "switched_off"
    assert words in answer.json()["detail"]


@pytest.fixture
async def bell(tmp_path: Path) -> AsyncIterator[Bell]:
    async with RealPlatform(tmp_path) as platform:
        ana = platform.add_person("Ana")
        platform.add_person("Ben")
        platform.let_follow("Ana", "Ben")
        key = platform.add_key("Ana", "publish")
        async with platform.client() as guest:
            asked = {"name": "Ben", "password": PASSWORD, "device": "old phone"}
            grant = (await guest.post("/v1/sign-in", json=asked)).json()["token"]
        async with platform.client(key) as phone, platform.client(grant) as ben:
            yield Bell(tmp_path, platform, phone, ben, ana.person)


async def test_late_readings_switched_off_are_refused_and_live_ones_beside_them_kept(bell: Bell) -> None:
    assert (await bell.publish(60 * MINUTE_MS)).status_code == 200

    bell.flip("backfill")
    refused = await acts(lambda: bell.publish(61 * MINUTE_MS), 503)
    mixed = await bell.publish(62 * MINUTE_MS, MINUTE_MS, level=133)
    live = await bell.publish(0, level=134)

    check_refusal(refused, "Late readings are switched off")
    assert mixed.status_code == 503
    assert live.status_code == 200
    assert live.json() == {"accepted": 1, "duplicates": 0, "refused": []}
    points = (await bell.ben.get(f"/v1/people/{bell.ana}/readings?hours=3")).json()["points"]
    shown = [point["shown"] for point in points if point["shown"] != "112"]
    assert shown == ["133", "134"], "the two live ones, and not the late one beside the first"
    assert (bell.health().well, bell.health().switched_off) == (True, ["backfill"])

    bell.flip()
    await acts(lambda: bell.publish(62 * MINUTE_MS, level=133), 200)
    assert bell.health().switched_off == []


async def test_history_switched_off_leaves_the_newest_reading_and_the_alarms(bell: Bell) -> None:
    await bell.publish(20 * MINUTE_MS, 10 * MINUTE_MS, 0, level=48)
    async with asyncio.timeout(20):
        while not (await bell.ben.get(f"/v1/people/{bell.ana}/alarms")).json()["alarms"]:
            await asyncio.sleep(0.1)

    bell.flip("history")
    refused = await acts(lambda: bell.ben.get(f"/v1/people/{bell.ana}/readings"), 503)
    alarms = (await bell.ben.get(f"/v1/people/{bell.ana}/alarms")).json()["alarms"]
    page = await bell.ben.get(f"/people/{bell.ana}", headers={"accept": "text/html"})
    taken = await bell.ben.post(f"/v1/alarms/{alarms[0]['id']}/answer")

    check_refusal(refused, "Old numbers are switched off")
    assert (await bell.newest())["shown"] == "48"
    assert alarms
    assert page.status_code == 200
    assert "We can not read older numbers now" in page.text
    assert taken.status_code == 200, "an answer has no switch"

    bell.flip()
    again = await acts(lambda: bell.ben.get(f"/v1/people/{bell.ana}/readings"), 200)
    assert len(again.json()["points"]) == 3


async def test_new_sign_ins_switched_off_leave_everybody_in_who_is_in(bell: Bell) -> None:
    bell.flip("new_sign_ins")
    refused = await acts(bell.sign_in, 503)
    async with bell.platform.client() as guest:
        form = {"name": "Ben", "password": PASSWORD, "next": "/"}
        page = await guest.post("/sign-in", data=form, headers={"origin": bell.platform.url})
    renewed = await bell.ben.post("/v1/grants/renew")

    check_refusal(refused, "Nobody new can sign in")
    assert page.status_code == 503
    assert "Nobody new can sign in" in page.text
    assert renewed.status_code == 200
    assert (await bell.ben.get("/v1/me")).json()["name"] == "Ben"
    assert (await bell.publish(0)).status_code == 200

    bell.flip()
    await acts(bell.sign_in, 200)


async def test_old_apps_hear_of_switches_in_their_own_form_and_go_on_ringing(bell: Bell) -> None:
    bell.platform.ask("person.add", PersonAdd("Cleo", PASSWORD, share=True), PersonRow)
    async with bell.platform.client() as app:

        def post(method: str, body: object = None, **query: str) -> Awaitable[httpx.Response]:
            return app.post(f"{SHARE}/{method}", json=body, params=query)

        login = {"accountName": "Cleo", "password": PASSWORD, "applicationId": APP}
        session = (await post("General/LoginPublisherAccountByName", login)).json()
        egvs = [
            {"ST": f"/Date({now_ms() - age})/", "DT": f"/Date({now_ms() - age})/", "Value": 120, "Trend": 4}
            for age in (40 * MINUTE_MS, 0)
        ]
        upload = {"SN": "SM00000000", "Egvs": egvs, "TA": -5}

        bell.flip("history", "new_sign_ins", "backfill")
        await acts(bell.sign_in, 503)
        late = await post("Publisher/PostReceiverEgvRecords", upload, sessionId=session)
        seen = await post(
            "Publisher/ReadPublisherLatestGlucoseValues", sessionId=session, minutes="1440", maxCount="9"
        )
        wrong = await post("General/LoginPublisherAccountByName", {**login, "password": "never proven"})

    assert (late.status_code, late.json()["Code"]) == (500, "ServiceBusy")
    assert [one["Value"] for one in seen.json()] == [120], "the session holds, and the newest one is shown"
    assert (wrong.status_code, wrong.json()["Code"]) == (500, "ServiceBusy")


async def test_the_command_line_says_what_is_off_and_still_calls_it_well(bell: Bell) -> None:
    bell.flip("history", "backfill")
    await acts(lambda: bell.ben.get(f"/v1/people/{bell.ana}/readings"), 503)

    said = await asyncio.to_thread(nightbell, bell.folder, "health")

    assert "All is well" in said
    assert "Switched off in the settings: backfill, history." in said
