"""Kill switches: what the file says is what they do, and a broken file does nothing."""

from pathlib import Path

import pytest

from nightbell.app.settings import Settings, Switches, load
from nightbell.app.switches import RETRY_AFTER_S, SwitchBoard, SwitchFile
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError

NEVER_SWITCHED = {"alarms", "answers", "live", "stream"}


class Bell:
    """A board and the file that turns it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "settings.toml"
        self.board = SwitchBoard(Settings().switches, catalogue())
        self.reads = 0
        self.file = SwitchFile(self.path, self._read, self.board, catalogue())

    def _read(self) -> Settings:
        self.reads += 1
        return load(self.path.parent, {})

    def write(self, text: str) -> None:
        """Change the file, and let it be looked at."""
        self.path.write_text(text)
        self.file.look()


@pytest.fixture
def bell(tmp_path: Path) -> Bell:
    return Bell(tmp_path)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("backfill", SwitchBoard.may_backfill),
        ("history", SwitchBoard.may_read_history),
        ("new_sign_ins", SwitchBoard.may_sign_in),
    ],
)
def test_a_switch_that_is_off_refuses_with_a_sentence_and_on_passes(
    name: str, asked: object, bell: Bell
) -> None:
    assert callable(asked)
    asked(bell.board)

    bell.write(f"[switches]\n{name} = false\n")

    with pytest.raises(PlatformError) as raised:
        asked(bell.board)
    assert (raised.value.code, raised.value.retry_after_s) == (ErrorCode.SWITCHED_OFF, RETRY_AFTER_S)
    assert raised.value.sentence
    assert bell.board.off() == [name]

    bell.write("")
    asked(bell.board)
    assert bell.board.off() == []


def test_alarms_answers_live_readings_and_streams_have_no_switch() -> None:
    assert not [name for name in Switches.model_fields if any(word in name for word in NEVER_SWITCHED)]
    assert set(Switches.model_fields) == {"backfill", "history", "new_sign_ins"}


@pytest.mark.parametrize("broken", ["[switches", "[switches]\nbackfill = 7\n", "jurnal_days = 1\n"])
def test_a_broken_file_turns_nothing_and_is_told_until_it_is_mended(broken: str, bell: Bell) -> None:
    bell.write("[switches]\nhistory = false\n")

    bell.write(broken)
    assert bell.board.off() == ["history"]
    assert "settings file can not be used" in bell.board.failing

    bell.write("[switches]\nbackfill = false\n")
    assert bell.board.off() == ["backfill"]
    assert bell.board.failing == ""


def test_a_file_that_is_away_turns_nothing(bell: Bell) -> None:
    bell.write("[switches]\nhistory = false\n")

    bell.path.unlink()
    bell.file.look()

    assert bell.board.off() == ["history"]


def test_a_file_that_did_not_change_is_not_read_again(bell: Bell) -> None:
    bell.write("[switches]\nhistory = false\n")

    bell.file.look()
    bell.file.look()

    assert bell.reads == 1


def test_the_positions_are_given_by_name_for_whoever_counts_them(bell: Bell) -> None:
    bell.write("[switches]\nnew_sign_ins = false\n")

    assert bell.board.positions() == {"backfill": True, "history": True, "new_sign_ins": False}
