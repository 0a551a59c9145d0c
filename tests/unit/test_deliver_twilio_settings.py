"""Twilio's settings: what is set up is offered, what cannot work is said, and no secret shows."""

from pathlib import Path

import msgspec
import pytest

from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.adapters.channels.twilio.voice import why_not_offered
from nightbell.app.channels import Channels
from nightbell.app.doctor.shadow import shadow_settings
from nightbell.app.settings import Settings, SettingsError, holds_secret, load
from nightbell.words.clock import ManualClock
from tests.contracts.callbacks_twilio import PUBLIC, settings
from tests.simulators.cast import NOW_MS
from tests.simulators.proofs import PROOFS
from tests.simulators.twilio_server import ACCOUNT, API_KEY, SERVICE, SMS_FROM, TOKEN


def test_without_a_way_back_no_calls_are_offered_and_it_is_said_why() -> None:
    whole = settings()
    for lacking in (
        {"public_url": ""},
        {"public_url": "https://my_bell.example.test"},
        {"auth_token": "", "api_key_sid": API_KEY},
    ):
        without = msgspec.structs.replace(whole, **lacking)
        assert not without.makes_calls
        assert "public_url" in why_not_offered(without)
    assert whole.makes_calls
    assert why_not_offered(whole) == ""
    assert why_not_offered(msgspec.structs.replace(whole, voice_from="")) == ""


def test_secrets_and_numbers_do_not_show() -> None:
    shown = repr(settings())

    assert TOKEN not in shown
    assert SMS_FROM not in shown


def chosen(folder: Path, text: str) -> Channels:
    (folder / "settings.toml").write_text(text, encoding="utf-8")
    return Channels(load(folder, {}), ManualClock(NOW_MS), lambda person: person, PROOFS, url="", keys=folder)


ACCOUNT_LINES = f'[twilio]\naccount_sid = "{ACCOUNT}"\nauth_token = "t"\n'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {"webhook"}),
        (f'{ACCOUNT_LINES}sms_from = "{SMS_FROM}"', {"webhook", "sms"}),
        (f'{ACCOUNT_LINES}voice_from = "{SMS_FROM}"', {"webhook"}),
        (f'public_url = "{PUBLIC}"\n{ACCOUNT_LINES}voice_from = "{SMS_FROM}"', {"webhook", "voice"}),
        (f'{ACCOUNT_LINES}messaging_service_sid = "{SERVICE}"\nsms_per_s = 100', {"webhook", "sms"}),
    ],
)
async def test_what_is_set_up_is_offered(tmp_path: Path, text: str, names: set[str]) -> None:
    channels = chosen(tmp_path, text)
    await channels.close()

    assert {channel.name for channel in channels.all} == {"apprise", *names}
    for channel in channels.all:
        if channel.name == "sms":
            assert channel.checklist.at_most_per_s == (100 if "per_s" in text else 1)
        if channel.name == "voice":
            assert channel.checklist.may_wake


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f'[twilio]\nsms_from = "{SMS_FROM}"', "account_sid"),
        (f'[twilio]\naccount_sid = "{ACCOUNT}"', "auth_token"),
        (f'{ACCOUNT_LINES}api_key_sid = "{API_KEY}"', "api_key_secret"),
        (f'{ACCOUNT_LINES}sms_from = "{SMS_FROM}"\nmessaging_service_sid = "{SERVICE}"', "exclude"),
        ('[twilio]\naccount_sid = "AC1"', "account_sid"),
        (f'{ACCOUNT_LINES}voice_from = "911"', "voice_from"),
        (f"{ACCOUNT_LINES}sms_per_s = 0", "sms_per_s"),
    ],
)
def test_settings_that_cannot_work_are_said_at_the_start(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        chosen(tmp_path, text)


def test_the_doctors_shadow_house_reaches_nobody_and_a_token_makes_the_file_secret(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'{ACCOUNT_LINES}sms_from = "{SMS_FROM}"', encoding="utf-8")
    deployed = load(tmp_path, {})

    assert shadow_settings(deployed).twilio == Settings().twilio
    assert holds_secret(deployed)
    assert not holds_secret(Settings())


def test_the_settings_of_the_struct_have_their_defaults() -> None:
    assert not TwilioSettings(account_sid=ACCOUNT).sends_sms
    assert not TwilioSettings(account_sid=ACCOUNT).makes_calls
