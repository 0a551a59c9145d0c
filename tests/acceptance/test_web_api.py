"""Goal: the promises of the API: sign-in that holds, clear problems, invitations, limits, who looked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from nightbell.follow.defaults import default_limits
from nightbell.follow.follow import FollowState
from nightbell.web.build import BODY_BYTES_MAX
from nightbell.web.front import DOOR_BYTES_MAX, SHARE_BYTES_MAX
from nightbell.web.slow_bodies import SlowBodies
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode
from nightbell.words.glucose import Unit
from tests.acceptance.web_house import MINUTE_MS, PASSWORD, People, WebHouse, open_web_house

NOW_MS: Final = 1_795_345_200_000
ABOUT_READINGS: Final = (
    "/v1/people",
    "/v1/people/{id}",
    "/v1/people/{id}/readings",
    "/v1/people/{id}/alarms",
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
async def house(clock: ManualClock) -> AsyncIterator[WebHouse]:
    async with open_web_house(clock) as opened:
        yield opened


@pytest.fixture
async def people(house: WebHouse) -> People:
    return await house.cast()


def problem(answer: httpx.Response, code: ErrorCode) -> dict[str, object]:
    """The problem document of an answer, which must be one."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    document: dict[str, object] = answer.json()
    assert document["code"] == code
    assert document["status"] == answer.status_code
    assert document["detail"]
    return document


@pytest.mark.usefixtures("people")
async def test_a_grant_from_sign_in_opens_the_api_until_signed_out(house: WebHouse) -> None:
    async with house.client() as client:
        signed_in = await client.post("/v1/sign-in", json={"name": "Ben", "password": PASSWORD})
        bearer = {"authorization": f"Bearer {signed_in.json()['token']}"}
        before = await client.get("/v1/me", headers=bearer)
        await client.post("/v1/sign-out", headers=bearer)
        after = await client.get("/v1/me", headers=bearer)

    assert before.json()["name"] == "Ben"
    problem(after, ErrorCode.NOT_SIGNED_IN)
    assert after.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("people")
async def test_a_wrong_password_and_an_unknown_name_look_the_same(house: WebHouse) -> None:
    async with house.client() as client:
        wrong = await client.post("/v1/sign-in", json={"name": "Ben", "password": "guess"})
        nobody = await client.post("/v1/sign-in", json={"name": "Nobody", "password": "guess"})

    assert problem(wrong, ErrorCode.WRONG_PASSWORD) == problem(nobody, ErrorCode.WRONG_PASSWORD)


@pytest.mark.usefixtures("people")
async def test_a_browser_signs_in_renews_and_signs_out_by_a_cookie_no_script_can_read(
    house: WebHouse,
) -> None:
    ours = {"sec-fetch-site": "same-origin"}
    async with house.client() as client:
        signed_in = await client.post(
            "/sign-in", data={"name": "Ben", "password": PASSWORD, "next": "/looks"}
        )
        cookie = signed_in.headers["set-cookie"]
        renewed = await client.post("/v1/grants/renew", headers=ours)
        out = await client.post("/v1/sign-out", headers=ours)
        after = await client.get("/v1/me")

    assert signed_in.status_code == 303
    assert signed_in.headers["location"] == "/looks"
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert renewed.json()["token"] == ""
    assert "nightbell_grant=" in renewed.headers["set-cookie"]
    assert out.status_code == 200
    problem(after, ErrorCode.NOT_SIGNED_IN)


async def test_over_tls_the_cookie_is_secure_and_browsers_are_told_to_stay(clock: ManualClock) -> None:
    async with open_web_house(clock, tls=True) as house:
        await house.cast()
        async with house.client() as client:
            answer = await client.post("/sign-in", data={"name": "Ben", "password": PASSWORD})

    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.test"},
        {"origin": "null"},
        {},
    ],
)
async def test_another_site_can_not_use_the_cookie_to_change_anything(
    house: WebHouse, people: People, headers: dict[str, str]
) -> None:
    async with house.client(cookie=await house.grant(people.ben)) as client:
        by_script = await client.put("/v1/me", json={"email": "x@evil.test"}, headers=headers)
        by_form = await client.post(
            "/settings", data={"email": "x@evil.test", "seal": "0" * 32}, headers=headers
        )

    problem(by_script, ErrorCode.NOT_ALLOWED)
    assert by_form.status_code == 403
    person = house.accounts.person(people.ben.id)
    assert person is not None
    assert person.email == "ben@example.org"


async def test_a_form_of_ours_works_where_the_browser_hides_its_origin(
    house: WebHouse, people: People
) -> None:
    """Over plain HTTP with `no-referrer` a browser sends `Origin: null`: the seal in the form tells."""
    async with house.client(cookie=await house.grant(people.ben)) as client:
        page = await client.get("/settings")
        seal = page.text.partition('name="seal" value="')[2].partition('"')[0]
        answer = await client.post(
            "/settings", data={"email": "b@example.org", "seal": seal}, headers={"origin": "null"}
        )

    assert answer.headers["location"] == "/settings?said=saved"
    person = house.accounts.person(people.ben.id)
    assert person is not None
    assert person.email == "b@example.org"


@pytest.mark.parametrize("path", ABOUT_READINGS)
async def test_every_answer_about_readings_says_until_when_to_rely_on_it(
    house: WebHouse, people: People, path: str
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112], newest_age_ms=MINUTE_MS)
    async with await house.as_person(people.ben) as ben:
        answer = await ben.get(path.replace("{id}", people.ana.id))

    assert answer.json()["rely_until_ms"] // 1000 == (NOW_MS + 10 * MINUTE_MS) // 1000


async def test_a_number_that_is_old_comes_without_arrow_and_says_so(
    house: WebHouse, people: People, clock: ManualClock
) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    states = []
    async with await house.as_person(people.ben) as ben:
        for minutes in (10, 1, 4):
            clock.advance_ms(minutes * MINUTE_MS)
            tile = (await ben.get(f"/v1/people/{people.ana.id}")).json()["person"]
            states.append((tile["freshness"], bool(tile["arrow"]), bool(tile["change"])))

    assert states == [("fresh", True, True), ("old", False, False), ("gone", False, False)]


async def test_an_invitation_is_looked_at_accepted_confirmed_paused_and_ended(
    house: WebHouse, people: People
) -> None:
    eve = await house.add("Eve")
    async with await house.as_person(people.ana) as ana, await house.as_person(eve) as client:
        secret = (await ana.post("/v1/invitations", json={})).json()["secret"]
        look = await client.post("/v1/invitations/look", json={"secret": secret})
        again = await client.post("/v1/invitations/look", json={"secret": secret})
        follow = (await client.post("/v1/invitations/accept", json={"secret": secret})).json()["id"]
        used = await client.post("/v1/invitations/accept", json={"secret": secret})
        early = await client.get(f"/v1/people/{people.ana.id}")
        seen = []
        for verb in ("confirm", "pause", "resume", "end"):
            moved = await ana.post(f"/v1/follows/{follow}/{verb}")
            seen.append(
                (moved.json()["state"], (await client.get(f"/v1/people/{people.ana.id}")).status_code)
            )

    assert look.json()["name"] == "Ana"
    assert again.json() == look.json()
    problem(used, ErrorCode.EXPIRED)
    problem(early, ErrorCode.NOT_FOUND)
    assert seen == [("active", 200), ("paused", 404), ("active", 200), ("ended", 404)]


async def test_the_link_of_an_invitation_keeps_its_secret_out_of_every_log(
    house: WebHouse, people: People
) -> None:
    async with await house.as_person(people.ana) as ana:
        invitation = (await ana.post("/v1/invitations", json={})).json()

    assert invitation["link"] == f"http://bell.test/invitation#{invitation['secret']}"


async def test_a_limit_that_is_not_safe_is_refused_with_its_reason(house: WebHouse, people: People) -> None:
    [follow] = house.follows.of_follower(people.ben.id)
    async with await house.as_person(people.ben) as ben:
        limits = (await ben.get(f"/v1/follows/{follow.id}/limits")).json()["limits"]
        limits["urgent_low"]["on"] = False
        refused = await ben.put(f"/v1/follows/{follow.id}/limits", json=limits)
        limits["urgent_low"]["on"] = True
        limits["low"]["limit"] = {"value": "75", "unit": "mg/dL"}
        taken = await ben.put(f"/v1/follows/{follow.id}/limits", json=limits)

    assert problem(refused, ErrorCode.GUARDRAIL)["fields"] == {
        "condition": "urgent_low", "reason": "limits.urgent_low_always_on"
    }  # fmt: skip
    assert taken.json()["limits"]["low"]["limit"]["value"] == "75"
    assert default_limits(Unit.MGDL).low.limit is not None


async def test_a_stranger_can_neither_change_limits_nor_prove_a_receipt(
    house: WebHouse, people: People
) -> None:
    await house.publish_levels(people.ana, [96, 75, 53])
    alarm = await house.ringing(people.ana)
    told = house.hub.board.newest_told(alarm.id, people.ben.id)
    assert told is not None
    [follow] = house.follows.of_follower(people.ben.id)
    async with await house.as_person(people.ben) as ben, await house.as_person(people.dan) as dan:
        limits = (await ben.get(f"/v1/follows/{follow.id}/limits")).json()["limits"]
        changed = await dan.put(f"/v1/follows/{follow.id}/limits", json=limits)
        seen = await dan.post(f"/v1/notifications/{told.id}/receipt", json={"state": "seen"})
        bens = await ben.post(f"/v1/notifications/{told.id}/receipt", json={"state": "seen"})

    problem(changed, ErrorCode.NOT_FOUND)
    problem(seen, ErrorCode.NOT_FOUND)
    assert bens.status_code == 200


async def test_the_sharer_reads_who_looked(house: WebHouse, people: People) -> None:
    await house.publish_levels(people.ana, [112])
    async with await house.as_person(people.ben) as ben, await house.as_person(people.ana) as ana:
        await ben.get(f"/v1/people/{people.ana.id}/readings")
        looks = (await ana.get("/v1/looks")).json()["looks"]
        page = await ana.get("/looks")

    assert [(look["name"], look["what"]) for look in looks] == [("Ben", "readings")]
    assert "your graph" in page.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 413),
        (b"[" * 20_000, 400),
        (b'{"name": 5, "password": "x"}', 400),
        (b'{"name": "Ben"}', 400),
        (b'{"name": "Ben", "password": "x", "admin": true}', 400),
        (b"null", 400),
        (b'{"name": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
@pytest.mark.usefixtures("people")
async def test_a_body_that_makes_no_sense_is_a_clear_problem(
    house: WebHouse, body: bytes, status: int
) -> None:
    async with house.client() as client:
        answer = await client.post("/v1/sign-in", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/people/x/readings?hours=0", "/v1/people/x/readings?hours=25"])
async def test_hours_are_one_to_twenty_four(house: WebHouse, people: People, path: str) -> None:
    async with await house.as_person(people.ben) as ben:
        problem(await ben.get(path), ErrorCode.MALFORMED)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/readings", DOOR_BYTES_MAX),
        ("/ShareWebServices/Services/Publisher/PostReceiverEgvRecords", SHARE_BYTES_MAX),
        ("/v1/sign-in", BODY_BYTES_MAX),
        ("/settings", BODY_BYTES_MAX),
    ],
)
@pytest.mark.parametrize("length", ["announced", "unknown"])
async def test_a_body_beyond_its_limit_is_cut_off(
    house: WebHouse, people: People, path: str, limit: int, length: str
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(limit // 1024 + 2):
            yield b"x" * 1024

    async with house.client(await house.grant(people.ana)) as client:
        content = b"x" * (limit + 1) if length == "announced" else pieces()
        answer = await client.post(path, content=content)

    assert answer.status_code == 413


async def test_every_answer_carries_the_headers_that_keep_others_out(house: WebHouse, people: People) -> None:
    async with await house.as_person(people.ben) as ben:
        for path in ("/", "/v1/me", "/nowhere", "/v1/nowhere", "/sign-in", "/v1/openapi.json"):
            headers = (await ben.get(path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'"), path
            assert "unsafe" not in policy
            assert headers["referrer-policy"] == "no-referrer", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["cache-control"] == "no-store", path


async def test_no_page_has_a_script_or_a_style_of_its_own(house: WebHouse, people: People) -> None:
    async with await house.as_person(people.ana) as ana:
        for path in ("/", f"/people/{people.ana.id}", "/followers", "/looks", "/settings", "/invitation"):
            text = (await ana.get(path)).text
            assert "<style" not in text
            assert "style=" not in text
            assert " onclick" not in text
            assert text.count("<script") == text.count("<script type=") + text.count("<script defer src=")


async def test_a_get_never_answers_accepts_or_ends_anything(house: WebHouse, people: People) -> None:
    await house.publish_levels(people.ana, [96, 75, 53])
    alarm = await house.ringing(people.ana)
    [follow] = house.follows.of_follower(people.ben.id)
    async with await house.as_person(people.ben) as ben:
        for path in (
            f"/alarms/{alarm.id}/answer",
            f"/v1/alarms/{alarm.id}/answer",
            f"/v1/follows/{follow.id}/end",
            f"/follows/{follow.id}/end",
            "/invitation/accept",
            "/sign-out",
            "/v1/sign-out",
        ):
            assert (await ben.get(path)).status_code == 405, path

    assert house.evaluation.open_alarms(people.ana.sharer)[0].answered_by == ""
    still = house.follows.follow(follow.id)
    assert still is not None
    assert still.state is FollowState.ACTIVE


async def test_a_key_that_may_only_publish_sees_nothing(house: WebHouse, people: People) -> None:
    key = await house.accounts.add_key(person_id=people.ana.id, scope="publish", label="", now_ms=NOW_MS)
    async with house.client(key.secret) as phone:
        problem(await phone.get("/v1/people"), ErrorCode.NOT_ALLOWED)
        problem(await phone.get(f"/v1/people/{people.ana.id}"), ErrorCode.NOT_ALLOWED)


async def test_static_files_are_kept_for_ever_by_their_content_and_only_then(house: WebHouse) -> None:
    async with house.client() as client:
        page = (await client.get("/sign-in")).text
        address = page.partition('type="module" src="')[2].partition('"')[0]
        now = await client.get(address)
        before = await client.get("/static/000000000000/main.js")
        outside = await client.get("/static/000000000000/../build.py")

    assert "immutable" in now.headers["cache-control"]
    assert now.headers["content-type"].startswith("text/javascript")
    assert before.headers["cache-control"] == "no-cache"
    assert before.content == now.content
    assert outside.status_code == 404


async def test_a_link_from_elsewhere_finds_the_signed_in_person(house: WebHouse, people: People) -> None:
    """`SameSite=Strict` keeps the cookie back on a link in a mail: a page of ours asks once more."""
    path = f"/people/{people.ana.id}"
    async with house.client() as client:
        from_mail = await client.get(path, headers={"sec-fetch-site": "cross-site"})
        stranger = await client.get(path, headers={"sec-fetch-site": "same-origin"})

    assert f'content="0; url={path}"' in from_mail.text
    assert stranger.headers["location"] == f"/sign-in?next={path}"


@pytest.mark.parametrize(
    "there", ["https://evil.test", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/%0a"]
)
@pytest.mark.usefixtures("people")
async def test_signing_in_leads_to_our_own_pages_only(house: WebHouse, there: str) -> None:
    async with house.client() as client:
        answer = await client.post("/sign-in", data={"name": "Ben", "password": PASSWORD, "next": there})

    assert answer.headers["location"] == "/"


async def test_the_door_keeps_working_while_the_framework_is_never_asked(
    house: WebHouse, people: People
) -> None:
    """The hot path does not pass through the framework: an empty one in its place changes nothing for it."""

    async def nobody(*_: object) -> None:
        raise AssertionError("the framework was asked")

    house.app._rest = nobody
    await house.publish_levels(people.ana, [112])

    newest = house.history.newest(people.ana.sharer)
    assert newest is not None
    assert newest.level == 112


async def test_a_lost_history_does_not_take_the_newest_number_away(house: WebHouse, people: People) -> None:
    await house.publish_levels(people.ana, [118, 115, 112])
    house.history_disk.broken = True
    async with await house.as_person(people.ben) as ben:
        tile = (await ben.get("/v1/people")).json()["people"][0]
        page = await ben.get(f"/people/{people.ana.id}")
        graph = await ben.get(f"/v1/people/{people.ana.id}/readings?hours=24")

    assert tile["reading"]["shown"] == "112"
    assert page.status_code == 200
    assert "112" in page.text
    assert graph.status_code == 503
    assert int(graph.headers["retry-after"]) > 0


async def test_a_body_that_never_comes_is_not_waited_for_for_ever(
    house: WebHouse,
) -> None:
    house.app._slow_bodies = SlowBodies(0.0, look_every_s=0.01)

    async def nothing() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with house.client() as client:
        answer = await client.post("/v1/readings", content=nothing())

    problem(answer, ErrorCode.MALFORMED)


async def test_a_name_is_shown_as_it_is_and_never_becomes_a_part_of_the_page(house: WebHouse) -> None:
    odd = await house.add("<img src=x onerror=alert(1)>", shares=True)
    ben = await house.add("Ben")
    await house.follow(odd, ben)
    async with await house.as_person(ben) as client:
        for path in ("/", f"/people/{odd.id}", "/followers", "/fragments/tiles"):
            text = (await client.get(path)).text
            assert "&lt;img src=x onerror=alert(1)&gt;" in text, path
            assert "<img" not in text, path
