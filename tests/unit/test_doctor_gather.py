"""What the doctor measures, on real files and sockets."""

import socket
from pathlib import Path

import pytest

from nightbell.adapters.machine.disk import file_system, measure_disk, size_bytes
from nightbell.adapters.machine.system import measure_limits, moment
from nightbell.app.doctor.gather import port_state, secret_files
from nightbell.app.doctor.shadow import ShadowError, shadow_settings, try_load
from nightbell.app.settings import Settings, load
from nightbell.app.settings_pages import as_toml

MOUNTS = """\
22 28 0:20 / /proc rw - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 28 0:30 / /srv rw - nfs4 host:/x rw
31 30 0:31 / /srv/my\\040bell rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/srv/other", "nfs4"), ("/srv/my bell/data", "xfs"), ("/var", "ext4"), ("/srvother", "ext4")],
)
def test_the_innermost_mount_says_what_file_system_it_is(folder: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)

    assert file_system(Path(folder), tmp_path / "mountinfo") == kind


def test_without_a_list_of_mounts_the_file_system_is_unknown(tmp_path: Path) -> None:
    assert file_system(tmp_path, tmp_path / "gone") == ""


def test_measuring_a_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"x" * 1_000)

    disk = measure_disk(tmp_path, syncs=5)

    assert len(disk.syncs_ms) == 5
    assert min(disk.syncs_ms) > 0
    assert disk.free_bytes > 0
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert size_bytes(tmp_path) == 1_000


def test_both_clocks_go_on_and_the_limits_are_those_of_a_machine() -> None:
    first, last = moment(), moment()
    limits = measure_limits()

    assert last.steady_ms >= first.steady_ms
    assert limits.cores >= 1
    assert limits.files > 0
    assert limits.memory_mb > 0


@pytest.mark.enable_socket
def test_a_port_is_free_or_taken_or_ours_or_not_to_be_had() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        address = f"127.0.0.1:{door.getsockname()[1]}"
        assert port_state(address, ours=False) == "taken"
        assert port_state(address, ours=True) == "ours"
    assert port_state(address, ours=False) == "free"
    assert port_state("192.0.2.1:8377", ours=False) == "unhad"


@pytest.mark.parametrize("secret", ['[smtp]\npassword = "x"\n', '[telegram]\ntoken = "1:x"\n'])
def test_every_file_that_holds_a_secret_is_looked_at(tmp_path: Path, secret: str) -> None:
    (tmp_path / "settings.toml").write_text(secret)
    (tmp_path / "settings.toml").chmod(0o644)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signing").write_text("x")
    (tmp_path / "keys" / "signing").chmod(0o600)
    environ = {"NIGHTBELL_SMTP__PASSWORD_FILE": str(tmp_path / "gone")}

    found = {Path(file.path).name: file for file in secret_files(tmp_path, load(tmp_path, {}), environ)}

    assert set(found) == {"settings.toml", "signing", "gone"}
    assert not found["settings.toml"].private
    assert found["signing"].private
    assert not found["gone"].readable


def test_a_settings_file_without_a_secret_may_be_read_by_all(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("journal_days = 9\n")

    assert secret_files(tmp_path, load(tmp_path, {}), {}) == []


def test_the_shadow_has_the_deployed_settings_and_no_way_to_anybody(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        'listen = "0.0.0.0:443"\npublic_url = "https://bell.example.org"\njournal_days = 9\n'
        'metrics_listen = "127.0.0.1:9377"\n'
        '[smtp]\nhost = "mail.example.org"\nsender = "bell@example.org"\npassword = "hunter2-unique"\n'
        '[pushover]\ntoken = "hunter2-pushover"\n'
        '[ntfy]\nserver = "https://ntfy.sh"\ntoken = "hunter2-ntfy"\n'
        '[telegram]\ntoken = "1:hunter2-telegram"\n'
        "[lanes]\nlive_readings_max = 5000\n"
    )
    deployed = load(tmp_path, {})

    (tmp_path / "settings.toml").write_text(as_toml(shadow_settings(deployed)))
    shadow: Settings = load(tmp_path, {})

    assert (shadow.journal_days, shadow.lanes.live_readings_max) == (9, 5_000)
    assert shadow.listen == "127.0.0.1:0"
    assert shadow.public_url == ""
    assert shadow.smtp.host == ""
    assert (shadow.ntfy.server, shadow.pushover.token.get_secret_value()) == ("", "")
    assert shadow.telegram.token.get_secret_value() == ""
    assert not shadow.canary
    assert shadow.metrics_listen == "", "it would take the address of the live one"
    assert "hunter2" not in (tmp_path / "settings.toml").read_text()


def test_a_house_there_is_no_room_for_is_refused_before_anything_begins(tmp_path: Path) -> None:
    begun: list[str] = []

    with pytest.raises(ShadowError) as raised:
        try_load(tmp_path, Settings(), 10**12, seconds=1, told=lambda key, **_: begun.append(key))

    assert raised.value.key == "load_no_room"
    assert begun == []
    assert list(tmp_path.iterdir()) == []
