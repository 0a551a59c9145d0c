"""`nightbell doctor` on real directories, good and broken; its load beside the live files, never on them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import trustme

from nightbell.app.control_words import Nothing, People
from nightbell.app.leftovers import HELD_NAME
from tests.acceptance.real_platform import RealPlatform
from tests.simulators.mail_host import MailHost

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket]

SHARERS: Final = 40
ENDS_S_MAX: Final = 60


class Said(NamedTuple):
    """What the doctor said."""

    code: int
    report: dict[str, Any]
    errors: str

    def verdict(self, name: str) -> str:
        """Of one finding."""
        return str(self._named(name)["verdict"])

    def text(self, name: str) -> str:
        """What was found, and what to do."""
        finding = self._named(name)
        return f"{finding['found']} {finding['todo']}"

    def _named(self, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.report["findings"] if one["name"] == name]
        return dict(found)


async def begun(folder: Path, *options: str, **environment: str) -> asyncio.subprocess.Process:
    """Start the doctor."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nightbell.cli.main", "doctor", "--data", str(folder), "--json", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip


async def doctor(folder: Path, *options: str, **environment: str) -> Said:
    """Let the doctor look, to its end."""
    process = await begun(folder, *options, **environment)
    out, errors = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in errors
    return Said(process.returncode, json.loads(out) if out else {}, errors.decode())


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, with what stands in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_running_bell_is_seen_as_it_is_and_not_touched(tmp_path: Path) -> None:
    async with RealPlatform(tmp_path) as platform:
        platform.add_person("Ana")
        await asyncio.sleep(2)  # until the first second is evaluated
        (tmp_path / "settings.toml").write_text("[switches]\nhistory = false\n")
        async with asyncio.timeout(20):
            while (said := await doctor(tmp_path)).verdict("switches") != "warn":
                await asyncio.sleep(0.5)

    assert said.verdict("platform") == "ok"
    assert platform.url in said.text("platform")
    assert "history" in said.text("switches")
    assert said.verdict("settings") == said.verdict("secrets") == said.verdict("writing") == "ok"
    assert said.verdict("clock_year") == "ok"
    assert said.code in {1, 2}
    assert {one["name"] for one in said.report["findings"]} >= {"fsync", "room", "files", "memory", "port"}


async def test_looking_changes_nothing_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("journal_days = 9\n")
    before = files_of(tmp_path)

    said = await doctor(tmp_path)

    assert files_of(tmp_path) == before
    assert said.code == 1, "no bell runs"
    assert said.report["verdict"] == "warn"
    assert said.verdict("platform") == "warn"


async def test_broken_settings_are_named_and_the_rest_is_looked_at_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("jurnal_days = 3\n")

    said = await doctor(tmp_path)

    assert said.code == 2
    assert said.verdict("settings") == "fail"
    assert "Did you mean journal_days" in said.text("settings")
    assert said.verdict("writing") == "ok"


async def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    (tmp_path / "key.pem").write_text("no key")
    text = f'[tls]\ncertificate = "{tmp_path / "cert.pem"}"\nkey = "{tmp_path / "key.pem"}"\n'
    (tmp_path / "settings.toml").write_text(text)

    said = await doctor(tmp_path)

    assert said.code == 2
    assert "not PEM" in said.text("certificate")


async def test_a_port_that_another_has_is_told(tmp_path: Path) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        address = f"127.0.0.1:{door.getsockname()[1]}"
        (tmp_path / "settings.toml").write_text(f'listen = "{address}"\n')
        said = await doctor(tmp_path)

    assert said.code == 2
    assert said.verdict("port") == "fail"
    assert address in said.text("port")


async def test_a_secret_that_others_can_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[smtp]\npassword = "hunter2-unique"\n')
    (tmp_path / "settings.toml").chmod(0o644)

    said = await doctor(tmp_path)

    assert said.verdict("secrets") == "warn"
    assert "chmod go-rwx" in said.text("secrets")
    assert "hunter2" not in json.dumps(said.report) + said.errors


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = await doctor(tmp_path / "gone")

    assert said.code == 2
    assert "There is no folder" in said.errors


@pytest.mark.timeout(300)
async def test_the_load_holds_beside_a_running_bell_that_notices_nothing_and_mails_nobody(
    tmp_path: Path,
) -> None:
    async with MailHost() as host, RealPlatform(tmp_path) as platform:
        platform.add_person("Ana")
        key = platform.add_key("Ana", "publish")
        (tmp_path / "settings.toml").write_text(
            f'[smtp]\nhost = "127.0.0.1"\nport = {host.port}\nstarttls = false\nsender = "bell@example.org"\n'
        )
        said = await doctor(tmp_path, "--load", str(SHARERS), "--seconds", "4")
        async with platform.client(key) as client:
            reading = {"measured_at": int(time.time() * 1000), "glucose_mgdl": 112}  # noqa: TID251 a phone's clock
            answer = await client.post("/v1/readings", json={"readings": [reading]})
        people = platform.ask("person.list", Nothing(), People).people

    first = said.report["steps"][0]
    assert first["times"] == 1.0
    assert first["sent"]["kept"] == first["sent"]["sent"] == 4, "a reading a second at least"
    assert first["sent"]["refused"] == first["sent"]["failed"] == 0
    assert first["memory_mb"] > 0
    assert f"{SHARERS} sharers" in said.text("load")
    assert host.letters == []
    assert [person.name for person in people] == ["Ana"], "nobody of the house came to live here"
    assert answer.status_code == 200
    assert shadows(tmp_path) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_load_that_is_broken_off_leaves_neither_folder_nor_process(
    how: signal.Signals, tmp_path: Path
) -> None:
    process = await begun(tmp_path, "--load", str(SHARERS), "--seconds", "300")
    place = await until_its_bell_starts(process, tmp_path)
    await asyncio.sleep(1)

    process.send_signal(how)
    async with asyncio.timeout(ENDS_S_MAX):
        await process.communicate()

    assert process.returncode == 130
    assert not place.exists()
    assert processes_on(place) == []


async def until_its_bell_starts(process: asyncio.subprocess.Process, folder: Path) -> Path:
    """The made-up house, once a bell is started in it."""
    async with asyncio.timeout(120):
        while not any((place / "platform.log").is_file() for place in shadows(folder)):
            assert process.returncode is None
            await asyncio.sleep(0.1)
    (place,) = shadows(folder)
    return place


@pytest.mark.timeout(300)
async def test_what_a_killed_load_leaves_is_removed_by_the_next_doctor_and_never_before_the_kill(
    tmp_path: Path,
) -> None:
    process = await begun(tmp_path, "--load", str(SHARERS), "--seconds", "300")
    place = await until_its_bell_starts(process, tmp_path)
    beside = await doctor(tmp_path)
    there = place.is_dir()

    process.kill()
    await process.wait()
    async with asyncio.timeout(ENDS_S_MAX):
        while processes_on(place):
            await asyncio.sleep(0.2)
    left = place.is_dir()
    said = await doctor(tmp_path)

    assert there
    assert {one["name"] for one in beside.report["findings"]}.isdisjoint({"leftovers"})
    assert left, "nobody was there to remove it"
    assert str(place) in said.text("leftovers")
    assert said.verdict("leftovers") == "ok"
    assert shadows(tmp_path) == []


async def test_a_shadow_of_which_we_cannot_say_whose_it_is_is_named_and_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "shadow-abcd1234"
    place.mkdir()

    said = await doctor(tmp_path)

    assert said.verdict("leftovers") == "warn"
    assert f"rm -r {place}" in said.text("leftovers")
    assert place.is_dir()


async def test_a_bell_that_starts_removes_what_a_killed_load_left(tmp_path: Path) -> None:
    place = tmp_path / "shadow-abcd1234"
    place.mkdir()
    (place / HELD_NAME).touch()
    (tmp_path / "shadow-of-mine").mkdir()

    async with RealPlatform(tmp_path):
        assert [path.name for path in shadows(tmp_path)] == ["shadow-of-mine"]


@pytest.mark.timeout(300)
async def test_a_bell_with_a_certificate_is_tried_with_it(tmp_path: Path) -> None:
    papers = (tmp_path / "cert.pem", tmp_path / "key.pem")
    issued = trustme.CA().issue_cert("bell.example.org", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(papers[0])
    issued.private_key_pem.write_to_path(papers[1])

    process = await begun(tmp_path, "--load", "2", "--seconds", "1", "--tls", *map(str, papers))
    place = await until_its_bell_starts(process, tmp_path)
    opened = ""
    while process.returncode is None and "127.0.0.1" not in opened:
        with contextlib.suppress(FileNotFoundError):
            opened = (place / "platform.log").read_text()
        await asyncio.sleep(0.05)
    out, _ = await process.communicate()

    assert "https://127.0.0.1" in opened
    first = json.loads(out)["steps"][0]["sent"]
    assert first["kept"] == first["sent"] == 1


def shadows(folder: Path) -> list[Path]:
    """The made-up houses in a folder."""
    return list(folder.glob("shadow-*"))


def processes_on(place: Path) -> list[str]:
    """The processes that were started with this folder."""
    found = Path("/proc").glob("[0-9]*")
    return [entry.name for entry in found if str(place).encode() in command_of(entry)]


def command_of(entry: Path) -> bytes:
    """How a process was started; empty if it is gone."""
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""
