"""The units for systemd: each promise of the recipe stands in them, and we take their commands."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from nightbell.app.platform import WELL_MS_MAX
from nightbell.cli.main import parser
from tests.tidy.source import ROOT

RECIPES: Final = ROOT / "docs" / "recipes"
UNITS: Final = ("nightbell.service", "nightbell-watch.service")
FILES_MIN: Final = 65_536
EXPOSURE_MAX: Final = 2.0

Unit = dict[str, list[str]]


def unit(name: str) -> Unit:
    """Every key with its values, in order."""
    found: Unit = {}
    for line in (RECIPES / name).read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_the_command_line_takes_the_command_of_each_unit(name: str) -> None:
    (command,) = unit(name)["ExecStart"]
    program, *arguments = shlex.split(command)

    asked = parser().parse_args(arguments)

    assert Path(program).name == "nightbell"
    assert asked.data == Path("/var/lib") / unit(name)["StateDirectory"][0]


@pytest.mark.parametrize("name", UNITS)
def test_each_unit_is_started_again_for_ever(name: str) -> None:
    found = unit(name)

    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert found["RestartSec"] == ["2s"]


@pytest.mark.parametrize("name", UNITS)
def test_each_unit_may_write_to_its_own_folder_only_and_gains_no_rights(name: str) -> None:
    found = unit(name)

    assert found["ProtectSystem"] == ["strict"]
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["User"] == ["nightbell"]
    assert "ReadWritePaths" not in found
    assert int(found["LimitNOFILE"][0]) >= FILES_MIN
    assert found["MemoryMax"]
    assert found["TimeoutStopSec"]


def test_the_watchdog_is_more_patient_than_we_are() -> None:
    found = unit("nightbell.service")

    assert found["Type"] == ["notify"]
    assert int(found["WatchdogSec"][0].removesuffix("s")) * 1000 >= 2 * WELL_MS_MAX


def test_the_watcher_does_not_end_with_the_platform() -> None:
    (command,) = unit("nightbell.service")["ExecStart"]
    watcher = unit("nightbell-watch.service")

    assert "--no-watcher" in command
    assert not {"PartOf", "BindsTo", "Requires"} & set(watcher)
    assert not {"PartOf", "BindsTo", "Requires"} & set(unit("nightbell.service"))


@pytest.mark.process
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong_with_them(name: str, tmp_path: Path) -> None:
    text = (RECIPES / name).read_text(encoding="utf-8")
    there = text.replace("/opt/nightbell/.venv/bin/nightbell", "/bin/true")
    for other in UNITS:
        (tmp_path / other).write_text(there)

    said = subprocess.run(  # noqa: S603 systemd's own
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],  # noqa: S607 where it lies differs
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip

    ours = [line for line in said.stderr.splitlines() if name in line]
    assert not ours, "\n".join(ours)
