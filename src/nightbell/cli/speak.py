"""What the command line prints: sentences and tables for a person, JSON for a program."""

import sys
from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nightbell.words.catalogue import catalogue
from nightbell.words.errors import NightbellError

EXIT_DONE: Final = 0
EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_RUNNING: Final = 3
WIDE: Final = 400


class CommandError(Exception):
    """A command ends without having done its work.

    Attributes:
        sentence: What happened and what to do.
        exit_code: One of the `EXIT_` numbers.
        code: A word for programs.
    """

    def __init__(self, sentence: str, *, exit_code: int = EXIT_REFUSED, code: str = "refused") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code
        self.code = code

    @classmethod
    def from_platform(cls, error: NightbellError) -> "CommandError":
        """What the platform answered, as the end of a command."""
        return cls(error.sentence, code=error.code)


def say(key: str, **slots: str | int) -> str:
    """A sentence of the catalogue `cli`."""
    return catalogue().say(f"cli.{key}", **slots)


class Speaker:
    """Prints results to standard output and everything else to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # A pipe or a file has no edge: there a row stays in one line, so that `grep` and `cut` work.
        self.console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
        self.aside = Console(stderr=True, soft_wrap=True, highlight=False)

    def result(self, result: msgspec.Struct, *sentences: str) -> None:
        """The result: as JSON, or as sentences."""
        if self.as_json:
            sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
            sys.stdout.flush()
            return
        for sentence in sentences:
            self.console.print(escape(sentence))

    def table(
        self, result: msgspec.Struct, heads: Sequence[str], rows: Sequence[Sequence[str]], empty: str
    ) -> None:
        """Rows: as JSON, as a table, or as a sentence if there are none."""
        if self.as_json or not rows:
            self.result(result, empty)
            return
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    def note(self, sentence: str) -> None:
        """Something by the way, for a person only."""
        if not self.as_json:
            self.aside.print(escape(sentence))

    def failed(self, error: CommandError) -> None:
        """Why the command ends."""
        if self.as_json:
            problem = {"code": error.code, "sentence": error.sentence}
            sys.stderr.write(msgspec.json.encode(problem).decode() + "\n")
        else:
            self.aside.print(escape(error.sentence))
