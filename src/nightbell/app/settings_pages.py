"""The settings written out: as a settings file with comments, and as the page of the reference."""

import json
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from nightbell.app.settings import FILE_SUFFIX, LAST_GOOD_NAME, Known, Settings, known

HIDDEN: Final = "***"


def value_of(settings: Settings, key: str) -> object:
    """The value of a dotted key."""
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def plain(value: object) -> str | int | bool | None:
    """A value as JSON and TOML can hold it; a secret as stars if there is one."""
    match value:
        case SecretStr():
            return HIDDEN if value.get_secret_value() else ""
        case Path():
            return str(value)
        case str() | int() | None:
            return value
        case _:
            raise AssertionError(f"a setting of an unforeseen kind: {type(value).__name__}")


def as_json(settings: Settings) -> dict[str, str | int | bool | None]:
    """Every setting by its dotted key."""
    return {setting.key: plain(value_of(settings, setting.key)) for setting in known()}


def as_toml(settings: Settings) -> str:
    """A settings file with these values and a comment above each. A key without a value is commented out."""
    lines: list[str] = []
    table = ""
    for setting in known():
        begin, dot, name = setting.key.rpartition(".")
        if dot and begin != table:
            table = begin
            lines += [f"[{table}]"]
        value = plain(value_of(settings, setting.key))
        lines.append(f"# {setting.field.description}")
        unset = value is None or (setting.secret and value == HIDDEN)
        text = json.dumps("" if unset else value)  # strings, whole numbers and booleans look the same in TOML
        lines += [f"{'# ' if unset else ''}{name or setting.key} = {text}", ""]
    return "\n".join(lines)


def _bounds(setting: Known) -> str:
    words = {"ge": "at least", "le": "at most", "max_length": "length at most"}
    found = [
        f"{word} {limit:,}"
        for rule in setting.field.metadata
        for name, word in words.items()
        if (limit := getattr(rule, name, None)) is not None
    ]
    return ", ".join(found)


def reference() -> str:
    """The page docs/reference/settings.md."""
    defaults = Settings()
    lines = [
        "# Settings",
        "",
        "This page is made from `src/nightbell/app/settings.py` by `tools/reference.py`. Change it there.",
        "",
        "Nightbell reads `DIR/settings.toml`, then the environment, then secret files. A later source wins;",
        "what the command line says (`--listen`, `--tls`) wins over all. An unknown key is an error.",
        "",
        "`nightbell config check` says whether the settings can be used. `nightbell config show` prints",
        "them, `nightbell config show --defaults` prints a whole file with every setting and its meaning.",
        "",
        "| key | in the environment | default | meaning |",
        "|---|---|---|---|",
    ]
    for setting in known():
        value = plain(value_of(defaults, setting.key))
        shown = "none" if value is None else f"`{json.dumps(value)}`"
        variable = f"`{setting.variable}`"
        if setting.secret:
            variable += f" or `{setting.variable}{FILE_SUFFIX}`"
        bounds = _bounds(setting)
        meaning = f"{setting.field.description}" + (f" {bounds[:1].upper()}{bounds[1:]}." if bounds else "")
        lines.append(f"| `{setting.key}` | {variable} | {shown} | {meaning} |")
    lines += [
        "",
        f"A variable that ends in `{FILE_SUFFIX}` names a file that holds the secret. If it is named but",
        "cannot be read, Nightbell does not start: it would else run without what you meant to give it.",
        "",
        f"When the platform has started well, the file it ran with is kept as `{LAST_GOOD_NAME}`, mode 600.",
        "A broken file is refused at the start with a reason for each fault; `nightbell up --last-good`",
        "starts with the kept one, and a watcher that starts on a broken file takes the kept one by itself.",
        "A running platform goes on with what it has, and `nightbell health` says that the file is broken.",
        "",
        "`[switches]` alone acts without a restart, within 5 s of a change of the file. What is off is",
        "answered with 503, a sentence and `Retry-After`, to Share apps as busy. Live readings beside late",
        "ones are kept, the newest reading is shown, a Share app reads that one, whoever is signed in stays",
        "so, and a Share login that was proven a moment ago passes. A switch",
        "that the environment sets cannot be turned in the file.",
        "",
    ]
    return "\n".join(lines)
