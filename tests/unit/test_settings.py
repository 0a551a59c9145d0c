"""Settings: one source after the other, and nothing that was meant is silently left out."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from nightbell.app.settings import Settings, SettingsError, known, load
from nightbell.app.settings_kinds import split_address
from nightbell.app.settings_pages import as_json, as_toml, reference
from tests.tidy.source import ROOT


def write(folder: Path, text: str) -> None:
    """Put a settings file there."""
    (folder / "settings.toml").write_text(text, encoding="utf-8")


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(tmp_path / "not-there", {})

    assert settings == Settings()
    assert settings.address == ("127.0.0.1", 8377)
    assert settings.watcher_address == ("127.0.0.1", 8378)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    write(tmp_path, 'listen = "127.0.0.1:1"\njournal_days = 9\nhistory_days = 30\n')

    settings = load(
        tmp_path,
        {"NIGHTBELL_LISTEN": "127.0.0.1:2", "NIGHTBELL_JOURNAL_DAYS": "10", "HOME": "/root"},
        chosen={"listen": "127.0.0.1:3"},
    )

    assert (settings.listen, settings.journal_days, settings.history_days) == ("127.0.0.1:3", 10, 30)


def test_a_secret_is_read_from_the_file_that_is_named_and_wins(tmp_path: Path) -> None:
    secret = tmp_path / "mail-password"
    secret.write_text("correct horse\n")
    write(tmp_path, '[smtp]\nhost = "mail.example.org"\nsender = "bell@example.org"\npassword = "old"\n')

    settings = load(tmp_path, {"NIGHTBELL_SMTP__PASSWORD_FILE": str(secret), "NIGHTBELL_SMTP__PASSWORD": "x"})

    assert settings.smtp.password.get_secret_value() == "correct horse"


def test_a_named_but_unreadable_secret_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"PASSWORD_FILE names .*gone.* cannot be read.*unset"):
        load(tmp_path, {"NIGHTBELL_SMTP__PASSWORD_FILE": str(tmp_path / "gone")})


@pytest.mark.parametrize("variable", ["NIGHTBELL_SMTP__PASSWORD_FILE", "NIGHTBELL_LISTEN_FILE"])
def test_only_secrets_may_stand_in_files(variable: str, tmp_path: Path) -> None:
    (tmp_path / "content").write_text("127.0.0.1:1")
    environ = {variable: str(tmp_path / "content")}

    if variable == "NIGHTBELL_LISTEN_FILE":
        with pytest.raises(SettingsError, match="is not a setting"):
            load(tmp_path, environ)
    else:
        assert load(tmp_path, environ).smtp.password.get_secret_value() == "127.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jurnal_days = 3\n", "Did you mean journal_days"),
        ("[smtp]\nprot = 25\n", "Did you mean smtp.port"),
        ("[stmp]\nport = 25\n", "stmp is not a setting"),
        ("smtp = 25\n", "smtp is not a setting"),
        ("journal_days = 1\n", "journal_days: input should be greater than or equal to 2"),
        ('listen = "here"\n', "write it as host:port"),
        ('public_url = "bell.example.org"\n', "write it as https://"),
        ("listen = \n", "is not TOML"),
        ('[tls]\ncertificate = "a.pem"\n', "go together"),
        ("[smtp]\ntls = true\n", "exclude each other"),
        ('[smtp]\nhost = "mail.example.org"\n', "sender must be an e-mail address"),
        ('[ntfy]\nserver = "https://ntfy.sh/topic"\n', "an address without a path"),
        ('[ntfy]\ntoken = "tk_1"\n', "token needs a server"),
        ('[telegram]\ntoken = "12 34"\n', "copy it from BotFather"),
        ("[pushover]\nretry_s = 29\n", "greater than or equal to 30"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(text: str, said: str, tmp_path: Path) -> None:
    write(tmp_path, text)

    with pytest.raises(SettingsError, match=said):
        load(tmp_path, {})


def test_an_unknown_variable_is_refused_but_those_of_others_are_not(tmp_path: Path) -> None:
    assert load(tmp_path, {"NIGHTBELL_DATA": "/srv/bell", "NIGHT": "1"}) == Settings()
    with pytest.raises(SettingsError, match="Did you mean NIGHTBELL_SMTP__HOST"):
        load(tmp_path, {"NIGHTBELL_SMTP_HOST": "mail.example.org"})


def test_a_fault_never_repeats_the_value_of_a_secret(tmp_path: Path) -> None:
    write(tmp_path, '[smtp]\nhost = "mail.example.org"\npassword = "hunter2-unique"\n')

    with pytest.raises(SettingsError) as raised:
        load(tmp_path, {})

    assert "hunter2-unique" not in str(raised.value)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "# long\n" * 100_000)

    with pytest.raises(SettingsError, match="not a settings file"):
        load(tmp_path, {})


def test_settings_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    settings = load(tmp_path, {})

    with pytest.raises(ValidationError, match="frozen"):
        settings.journal_days = 3


def test_the_file_that_is_shown_can_be_read_back(tmp_path: Path) -> None:
    chosen = load(
        tmp_path, {"NIGHTBELL_SMTP__HOST": "m.example.org", "NIGHTBELL_SMTP__SENDER": "b@example.org"}
    )

    write(tmp_path, as_toml(chosen))

    assert load(tmp_path, {}) == chosen


def test_no_form_of_showing_tells_a_secret(tmp_path: Path) -> None:
    settings = load(tmp_path, {"NIGHTBELL_SMTP__PASSWORD": "hunter2-unique"})

    shown = as_toml(settings) + repr(as_json(settings)) + repr(settings)

    assert "hunter2-unique" not in shown
    assert as_json(settings)["smtp.password"] == "***"


def test_every_setting_says_what_it_means() -> None:
    assert not [setting.key for setting in known() if not setting.field.description]
    assert tomllib.loads(as_toml(Settings()))["journal_days"] == 7


def test_the_reference_page_is_current() -> None:
    page = ROOT / "docs" / "reference" / "settings.md"

    assert page.read_text(encoding="utf-8") == reference(), "run: .venv/bin/python tools/reference.py"


@pytest.mark.parametrize(
    ("address", "split"),
    [("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:8377", ("::1", 8377)), ("bell.local:0", ("bell.local", 0))],  # noqa: S104 an address as typed
)
def test_addresses_are_split(address: str, split: tuple[str, int]) -> None:
    assert split_address(address) == split


@pytest.mark.parametrize("address", ["8377", ":8377", "host:", "host:x", "host:70000", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)


@pytest.mark.parametrize(
    "address", ["0.0.0.0:9377", "[::]:9377", "8.8.8.8:9377", "bell.example.org:9377", "9377"]
)
def test_numbers_are_never_offered_where_the_public_could_reach_them(tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match="metrics_listen"):
        load(tmp_path, {"NIGHTBELL_METRICS_LISTEN": address})


@pytest.mark.parametrize("address", ["", "127.0.0.1:9377", "localhost:9377", "[::1]:0", "192.168.1.5:9377"])
def test_numbers_are_offered_near_by_or_nowhere(tmp_path: Path, address: str) -> None:
    assert load(tmp_path, {"NIGHTBELL_METRICS_LISTEN": address}).metrics_listen == address


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ('host = "imap.example.org"', "user"),
        ('host = "imap.example.org"\nuser = "bell"\ntls = false', "tls"),
        ('host = "127.0.0.1"\nuser = "bell"\ntls = false\nport = 143', ""),
        ('host = "imap.example.org"\nuser = "bell"\npassword = "pässword"', "password"),
        ('host = "imap.example.org"\nuser = "bell"\npassword = "a\\r\\nb"', "password"),
        ('host = "imap.example.org"\nuser = "bell"\nfolder = "Größe"', "folder"),
        ("", ""),
    ],
)
def test_a_mailbox_for_bounces_is_whole_and_its_password_does_not_travel_in_the_open(
    tmp_path: Path, table: str, word: str
) -> None:
    write(tmp_path, f"[bounces]\n{table}\n")

    try:
        load(tmp_path, {})
        said = ""
    except SettingsError as error:
        said = str(error)

    assert word in said
    assert bool(said) is bool(word)
