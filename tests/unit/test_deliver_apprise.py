"""The child that runs Apprise: it costs no message, no secret, and no more than it may."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from nightbell.adapters.channels.apprise.channel import AppriseChannel, reference
from nightbell.adapters.channels.apprise.child import result_of
from nightbell.adapters.channels.apprise.frames import Result
from nightbell.adapters.channels.apprise.process import ChildGoneError, ChildProcess
from nightbell.adapters.channels.apprise.settings import AppriseSettings
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from tests.simulators.faults import Fault
from tests.simulators.hook_server import HookServer

pytestmark = [pytest.mark.network, pytest.mark.enable_socket, pytest.mark.process]

MESSAGE = Message("f" * 32, "ben", "Ana is VERY LOW: 52", "Check Ana now.", urgent=True)
SETTINGS = AppriseSettings(private_allowed=True, start_ms=60_000, whole_ms=60_000)
PATIENCE_S = 60


@pytest.fixture
async def machine() -> AsyncIterator[HookServer]:
    machine = HookServer()
    await machine.start()
    yield machine
    await machine.stop()


class Tail:
    """The channel before Ben's own machine."""

    def __init__(self, machine: HookServer, **changes: object) -> None:
        self.machine = machine
        self.channel = AppriseChannel(msgspec.structs.replace(SETTINGS, **changes))
        self.address = f"json://127.0.0.1:{machine.port}/secret-of-ben"

    async def send(self, key: str = "key-1") -> Outcome:
        return await self.channel.send(MESSAGE, self.address, idempotency_key=key)

    async def child(self) -> ChildProcess:
        return await self.channel._child()

    async def reached(self, times: int = 1) -> None:
        """Wait until the machine was called so many times."""
        async with asyncio.timeout(PATIENCE_S):
            while self.machine.connections < times:
                await asyncio.sleep(0.005)


@pytest.fixture
async def tail(machine: HookServer) -> AsyncIterator[Tail]:
    tail = Tail(machine)
    yield tail
    await tail.channel.close()


async def test_the_message_is_handed_over_with_its_number(tail: Tail) -> None:
    outcome = await tail.send()

    (call,) = tail.machine.calls
    body = msgspec.json.decode(call.body)
    assert outcome == Sent()
    assert call.target == "/secret-of-ben"
    assert body["title"] == MESSAGE.subject
    assert body["message"].startswith(MESSAGE.text)
    assert reference("key-1") in body["message"]
    assert body["type"] == "failure"


async def test_the_child_knows_no_secret_but_the_address_it_is_handed(
    machine: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTBELL_SMTP__PASSWORD", "open sesame")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    tail = Tail(machine)
    await tail.send()
    of_child = Path("/proc") / str((await tail.child()).pid)

    environment = (of_child / "environ").read_bytes().decode()
    arguments = (of_child / "cmdline").read_bytes().decode()
    await tail.channel.close()

    names = {pair.partition("=")[0] for pair in environment.split("\0") if pair}
    assert names == {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LC_ALL", "HOME", "MALLOC_ARENA_MAX"}
    assert "secret" not in arguments


async def test_the_child_may_take_so_much_memory_and_writes_no_file(tail: Tail) -> None:
    limits = (Path("/proc") / str((await tail.child()).pid) / "limits").read_text()

    rows = {line[:25].strip(): line[25:].split()[:2] for line in limits.splitlines()}
    assert rows["Max address space"] == [str(SETTINGS.memory_bytes_max)] * 2
    assert rows["Max file size"] == ["0", "0"]
    assert rows["Max core file size"] == ["0", "0"]


async def test_a_child_that_is_killed_loses_no_message_and_the_next_has_a_new_one(tail: Tail) -> None:
    tail.machine.fault = Fault.HANGS_AT_THE_END
    sending = asyncio.create_task(tail.send("first"))
    await tail.reached()
    first = await tail.child()

    os.kill(first.pid, signal.SIGKILL)
    outcome = await sending
    tail.machine.fault = Fault.NONE
    again = await tail.send("first")

    assert isinstance(outcome, Unavailable)
    assert isinstance(again, Sent)
    assert (await tail.child()).pid != first.pid


async def test_a_message_that_hangs_costs_the_child_and_those_with_it_come_again(machine: HookServer) -> None:
    tail = Tail(machine, whole_ms=4_000)
    machine.fault = Fault.HANGS_AT_ONCE
    child = await tail.child()

    outcomes = await asyncio.gather(*(tail.send(f"key-{number}") for number in range(3)))
    gone = not child.alive
    machine.fault = Fault.NONE
    again = await tail.send("key-0")
    await tail.channel.close()

    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert gone
    assert isinstance(again, Sent)


async def test_more_than_may_wait_is_told_to_come_again(machine: HookServer) -> None:
    tail = Tail(machine, messages_at_once=1, waiting_max=2)
    machine.fault = Fault.HANGS_AT_ONCE
    sending = [asyncio.create_task(tail.send(f"key-{number}")) for number in range(2)]
    await tail.reached()

    outcome = await tail.send("one more")
    (await tail.child()).kill()
    machine.fault = Fault.NONE
    first, second = await asyncio.gather(*sending)
    await tail.channel.close()

    assert isinstance(outcome, Unavailable)
    assert "wait" in outcome.reason
    assert isinstance(first, Unavailable)
    assert isinstance(second, Sent)


async def test_closing_ends_the_child_though_a_message_hangs(machine: HookServer) -> None:
    tail = Tail(machine)
    machine.fault = Fault.HANGS_AT_ONCE
    sending = asyncio.create_task(tail.send())
    await tail.reached()
    child = await tail.child()

    async with asyncio.timeout(PATIENCE_S):
        await tail.channel.close()

    assert isinstance(await sending, Unavailable)
    assert not child.alive
    assert not (Path("/proc") / str(child.pid)).exists()


async def test_a_child_whose_input_ends_is_gone_at_once_though_a_message_hangs(machine: HookServer) -> None:
    machine.fault = Fault.HANGS_AT_ONCE
    child = await ChildProcess.started(SETTINGS)
    await child.ready()
    address = f"json://127.0.0.1:{machine.port}/"
    asking = asyncio.create_task(child.ask(address, "title", "body", urgent=True))
    await Tail(machine).reached()

    assert child._process.stdin is not None
    child._process.stdin.close()
    async with asyncio.timeout(PATIENCE_S):
        ended = await child._process.wait()
    await child.end()

    with pytest.raises(ChildGoneError):
        await asking
    assert ended == 0


async def test_a_private_machine_is_refused_by_the_child_as_well(machine: HookServer) -> None:
    tail = Tail(machine, private_allowed=False)

    refused = await tail.send()
    result = await (await tail.child()).ask(tail.address, "title", "body", urgent=True)
    await tail.channel.close()

    assert isinstance(refused, Refused)
    assert refused.lost
    assert result is Result.FORBIDDEN
    assert machine.connections == 0


async def test_addresses_where_clouds_keep_their_keys_are_never_reached(tail: Tail) -> None:
    tail.address = "json://169.254.169.254/latest"

    async with asyncio.timeout(PATIENCE_S):
        outcome = await tail.send()

    assert isinstance(outcome, Unavailable | Refused)


async def test_proving_says_whether_the_child_answers(tail: Tail) -> None:
    assert await tail.channel.prove() == ""
    assert tail.machine.connections == 0


async def test_closed_while_the_child_starts_it_waits_for_its_end(
    machine: HookServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apprise.py").write_text("import time; time.sleep(60)")
    monkeypatch.syspath_prepend(str(tmp_path))
    tail = Tail(machine)
    asked = asyncio.create_task(tail.channel.prove())
    while tail.channel._starting is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0.3)  # by now there is a process; were there none, its end would be awaited as well

    await tail.channel.close()

    assert not tail.channel._ending
    assert await asked
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "apprise-child"]


@pytest.mark.parametrize(
    ("module", "word"),
    [("raise ImportError('it is not here')", "not installed"), ("import os; os._exit(3)", "did not start")],
)
async def test_without_apprise_it_says_what_to_do(
    machine: HookServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, word: str
) -> None:
    (tmp_path / "apprise.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    tail = Tail(machine)

    said = await tail.channel.prove()
    outcome = await tail.send()
    await tail.channel.close()

    assert word in said
    assert outcome == Unavailable(said)


@pytest.mark.parametrize(
    ("status", "logs", "result"),
    [
        ("SUCCESS", [], Result.SENT),
        ("PARTIAL", ["Failed to send: Not Found, error=404."], Result.SENT),
        ("NOMATCH", [], Result.BAD_ADDRESS),
        ("TIMEOUT", [], Result.FAILED),
        ("FAILURE", [], Result.FAILED),
        ("FAILURE", ["Failed to send: Unauthorized, error=401."], Result.REFUSED),
        ("FAILURE", ["Failed to send: Too Many Requests, error=429."], Result.FAILED),
        ("FAILURE", ["Failed: error=404.", "Failed: error=503."], Result.FAILED),
        ("something new", [], Result.FAILED),
    ],
)
def test_what_apprise_says_becomes_a_word_of_ours(status: str, logs: list[str], result: Result) -> None:
    assert result_of(status, logs) is result


def run(program: str) -> str:
    """What a process of its own says."""
    asked = [sys.executable, "-c", program]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603 our own program
    return done.stdout


TRIES = """
import socket, subprocess, sys, tempfile
from nightbell.adapters.channels.apprise.guard import shut
private = {private}
where = tempfile.gettempdir()
listening = socket.socket(); listening.bind(("127.0.0.1", 0)); listening.listen()
shut(private_allowed=private)
def tried(work):
    try: work()
    except PermissionError: return "no"
    except OSError: return "tried"
    return "yes"
def connect(family, where):
    with socket.socket(family) as one:
        one.settimeout(0.2)
        one.connect(where)
print(*[
    tried(lambda: connect(socket.AF_INET, listening.getsockname())),
    tried(lambda: connect(socket.AF_INET, ("169.254.169.254", 80))),
    tried(lambda: connect(socket.AF_INET6, ("::ffff:127.0.0.1", listening.getsockname()[1]))),
    tried(lambda: connect(socket.AF_UNIX, "/run/dbus/system_bus_socket")),
    tried(lambda: open("/etc/passwd")),
    tried(lambda: open(__import__("os").devnull)),
    tried(lambda: open(socket.__file__)),
    tried(lambda: open(socket.__file__, "a")),
    tried(lambda: open(where + "/written", "w")),
    tried(lambda: subprocess.run(["true"])),
    tried(lambda: __import__("os").system("true")),
])
"""


@pytest.mark.parametrize(
    ("private", "said"),
    [(False, "no no no no no yes yes no no no no"), (True, "yes no yes no no yes yes no no no no")],
)
def test_the_doors_that_plug_ins_may_not_go_through_are_shut(
    private: bool,  # noqa: FBT001 a column
    said: str,
) -> None:
    assert run(TRIES.format(private=private)).split() == said.split()


def test_our_own_process_never_loads_apprise() -> None:
    show = "import sys, nightbell.adapters.channels.apprise.channel; print('apprise' in sys.modules)"

    assert run(show).strip() == "False"
