"""Goal: people see and change how they are reached, and nobody gets an address out of us again."""

import json
from collections.abc import AsyncIterator
from typing import Final

import pytest

from nightbell.account.way import ProvenBy
from nightbell.deliver.record import Delivery, DeliveryState, Told
from nightbell.web.show.alarms import Reader, told_line
from nightbell.web.show.ways import shortened, typed_address
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode
from nightbell.words.glucose import Unit
from tests.acceptance.web_house import FITS, GOOD_FOR, People, WebHouse, open_web_house
from tests.simulators.cast import alarm_view, ring

NOW_MS: Final = 1_795_345_200_000
PHONE: Final = "+351912345678"
SUBSCRIPTION: Final = json.dumps(
    {"endpoint": "https://push.example.net/send/abcdef123456", "keys": {"p256dh": "Bkey", "auth": "secret"}}
)


@pytest.fixture
async def house() -> AsyncIterator[WebHouse]:
    async with open_web_house(ManualClock(NOW_MS)) as opened:
        yield opened


@pytest.fixture
async def people(house: WebHouse) -> People:
    return await house.cast()


def take_push(house: WebHouse) -> None:
    """Push is set up here too."""
    house.ways._fits["push"] = lambda text: text.startswith("{")  # type: ignore[index]
    house.place.channels["push"] = GOOD_FOR["sms"]  # type: ignore[index]


async def test_a_way_is_added_listed_named_anew_and_removed(house: WebHouse, people: People) -> None:
    body = {"channel": "sms", "address": PHONE, "label": "Ben's phone"}
    async with await house.as_person(people.ben) as ben:
        added = await ben.put("/v1/ways", json=body)
        again = await ben.put("/v1/ways", json=body | {"label": "Bedside"})
        listed = (await ben.get("/v1/ways")).json()["ways"]
        removed = await ben.request("DELETE", "/v1/ways", json={"channel": "sms", "address": PHONE})
        gone = await ben.request("DELETE", "/v1/ways", json={"channel": "sms", "address": PHONE})

    assert (added.status_code, again.status_code, removed.status_code) == (200, 200, 200)
    assert [(way["channel"], way["number"], way["label"], way["shown"]) for way in listed] == [
        ("email", 1, "", "b\N{HORIZONTAL ELLIPSIS}@example.org"),
        ("sms", 1, "Bedside", "\N{HORIZONTAL ELLIPSIS}5678"),
    ]
    assert listed[1]["state"] == "unproven"
    assert listed[1]["added_ms"] == NOW_MS
    assert listed[1]["promise"]
    assert [way["channel"] for way in removed.json()["ways"]] == ["email"]
    assert gone.json()["code"] == ErrorCode.NOT_FOUND


async def test_ones_own_address_is_removed_by_its_number(house: WebHouse, people: People) -> None:
    async with await house.as_person(people.ben) as ben:
        left = await ben.request("DELETE", "/v1/ways", json={"channel": "email", "number": 1})

    assert left.json() == {"ways": []}
    person = house.accounts.person(people.ben.id)
    assert person is not None
    assert person.email == ""


async def test_no_answer_holds_a_whole_address(house: WebHouse, people: People) -> None:
    take_push(house)
    hook = "https://hooks.example.org/secret-path"
    async with await house.as_person(people.ben) as ben:
        answers = [
            await ben.put("/v1/ways", json={"channel": channel, "address": address})
            for channel, address in (("sms", PHONE), ("push", SUBSCRIPTION), ("webhook", hook))
        ]
        answers += [await ben.get("/v1/ways"), await ben.get("/settings")]

    for answer in answers:
        assert answer.status_code == 200, answer.text
        for secret in (PHONE, "9123456", "abcdef123456", "Bkey", "secret-path", "ben@example.org"):
            assert secret not in answer.text
    assert "push.example.net" in answers[3].text


async def test_nobody_sees_or_changes_the_ways_of_another(house: WebHouse, people: People) -> None:
    async with await house.as_person(people.ben) as ben:
        await ben.put("/v1/ways", json={"channel": "sms", "address": PHONE})
    async with await house.as_person(people.dan) as dan:
        listed = await dan.get("/v1/ways")
        removed = await dan.request("DELETE", "/v1/ways", json={"channel": "sms", "address": PHONE})
    async with house.client() as stranger:
        statuses = [
            (
                await stranger.request(method, "/v1/ways", json={"channel": "sms", "address": PHONE})
            ).status_code
            for method in ("GET", "PUT", "DELETE")
        ]

    assert listed.json() == {"ways": []}
    assert removed.status_code == 404
    assert statuses == [401, 401, 401]
    assert len(house.ways.of(people.ben)) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"channel": "pigeon", "address": PHONE},
        {"channel": "sms", "address": "0912"},
        {"channel": "sms", "address": ""},
        {"channel": "SMS:2", "address": PHONE},
        {"channel": "sms", "address": PHONE, "label": "x" * 81},
        {"channel": "webhook", "address": "https://name:word@example.org"},
        {"channel": "email", "address": "ben@example.org\r\nbcc: dan@example.org"},
        {"channel": "sms", "address": PHONE, "person": "dan"},
    ],
)
async def test_what_cannot_be_a_way_is_refused_with_its_reason(
    house: WebHouse, people: People, body: dict[str, str]
) -> None:
    async with await house.as_person(people.cleo) as cleo:
        answer = await cleo.put("/v1/ways", json=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == ErrorCode.MALFORMED
    assert house.ways.of(people.cleo) == []


async def test_another_site_can_not_add_a_way_with_the_cookie(house: WebHouse, people: People) -> None:
    evil = {"origin": "https://evil.test", "sec-fetch-site": "cross-site"}
    body = {"channel": "sms", "address": PHONE}
    async with house.client(cookie=await house.grant(people.ben)) as client:
        answers = [
            await client.put("/v1/ways", json=body, headers=evil),
            await client.request("DELETE", "/v1/ways", json={"channel": "email", "number": 1}, headers=evil),
            await client.post("/settings/ways", data={**body, "seal": "0" * 32}, headers=evil),
            await client.post(
                "/settings/ways/remove", data={"channel": "email", "number": "1", "seal": ""}, headers=evil
            ),
        ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert [way.channel for way in house.ways.of(people.ben)] == ["email"]


async def test_the_page_says_of_each_way_what_it_is_worth(house: WebHouse, people: People) -> None:
    ben = people.ben.id
    for address, label in ((PHONE, "Proven"), ("+351911111111", "Dead"), ("+351922222222", "New")):
        await house.ways.add(person_id=ben, channel="sms", address=address, label=label, now_ms=NOW_MS)
    house.ways.proven(ben, "sms", 1, ProvenBy.ANSWERED, NOW_MS)
    house.ways.lost(ben, "sms", 2, "", NOW_MS)
    async with house.client(cookie=await house.grant(people.ben)) as client:
        text = (await client.get("/settings")).text
    items = {
        label: text.partition(label)[2].partition("</li>")[0]
        for label in ("Proven", "Dead", "New", "E-mail</strong>")
    }

    assert "It works. You answered there at 11:00." in items["Proven"]
    assert "It does not work. We found that out at 11:00." in items["Dead"]
    assert "Add it again" in items["Dead"]
    assert "We do not know yet if it reaches you." in items["New"]
    assert "we can not tell if a message reached you" in items["E-mail</strong>"]
    assert "E-mail is a record." in items["E-mail</strong>"]


async def test_a_lost_way_is_said_on_the_first_page(house: WebHouse, people: People) -> None:
    await house.ways.add(person_id=people.ben.id, channel="sms", address=PHONE, label="Bed", now_ms=NOW_MS)
    async with house.client(cookie=await house.grant(people.ben)) as client:
        before = (await client.get("/")).text
        house.ways.lost(people.ben.id, "sms", 1, PHONE, NOW_MS)
        after = (await client.get("/")).text

    assert "does not reach you" not in before
    assert "Text message: Bed does not reach you any more." in after


def test_the_story_of_an_alarm_names_each_way_and_says_why_one_was_not_taken() -> None:
    reader = Reader("", Unit.MGDL, "UTC", catalogue(), str, NOW_MS)
    deliveries = tuple(
        Delivery(ring().id, key, DeliveryState.REFUSED, 1, NOW_MS, "refused")
        for key in ("sms", "sms:2", "pigeon")
    )

    line = told_line(Told(ring(), deliveries, (), ()), alarm_view(), reader)

    why = "The address did not take it. Please check the address."
    assert [step.text for step in line.steps[:3]] == [
        f"Not sent, text message: {why}",
        f"Not sent, text message 2: {why}",
        f"Not sent, pigeon: {why}",
    ]


async def test_only_channels_that_are_set_up_are_offered_and_the_others_are_named(
    house: WebHouse, people: People
) -> None:
    async with house.client(cookie=await house.grant(people.ben)) as client:
        text = (await client.get("/settings")).text

    offered = {name for name in ("email", "webhook", "sms", "voice", "pushover", "ntfy", "telegram")
               if f'name="channel" value="{name}"' in text.partition("<details")[2]}  # fmt: skip
    assert offered == set(FITS) - {"web_push"}  # a browser gives that one, nobody types it
    assert "Not set up here: Phone call, Pushover, ntfy, Telegram, Some other service." in text


async def test_a_way_of_a_channel_that_was_taken_down_is_shown_as_off(
    house: WebHouse, people: People
) -> None:
    await house.ways.add(person_id=people.ben.id, channel="sms", address=PHONE, label="", now_ms=NOW_MS)
    kept = house.place.channels.pop("sms")  # type: ignore[attr-defined]
    try:
        async with await house.as_person(people.ben) as ben:
            listed = (await ben.get("/v1/ways")).json()["ways"]
    finally:
        house.place.channels["sms"] = kept  # type: ignore[index]

    assert (listed[1]["state"], listed[1]["promise"]) == ("off", "")


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        ("email", "ben@example.org", "b…@example.org"),
        ("sms", PHONE, "…5678"),
        ("telegram", "12345678", "…"),
        ("pushover", "uQiRzpo4DXghDmr9QzzfQu27cmVRsG", "…VRsG"),
        ("ntfy", "bens-bell-7f3a", "…7f3a"),
        ("webhook", "https://ha.example.org:8123/api/webhook/secret", "ha.example.org…"),
        ("push", SUBSCRIPTION, "push.example.net…"),
        ("push", "{not json", "…"),
        ("push", '{"endpoint":5}', "…"),
        ("push", "{" + "[" * 4000, "…"),
        ("webhook", "https://[broken", "…"),
    ],
)
def test_an_address_is_shown_so_that_its_owner_knows_it_and_nobody_can_use_it(
    channel: str, address: str, shown: str
) -> None:
    assert shortened(channel, address) == shown


def test_a_number_typed_as_people_write_it_is_understood() -> None:
    assert typed_address("sms", " +351 912-345.678 ") == PHONE
    assert typed_address("voice", "+351 (912) 345678") == PHONE
    assert typed_address("ntfy", " bens-bell ") == "bens-bell"
