"""The client of HTTP for a provider from the settings: kept connections, the same limits, no way astray."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from nightbell.adapters.http_client import ANSWER_BYTES_MAX, HttpLimits, HttpxClient, HttpxOriginClient
from nightbell.tell.http import (
    RETRY_AFTER_MS_MAX,
    HttpAnswer,
    HttpFailure,
    basic_auth,
    form_body,
    retry_after_ms,
)
from tests.simulators.faults import Fault
from tests.simulators.http_server import Answer, HttpServer, Request

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

LIMITS = HttpLimits(connect_ms=1_000, whole_ms=1_000, connections=4)


class Echo(HttpServer):
    """Says what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.headers: dict[str, str] = {}
        self.status = 200
        self.body: bytes | None = None
        self.wait_s = 0.0

    async def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        await asyncio.sleep(self.wait_s)
        said = f"{request.method} {request.target} ".encode() + request.body
        return Answer(self.status, said if self.body is None else self.body, self.headers)


@pytest.fixture
async def server() -> AsyncIterator[Echo]:
    server = Echo()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: Echo) -> AsyncIterator[HttpxOriginClient]:
    client = HttpxOriginClient(server.origin, LIMITS)
    yield client
    await client.close()


async def test_one_connection_carries_one_message_after_the_other(
    server: Echo, client: HttpxOriginClient
) -> None:
    answers = [await client.post(f"{server.origin}/m?n={n}", headers={}, body=b"x") for n in range(5)]
    answers.append(await client.get(f"{server.origin}/m", headers={"Authorization": basic_auth("a", "b")}))

    assert [answer.body for answer in answers if isinstance(answer, HttpAnswer)] == [
        *(f"POST /m?n={n} x".encode() for n in range(5)),
        b"GET /m ",
    ]
    assert server.requests[-1].headers["authorization"] == "Basic YTpi"
    assert server.connections == 1


async def test_no_more_connections_are_open_than_it_may_have(server: Echo, client: HttpxOriginClient) -> None:
    server.wait_s = 0.02

    answers = await asyncio.gather(
        *(client.post(server.origin, headers={}, body=b"x") for _ in range(4 * LIMITS.connections))
    )

    assert all(isinstance(answer, HttpAnswer) for answer in answers)
    assert server.connections <= LIMITS.connections


async def test_lines_that_nobody_needs_any_more_are_let_go(
    server: Echo, client: HttpxOriginClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightbell.adapters.http_client.KEPT_S", 0.0)
    server.wait_s = 0.02
    posts = (client.post(server.origin, headers={}, body=b"x") for _ in range(LIMITS.connections))
    await asyncio.gather(*posts)

    async with asyncio.timeout(20):
        while server.open > 1:
            await client.post(server.origin, headers={}, body=b"x")

    assert server.connections <= LIMITS.connections


async def test_a_closed_client_leaves_no_line_open(server: Echo) -> None:
    client = HttpxOriginClient(server.origin, LIMITS)
    under_way = asyncio.create_task(client.post(server.origin, headers={}, body=b"x"))
    await client.post(server.origin, headers={}, body=b"x")

    server.wait_s = 0.1
    last = asyncio.create_task(client.post(server.origin, headers={}, body=b"x"))
    await asyncio.sleep(0.02)
    await client.close()

    assert isinstance(await under_way, HttpAnswer)
    assert isinstance(await last, HttpAnswer)
    async with asyncio.timeout(20):
        while server.open:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "url",
    [
        "https://{at}/x",
        "http://localhost:{port}/x",
        "http://user@{at}/x",
        "http://127.0.0.1/x",
        "//{at}/",
        "",
        "x",
        "http://{at}/" + 3_000 * "x",
        "http://[",
        "http://{at}.example.test/",
    ],
)
async def test_it_goes_to_no_other_origin(server: Echo, client: HttpxOriginClient, url: str) -> None:
    whole = url.replace("{at}", f"127.0.0.1:{server.port}").replace("{port}", str(server.port))

    answer = await client.post(whole, headers={}, body=b"a secret of ours")

    assert isinstance(answer, HttpFailure)
    assert answer.forbidden
    assert server.connections == 0


async def test_a_redirect_leads_nowhere_and_a_cookie_is_not_kept(
    server: Echo, client: HttpxOriginClient
) -> None:
    server.status, server.headers = 302, {"Location": f"{server.origin}/b", "Set-Cookie": "who=ben; Path=/"}

    answers = [await client.post(f"{server.origin}/a", headers={}, body=b"") for _ in range(2)]

    assert all(isinstance(answer, HttpAnswer) and answer.status == 302 for answer in answers)
    assert [request.path for request in server.requests] == ["/a", "/a"]
    assert all("cookie" not in request.headers for request in server.requests)


async def test_a_persons_webhook_sets_no_cookies_either(server: Echo) -> None:
    server.headers = {"Set-Cookie": "who=ben; Path=/"}
    client = HttpxClient(HttpLimits(private_allowed=True, plain_allowed=True))

    for _ in range(2):
        await client.post(server.origin, headers={}, body=b"")
    await client.close()

    assert ["cookie" in request.headers for request in server.requests] == [False, False]


async def test_an_endless_answer_is_read_only_so_far_and_the_next_one_is_its_own(
    server: Echo, client: HttpxOriginClient
) -> None:
    server.body = b"x" * (4 * ANSWER_BYTES_MAX)
    long = await client.get(server.origin, headers={})
    server.body = None
    next_one = await client.get(f"{server.origin}/next", headers={})

    assert isinstance(long, HttpAnswer)
    assert len(long.body) == ANSWER_BYTES_MAX
    assert isinstance(next_one, HttpAnswer)
    assert next_one.body == b"GET /next "


async def test_a_line_that_the_server_closed_meanwhile_is_not_used_again(
    server: Echo, client: HttpxOriginClient
) -> None:
    await client.post(server.origin, headers={}, body=b"1")
    server.fault = Fault.TAKES_AND_BREAKS
    broken = await client.post(server.origin, headers={}, body=b"2")
    server.fault = Fault.NONE
    good = await client.post(server.origin, headers={}, body=b"3")

    assert isinstance(broken, HttpFailure)
    assert not broken.forbidden
    assert isinstance(good, HttpAnswer)


@pytest.mark.parametrize(
    "fault", [Fault.HANGS_AT_ONCE, Fault.HANGS_AT_THE_END, Fault.DRIPS, Fault.BREAKS_AT_ONCE]
)
async def test_whatever_the_server_does_it_ends(
    server: Echo, client: HttpxOriginClient, fault: Fault
) -> None:
    server.fault = fault

    async with asyncio.timeout(20):
        answers = await asyncio.gather(
            *(client.post(server.origin, headers={}, body=b"x") for _ in range(LIMITS.connections))
        )
    server.fault = Fault.NONE
    after = await client.post(server.origin, headers={}, body=b"after")

    assert all(isinstance(answer, HttpFailure) and not answer.forbidden for answer in answers)
    assert isinstance(after, HttpAnswer)


async def test_a_server_that_is_gone_is_said_to_be_so(server: Echo, client: HttpxOriginClient) -> None:
    await server.stop()

    answer = await client.get(server.origin, headers={})

    assert answer == HttpFailure("The machine can not be reached.")


async def test_a_question_that_is_held_open_may_take_longer(server: Echo) -> None:
    server.wait_s = 0.3
    client = HttpxOriginClient(server.origin, HttpLimits(whole_ms=100))

    short = await client.get(server.origin, headers={})
    long = await client.get(server.origin, headers={}, wait_ms=60_000)
    await client.close()

    assert isinstance(short, HttpFailure)
    assert isinstance(long, HttpAnswer)


def test_a_form_is_one_line_of_ascii() -> None:
    assert form_body({"To": "+15550001111", "Body": "Ana: 5,1 & über 1%"}) == (
        b"To=%2B15550001111&Body=Ana%3A+5%2C1+%26+%C3%BCber+1%25"
    )


@pytest.mark.parametrize(
    ("value", "wait_ms"), [("7", 7_000), ("9" * 40, RETRY_AFTER_MS_MAX), ("-5", 0), ("soon", 0), ("²", 0)]
)
def test_a_wish_for_patience_is_heard_within_reason(value: str, wait_ms: int) -> None:
    assert retry_after_ms(HttpAnswer(429, {"retry-after": value}, b"")) == wait_ms
