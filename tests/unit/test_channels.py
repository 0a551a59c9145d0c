"""Which ways out there are with which settings."""

from pathlib import Path

import pytest

from nightbell.app.channel_addresses import FITS
from nightbell.app.channels import Channels
from nightbell.app.settings import load
from nightbell.app.wiring import CallbackProofs
from nightbell.web.show.ways import HIDDEN, shortened
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import ManualClock
from tests.simulators.cast import NOW_MS
from tests.simulators.proofs import PROOFS

ALL = """
public_url = "https://bell.example.org"
[pushover]
token = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
[ntfy]
server = "https://ntfy.sh"
[telegram]
token = "123456:ABC-DEF1234ghIkl"
"""


async def opened(folder: Path, content: str) -> Channels:
    (folder / "settings.toml").write_text(content)
    return Channels(load(folder, {}), ManualClock(NOW_MS), lambda _: "s", PROOFS, url="", keys=folder)


@pytest.mark.parametrize(
    ("content", "names"), [("", {"webhook"}), (ALL, {"webhook", "pushover", "ntfy", "telegram"})]
)
async def test_a_way_out_is_there_when_it_is_set_up_and_else_left_out(
    tmp_path: Path, content: str, names: set[str]
) -> None:
    channels = await opened(tmp_path, content)

    assert {channel.name for channel in channels.all} == {"apprise", *names}
    await channels.close()


def test_a_proof_is_for_one_message_of_one_channel_and_by_our_secret_only() -> None:
    proofs = {
        CallbackProofs(secret).of(channel, message)
        for secret, channel, message in (
            (b"a" * 32, "ntfy", "m1"),
            (b"b" * 32, "ntfy", "m1"),
            (b"a" * 32, "pushover", "m1"),
            (b"a" * 32, "ntfy", "m2"),
        )
    }

    assert len(proofs) == 4
    assert all(len(proof) == 32 and int(proof, 16) >= 0 for proof in proofs)
    assert CallbackProofs(b"a" * 32).of("ntfy", "\ud800")


def test_every_channel_has_a_name_and_an_address_that_can_be_checked_and_typed() -> None:
    words = catalogue()

    for name in FITS:
        assert words.has(f"page.channel_{name}"), name
        assert words.has(f"page.way_{name}"), name
        assert name == "web_push" or all(
            words.has(f"page.way_{part}_{name}") for part in ("add", "field", "help")
        ), name


def test_of_an_apprise_address_no_part_is_shown_but_the_service() -> None:
    assert shortened("apprise", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js") == f"discord://{HIDDEN}"
