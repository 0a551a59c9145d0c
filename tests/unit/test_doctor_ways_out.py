"""What the doctor says of the channels that are set up, and of those that are kept back."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightbell.app.doctor import ways_out
from nightbell.app.doctor.finding import Verdict
from nightbell.app.settings import Settings, load
from nightbell.words.catalogue import catalogue
from tests.simulators.twilio_server import ACCOUNT, SMS_FROM, TOKEN

CALLS = f'[twilio]\naccount_sid = "{ACCOUNT}"\nauth_token = "{TOKEN}"\nvoice_from = "{SMS_FROM}"\n'


def chosen(folder: Path, text: str) -> Settings:
    """Settings as an operator writes them."""
    (folder / "settings.toml").write_text(text)
    return load(folder, {})


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port of ours that takes a line and never says a word."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


@pytest.mark.enable_socket
def test_calls_that_are_set_up_and_kept_back_are_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    found = ways_out.channels(catalogue(), tmp_path, chosen(tmp_path, CALLS))

    voice = [finding for finding in found if finding.name == "channel_voice"]
    assert [finding.verdict for finding in voice] == [Verdict.FAIL]
    assert "public_url" in voice[0].todo


@pytest.mark.enable_socket
def test_of_calls_that_nobody_set_up_nothing_is_said(tmp_path: Path) -> None:
    found = ways_out.channels(catalogue(), tmp_path, chosen(tmp_path, "journal_days = 9\n"))

    assert "channel_voice" not in {finding.name for finding in found}


@pytest.mark.enable_socket
def test_a_channel_that_never_answers_comes_to_an_end_and_says_what_to_do(
    tmp_path: Path, deaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways_out, "PROVE_S_MAX", 0.1)
    mail = f'[smtp]\nhost = "127.0.0.1"\nport = {deaf}\nsender = "bell@example.org"\nstarttls = false\n'

    found = ways_out.channels(catalogue(), tmp_path, chosen(tmp_path, mail))

    slow = [finding for finding in found if finding.name == "channel_email"]
    assert [finding.verdict for finding in slow] == [Verdict.FAIL]
    assert "Try again" in slow[0].todo
