"""Many rows of a table as columns: SQLite joins them, many at a time, and NumPy takes them apart.

A row at a time through Python costs about two microseconds a row and an object a value.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE: Final = 50_000
"""Some 15 MB of text at a time; SQLite's own limit of a text is a gigabyte."""

Number = TypeVar("Number", bound=np.generic)


class Joined(NamedTuple):
    """A column: how SQLite joins many of its values, and what is kept of the joined text."""

    expression: str
    kept: Callable[[str], Any]


def numbers_of(expression: str, dtype: type[np.generic]) -> Joined:
    """A column of numbers."""
    return Joined(
        f"group_concat({expression}, ' ')", lambda text: np.fromstring(text, np.int64, sep=" ").astype(dtype)
    )


def texts_of(expression: str, end: str) -> Joined:
    """A column of texts, each but the last ended by the sign of this number."""
    return Joined(f"group_concat({expression}, {end})", str.encode)


def packed_columns(
    connection: sqlite3.Connection,
    table: str,
    columns: Sequence[Joined],
    *,
    number: str = "rowid",
    where: str = "true",
) -> list[list[Any]]:
    """Every column of a table, each as a list of what was kept of its parts, in no special order of rows.

    Args:
        connection: The file.
        table: Its name.
        columns: What is wanted of it.
        number: Its key. Rows are taken by ranges of it: for a limit SQLite would copy each row once more.
        where: Which rows.
    """
    following = f"SELECT min({number}) FROM {table} WHERE {number} > ?"
    wanted = ", ".join(column.expression for column in columns)
    query = f"SELECT {wanted} FROM {table} WHERE {number} BETWEEN ? AND ? AND {where}"
    parts: list[list[Any]] = [[] for _ in columns]
    last = -1
    while (first := connection.execute(following, (last,)).fetchone()[0]) is not None:
        last = first + ROWS_AT_ONCE - 1
        row: tuple[str | None, ...] = connection.execute(query, (first, last)).fetchone()
        for found, column, text in zip(parts, columns, row, strict=True):
            if text is not None:
                found.append(column.kept(text))
    # SQLite would keep a quarter of a gigabyte of what it has just read.
    connection.execute("PRAGMA shrink_memory")
    return parts


def numbers(parts: Sequence[NDArray[Number]], dtype: type[Number]) -> NDArray[Number]:
    """A column of numbers whose parts were kept."""
    return np.concatenate(parts) if parts else np.empty(0, dtype)
