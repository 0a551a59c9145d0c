"""Settings broken before a start, and under a running bell: refused with a reason, or all works."""

import asyncio
import os
import re
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from nightbell.app.control_words import Health, Nothing
from nightbell.app.settings import SettingsError, load
from tests.acceptance.real_platform import RealPlatform
from tests.simulators.mutations import WHOLE, mutated

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket]

STARTED_FOR_REAL: Final = 14
"""Of the hundred mutations, the rest is judged by reading alone (`tests/unit/test_settings_mutated.py`)."""

MUTATIONS: Final = 100


def bell(folder: Path, *options: str) -> RealPlatform:
    """A bell that says where it really answers, whatever its file says of how people reach it."""
    return RealPlatform(folder, "--no-watcher", *options, NIGHTBELL_PUBLIC_URL="")


class Refused(NamedTuple):
    """A start that was refused."""

    code: int
    said: str


async def refused(folder: Path, *options: str, **environment: str) -> Refused:
    """Start a platform that must refuse."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nightbell.cli.main", "up", "--data", str(folder), "--no-watcher",
        "--listen", "127.0.0.1:0", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=os.environ | environment,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return Refused(process.returncode, said.decode())


async def acknowledged(platform: RealPlatform, key: str) -> bool:
    """Whether the door takes a reading now."""
    async with platform.client(key) as client:
        reading = {"measured_at": int(time.time() * 1000), "glucose_mgdl": 112}  # noqa: TID251 a phone's own clock
        answer = await client.post("/v1/readings", json={"readings": [reading]})
    return answer.status_code == 200 and answer.json()["accepted"] == 1


async def until_well(platform: RealPlatform) -> Health:
    """Wait until the first second is evaluated; how it is."""
    async with asyncio.timeout(30):
        while not (health := platform.ask("health", Nothing(), Health)).well:
            await asyncio.sleep(0.1)
    return health


async def furnished(folder: Path) -> str:
    """A folder on which a bell ran well with `WHOLE`: the key of Ana's phone."""
    (folder / "settings.toml").write_text(WHOLE)
    async with bell(folder) as platform:
        platform.add_person("Ana")
        return platform.add_key("Ana", "publish")


@pytest.mark.timeout(300)
async def test_a_mutated_file_never_starts_half_a_bell(tmp_path: Path) -> None:
    key = await furnished(tmp_path)
    seeds = range(0, MUTATIONS, MUTATIONS // STARTED_FOR_REAL)
    started = 0

    for seed in seeds:
        (tmp_path / "settings.toml").write_bytes(mutated(seed))
        try:
            load(tmp_path, {}, chosen={"listen": "127.0.0.1:0"})
        except SettingsError as error:
            why = error.lines[0]
        else:
            why = ""
        if why:
            end = await refused(tmp_path)
            assert end.code == 1, f"seed {seed}: {end.said}"
            assert why in end.said
            assert "settings.last-good.toml" in end.said
            assert "Traceback" not in end.said
            continue
        async with bell(tmp_path) as platform:
            await until_well(platform)
            assert await acknowledged(platform, key), f"seed {seed}"
        started += 1

    assert 0 < started < len(seeds), "some of both"


async def test_a_named_but_unreadable_secret_refuses_to_start(tmp_path: Path) -> None:
    end = await refused(tmp_path, NIGHTBELL_SMTP__PASSWORD_FILE=str(tmp_path / "gone"))

    assert end.code == 1
    assert "NIGHTBELL_SMTP__PASSWORD_FILE" in end.said
    assert "cannot be read" in end.said


async def test_the_last_good_file_is_kept_for_its_owner_and_a_broken_one_never_replaces_it(
    tmp_path: Path,
) -> None:
    key = await furnished(tmp_path)
    kept = tmp_path / "settings.last-good.toml"
    (tmp_path / "settings.toml").write_text(WHOLE.replace("journal_days = 7", "journal_days = 0"))

    end = await refused(tmp_path)

    assert kept.read_text() == WHOLE
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "journal_days: input should be greater than or equal to 2" in end.said
    assert re.search(rf"{re.escape(str(kept))}.*--last-good", end.said)
    async with bell(tmp_path, "--last-good") as platform:
        health = await until_refused_file_is_told(platform)
        assert await acknowledged(platform, key)
    assert "journal_days" in health.failing
    assert kept.read_text() == WHOLE


async def until_refused_file_is_told(platform: RealPlatform) -> Health:
    """Wait until health says that the settings file cannot be used."""
    async with asyncio.timeout(30):
        while "settings file" not in (health := platform.ask("health", Nothing(), Health)).failing:
            await asyncio.sleep(0.1)
    return health


async def test_last_good_settings_that_are_not_there_are_not_made_up(tmp_path: Path) -> None:
    end = await refused(tmp_path, "--last-good")

    assert end.code == 1
    assert "no last good settings" in end.said


async def test_a_running_bell_outlives_every_break_of_its_file_and_says_so(tmp_path: Path) -> None:
    key = await furnished(tmp_path)
    async with bell(tmp_path) as platform:
        await until_well(platform)
        for raw in (b"\x00\xff", b"journal_days = 0\n", WHOLE.encode()[:40], b"[switches]\nbackfill = 7\n"):
            (tmp_path / "settings.toml").write_bytes(raw)
            health = await until_refused_file_is_told(platform)
            assert health.switched_off == []
            assert await acknowledged(platform, key)
        (tmp_path / "settings.toml").unlink()
        assert await acknowledged(platform, key)
        (tmp_path / "settings.toml").write_text(WHOLE)
        health = await until_well(platform)

    assert health.failing == ""


async def test_a_watcher_that_starts_on_a_broken_file_goes_on_with_the_last_good_one(tmp_path: Path) -> None:
    await furnished(tmp_path)
    (tmp_path / "settings.toml").write_text("jurnal_days = 3\n")
    watcher = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nightbell.cli.main", "watch", "--data", str(tmp_path),
        "--listen", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while not (tmp_path / "watcher" / "health.json").is_file():
                assert watcher.returncode is None, (await watcher.communicate())[0].decode()
                await asyncio.sleep(0.1)
    finally:
        if watcher.returncode is None:
            watcher.terminate()
    said, _ = await watcher.communicate()

    assert "jurnal_days is not a setting" in said.decode()
    assert "settings.last-good.toml" in said.decode()
