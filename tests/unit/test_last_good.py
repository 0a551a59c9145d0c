"""The last good settings: kept as they were, for their owner, and there when the file is broken."""

from pathlib import Path

import pytest

from nightbell.app.last_good import keep_last_good, last_good, settings_or_last_good
from nightbell.app.settings import LAST_GOOD_NAME, SettingsError

GOOD = b"journal_days = 9\n"


def test_they_are_kept_byte_for_byte_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    kept = tmp_path / LAST_GOOD_NAME
    kept.write_bytes(b"older")
    kept.chmod(0o644)

    keep_last_good(tmp_path, GOOD)

    assert kept.read_bytes() == GOOD
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [LAST_GOOD_NAME]


def test_the_same_ones_are_not_written_again_but_closed_to_others(tmp_path: Path) -> None:
    keep_last_good(tmp_path, GOOD)
    kept = tmp_path / LAST_GOOD_NAME
    number = kept.stat().st_ino
    kept.chmod(0o644)

    keep_last_good(tmp_path, GOOD)

    assert kept.stat().st_ino == number
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_start_without_a_file_leaves_the_older_one(tmp_path: Path) -> None:
    keep_last_good(tmp_path, GOOD)

    keep_last_good(tmp_path, None)

    assert (tmp_path / LAST_GOOD_NAME).read_bytes() == GOOD


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / f"{LAST_GOOD_NAME}.new").mkdir()

    keep_last_good(tmp_path, GOOD)

    assert last_good(tmp_path) is None


def test_a_broken_file_falls_back_and_says_why(tmp_path: Path) -> None:
    keep_last_good(tmp_path, GOOD)
    (tmp_path / "settings.toml").write_text("jurnal_days = 3\n")

    found, faults = settings_or_last_good(tmp_path)

    assert found.settings.journal_days == 9
    assert "jurnal_days" in faults[0]


def test_a_good_file_wins(tmp_path: Path) -> None:
    keep_last_good(tmp_path, GOOD)
    (tmp_path / "settings.toml").write_text("journal_days = 3\n")

    found, faults = settings_or_last_good(tmp_path)

    assert (found.settings.journal_days, faults) == (3, [])


def test_where_neither_can_be_used_the_file_is_what_is_told(tmp_path: Path) -> None:
    keep_last_good(tmp_path, b"\x00")
    (tmp_path / "settings.toml").write_text("jurnal_days = 3\n")

    with pytest.raises(SettingsError, match="jurnal_days"):
        settings_or_last_good(tmp_path)
