"""Many rows of a table as columns: SQLite joins them, many at a time, and NumPy takes them apart.

A row at a time through Python costs about two microseconds a row and an object a value.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE: Final = 50_000
"""Some 15 MB of text at a time; SQLite's own limit of a text is a gigabyte."""

Number = TypeVar("Number", bound=np.generic)


def packed_columns(connection: sqlite3.Connection, query: str) -> Sequence[list[str]]:
    """Every column of a query, each as a list of joined parts.

    Args:
        connection: The file.
        query: Takes a number and a limit, and gives one row: the greatest number among the rows after the
            given one, and then each column with its values joined.
    """
    columns: list[list[str]] = []
    after: int | None = -1
    while after is not None:
        row: tuple[Any, ...] = connection.execute(query, (after, ROWS_AT_ONCE)).fetchone()
        after = row[0]
        columns = columns or [[] for _ in row[1:]]
        if after is not None:
            for column, part in zip(columns, row[1:], strict=True):
                column.append(part)
    # SQLite would keep a quarter of a gigabyte of what it has just read.
    connection.execute("PRAGMA shrink_memory")
    return columns


def numbers(parts: Sequence[str], dtype: type[Number]) -> NDArray[Number]:
    """A column of numbers that were joined by blanks."""
    found = [np.fromstring(part, np.int64, sep=" ") for part in parts]
    return np.concatenate(found).astype(dtype) if found else np.empty(0, dtype)
