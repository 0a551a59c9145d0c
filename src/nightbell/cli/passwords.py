"""Reads a password: without showing it on a terminal, or one line of standard input for scripts."""

import getpass
import sys
from typing import Final

from nightbell.cli.speak import EXIT_USAGE, CommandError, say

PASSWORD_CHARACTERS_MAX: Final = 1_024


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
