"""The control socket: only its owner, one line a request, and every failure has an answer."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from nightbell.app.control import LINE_BYTES_MAX, AlreadyRunningError, Command, ControlServer, short_path
from nightbell.words.errors import CallerError, ErrorCode

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


class Greeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command of these tests."""

    name: str


class Greeted(msgspec.Struct, frozen=True):
    """Its result."""

    words: str


async def greet(greeting: Greeting) -> Greeted:
    """Greet, refuse Dan, and fail for nobody."""
    if greeting.name == "Dan":
        raise CallerError(ErrorCode.NOT_ALLOWED, "Not Dan.", times=1)
    if not greeting.name:
        raise ZeroDivisionError
    return Greeted(f"Hello {greeting.name}")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    running = ControlServer(tmp_path, {"greet": Command(Greeting, greet)})
    await running.start()
    yield running
    await running.close()


async def ask(folder: Path, *lines: bytes) -> list[dict[str, object]]:
    """Send these lines over one connection, and read an answer after each."""
    reader, writer = await asyncio.open_unix_connection(folder / "control.sock", limit=4 * LINE_BYTES_MAX)
    answers = []
    for line in lines:
        writer.write(line + b"\n")
        answers.append(msgspec.json.decode(await reader.readline()))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_before_the_platform_is_open_it_only_says_how_it_is(tmp_path: Path) -> None:
    doors: list[str] = []
    commands = {"greet": Command(Greeting, greet), "health": Command(Greeting, greet)}
    running = ControlServer(tmp_path, commands, lambda: bool(doors))
    await running.start()
    change, look = (
        b'{"command": "%s", "arguments": {"name": "Ana"}}' % name for name in (b"greet", b"health")
    )

    early, healthy = await ask(tmp_path, change, look)
    doors.append("open")
    (later,) = await ask(tmp_path, change)
    await running.close()

    assert (early["ok"], early["code"]) == (False, ErrorCode.CONFLICT)
    assert healthy["ok"]
    assert later["ok"]


@pytest.mark.usefixtures("server")
async def test_one_connection_carries_many_requests(tmp_path: Path) -> None:
    answers = await ask(
        tmp_path,
        b'{"command":"greet","arguments":{"name":"Ana"}}',
        b'{"command":"greet","arguments":{"name":"Ben"}}',
    )

    assert [answer["result"] for answer in answers] == [{"words": "Hello Ana"}, {"words": "Hello Ben"}]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"command":"greet","arguments":{"name":"Dan"}}', "not_allowed"),
        (b'{"command":"greet","arguments":{"name":7}}', "malformed"),
        (b'{"command":"greet","arguments":{"nom":"Ana"}}', "malformed"),
        (b'{"command":"greet"}', "malformed"),
        (b'{"command":"dance"}', "not_found"),
        (b"[]", "malformed"),
        (b"not json", "malformed"),
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[" * 5_000, "malformed"),
        (b'{"command":"greet","arguments":{"name":""}}', "internal"),
    ],
)
async def test_what_goes_wrong_is_answered_and_the_connection_goes_on(
    line: bytes, code: str, tmp_path: Path
) -> None:
    refused, answered = await ask(tmp_path, line, b'{"command":"greet","arguments":{"name":"Ana"}}')

    assert (refused["ok"], refused["code"]) == (False, code)
    assert answered["ok"] is True


@pytest.mark.usefixtures("server")
async def test_a_line_over_the_limit_is_refused(tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(tmp_path / "control.sock")

    writer.write(b"x" * (LINE_BYTES_MAX * 2))
    answer = msgspec.json.decode(await reader.readline())
    writer.close()

    assert answer["code"] == "too_large"


@pytest.mark.usefixtures("server")
async def test_only_its_owner_may_open_it(tmp_path: Path) -> None:
    mode = stat.S_IMODE((tmp_path / "control.sock").stat().st_mode)

    assert mode == 0o600


@pytest.mark.usefixtures("server")
async def test_a_second_platform_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AlreadyRunningError, match="running"):
        await ControlServer(tmp_path, {}).start()


async def test_a_socket_left_by_a_crash_is_taken_over(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control.sock"))
    left.close()

    server = ControlServer(tmp_path, {"greet": Command(Greeting, greet)})
    await server.start()
    (answer,) = await ask(tmp_path, b'{"command":"greet","arguments":{"name":"Ana"}}')
    await server.close()

    assert answer["ok"] is True
    assert not (tmp_path / "control.sock").exists()


async def test_a_data_directory_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()

    server = ControlServer(deep, {"greet": Command(Greeting, greet)})
    await server.start()
    with short_path(deep / "control.sock") as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"command":"greet","arguments":{"name":"Ana"}}\n')
    answer = msgspec.json.decode(await reader.readline())
    writer.close()
    await server.close()

    assert answer["result"] == {"words": "Hello Ana"}


async def test_closing_ends_open_connections(tmp_path: Path) -> None:
    server = ControlServer(tmp_path, {"greet": Command(Greeting, greet)})
    await server.start()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "control.sock")
    writer.write(b'{"command":"greet","arguments":{"name":"Ana"}}\n')
    await reader.readline()

    await server.close()

    assert await reader.read() == b""
    writer.close()
