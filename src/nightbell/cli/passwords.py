"""Reads a password: without showing it on a terminal, or one line of standard input for scripts."""

import getpass
import sys
from pathlib import Path
from typing import Final

from nightbell.cli.speak import EXIT_USAGE, CommandError, say

PASSWORD_CHARACTERS_MAX: Final = 1_024
PASSPHRASE_CHARACTERS_MIN: Final = 12
"""Whoever has the file may guess for years; the same in NIST's advice for what is guessed offline."""


def read_password() -> str:
    """The password, without the line's end.

    Raises:
        CommandError: There was none, it is too long, or the two that were typed differ.
    """
    if sys.stdin.isatty():
        password = getpass.getpass(say("password_prompt"))
        if password and getpass.getpass(say("password_again")) != password:
            raise CommandError(say("password_differs"), exit_code=EXIT_USAGE, code="usage")
    else:
        password = sys.stdin.readline(PASSWORD_CHARACTERS_MAX + 2).rstrip("\r\n")
    if not password:
        raise CommandError(say("password_missing"), exit_code=EXIT_USAGE, code="usage")
    if len(password) > PASSWORD_CHARACTERS_MAX:
        raise CommandError(
            say("password_long", most=PASSWORD_CHARACTERS_MAX), exit_code=EXIT_USAGE, code="usage"
        )
    return password


def read_passphrase(file: Path | None, *, anew: bool) -> str:
    """The passphrase of a backup: from a file's first line, a terminal, or one line of standard input.

    Args:
        file: Where it stands, if the command line names one.
        anew: Whether it is being chosen: then it is asked for twice, and must be long enough.

    Raises:
        CommandError: There was none, it is too short or too long, or the two that were typed differ.
    """
    if file is not None:
        passphrase = _first_line(file)
    elif sys.stdin.isatty():
        passphrase = getpass.getpass(say("passphrase_prompt"))
        if anew and passphrase and getpass.getpass(say("passphrase_again")) != passphrase:
            raise CommandError(say("passphrase_differs"), exit_code=EXIT_USAGE, code="usage")
    else:
        passphrase = sys.stdin.readline(PASSWORD_CHARACTERS_MAX + 2).rstrip("\r\n")
    if not passphrase:
        raise CommandError(
            say("passphrase_missing" if anew else "passphrase_needed"), exit_code=EXIT_USAGE, code="usage"
        )
    if anew and not PASSPHRASE_CHARACTERS_MIN <= len(passphrase) <= PASSWORD_CHARACTERS_MAX:
        wrong = say("passphrase_length", least=PASSPHRASE_CHARACTERS_MIN, most=PASSWORD_CHARACTERS_MAX)
        raise CommandError(wrong, exit_code=EXIT_USAGE, code="usage")
    return passphrase


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline(PASSWORD_CHARACTERS_MAX + 2).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CommandError(
            say("passphrase_unreadable", file=str(file), why=why), exit_code=EXIT_USAGE, code="usage"
        ) from None
