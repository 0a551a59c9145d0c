"""The quick way of a usual upload, and what is not usual: the same answers as the web server's own way."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightbell.app.server import listening, make_server
from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.publish.native import NativeDoor
from nightbell.web import doorway
from nightbell.web.doorway import Doorways
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import SystemClock
from tests.acceptance.web_house import WebHouse, open_web_house

PATIENCE_S: Final = 20.0
STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Counted(NamedTuple):
    """A door that counts who came the quick way."""

    offer: Callable[[DoorRequest, Callable[[DoorAnswer], None]], None]
    came: list[int]


def counted(house: WebHouse) -> Counted:
    native = NativeDoor(
        house.publish, identify=house.accounts.identify, uploader=house.accounts.uploader, words=catalogue()
    )
    came: list[int] = []

    def offer(request: DoorRequest, answered: Callable[[DoorAnswer], None]) -> None:
        came.append(len(request.body))
        native.offer(request, answered)

    return Counted(offer, came)


class Served(NamedTuple):
    """A house behind the real server: the quick way's port, the usual one's, and who came the quick way."""

    house: WebHouse
    quick: int
    usual: int
    came: list[int]
    key: str


@contextlib.asynccontextmanager
async def served(*, idle_s_max: float = 60.0) -> AsyncIterator[Served]:
    async with open_web_house(SystemClock()) as house:
        people = await house.cast()
        key = await house.accounts.add_key(
            person_id=people.ana.id, scope="publish", label="phone", now_ms=house.clock.now_ms()
        )
        door = counted(house)
        tasks, servers, ports = [], [], []
        for quick in (Doorways(door.offer, house.clock, idle_s_max=idle_s_max), None):
            server, door_socket = make_server(house.app, None, quick=quick), listening("127.0.0.1", 0)
            servers.append(server)
            ports.append(int(door_socket.getsockname()[1]))
            tasks.append(asyncio.create_task(server.serve(sockets=[door_socket])))
        try:
            yield Served(house, ports[0], ports[1], door.came, key.secret)
        finally:
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*tasks)


def body_of(level: object, at_ms: int = 0) -> bytes:
    at_ms = at_ms or SystemClock().now_ms()
    return json.dumps({"readings": [{"measured_at": at_ms, "glucose_mgdl": level}]}).encode()


def upload(key: str, body: bytes, *headers: str, path: str = "/v1/readings", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: bell.test", f"Authorization: Bearer {key}", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def conversation(port: int, parts: list[bytes], answers: int) -> list[tuple[int, bytes]]:
    """Send bytes in pieces; statuses and bodies of so many answers, fewer if the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            for part in parts:
                with contextlib.suppress(ConnectionError):
                    writer.write(part)
                    await writer.drain()
                await asyncio.sleep(0)
            return [answer async for answer in answers_of(reader, answers)]
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answers_of(reader: asyncio.StreamReader, most: int) -> AsyncIterator[tuple[int, bytes]]:
    for _ in range(most):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            found = STATUS.match(head)
            assert found, head
            if found[1] == b"100":
                head = await reader.readuntil(b"\r\n\r\n")
                found = STATUS.match(head)
                assert found, head
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        yield int(found[1]), body


def in_pieces(whole: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(whole) + 1) for cut in cuts})
    return [part for a, b in zip([0, *places], [*places, len(whole)], strict=True) if (part := whole[a:b])]


async def test_a_usual_upload_goes_the_quick_way_and_is_kept() -> None:
    async with served() as here:
        whole = upload(here.key, body_of(112))

        said = await conversation(here.quick, [whole], 1)

        assert said == [(200, b'{"accepted":1,"duplicates":0,"refused":[]}')]
        assert len(here.came) == 1
        ana = here.house.accounts.identify(here.key, here.house.clock.now_ms())
        assert ana is not None
        newest = here.house.history.newest(ana.sharer)
        assert newest is not None
        assert newest.level == 112


async def test_one_connection_serves_one_usual_upload_after_the_other() -> None:
    async with served() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.quick)
        for level in (101, 102, 103, 104):
            writer.write(upload(here.key, body_of(level, SystemClock().now_ms() - level * 1000)))
            [said] = [answer async for answer in answers_of(reader, 1)]
            assert said[0] == 200
        writer.close()

        assert len(here.came) == 4
        assert here.house.publish.counts.live == 4


async def test_a_byte_at_a_time_is_the_same_upload() -> None:
    async with served() as here:
        whole = upload(here.key, body_of(99))

        said = await conversation(here.quick, [whole[n : n + 1] for n in range(len(whole))], 1)

        assert said == [(200, b'{"accepted":1,"duplicates":0,"refused":[]}')]


CHUNKED: Final = b"10\r\n" + b'{"readings": [],' + b"\r\n2\r\n}}\r\n0\r\n\r\n"
UNUSUAL: Final[dict[str, Callable[[str], bytes]]] = {
    "in chunks": lambda key: upload(key, CHUNKED, "Transfer-Encoding: chunked"),
    "a wish to close": lambda key: upload(key, body_of(120), "Connection: close"),
    "may I continue": lambda key: upload(key, body_of(120), "Expect: 100-continue"),
    "an old version": lambda key: upload(key, body_of(120), version="1.0"),
    "with a question": lambda key: upload(key, body_of(120), path="/v1/readings?x=1"),
    "no length": lambda key: upload(key, b"", "Content-Length: "),
    "two lengths": lambda key: upload(key, body_of(120), "Content-Length: 2", "Content-Length: 3"),
    "a length with a sign": lambda key: upload(key, body_of(120), "Content-Length: +20"),
    "a length beyond all": lambda key: upload(key, b"x", f"Content-Length: {'9' * 5000}"),
    "too large": lambda key: upload(key, b"x", "Content-Length: 10485760"),
    "a length and chunks": lambda key: upload(
        key, CHUNKED, "Content-Length: 4", "Transfer-Encoding: chunked"
    ),
    "an upgrade": lambda key: upload(key, body_of(120), "Connection: upgrade", "Upgrade: h2c"),
    "another path": lambda _: b"GET /v1/openapi.json HTTP/1.1\r\nHost: bell.test\r\n\r\n",
    "the share way": lambda _: (
        b"POST /ShareWebServices/Services/x HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n"
    ),
    "another method": lambda _: b"PUT /v1/readings HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
    "no HTTP at all": lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "a header that is none": lambda key: upload(key, body_of(120), "no colon here"),
    "a bare line feed": lambda key: upload(key, body_of(120), "A: b\nTransfer-Encoding: chunked"),
    "a header of a null": lambda key: upload(key, body_of(120), "A: \0"),
    "a folded header": lambda key: upload(key, body_of(120), "A: b\r\n c"),
    "no key": lambda _: upload("nobody", body_of(120)),
    "not JSON": lambda key: upload(key, b"{"),
    "a bad reading": lambda key: upload(key, body_of(5)),
}


@pytest.mark.parametrize("kind", UNUSUAL)
async def test_what_is_not_usual_gets_the_answer_of_the_web_server(kind: str) -> None:
    async with served() as here:
        whole = UNUSUAL[kind](here.key)

        quick = await conversation(here.quick, [whole], 1)
        usual = await conversation(here.usual, [whole], 1)

        assert [(status, without_chance(body)) for status, body in quick] == [
            (status, without_chance(body)) for status, body in usual
        ]
        assert quick, "nothing was answered at all"


def without_chance(body: bytes) -> bytes:
    """The same reading sent a second time is a duplicate; Share's errors carry an instant and an id."""
    return re.sub(rb'"duplicates":\d', b"", body[:60])


async def test_after_an_unusual_request_a_usual_one_on_the_same_connection_is_answered() -> None:
    async with served() as here:
        page = b"GET /static/none HTTP/1.1\r\nHost: bell.test\r\n\r\n"

        said = await conversation(here.quick, [page, upload(here.key, body_of(110)), page], 3)

        assert [status for status, _ in said] == [404, 200, 404]


async def test_after_a_usual_request_an_unusual_one_on_the_same_connection_is_answered() -> None:
    async with served() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.quick)
        said = []
        for whole in (
            upload(here.key, body_of(110)),
            b"GET /static/none HTTP/1.1\r\nHost: bell.test\r\n\r\n",
            upload(here.key, body_of(111)),
        ):
            writer.write(whole)
            said += [status async for status, _ in answers_of(reader, 1)]
        writer.close()

        assert said == [200, 404, 200]
        assert len(here.came) == 1


@pytest.fixture
def lasting() -> Iterator[tuple[asyncio.Runner, Served]]:
    """A house that lasts for all examples of a test, in a loop of its own."""
    with asyncio.Runner() as runner:
        standing = served()
        yield runner, runner.run(standing.__aenter__())
        runner.run(standing.__aexit__(None, None, None))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from([101, 102, 5, "LOW", None, "get"]), min_size=1, max_size=5),
    last=st.sampled_from([[], ["close"]]),
    cuts=st.lists(st.integers(0, 4000), max_size=6),
)
def test_however_requests_are_cut_and_joined_each_gets_its_answer_in_order(
    lasting: tuple[asyncio.Runner, Served], kinds: list[object], last: list[object], cuts: list[int]
) -> None:
    runner, here = lasting

    # What is sent after a wish to close may be cut off, and the answers before it with it.
    runner.run(assert_same_both_ways(here, kinds + last, cuts))


async def assert_same_both_ways(here: Served, kinds: list[object], cuts: list[int]) -> None:
    at_ms = SystemClock().now_ms()
    requests = []
    for n, kind in enumerate(kinds):
        if kind == "get":
            requests.append(b"GET /static/none HTTP/1.1\r\nHost: bell.test\r\n\r\n")
        elif kind == "close":
            requests.append(upload(here.key, body_of(90, at_ms - n), "Connection: close"))
        else:
            requests.append(upload(here.key, body_of(kind, at_ms - n * 1000)))
    parts = in_pieces(b"".join(requests), cuts)

    quick = await conversation(here.quick, parts, len(requests))
    usual = await conversation(here.usual, parts, len(requests))

    assert [status for status, _ in quick] == [status for status, _ in usual]
    assert [without_chance(body) for _, body in quick] == [without_chance(body) for _, body in usual]


async def test_a_client_that_never_ends_its_request_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "REQUEST_S_MAX", 0.2)
    monkeypatch.setattr(doorway, "LOOK_EVERY_S", 0.05)
    async with served() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.quick)
        writer.write(upload(here.key, body_of(112))[:-5])

        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""

        writer.close()
        assert here.came == []


async def test_a_connection_that_lies_idle_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "LOOK_EVERY_S", 0.05)
    async with served(idle_s_max=0.2) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.quick)

        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""

        writer.close()


async def test_a_client_that_does_not_read_its_answers_is_not_read_either() -> None:
    most = 40_000
    async with served() as here:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", here.quick))
        one, answered = upload("nobody", b"{}"), 0

        with contextlib.suppress(TimeoutError):
            while len(here.came) < most:
                answered = len(here.came)
                await asyncio.wait_for(loop.sock_sendall(deaf, one), 1.0)
                for _ in range(100):
                    if len(here.came) > answered:
                        break
                    await asyncio.sleep(0.01)
                else:
                    break

        deaf.close()
        assert 0 < len(here.came) < most, "answers piled up unread"


async def test_a_wish_to_close_is_granted_after_the_answer() -> None:
    async with served() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.quick)
        writer.write(upload(here.key, body_of(120), "Connection: close"))

        async with asyncio.timeout(PATIENCE_S):
            said = await reader.read()

        writer.close()
        assert said.startswith(b"HTTP/1.1 200 ")


async def test_who_asks_before_sending_is_told_to_go_on() -> None:
    async with served() as here:
        whole = upload(here.key, body_of(120), "Expect: 100-continue")
        head, body = whole.split(b"\r\n\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", here.quick)
        writer.write(head + b"\r\n\r\n")

        async with asyncio.timeout(PATIENCE_S):
            go_on = await reader.readuntil(b"\r\n\r\n")
            writer.write(body)
            said = await reader.readuntil(b"\r\n\r\n")

        writer.close()
        assert go_on == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert said.startswith(b"HTTP/1.1 200 ")


async def test_a_door_that_breaks_is_answered_for() -> None:
    def broken(_request: DoorRequest, _answered: Callable[[DoorAnswer], None]) -> None:
        raise ZeroDivisionError

    async with open_web_house(SystemClock()) as house:
        quick = Doorways(broken, house.clock, idle_s_max=60)
        server, door_socket = make_server(house.app, None, quick=quick), listening("127.0.0.1", 0)
        serving = asyncio.create_task(server.serve(sockets=[door_socket]))

        said = await conversation(door_socket.getsockname()[1], [upload("x", b"{}")], 1)

        server.should_exit = True
        await serving
        assert said == [(500, b"Internal Server Error")]
