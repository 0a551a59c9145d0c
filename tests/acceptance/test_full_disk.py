"""Goal: a bell killed on a disk without a byte of room starts, rings from memory, and heals by itself.

Method: a small file system of its own, filled to the last byte; no call is made to fail by hand.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.test_platform_faults import FULL, assert_heals_and_kept_all_once, scene

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

ROOM: Final = "24m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be filled."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 our own folder
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607 the same


def fill(place: Path) -> Path:
    """Take every byte that is left."""
    filling = place / "filling"
    handle = os.open(filling, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(handle, bytes(4096))
    except OSError:
        return filling
    finally:
        os.close(handle)


async def test_a_bell_killed_on_a_full_disk_starts_rings_from_memory_and_takes_readings_once_there_is_room(
    small_disk: Path,
) -> None:
    async with scene(small_disk / "data") as ana:
        assert (await ana.phone.measure(110)).is_success
        await ana.screen.close()
        port = ana.platform.port
        await ana.platform.kill()
        filling = fill(small_disk)

        await ana.platform.start(port)
        await ana.open_screen()
        refused = await ana.phone.measure(50)
        told = await ana.rang()
        health = await ana.until_health(lambda health: FULL in health.failing)
        filling.unlink()

        assert refused.status_code == 503
        assert told.data["urgent"]
        assert "Alarms still work." in health.failing
        await assert_heals_and_kept_all_once(ana)


async def test_a_bell_that_cannot_even_open_its_files_says_that_the_disk_is_full_and_starts_with_room(
    small_disk: Path,
) -> None:
    async with scene(small_disk / "data") as ana:
        assert (await ana.phone.measure(110)).is_success
        await ana.screen.close()
        port = ana.platform.port
        await ana.platform.kill(signal.SIGTERM)  # with the logs of its files brought back and removed
        filling = fill(small_disk)

        with pytest.raises(AssertionError):
            await ana.platform.start(port)
        said = b"".join(ana.platform.said).decode()
        filling.unlink()
        await ana.platform.start(port)
        await ana.open_screen()

        assert "the disk with" in said
        assert "Make room, then start again." in said
        await assert_heals_and_kept_all_once(ana)
