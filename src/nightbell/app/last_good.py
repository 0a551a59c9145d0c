"""The last settings file with which the platform started well, kept beside it: to compare, and to go back to.

It is the file as it was, byte for byte, so it holds no secret that the file did not hold; only its owner may
read it. It is written when the door is open and never changed by a start that failed.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from nightbell.app.settings import FILE_NAME, LAST_GOOD_NAME, Loaded, SettingsError, loaded

_log = structlog.get_logger()


def keep_last_good(folder: Path, raw: bytes | None) -> None:
    """Keep the file that the platform started well with. Without a file the one before is left in peace."""
    path = folder / LAST_GOOD_NAME
    if raw is None:
        return
    beside = path.with_name(f"{path.name}.new")
    try:
        if path.is_file() and path.read_bytes() == raw:
            path.chmod(0o600)
            return
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        # The bell rings without it; only the way back is missing.
        _log.warning("settings.last_good_not_kept", why=error.strerror)
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def last_good(folder: Path, *, chosen: Mapping[str, object] | None = None) -> Loaded | None:
    """The last good settings; None if there are none that can be used."""
    try:
        found = loaded(folder, chosen=chosen, name=LAST_GOOD_NAME)
    except SettingsError:
        return None
    return None if found.raw is None else found


def settings_or_last_good(
    folder: Path, *, chosen: Mapping[str, object] | None = None
) -> tuple[Loaded, list[str]]:
    """The settings, or the last good ones and what is wrong with the file: for whoever must run at any rate.

    Raises:
        SettingsError: Neither can be used.
    """
    try:
        return loaded(folder, chosen=chosen, name=FILE_NAME), []
    except SettingsError as error:
        found = last_good(folder, chosen=chosen)
        if found is None:
            raise
        return found, error.lines
