"""Refusals cost those who are refused, and nobody else: real sockets, clients that try again at once."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, NoReturn

import pytest
import uvloop

from nightbell.app.server import doors, listening, make_server
from nightbell.load.gate import SHED_LOWER, Level
from nightbell.load.service import Admission
from nightbell.publish.door import DoorAnswer
from nightbell.publish.native import NativeDoor
from nightbell.web.doorway import Doorway, Doorways
from nightbell.web.front import Front
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import SystemClock
from tests.acceptance.web_house import open_web_house

pytestmark = pytest.mark.network

HAMMERS: Final = 40


class Served(NamedTuple):
    """A house behind the real server, its admission, and a key that publishes."""

    port: int
    admission: Admission
    key: str
    front: Front


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Served]:
    async with open_web_house(SystemClock()) as house:
        people = await house.cast()
        key = await house.accounts.add_key(
            person_id=people.ana.id, scope="publish", label="phone", now_ms=house.clock.now_ms()
        )
        admission = Admission(house.clock)
        house.publish._admission = house.app._admission = admission
        native = NativeDoor(
            house.publish,
            identify=house.accounts.identify,
            uploader=house.accounts.uploader,
            words=catalogue(),
            admission=admission,
        )
        door = Doorways(native.offer, house.clock, idle_s_max=60.0)
        server, door_socket = make_server(house.app, None, quick=door), listening("127.0.0.1", 0)
        task = asyncio.create_task(server.serve(sockets=doors(door_socket)))
        try:
            yield Served(int(door_socket.getsockname()[1]), admission, key.secret, house.app)
        finally:
            server.should_exit = True
            await task


def upload(served: Served, *ages_min: int) -> bytes:
    now_ms = SystemClock().now_ms()
    readings = [
        {"measured_at": now_ms - age * 60_000, "glucose_mgdl": 100 + at} for at, age in enumerate(ages_min)
    ]
    return posted("/v1/readings", {"readings": readings}, f"Authorization: Bearer {served.key}\r\n")


def posted(path: str, content: object, more: str = "") -> bytes:
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: nightbell\r\n{more}Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    await reader.readexactly(length)
    return head


async def _hammered() -> tuple[int, float, list[bytes]]:
    """Clients that try again at once: refusals in six seconds, how long a live reading took, their heads."""
    async with served() as house:
        house.admission.take(Level(SHED_LOWER, "loop_lag_ms"))
        heads: list[bytes] = []
        loop = asyncio.get_running_loop()
        ends = loop.time() + 6.0

        async def hammer() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            while loop.time() < ends:
                heads.append(await asked(reader, writer, upload(house, 60, 65)))
            writer.close()

        hammers = [asyncio.create_task(hammer()) for _ in range(HAMMERS)]
        await asyncio.sleep(0.5)
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        began = loop.time()
        live = await asked(reader, writer, upload(house, 1))
        took_s = loop.time() - began
        await asyncio.gather(*hammers)
        writer.close()
        assert live.startswith(b"HTTP/1.1 200")
        return len(heads), took_s, heads


def test_clients_that_try_again_at_once_go_round_slowly_and_live_readings_pass_them() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        count, took_s, heads = runner.run(_hammered())

    assert all(head.startswith(b"HTTP/1.1 503") and b"retry-after" in head for head in heads)
    assert HAMMERS <= count <= HAMMERS * 4
    assert took_s < 1.5


class Wire(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """It may."""

    def resume_reading(self) -> None:
        """It may."""


def nobody_else() -> NoReturn:
    raise AssertionError("a usual request was handed to the web server")


@pytest.mark.parametrize(("status", "within_s"), [(401, 0.5), (200, 0.5), (503, 8.0)])
async def test_no_answer_is_written_from_within_the_round_of_sockets(status: int, within_s: float) -> None:
    answer = DoorAnswer(status, (), b"")
    doorways = Doorways(lambda _, answered: answered(answer), SystemClock(), idle_s_max=60.0)
    wire, doorway = Wire(), Doorway(doorways, asyncio.get_running_loop(), nobody_else, set())
    doorway.connection_made(wire)

    doorway.data_received(posted("/v1/readings", {"readings": []}))
    at_once = wire.written
    async with asyncio.timeout(within_s + 10):
        while not wire.written:
            await asyncio.sleep(0.01)

    assert at_once == b""
    assert wire.written.startswith(b"HTTP/1.1 %d " % status)
    doorway.connection_lost(None)


async def test_a_storm_of_sign_ins_is_answered_before_anything_of_it_is_read() -> None:
    async with served() as house:
        house.admission.take(Level(SHED_LOWER, "loop_lag_ms"))
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        content = {"name": "Dan", "password": "a guess", "device": "storm"}

        head = await asked(reader, writer, posted("/v1/sign-in", content))
        house.admission.take(Level())
        calm = await asked(reader, writer, posted("/v1/sign-in", content))
        house.front._passwords_full_s = lambda: 17
        full = await asked(reader, writer, posted("/sign-in", content))

        assert head.startswith(b"HTTP/1.1 503")
        assert b"retry-after: " in head
        assert calm.startswith(b"HTTP/1.1 401")
        assert full.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 17" in full
        writer.close()


async def _crowded() -> int:
    """A hundred who connect at once to a loop that is busy: after how many of its rounds all are heard."""
    async with open_web_house(SystemClock()) as house:
        server, door = make_server(house.app, None), listening("127.0.0.1", 0)
        port = int(door.getsockname()[1])
        task = asyncio.create_task(server.serve(sockets=doors(door)))
        while not server.started:
            await asyncio.sleep(0.01)
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        rounds = 0
        while len(server.server_state.connections) < len(crowd) and rounds < 200:
            rounds += 1
            await asyncio.sleep(0)
        for one in crowd:
            one.close()
        server.should_exit = True
        await task
        return rounds


def test_a_crowd_that_connects_at_once_is_let_in_at_once_and_not_one_by_one() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = runner.run(_crowded())

    assert rounds <= 20
