"""The watcher as a process of its own, a platform that is really killed, and mail that really arrives."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from nightbell.adapters.stores.roster.pairings import FilePairings
from nightbell.app.companion import EXIT_ALREADY
from nightbell.watch.health import Health
from nightbell.watch.page import POLICY, Headline
from nightbell.watch.pairing import CANARIES, PairedCanary, Pairing
from tests.simulators.mail_host import Letter, MailHost
from tests.simulators.watch_world import family

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
AFFECTED = ["ana@example.org", "ben@example.org", "cleo@example.org"]
PATIENCE_S = 60.0


class Stage:
    """A folder, a platform in it and a watcher beside it, each a process."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.folder = data / "watcher"
        self.processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        canaries = tuple(PairedCanary(f"c{number}", number, f"key{number}") for number in range(CANARIES))
        pairing = Pairing(f"http://127.0.0.1:{self.port}", "follower", "follower-key", "roster-key", canaries)
        FilePairings(self.folder).write(pairing)
        (self.folder / "roster.json").write_bytes(msgspec.json.encode(family()))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT)  # noqa: S603 our own code
        self.processes.append(process)
        return process

    def platform(self) -> subprocess.Popen[bytes]:
        return self.start("tests.simulators.small_platform", str(self.folder), str(self.port))

    def watcher(self, mail: MailHost) -> subprocess.Popen[bytes]:
        return self.start("tests.simulators.hurried_watcher", str(self.data), str(mail.port))

    def health(self) -> Health | None:
        try:
            return msgspec.json.decode((self.folder / "health.json").read_bytes(), type=Health)
        except FileNotFoundError:
            return None

    def state(self) -> Headline | None:
        health = self.health()
        return None if health is None else health.state

    def page(self) -> str:
        return (self.folder / "status" / "index.html").read_text(encoding="utf-8")

    def never_reached(self) -> bool:
        return self.health() is not None and "We have not reached it yet." in self.page()

    def lows(self) -> int:
        log = self.folder / "log"
        return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


async def until(true: Callable[[], object], what: str) -> None:
    """Wait for something to become true, not for a time."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.05)
    assert true(), what


def told(mail: MailHost) -> list[Letter]:
    """Letters as people see them, in order.

    One that was sent but not yet written down as sent when the watcher was killed comes twice under the same
    Message-ID; mail programs show it once.
    """
    return list({str(letter.mail["Message-ID"]): letter for letter in reversed(mail.letters)}.values())[::-1]


async def test_kill_9_leads_to_one_mail_each_and_the_page_and_one_all_clear(stage: Stage) -> None:
    async with MailHost() as mail:
        platform, watcher = stage.platform(), stage.watcher(mail)
        await until(lambda: stage.state() is Headline.QUIET, "all is well")
        assert not mail.letters

        platform.kill()
        await until(lambda: len(told(mail)) >= len(AFFECTED), "everybody is told")
        await until(lambda: stage.state() is Headline.INCIDENT, "the page says so")
        first = told(mail)
        assert "You are NOT being watched." in stage.page()

        # The watcher dies in the middle of it; the next one knows what was said.
        watcher.kill()
        watcher.wait()
        (stage.folder / "health.json").unlink()
        stage.watcher(mail)
        await until(lambda: stage.state() is Headline.INCIDENT, "the next one goes on")

        # The platform is back, but its alarms do not go out: that is no all-clear.
        (stage.folder / "mute").touch()
        stage.platform()
        lows = stage.lows()
        await until(lambda: stage.lows() >= lows + 3, "canaries are heard by the door")
        assert stage.state() is Headline.INCIDENT
        assert len(told(mail)) == len(AFFECTED)

        (stage.folder / "mute").unlink()
        await until(lambda: len(told(mail)) >= 2 * len(AFFECTED), "everybody hears that it is over")
        await until(lambda: stage.state() is Headline.QUIET, "the page says so")
        lows = stage.lows()
        await until(lambda: stage.lows() >= lows + 5, "some more rounds go by")

    assert sorted(letter.to for letter in first) == AFFECTED
    subjects = {letter.to: letter.subject for letter in first}
    assert subjects["ben@example.org"] == "You are NOT being watched. Check Ana."
    assert subjects["ana@example.org"] == "You are NOT being watched. Check your sugar."
    assert all("finger stick" in letter.text for letter in first)
    clears = told(mail)[len(AFFECTED) :]
    assert sorted(letter.to for letter in clears) == AFFECTED
    assert all("again" in letter.subject for letter in clears)
    assert len(told(mail)) == 2 * len(AFFECTED)


async def test_the_page_is_served_from_its_own_port_with_a_strict_policy(stage: Stage) -> None:
    async with MailHost() as mail:
        watcher = stage.watcher(mail)
        await until(stage.never_reached, "the page says what it waits for")
        health = stage.health()
        assert health is not None
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{health.port}", trust_env=False) as reader:
            page = await reader.get("/")
            summary = await reader.get("/api/v2/summary.json")
            answered = await reader.get("/health")
            secret = await reader.get("/../pairing.json")

        watcher.send_signal(signal.SIGTERM)
        ended = await asyncio.to_thread(watcher.wait, 20)

    assert "We have not reached it yet." in page.text
    assert page.headers["content-security-policy"] == POLICY
    assert summary.json()["status"]["indicator"] in {"major", "critical"}
    assert answered.json()["state"] in {"waiting", "incident"}
    assert secret.status_code == 404
    assert ended == 0


async def test_there_is_one_watcher_to_a_folder_and_the_command_says_so(stage: Stage) -> None:
    async with MailHost() as mail:
        stage.watcher(mail)
        await until(lambda: stage.health() is not None, "the first one watches")

        second = stage.start(
            "nightbell.cli.main", "watch", "--data", str(stage.data), "--listen", "127.0.0.1:0"
        )
        ended = await asyncio.to_thread(second.wait, 30)

    assert ended == EXIT_ALREADY


async def test_the_command_watches_without_any_platform_and_says_that_no_mail_is_set_up(stage: Stage) -> None:
    (stage.folder / "pairing.json").unlink()
    process = stage.start("nightbell.cli.main", "watch", "--data", str(stage.data), "--listen", "127.0.0.1:0")
    await until(lambda: stage.health() is not None, "a page is written")

    process.send_signal(signal.SIGTERM)
    ended = await asyncio.to_thread(process.wait, 20)

    health = json.loads((stage.folder / "health.json").read_bytes())
    assert ended == 0
    assert health["state"] == "waiting"
    assert "No e-mail is set up: nobody can be told by mail." in health["troubles"]
