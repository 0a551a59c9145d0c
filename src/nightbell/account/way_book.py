"""Ways in memory, as columns: only those that people added, or of which something is known.

An address stays sealed until somebody is told there. A million people without ways take nothing here.
"""

from array import array
from typing import Final

import numpy as np

from nightbell.account.index import Index
from nightbell.account.packed import Opened, bound_to, halves, id_halves, text_of_way
from nightbell.account.ports import PackedWays, StoredWay
from nightbell.account.texts import FIELD_END, TEXT_END, Texts, spans
from nightbell.account.way import PROOFS, UNREADABLE, Way
from nightbell.words.table import Table

_WAYS: Final = (
    ("person_high", np.uint64, 0),
    ("person_low", np.uint64, 0),
    ("channel", np.int16, 0),
    ("number", np.int32, 0),
    ("added_ms", np.int64, 0),
    ("proven_ms", np.int64, 0),
    ("proven_by", np.int8, 0),
    ("lost_ms", np.int64, 0),
    ("text_start", np.int64, 0),
    ("text_size", np.int32, 0),
)

WASTED_BYTES_MAX: Final = 16 * 1024 * 1024
"""How much of replaced texts is borne before all are moved together: no one can fill memory by retyping."""


class WayBook:
    """Ways by person.

    Args:
        opened: Opens what the store keeps sealed.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._table = Table(_WAYS)
        self._texts = Texts()
        self._wasted = 0
        self._of_person = Index()
        self._free = array("i")
        self._channels: list[str] = []
        self._why: dict[int, str] = {}

    def __len__(self) -> int:
        return self._table.count - len(self._free)

    def load(self, packed: PackedWays) -> None:
        """Add many that are not there yet.

        Raises:
            ValueError: The columns are not of one length.
        """
        people = halves(packed.people)
        count = len(people)
        starts, ends = spans(packed.texts, count)
        offset, _ = self._texts.put(packed.texts)
        channels = packed.channels.decode().split(TEXT_END) if count else []
        first = self._table.extend(
            {
                "person_high": people[:, 0],
                "person_low": people[:, 1],
                "channel": np.array([self._channel(name) for name in channels], np.int16),
                "number": packed.numbers,
                "added_ms": packed.added_ms,
                "proven_ms": packed.proven_ms,
                "proven_by": packed.proven_by,
                "lost_ms": packed.lost_ms,
                "text_start": starts + offset,
                "text_size": ends - starts,
            }
        )
        self._of_person.add_many(people[:, 0], np.arange(first, first + count, dtype=np.int32))
        for at, why in enumerate(packed.lost_why.decode().split(TEXT_END) if count else ()):
            if why:
                self._why[first + at] = why

    def of_person(self, person: str) -> list[Way]:
        """One person's ways, oldest first within each channel. One that does not open is lost."""
        rows = self._rows(person)
        return sorted((self._way(person, row) for row in rows), key=lambda way: (way.channel, way.number))

    def put(self, stored: StoredWay) -> None:
        """Add one, or replace the one with its person, channel and number."""
        way, table = stored.way, self._table
        row = self._row(stored.person, way.channel, way.number)
        if row is None:
            row = self._free.pop() if self._free else table.count
            table.reach(row)
            high, low = id_halves(stored.person)
            table["person_high"][row], table["person_low"][row] = high, low
            table["channel"][row], table["number"][row] = self._channel(way.channel), way.number
            self._of_person.add(high, row)
            self._set_text(row, way)
        else:
            kept = self._way(stored.person, row)
            if (kept.label, kept.address) != (way.label, way.address):
                self._wasted += table["text_size"].item(row)
                self._set_text(row, way)
        table["added_ms"][row] = way.added_ms
        table["proven_ms"][row], table["proven_by"][row] = way.proven_ms, PROOFS.index(way.proven_by)
        table["lost_ms"][row] = way.lost_ms
        self._why.pop(row, None)
        if way.lost_why:
            self._why[row] = way.lost_why

    def drop(self, person: str, channel: str, number: int) -> None:
        """Forget one."""
        row = self._row(person, channel, number)
        if row is not None:
            self._of_person.remove(self._table["person_high"].item(row), row)
            self._wasted += self._table["text_size"].item(row)
            self._table["text_size"][row] = 0
            self._why.pop(row, None)
            self._free.append(row)
            self._move_together()

    def _rows(self, person: str) -> list[int]:
        high, low = id_halves(person)
        lows = self._table["person_low"].item
        return [row for row in self._of_person.rows(high) if lows(row) == low]

    def _row(self, person: str, channel: str, number: int) -> int | None:
        for row in self._rows(person):
            named = self._channels[self._table["channel"].item(row)]
            if named == channel and self._table["number"].item(row) == number:
                return row
        return None

    def _way(self, person: str, row: int) -> Way:
        table = self._table
        channel, number = self._channels[table["channel"].item(row)], table["number"].item(row)
        kept = self._texts.at(table["text_start"].item(row), table["text_size"].item(row)).decode()
        text = self._opened(kept, bound_to(person, f"{channel}:{number}"))
        label, _, address = text.partition(FIELD_END)
        lost_ms = table["lost_ms"].item(row)
        return Way(
            channel=channel,
            number=number,
            address=address,
            label=label,
            added_ms=table["added_ms"].item(row),
            proven_ms=table["proven_ms"].item(row),
            proven_by=PROOFS[table["proven_by"].item(row)],
            lost_ms=lost_ms if text else lost_ms or table["added_ms"].item(row) or 1,
            lost_why=self._why.get(row, "") if text else UNREADABLE,
        )

    def _channel(self, name: str) -> int:
        if name not in self._channels:
            self._channels.append(name)
        return self._channels.index(name)

    def _set_text(self, row: int, way: Way) -> None:
        start, size = self._texts.put(text_of_way(way).encode())
        self._table["text_start"][row], self._table["text_size"][row] = start, size
        self._move_together()

    def _move_together(self) -> None:
        """Let go of replaced texts once they are many."""
        if self._wasted <= WASTED_BYTES_MAX:
            return
        before, self._texts, self._wasted = self._texts, Texts(), 0
        starts, sizes = self._table["text_start"], self._table["text_size"]
        for row in range(self._table.count):
            starts[row], _ = self._texts.put(before.at(starts.item(row), sizes.item(row)))
