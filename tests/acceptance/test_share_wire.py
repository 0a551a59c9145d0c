"""The Share service over real sockets: what the protocol's oddest clients put on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from nightbell.publish.door import DoorRequest
from tests.unit.share_cast import ANA, APP, NOW, PASSWORD, Service, egv

pytestmark = pytest.mark.network

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NO_SESSION = "33333333-3333-4333-8333-333333333333"
READ = "/ShareWebServices/Services/Publisher/ReadPublisherLatestGlucoseValues"


class Asgi:
    """The Share dialect as an ASGI application; the time is the service's own."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        request = DoorRequest(
            scope["method"],
            scope["path"],
            scope["query_string"],
            dict(scope["headers"]),
            body,
            scope["client"][0],
            self.service.now_ms,
        )
        answer = await self.service.dialect.handle(request)
        length = (b"content-length", b"%d" % len(answer.body))
        start = {"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})


@asynccontextmanager
async def serving(service: Service) -> AsyncIterator[int]:
    """Serve on a free port of this machine; gives the port."""
    config = uvicorn.Config(
        Asgi(service), port=0, http="httptools", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    running = asyncio.create_task(server.serve(sockets=sockets))
    try:
        port: int = sockets[0].getsockname()[1]
        yield port
    finally:
        server.should_exit = True
        await running


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def port(service: Service) -> AsyncIterator[int]:
    async with serving(service) as port:
        yield port


async def spoken(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Put bytes on the wire and hear everything until the other end closes: head and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    heard = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    head, _, body = heard.partition(b"\r\n\r\n")
    return head.lower(), body


def bridge(target: str, body: bytes | None = None) -> bytes:
    """A request as share2nightscout-bridge sends it: an announced length of 0, and two bytes all the same."""
    length = 0 if body is None else len(body)
    head = (
        f"POST {target} HTTP/1.1\r\n"
        "User-Agent: share2nightscout-bridge/0.2.12\r\n"
        "Content-Type: application/json\r\nAccept: application/json\r\n"
        f"Content-Length: {length}\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b'""' if body is None else body)


async def test_the_bridge_with_its_illegal_request_reads(service: Service, port: int) -> None:
    session = await service.log_in()
    await service.post(session, egv(97))

    head, body = await spoken(port, bridge(f"{READ}?sessionID={session}&minutes=1440&maxCount=1"))

    assert head.startswith(b"http/1.1 200")
    assert json.loads(body)[0]["Value"] == 97


async def test_the_bridge_signs_in_and_hears_of_a_lost_session(service: Service, port: int) -> None:
    login = json.dumps({"accountName": ANA.name, "password": PASSWORD, "applicationId": APP}).encode()
    general = "/ShareWebServices/Services/General/"

    _, account = await spoken(port, bridge(f"{general}AuthenticatePublisherAccount", login))
    _, lost = await spoken(port, bridge(f"{READ}?sessionID={NO_SESSION}&minutes=1440&maxCount=1"))

    assert account == b'"%s"' % ANA.account.encode()
    assert json.loads(lost)["Code"] == "SessionIdNotFound"
    assert service.accounts.sessions == {}


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_an_answer_has_the_headers_of_the_service(service: Service, port: int, body: bytes) -> None:
    session = await service.log_in()

    head, found = await spoken(port, bridge(f"{READ}?sessionId={session}&minutes=10&maxCount=1", body))

    assert b"content-type: application/json\r\n" in head + b"\r\n"
    assert b"cache-control: no-cache, no-store, max-age=0, must-revalidate" in head
    assert found == b"[]"


async def test_a_whole_publisher_and_a_reader_over_http(service: Service, port: int) -> None:
    base = f"http://127.0.0.1:{port}/ShareWebServices/Services/"
    async with httpx.AsyncClient(base_url=base, headers={"Accept": "application/json"}) as client:
        who = {"accountName": ANA.name, "password": PASSWORD, "applicationId": APP}
        account = (await client.post("General/AuthenticatePublisherAccount", json=who)).json()
        login = {"accountId": account, "password": PASSWORD, "applicationId": APP}
        session = (await client.post("General/LoginPublisherAccountById", json=login)).json()
        upload = {"SN": "SM1", "Egvs": [egv(97), egv(39, NOW - 300_000)], "TA": -5}
        query = {"sessionId": session}

        posted = await client.post("Publisher/PostReceiverEgvRecords", params=query, json=upload)
        wide = query | {"minutes": "2880", "maxCount": "576"}
        read = await client.post("Publisher/ReadPublisherLatestGlucoseValues", params=wide)
        wrong = await client.post("General/AuthenticatePublisherAccount", json=who | {"password": "x"})
        clock = await client.get("General/SystemUtcTime")

    assert (posted.status_code, posted.content) == (200, b"")
    assert [record["Value"] for record in read.json()] == [97, 39]
    assert (wrong.status_code, wrong.json()["Code"]) == (500, "AccountPasswordInvalid")
    assert clock.json() == {"DateTime": f"/Date({NOW})/", "OffsetMinutes": 0}
    assert len(service.log.readings()) == 2
