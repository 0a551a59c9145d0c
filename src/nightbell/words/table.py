"""Tables: columns of equal length that grow together. How a million of anything is kept."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
"""One column; each has a type of its own, given in its table's spec."""

Part = bytes | memoryview
"""What a column is kept as."""

NO_ROW: Final = -1

ROWS_MAX: Final = 64_000_000
"""Rows of one table; a greater number is a programmer's error, not a reason to grow."""

SPARE_NUMBERS: Final = 1_000_000
"""Numbers that may have been given out for nothing, as when a store was put back from a copy."""

_ROWS_MIN: Final = 1024


def check_numbers(numbers: NDArray[np.integer[Any]]) -> None:
    """See that stored numbers can be rows: they are given out one after the other.

    Raises:
        ValueError: One is below 0 or far beyond how many there are, so that what is stored is damaged.
    """
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() <= SPARE_NUMBERS + 4 * len(numbers)):
        raise ValueError("a number that was never given out")


class Table:
    """Columns of equal length.

    Args:
        spec: Name, type and filling of each column.
        width: Values in each place of a column; 0 is one.
    """

    def __init__(self, spec: tuple[tuple[str, type, int], ...], width: int = 0) -> None:
        self._spec = spec
        self._width = width
        self.count = 0
        self.columns: dict[str, Column] = {name: self._filled(0, dtype, fill) for name, dtype, fill in spec}

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def _filled(self, rows: int, dtype: type, fill: int) -> Column:
        shape = (rows, self._width) if self._width else (rows,)
        return np.full(shape, fill, dtype)

    def reach(self, number: int) -> None:
        """Make sure that row `number` exists."""
        assert 0 <= number < ROWS_MAX
        if number < self.count:
            return
        capacity = len(self.columns[self._spec[0][0]])
        if number >= capacity:
            # By half: what is filled and never used is memory all the same.
            more = max(_ROWS_MIN, number + 1 - capacity, capacity // 2)
            for name, dtype, fill in self._spec:
                self.columns[name] = np.concatenate([self.columns[name], self._filled(more, dtype, fill)])
        self.count = number + 1

    def used(self, name: str) -> Column:
        """One column up to the last row in use."""
        return self.columns[name][: self.count]

    def extend(self, rows: Mapping[str, Column]) -> int:
        """Add many rows at once, every column of them; the number of the first."""
        first = self.count
        count = len(next(iter(rows.values())))
        if count:
            self.reach(first + count - 1)
            for name, values in rows.items():
                self.columns[name][first : first + count] = values
        return first

    def parts(self) -> Iterator[bytes]:
        """A copy of every column in use, in their order, for a checkpoint; made as asked for."""
        return (self.used(name).tobytes() for name, _, _ in self._spec)

    def restore(self, count: int, parts: Iterator[Part]) -> None:
        """Become what `parts` was taken from, which gives this table's parts next.

        Raises:
            ValueError: A part does not hold so many rows.
        """
        if count:
            self.reach(count - 1)
        for name, _, _ in self._spec:
            kept = np.frombuffer(next(parts), self.columns[name].dtype)
            self.columns[name][:count] = kept.reshape(self.columns[name][:count].shape)
