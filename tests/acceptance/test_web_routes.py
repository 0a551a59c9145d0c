"""Goal: nobody sees more than they were granted. Method: random people at every route the running app has.

The routes are enumerated from the app; one that is not in the table below fails the first test, so that no
route comes into being without somebody having thought about who may use it.
"""

import contextlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nightbell.account.person import Person
from nightbell.follow.follow import Follow
from nightbell.words.clock import ManualClock
from tests.acceptance.web_house import MINUTE_MS, WebHouse, open_web_house

NOW_MS: Final = 1_795_345_200_000
NOBODY_ELSES: Final = 217
"""What only those with sight of the graph may see: an earlier reading of everybody."""

NEWEST: Final = 51
"""Everybody's newest reading: an alarm rings for each."""


class Try(NamedTuple):
    """How a route is tried.

    Attributes:
        about: `anyone`: open to all, says nothing of anybody. `mine`: only about who asks. `sharer`, `alarm`,
            `follow`: about somebody, whose id stands in the path. `other`: tried by a test of its own.
        body: JSON, or a form where the path is a page's.
        graph: Whether it needs sight of the graph.
    """

    about: str
    body: Mapping[str, Any] | None = None
    graph: bool = False


ROUTES: Final = {
    ("POST", "/v1/readings"): Try("other"),
    ("GET", "/v1/stream"): Try("other"),
    ("GET", "/ShareWebServices/Services/{rest}"): Try("other"),
    ("POST", "/ShareWebServices/Services/{rest}"): Try("other"),
    ("GET", "/static/{rest}"): Try("other"),
    ("HEAD", "/static/{rest}"): Try("other"),
    ("GET", "/"): Try("mine"),
    ("GET", "/alarms/{alarm_id}"): Try("alarm"),
    ("POST", "/alarms/{alarm_id}/answer"): Try("alarm", {}),
    ("POST", "/alarms/{alarm_id}/undo"): Try("alarm", {}),
    ("GET", "/followers"): Try("mine"),
    ("POST", "/followers/invite"): Try("mine", {}),
    ("POST", "/follows/{follow_id}/permissions"): Try("follow", {"graph": "yes"}),
    ("POST", "/follows/{follow_id}/{verb}"): Try("follow", {}),
    ("GET", "/fragments/bars"): Try("mine"),
    ("GET", "/fragments/people/{person_id}/alarms"): Try("sharer"),
    ("GET", "/fragments/people/{person_id}/now"): Try("sharer"),
    ("GET", "/fragments/tiles"): Try("mine"),
    ("GET", "/invitation"): Try("anyone"),
    ("POST", "/invitation/accept"): Try("mine", {"secret": "nbi_nobodys"}),
    ("POST", "/invitation/look"): Try("anyone", {"secret": "nbi_nobodys"}),
    ("GET", "/looks"): Try("mine"),
    ("GET", "/people/{person_id}"): Try("sharer"),
    ("GET", "/manifest.webmanifest"): Try("anyone"),
    ("GET", "/offline"): Try("anyone"),
    ("POST", "/people/{person_id}/limits"): Try("sharer", {}),
    ("POST", "/people/{person_id}/snooze"): Try("sharer", {"quiet": "high.30"}),
    ("POST", "/sensor"): Try("mine", {"minutes": "30"}),
    ("GET", "/service-worker.js"): Try("anyone"),
    ("GET", "/settings"): Try("mine"),
    ("POST", "/settings"): Try("mine", {"unit": "mg/dL"}),
    ("POST", "/settings/ways"): Try("mine", {"channel": "sms", "address": "+351912345678"}),
    ("POST", "/settings/ways/remove"): Try("mine", {"channel": "sms", "number": "9"}),
    ("GET", "/sign-in"): Try("anyone"),
    ("POST", "/sign-in"): Try("anyone", {"name": "nobody", "password": "wrong"}),
    ("POST", "/sign-out"): Try("other"),
    ("GET", "/v1/alarms/{alarm_id}"): Try("alarm"),
    ("POST", "/v1/alarms/{alarm_id}/answer"): Try("alarm", {}),
    ("POST", "/v1/alarms/{alarm_id}/answer/undo"): Try("alarm", {}),
    ("GET", "/v1/follows"): Try("mine"),
    ("POST", "/v1/follows/{follow_id}/confirm"): Try("follow", {}),
    ("POST", "/v1/follows/{follow_id}/end"): Try("follow", {}),
    ("GET", "/v1/follows/{follow_id}/limits"): Try("follow"),
    ("PUT", "/v1/follows/{follow_id}/limits"): Try("other"),
    ("POST", "/v1/follows/{follow_id}/pause"): Try("follow", {}),
    ("PUT", "/v1/follows/{follow_id}/permissions"): Try(
        "follow", {"may_see_graph": True, "may_be_told": True}
    ),
    ("POST", "/v1/follows/{follow_id}/refuse"): Try("follow", {}),
    ("POST", "/v1/follows/{follow_id}/resume"): Try("follow", {}),
    ("POST", "/v1/grants/renew"): Try("mine", {}),
    ("POST", "/v1/invitations"): Try("mine", {}),
    ("POST", "/v1/invitations/accept"): Try("mine", {"secret": "nbi_nobodys"}),
    ("POST", "/v1/invitations/look"): Try("mine", {"secret": "nbi_nobodys"}),
    ("GET", "/v1/looks"): Try("mine"),
    ("GET", "/v1/me"): Try("mine"),
    ("PUT", "/v1/me"): Try("mine", {}),
    ("POST", "/v1/notifications/{notification_id}/receipt"): Try("other"),
    ("GET", "/v1/openapi.json"): Try("anyone"),
    ("GET", "/v1/people"): Try("mine"),
    ("GET", "/v1/people/{person_id}"): Try("sharer"),
    ("GET", "/v1/people/{person_id}/alarms"): Try("sharer"),
    ("GET", "/v1/people/{person_id}/readings"): Try("sharer", graph=True),
    ("POST", "/v1/people/{person_id}/snooze"): Try("sharer", {"family": "high", "minutes": 30}),
    ("POST", "/v1/sensor"): Try("mine", {"warm_up_minutes": 30}),
    ("POST", "/v1/channels/{name}"): Try("other"),
    ("GET", "/v1/ways"): Try("mine"),
    ("PUT", "/v1/ways"): Try("mine", {"channel": "sms", "address": "+351912345678"}),
    ("DELETE", "/v1/ways"): Try("mine", {"channel": "sms", "address": "+351912345678"}),
    ("POST", "/v1/sign-in"): Try("anyone", {"name": "nobody", "password": "wrong"}),
    ("POST", "/v1/sign-out"): Try("other"),
}


class Relation(NamedTuple):
    """What one person was granted about another, as drawn: the test's own account of it."""

    graph: bool
    told: bool
    state: str


class World(NamedTuple):
    """People, and between (sharer, follower) what was granted."""

    house: WebHouse
    people: list[Person]
    follows: dict[tuple[str, str], tuple[Relation, Follow]]
    alarms: dict[str, str]

    def sight(self, viewer: Person | None, sharer: Person) -> str:
        """What this viewer may see: `nothing`, `number` or `graph`."""
        if viewer is None:
            return "nothing"
        if viewer.id == sharer.id:
            return "graph"
        relation = self.follows.get((sharer.id, viewer.id))
        if relation is None or relation[0].state != "active":
            return "nothing"
        return "graph" if relation[0].graph else "number"

    def may_know(self, viewer: Person | None, other: Person) -> bool:
        """Whether the other's name may reach this viewer at all.

        They have, or wait for, a follow; or both follow somebody whom the viewer may see: who was told, who
        has it and who asked for quiet is for all followers to know.
        """
        if viewer is None:
            return False
        if viewer.id == other.id or self.related(viewer, other):
            return True
        seen = [sharer for sharer in self.people if self.sight(viewer, sharer) != "nothing"]
        return any(self.related(sharer, other) for sharer in seen)

    def related(self, one: Person, other: Person) -> bool:
        """Whether there is a follow between them that is not over."""
        pair = {(one.id, other.id), (other.id, one.id)} & set(self.follows)
        return any(self.follows[between][0].state != "ended" for between in pair)


RELATIONS: Final = st.builds(
    Relation, st.booleans(), st.booleans(), st.sampled_from(["active", "active", "paused", "ended"])
)
PEOPLE: Final = 4
PAIRS: Final = [(one, other) for one in range(PEOPLE) for other in range(PEOPLE) if one != other]
RANDOM_WORLDS: Final = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
"""A world is a whole house: a few of them, and none made smaller when something is found."""

GRANTS: Final = st.dictionaries(st.sampled_from(PAIRS), RELATIONS, max_size=8)


async def settle(house: WebHouse, grants: Mapping[tuple[int, int], Relation]) -> World:
    """Bring people with these grants into the house; each shares, and each is low."""
    people = [await house.add(f"Zz{name}", shares=True) for name in ("ana", "ben", "cleo", "dan")]
    follows = {}
    for (one, other), relation in grants.items():
        sharer, follower = people[one], people[other]
        follow = await house.follow(sharer, follower, graph=relation.graph, told=relation.told)
        if relation.state != "active":
            move = house.follows.pause if relation.state == "paused" else house.follows.end
            follow = await move(follow_id=follow.id, by=sharer.id, now_ms=house.clock.now_ms())
        follows[sharer.id, follower.id] = (relation, follow)
    for person in people:
        await house.publish_levels(person, [NOBODY_ELSES, 120, NEWEST], newest_age_ms=MINUTE_MS)
    alarms = {
        person.id: alarm.id for person in people for alarm in house.evaluation.open_alarms(person.sharer)[:1]
    }
    return World(house, people, follows, alarms)


async def ask(
    client: httpx.AsyncClient, method: str, path: str, body: Mapping[str, Any] | None
) -> httpx.Response:
    """One request: JSON to the API, a form to a page."""
    if body is None:
        return await client.request(method, path)
    if path.startswith("/v1/"):
        return await client.request(method, path, json=dict(body))
    return await client.request(method, path, data=dict(body))


def check_names(world: World, viewer: Person | None, answer: httpx.Response, where: str) -> None:
    """No name of anybody whom this viewer has nothing to do with."""
    for other in world.people:
        if not world.may_know(viewer, other):
            assert other.name not in answer.text, f"{where} names a stranger"
            assert other.id not in answer.text.replace(where, ""), f"{where} gives away an id"


def test_every_route_of_the_running_app_is_in_the_table() -> None:
    house = WebHouse(ManualClock(NOW_MS))

    found = {
        (method, route.path) for route in house.app.routes() for method in route.methods if method != "HEAD"
    } | {("HEAD", "/static/{rest}")}

    assert found == set(ROUTES)


@RANDOM_WORLDS
@given(grants=GRANTS)
async def test_everybody_gets_only_what_was_granted_on_every_route(
    grants: dict[tuple[int, int], Relation],
) -> None:
    async with open_web_house(ManualClock(NOW_MS)) as house:
        world = await settle(house, grants)
        for viewer in [None, *world.people]:
            token = "" if viewer is None else await house.grant(viewer)
            async with house.client(token) as client:
                await try_every_route(world, viewer, client)
        for relation, follow in world.follows.values():
            now = house.follows.follow(follow.id)
            still = now is not None and (now.may_see_graph, now.may_be_told, now.state) == (
                relation.graph, relation.told, relation.state,
            )  # fmt: skip
            assert still, "a stranger changed a follow"


async def try_every_route(world: World, viewer: Person | None, client: httpx.AsyncClient) -> None:
    """One person at every route, about everybody."""
    for (method, path), how in ROUTES.items():
        match how.about:
            case "anyone" | "mine":
                answer = await ask(client, method, path, how.body)
                if viewer is None and how.about == "mine":
                    assert answer.status_code in {401, 303}, (method, path)
                check_names(world, viewer, answer, f"{method} {path}")
                if viewer is not None and path in {"/", "/fragments/tiles"}:
                    graphs = sum(world.sight(viewer, sharer) == "graph" for sharer in world.people)
                    assert answer.text.count('class="spark"') == graphs, f"{path} draws too many graphs"
            case "sharer" | "alarm":
                for sharer in world.people:
                    await try_about(world, viewer, client, sharer, (method, path))
            case "follow":
                for _, follow in world.follows.values():
                    await try_follow(viewer, client, follow, (method, path))
            case _:
                assert how.about == "other"


async def try_about(
    world: World, viewer: Person | None, client: httpx.AsyncClient, sharer: Person, route: tuple[str, str]
) -> None:
    """One person at one route about one sharer."""
    method, path = route
    how, sight = ROUTES[route], world.sight(viewer, sharer)
    if method == "POST" and sight != "nothing":
        return  # changes by those who may are other tests' matter
    if how.about == "alarm" and sharer.id not in world.alarms:
        return
    at = path.replace("{person_id}", sharer.id).replace("{alarm_id}", world.alarms.get(sharer.id, ""))
    answer = await ask(client, method, at, how.body)
    check_names(world, viewer, answer, at)
    if sight == "nothing":
        assert answer.status_code in {401, 403, 404, 303}, (at, answer.status_code)
        assert (viewer is None) == (answer.status_code in {401, 303}), at
        return
    assert answer.status_code == (404 if how.graph and sight == "number" else 200), (at, answer.text)
    if sight == "number":
        assert f">{NOBODY_ELSES}<" not in answer.text, f"{at} shows the graph"
        assert f'"glucose_mgdl":{NOBODY_ELSES}' not in answer.text, f"{at} shows the graph"
        assert 'class="change"' not in answer.text, f"{at} tells what was before"
        assert '"change":"' + "\N{MINUS SIGN}" not in answer.text, f"{at} tells what was before"


async def try_follow(
    viewer: Person | None, client: httpx.AsyncClient, follow: Follow, route: tuple[str, str]
) -> None:
    """A stranger at one route about a follow of two others."""
    method, path = route
    if viewer is not None and viewer.id in {follow.sharer, follow.follower}:
        return
    at = path.replace("{follow_id}", follow.id).replace("{verb}", "end")
    answer = await ask(client, method, at, ROUTES[route].body)
    assert answer.status_code in ({401, 303} if viewer is None else {404}), (at, answer.status_code)


async def first_piece(house: WebHouse, bearer: str) -> tuple[int, bytes]:
    """Status and first piece of the stream, as ASGI."""
    sent: list[dict[str, Any]] = []

    class EnoughError(Exception):
        """We have seen what we came for."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            raise EnoughError

    headers = [(b"authorization", f"Bearer {bearer}".encode())] if bearer else []
    scope = {"type": "http", "method": "GET", "path": "/v1/stream", "query_string": b"", "headers": headers}
    with contextlib.suppress(EnoughError):
        await house.app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


@RANDOM_WORLDS
@given(grants=GRANTS)
async def test_the_stream_shows_everybody_only_what_was_granted(
    grants: dict[tuple[int, int], Relation],
) -> None:
    async with open_web_house(ManualClock(NOW_MS)) as house:
        world = await settle(house, grants)
        status, _ = await first_piece(house, "")
        assert status == 401
        for viewer in world.people:
            status, piece = await first_piece(house, await house.grant(viewer))
            assert status == 200
            for sharer in world.people:
                shown = sharer.name.encode() in piece
                assert shown == (world.sight(viewer, sharer) != "nothing")
