"""One frozen `Settings`, read once: from DIR/settings.toml, then the environment, then secret files.

A later source wins. A key that is not known is an error, in the file and in the environment: a misspelt
setting must not be silently the default. A secret may stand in a file of its own, named by the variable with
`_FILE` added.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nightbell.app.settings_channels import (
    Apprise,
    Bounces,
    Ntfy,
    Pushover,
    Smtp,
    Telegram,
    Twilio,
    WebPush,
)
from nightbell.app.settings_kinds import Address, NearAddress, Section, Url, Whole, split_address

PREFIX: Final = "NIGHTBELL_"
NESTED: Final = "__"
FILE_SUFFIX: Final = "_FILE"
FILE_NAME: Final = "settings.toml"
LAST_GOOD_NAME: Final = "settings.last-good.toml"
"""The settings file as it was when the platform last started well."""

FILE_BYTES_MAX: Final = 256 * 1024
SECRET_BYTES_MAX: Final = 16 * 1024

NOT_SETTINGS: Final = frozenset({"NIGHTBELL_DATA", "NIGHTBELL_CHROMIUM"})
"""Variables with our prefix that are no settings: the default of --data, and the browser of our own tests."""


class SettingsError(Exception):
    """The settings cannot be used. `lines` say what is wrong and what to do, one fault a line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Tls(Section):
    """Encrypt what browsers and phones send. Both or neither; `--tls CERT KEY` wins."""

    certificate: Path | None = Field(default=None, description="PEM file with the certificate and its chain.")
    key: Path | None = Field(default=None, description="PEM file with its private key.")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: give both or neither")
        return self


class Lanes(Section):
    """How much may wait before the door says 503. Live readings never wait behind late ones."""

    live_readings_max: Whole = Field(
        default=100_000, ge=1_000, le=5_000_000, description="Live readings waiting for the disk, at most."
    )
    backfill_readings_max: Whole = Field(
        default=200_000, ge=1_000, le=5_000_000, description="Late readings waiting for the disk, at most."
    )


class Switches(Section):
    """What can be switched off while all runs: a change of the file acts within 5 s, without a restart.

    Alarms, answers, live readings and open screens have no switch.
    """

    backfill: bool = Field(
        default=True, description="Take late readings. Off: phones keep them and send them again later."
    )
    history: bool = Field(
        default=True, description="Read older readings for graphs. Off: the newest one is still shown."
    )
    new_sign_ins: bool = Field(
        default=True, description="Check passwords. Off: whoever is signed in stays so, nobody else gets in."
    )


class Settings(BaseSettings):
    """Everything an operator can choose. See docs/reference/settings.md, which is made from this class."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    listen: Address = Field(
        default="127.0.0.1:8377", description="Where the platform answers. Port 0 takes a free one."
    )
    watcher_listen: Address = Field(
        default="127.0.0.1:8378", description="Where the watcher's own pages answer."
    )
    metrics_listen: NearAddress = Field(
        default="",
        description="Where Prometheus reads numbers, as 127.0.0.1:9377. Never public. Empty: nowhere.",
    )
    public_url: Url = Field(
        default="", description="What people type to reach the platform. Empty: made from listen."
    )
    watcher_url: Url = Field(
        default="", description="What people type to reach the watcher. Empty: made from watcher_listen."
    )
    journal_days: Whole = Field(default=7, ge=2, le=365, description="Days that the journal is kept.")
    history_days: Whole = Field(
        default=90, ge=7, le=3_650, description="Days that readings are kept for graphs."
    )
    allow_private_webhooks: bool = Field(
        default=False,
        description="Let webhooks reach private addresses, as Home Assistant. Off protects your network.",
    )
    canary: bool = Field(
        default=True, description="Let the watcher send its own test readings all the way, all the time."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        default="auto", description="How logs look: text on a terminal, else json, unless chosen here."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lines of the log below this are not written."
    )
    tls: Tls = Field(default_factory=lambda: Tls.model_validate({}))
    smtp: Smtp = Field(default_factory=lambda: Smtp.model_validate({}))
    twilio: Twilio = Field(default_factory=lambda: Twilio.model_validate({}))
    pushover: Pushover = Field(default_factory=lambda: Pushover.model_validate({}))
    ntfy: Ntfy = Field(default_factory=lambda: Ntfy.model_validate({}))
    telegram: Telegram = Field(default_factory=lambda: Telegram.model_validate({}))
    web_push: WebPush = Field(default_factory=lambda: WebPush.model_validate({}))
    bounces: Bounces = Field(default_factory=lambda: Bounces.model_validate({}))
    apprise: Apprise = Field(default_factory=lambda: Apprise.model_validate({}))
    lanes: Lanes = Field(default_factory=lambda: Lanes.model_validate({}))
    switches: Switches = Field(default_factory=lambda: Switches.model_validate({}))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 the signature of pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the signature of pydantic-settings
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the signature of pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the signature of pydantic-settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take nothing but what `load` hands over: it reads every source itself, strictly."""
        return (init_settings,)

    @property
    def address(self) -> tuple[str, int]:
        """Where the platform listens, as host and port."""
        return split_address(self.listen)

    @property
    def watcher_address(self) -> tuple[str, int]:
        """Where the watcher listens, as host and port."""
        return split_address(self.watcher_listen)


class Known(BaseModel):
    """One setting: its dotted key, its field, and whether it is a secret."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    key: str
    field: FieldInfo
    secret: bool

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.key.upper().replace(".", NESTED)


def sections() -> dict[str, type[Section]]:
    """The tables of the settings file by their names, in order."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def known() -> Iterator[Known]:
    """Every setting, those outside tables first."""
    tables = sections()
    for name, field in Settings.model_fields.items():
        if name not in tables:
            yield Known(key=name, field=field, secret=field.annotation is SecretStr)
    for table, section in tables.items():
        for name, field in section.model_fields.items():
            yield Known(key=f"{table}.{name}", field=field, secret=field.annotation is SecretStr)


def holds_secret(settings: Settings) -> bool:
    """Whether any secret is set: then their files are nobody else's to read."""
    tables = [getattr(settings, name) for name in sections()]
    values = [value for table in tables for _, value in table]
    return any(value.get_secret_value() for value in values if isinstance(value, SecretStr))


class Loaded(NamedTuple):
    """Settings, and the very bytes of the file they were read from; None if there was none."""

    settings: Settings
    raw: bytes | None


def load(
    folder: Path, environ: Mapping[str, str] | None = None, *, chosen: Mapping[str, object] | None = None
) -> Settings:
    """Read the settings of a data directory; see `loaded`.

    Raises:
        SettingsError: Something is unknown, malformed or unreadable.
    """
    return loaded(folder, environ, chosen=chosen).settings


def loaded(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    chosen: Mapping[str, object] | None = None,
    name: str = FILE_NAME,
) -> Loaded:
    """Read the settings of a data directory.

    Args:
        folder: The data directory; it need not exist yet.
        environ: The environment; this process's own if not given.
        chosen: What the command line chose, by dotted key; wins over everything.
        name: Which file of the folder.

    Raises:
        SettingsError: Something is unknown, malformed or unreadable.
    """
    path = folder / name
    raw = _read(path)
    values = {} if raw is None else _from_file(path, raw)
    values |= _from_environment(os.environ if environ is None else environ)
    values |= chosen or {}
    wrong = [
        f"{key}: there is a sign in it that cannot be printed. Write it anew."
        for key, value in values.items()
        if isinstance(value, str) and not value.isprintable() and key not in _secrets()
    ]
    if wrong:
        raise SettingsError(wrong)
    try:
        return Loaded(Settings.model_validate(_nested(values)), raw)
    except ValidationError as error:
        raise SettingsError([_fault(fault) for fault in error.errors(include_url=False)]) from None


def _secrets() -> frozenset[str]:
    return frozenset(setting.key for setting in known() if setting.secret)


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    """Turn dotted keys into tables."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        table, dot, name = key.partition(".")
        if dot:
            nested.setdefault(table, {})[name] = value
        else:
            nested[key] = value
    return nested


def _unknown(what: str, name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{what}: {name} is not a setting.{hint}"


def _read(path: Path) -> bytes | None:
    """What stands in a settings file; None if there is no file."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(
            [f"{path} cannot be read: {error.strerror}. Give this user the right to read it."]
        ) from None
    if len(raw) > FILE_BYTES_MAX:
        raise SettingsError([f"{path} is larger than {FILE_BYTES_MAX} bytes: this is not a settings file."])
    return raw


def _from_file(path: Path, raw: bytes) -> dict[str, object]:
    """The values of a settings file by dotted key."""
    try:
        # Nesting without end, and whole numbers of thousands of digits, are other errors than bad TOML.
        content = tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise SettingsError([f"{path} is not TOML: {error}"]) from None
    tables = sections()
    values: dict[str, object] = {}
    for name, value in content.items():
        if name in tables and isinstance(value, dict):
            values.update({f"{name}.{inner}": content for inner, content in value.items()})
        else:
            values[name] = value
    names = [setting.key for setting in known()]
    wrong = [_unknown(str(path), name, names) for name in values if name not in names]
    if wrong:
        raise SettingsError(wrong)
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """The environment's values by dotted key, with secrets read from the files that it names."""
    plain = {setting.variable: setting for setting in known()}
    files = {setting.variable + FILE_SUFFIX: setting for setting in known() if setting.secret}
    values: dict[str, object] = {}
    wrong: list[str] = []
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        if name in plain:
            values.setdefault(plain[name].key, value)
        elif name in files:
            try:
                values[files[name].key] = _secret(name, Path(value))
            except SettingsError as error:
                wrong += error.lines
        else:
            wrong.append(_unknown("environment", name, [*plain, *files]))
    if wrong:
        raise SettingsError(wrong)
    return values


def _secret(name: str, path: Path) -> str:
    """A secret from its file, without the line end that editors add."""
    try:
        with path.open("rb") as file:
            raw = file.read(SECRET_BYTES_MAX + 1)
        if len(raw) > SECRET_BYTES_MAX:
            raise SettingsError([f"{name} names {path}, which is too large to be a secret."])
        return raw.decode().rstrip("\r\n")
    except OSError as error:
        why = f"{name} names {path}, which cannot be read: {error.strerror}."
        raise SettingsError([f"{why} Put the secret there or unset {name}."]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{name} names {path}, which is not text."]) from None


def _fault(fault: Mapping[str, Any]) -> str:
    """One fault of pydantic in plain words, without the value: it may be a secret."""
    key = ".".join(str(part) for part in fault["loc"]) or "settings"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{key}: {message[:1].lower()}{message[1:]}."
