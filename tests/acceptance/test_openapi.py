"""Goal: the OpenAPI document tells the truth, and no question of a program makes us fall over.

Method: schemathesis asks every operation in the document the strangest things, over a real socket.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from nightbell.web.front import STREAM
from nightbell.words.clock import ManualClock, SystemClock
from tests.acceptance.web_house import People, WebHouse, open_web_house, served

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
STARTED_S_MAX: Final = 30.0


class Running:
    """A house behind a server, in a thread of its own, for clients that block."""

    def __init__(self) -> None:
        self.address = ""
        self.alarm = ""
        self.follow = ""
        self.house: WebHouse
        self.people: People
        self._loop: asyncio.AbstractEventLoop
        self._started = threading.Event()
        self._end: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with open_web_house(SystemClock()) as self.house, served(self.house) as self.address:
            self.people = await self.house.cast()
            await self.house.publish_levels(self.people.ana, [118, 90, 66, 53])
            self.alarm = (await self.house.ringing(self.people.ana)).id
            [follow] = self.house.follows.of_follower(self.people.ben.id)
            self.follow = follow.id
            self._started.set()
            await self._end.wait()

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._thread.start()
        assert self._started.wait(STARTED_S_MAX)

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def bearer(self) -> str:
        """A new grant of Ben's."""
        return asyncio.run_coroutine_threadsafe(self.house.grant(self.people.ben), self._loop).result()

    def known_ids(self) -> dict[str, str]:
        """Ids that exist, by the name of their parameter."""
        return {"person_id": self.people.ana.id, "alarm_id": self.alarm, "follow_id": self.follow}


NOT_TOLD: Final = {"/v1/openapi.json", "/v1/channels/{name}"}
"""The document itself, and where providers post what each of them has a form of its own for."""


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    started = Running()
    started.start()
    yield started
    started.stop()


async def _document() -> dict[str, Any]:
    house = WebHouse(ManualClock(1_795_345_200_000))
    async with house.client() as client:
        answer = await client.get("/v1/openapi.json")
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    found: dict[str, Any] = answer.json()
    return found


DOCUMENT: Final = asyncio.run(_document())
OPERATIONS: Final = {
    operation.label: operation
    for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    if isinstance(result, Ok) and (operation := result.ok()).path != STREAM
}
"""The stream has no end, so a client that reads whole answers can not ask it: test_stream.py does."""


def test_every_operation_says_how_to_set_a_deadline_and_when_to_come_again() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            named = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Deadline-Ms" in named) is (path != STREAM), path
            assert "Retry-After" in operation["responses"]["default"]["headers"], path


@pytest.fixture
def document() -> dict[str, Any]:
    return DOCUMENT


def ask_all(label: str, running: Running, *, times: int, signed_in: bool, known: bool) -> None:
    """Ask one operation so often, each time something else.

    `signed_in` is with Ben's grant, a new one each time: some operations take it away. `known` puts ids that
    exist into the path.
    """

    @settings(max_examples=times, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=OPERATIONS[label].as_strategy())
    def ask(case: Case[Any]) -> None:
        if known:
            for name in set(running.known_ids()) & set(case.path_parameters or {}):
                case.path_parameters[name] = running.known_ids()[name]
        headers = {"Authorization": f"Bearer {running.bearer()}"} if signed_in else {}
        case.call_and_validate(base_url=running.address, headers=headers, checks=CHECKS)

    ask()


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_survives_the_strangest_questions(label: str, running: Running) -> None:
    ask_all(label, running, times=10, signed_in=True, known=False)


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_survives_them_about_what_exists(label: str, running: Running) -> None:
    ask_all(label, running, times=6, signed_in=True, known=True)


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_survives_strangers(label: str, running: Running) -> None:
    ask_all(label, running, times=3, signed_in=False, known=False)


def test_the_document_has_every_route_of_the_api(document: dict[str, Any]) -> None:
    house = WebHouse(ManualClock(1_795_345_200_000))
    routes = {
        (route.path, method.lower())
        for route in house.app.routes()
        for method in route.methods
        if route.path.startswith("/v1/") and route.path not in NOT_TOLD and method != "HEAD"
    }

    told = {(path, method) for path, operations in document["paths"].items() for method in operations}

    assert told == routes


def test_every_answer_about_readings_promises_until_when_to_rely_on_it(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in (
        "Tiles",
        "Tile",
        "OnePerson",
        "Readings",
        "Alarms",
        "AlarmStory",
        "OneAlarm",
        "Stream.ReadingOut",
    ):
        assert "rely_until_ms" in schemas[name]["required"], name
    events = document["paths"]["/v1/stream"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert len(events["schema"]["oneOf"]) == 7
    for event in events["schema"]["oneOf"]:
        assert "stream_until_ms" in schemas[event["$ref"].rpartition("/")[2]]["required"], event


def test_the_doors_limits_stand_in_the_document(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/readings"]["post"]

    assert "512" in operation["description"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Upload")
    assert operation["responses"]["default"]["content"]["application/problem+json"]


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    missing = {one for one in references(document) if one.rpartition("/")[2] not in schemas}

    assert not missing
