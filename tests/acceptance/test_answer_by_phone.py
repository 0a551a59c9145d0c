"""Goal: a call goes out when nobody answers, and a key is the answer. Method: a strict Twilio."""

import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from nightbell.adapters.channels.twilio.voice import VoiceChannel
from nightbell.adapters.http_client import HttpLimits, HttpxOriginClient
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.tell.callback import BODY_BYTES_MAX, Callback
from nightbell.words.clock import ManualClock
from tests.acceptance.web_house import People, WebHouse, open_web_house
from tests.contracts.callbacks_twilio import PUBLIC, settings
from tests.simulators.cast import NOW_MS
from tests.simulators.twilio_server import TwilioServer

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

BEN_S_PHONE: Final = "+351910000001"
SECOND_MS: Final = 1_000


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioServer]:
    server = TwilioServer()
    await server.start()
    yield server
    await server.stop()
    assert server.wrong == []


@pytest.fixture
async def house(twilio: TwilioServer) -> AsyncIterator[WebHouse]:
    http = HttpxOriginClient(twilio.origin, HttpLimits())
    voice = VoiceChannel(http, settings(twilio.origin))
    async with open_web_house(ManualClock(NOW_MS), public_url=PUBLIC, channels=[voice]) as opened:
        yield opened
    await http.close()


@pytest.fixture
async def people(house: WebHouse) -> People:
    people = await house.cast()
    await house.ways.add(
        person_id=people.ben.id, channel="voice", address=BEN_S_PHONE, label="", now_ms=NOW_MS
    )
    return people


async def seconds(house: WebHouse, count: int) -> None:
    """So many pass, each with its tick."""
    clock = house.clock
    assert isinstance(clock, ManualClock)
    for _ in range(count):
        clock.advance_ms(SECOND_MS)
        house.journal.tick()
        await house.journal.settled()
    await house.evaluation.caught_up()
    house.deliver.wake()


async def called(house: WebHouse, people: People, twilio: TwilioServer) -> tuple[AlarmView, str]:
    """Ana is urgently low and nobody answers for two minutes: the alarm, and the call to Ben."""
    await house.publish_levels(people.ana, [96, 75, 50])
    alarm = await house.ringing(people.ana)
    await seconds(house, 119)
    before = dict(twilio.calls)
    await seconds(house, 2)
    sid = await house.eventually(lambda: next(iter(twilio.calls), None))
    assert before == {}
    return alarm, sid


async def posted(house: WebHouse, callback: Callback, *, method: str = "POST") -> httpx.Response:
    parts = urlsplit(callback.url)
    async with house.client() as client:
        return await client.request(
            method, f"{parts.path}?{parts.query}", headers=dict(callback.headers), content=callback.body
        )


def state(house: WebHouse, alarm: AlarmView) -> AlarmState:
    found = house.evaluation.open_alarm(alarm.id)
    assert found is not None
    return found.state


async def test_two_minutes_without_an_answer_call_whoever_is_on_duty_and_key_1_is_the_answer(
    house: WebHouse, people: People, twilio: TwilioServer
) -> None:
    alarm, sid = await called(house, people, twilio)

    answer = await posted(house, twilio.presses(sid, "1"))

    assert answer.status_code == 200
    assert "got it" in answer.text
    found = house.evaluation.open_alarm(alarm.id)
    assert found is not None
    assert (found.state, found.answered_by) == (AlarmState.ANSWERED, people.ben.id)
    [way] = [way for way in house.ways.of(people.ben) if way.channel == "voice"]
    assert way.proven_by == "answered"


async def test_when_somebody_has_it_the_phone_stops_ringing(
    house: WebHouse, people: People, twilio: TwilioServer
) -> None:
    alarm, sid = await called(house, people, twilio)

    async with await house.as_person(people.ben) as ben:
        taken = await ben.post(f"/v1/alarms/{alarm.id}/answer")

    assert taken.status_code == 200, taken.text
    await house.eventually(lambda: twilio.calls[sid]["status"] in {"completed", "canceled"} or None)


async def test_voicemail_is_no_answer(house: WebHouse, people: People, twilio: TwilioServer) -> None:
    alarm, sid = await called(house, people, twilio)

    answer = await posted(house, twilio.listens_to_the_end(sid))

    assert answer.status_code == 200
    assert state(house, alarm) is AlarmState.RINGING


async def test_what_nobody_signed_changes_nothing(
    house: WebHouse, people: People, twilio: TwilioServer
) -> None:
    alarm, sid = await called(house, people, twilio)
    pressed = twilio.presses(sid, "1")

    forged = await posted(house, Callback(pressed.url, {"x-twilio-signature": "c2h"}, pressed.body, NOW_MS))
    looked = await posted(house, pressed, method="GET")
    large = await posted(house, Callback(pressed.url, pressed.headers, b"x" * (BODY_BYTES_MAX + 1), NOW_MS))

    assert (forged.status_code, looked.status_code, large.status_code) == (403, 405, 413)
    assert state(house, alarm) is AlarmState.RINGING


async def test_a_channel_that_is_not_set_up_hears_nothing(house: WebHouse) -> None:
    async with house.client() as client:
        answer = await client.post("/v1/channels/pigeon", content=json.dumps({"answered": True}))

    assert answer.status_code == 404
