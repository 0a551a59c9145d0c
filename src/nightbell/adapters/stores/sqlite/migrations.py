"""How a file comes to today's form: numbered SQL files, forward only, all of them in one transaction.

`NAME_NNNN_what.sql` brings a file from form NNNN - 1 to NNNN; `user_version` in the file says which it has. A
file that was released is never changed: the next one is added, and `tests/released` keeps files of every
released version that must open. A file of a newer form is refused untouched.
"""

import re
import sqlite3
from functools import cache
from importlib import resources
from typing import Final

_FILE: Final = re.compile(r"([a-z]+)_(\d{4})_\w+\.sql")


class NewerFileError(Exception):
    """A newer version made the file. It was not touched."""

    def __init__(self, name: str, form: int, known: int) -> None:
        super().__init__(f"a newer Nightbell made it: form {form}, we know up to {known}. Use that one")
        self.name = name
        self.form = form


@cache
def steps(name: str) -> dict[int, str]:
    """The steps of one kind of file, by number."""
    found = {}
    for file in resources.files(__package__).iterdir():
        named = _FILE.fullmatch(file.name)
        if named is not None and named[1] == name:
            found[int(named[2])] = file.read_text(encoding="utf-8")
    assert sorted(found) == list(range(1, len(found) + 1)), f"a step of {name} is missing"
    return found


def pending(name: str, form: int) -> str:
    """The SQL that brings a file of this form to the newest; empty if it has it.

    Raises:
        NewerFileError: It is newer than we are.
    """
    known = steps(name)
    newest = max(known)
    if form > newest:
        raise NewerFileError(name, form, newest)
    if form == newest:
        return ""
    scripts = [known[number] for number in range(form + 1, newest + 1)]
    return "\n".join([*scripts, f"PRAGMA user_version = {newest};\n"])


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Bring an open file to the newest form: wholly, or not at all.

    Raises:
        NewerFileError: It is newer than we are, and was not touched.
        sqlite3.Error: It cannot be written; it is as it was.
    """
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    script = pending(name, form)
    if not script:
        return
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
