"""`nightbell config`: whether the settings can be used, and what they are."""

import argparse
import sys

import msgspec

from nightbell.app.settings import FILE_NAME, Loaded, Settings, SettingsError, loaded
from nightbell.app.settings_pages import as_json, as_toml
from nightbell.app.tls import TlsError, TlsFiles, load_tls
from nightbell.cli.speak import CommandError, Speaker, say
from nightbell.words.clock import SystemClock


class Checked(msgspec.Struct, frozen=True):
    """What `config check` says to a program."""

    file: str
    there: bool
    warnings: list[str]


def settings_of(asked: argparse.Namespace) -> Settings:
    """The settings of the data directory that was asked for.

    Raises:
        CommandError: They cannot be used.
    """
    return loaded_of(asked).settings


def loaded_of(asked: argparse.Namespace, chosen: dict[str, object] | None = None) -> Loaded:
    """The same, with the bytes of their file.

    Raises:
        CommandError: They cannot be used.
    """
    try:
        return loaded(asked.data, chosen=chosen)
    except SettingsError as error:
        raise CommandError(say("settings_wrong", why="\n".join(error.lines)), code="settings") from None


def tls_of(settings: Settings) -> TlsFiles | None:
    """The certificate that the settings name, if any.

    Raises:
        CommandError: It cannot be used.
    """
    if settings.tls.certificate is None or settings.tls.key is None:
        return None
    try:
        return load_tls(settings.tls.certificate, settings.tls.key, SystemClock().now_ms())
    except TlsError as error:
        raise CommandError(say("tls_wrong", why=str(error)), code="tls") from None


def config_check(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Say whether `up` could start with these settings."""
    settings = settings_of(asked)
    tls = tls_of(settings)
    warnings = []
    if tls is None:
        warnings.append(say("no_tls"))
    elif tls.warning:
        warnings.append(tls.warning)
    if not settings.smtp.host:
        warnings.append(say("no_mail"))
    path = asked.data / FILE_NAME
    there = path.is_file()
    first = say("settings_good", file=str(path)) if there else say("settings_none", file=str(path))
    speaker.result(Checked(str(path), there, warnings), first, *warnings)


def config_show(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Print the settings in use, or the defaults, as a settings file."""
    settings = Settings() if asked.defaults else settings_of(asked)
    if speaker.as_json:
        sys.stdout.write(msgspec.json.encode(as_json(settings)).decode() + "\n")
    else:
        sys.stdout.write(as_toml(settings))
