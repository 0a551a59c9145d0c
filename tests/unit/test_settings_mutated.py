"""A settings file may be broken in any way: it is refused with a reason, or it is whole."""

from pathlib import Path

import pytest

from nightbell.app.settings import Settings, SettingsError, known, load
from nightbell.app.settings_pages import as_json
from tests.simulators.mutations import KINDS, kind_of, mutated

MUTATIONS = 1_000
"""Ten times the hundred that were asked for: they cost nothing here."""

RAISED_BY_OTHERS = ("Traceback", "pydantic", "errors.pydantic.dev")


def read(folder: Path, raw: bytes) -> Settings | SettingsError:
    """The settings, or why not. Anything else that is raised fails the test."""
    (folder / "settings.toml").write_bytes(raw)
    try:
        return load(folder, {})
    except SettingsError as error:
        return error


def test_a_thousand_mutations_are_refused_with_a_reason_or_are_whole(tmp_path: Path) -> None:
    refused: dict[str, int] = {}
    for seed in range(MUTATIONS):
        found = read(tmp_path, mutated(seed))
        if isinstance(found, Settings):
            assert set(as_json(found)) == {setting.key for setting in known()}
            assert found.address
            assert found.watcher_address
            continue
        refused[kind_of(seed)] = refused.get(kind_of(seed), 0) + 1
        names = [str(tmp_path / "settings.toml"), *(setting.key for setting in known()), "smtp", "tls"]
        for line in found.lines:
            assert any(name in line for name in names), f"seed {seed} names no key: {line}"
            assert not any(word in line for word in RAISED_BY_OTHERS), f"seed {seed}: {line}"
            assert "hunter2-unique" not in line, f"seed {seed} tells the secret"

    assert set(refused) == {kind.__name__.strip("_") for kind in KINDS}, "every kind is refused sometimes"
    assert 300 < sum(refused.values()) < 950, "some of both"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('listen = "\\u0000:80"', "listen: there is a sign in it that cannot be printed"),
        (f'listen = "{"x" * 70}:80"', "listen: write it as host:port"),
        ('listen = "a..b:80"', "listen: write it as host:port"),
        ('listen = "127.0.0.1:٣"', "listen: write it as host:port"),
        ('public_url = "https://bell.example.org:port"', "public_url: port could not be cast"),
        ("journal_days = true", "journal_days: write a whole number here"),
        ("journal_days = " + "9" * 5_000, "is not TOML"),
        ("listen = " + "[" * 3_000, "is not TOML"),
        ('[tls]\ncertificate = "a\\u0000.pem"\nkey = "b"', "tls.certificate: there is a sign"),
        ("[switches]\nalarms = false", "switches.alarms is not a setting"),
    ],
)
def test_what_would_break_later_is_refused_at_once(line: str, said: str, tmp_path: Path) -> None:
    found = read(tmp_path, line.encode())

    assert isinstance(found, SettingsError)
    assert said in str(found)
