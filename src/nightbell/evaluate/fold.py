"""The fold: journal groups in, transitions out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate import facts, readings, silence
from nightbell.evaluate.columns import Columns
from nightbell.evaluate.conditions import judge
from nightbell.evaluate.readings import Batch
from nightbell.evaluate.transition import Folded, in_order, place_of_fact, place_of_reading, place_of_tick
from nightbell.follow.limits import Bounds
from nightbell.journal.group import Group
from nightbell.publish.reading import joined
from nightbell.words.table import Part

_VERSION: Final = 2


class _Dump(msgspec.Struct, frozen=True):
    version: int
    counts: tuple[int, int]
    bounds: list[Bounds]
    door_open_ms: int
    last_tick_ms: int


class Fold:
    """The evaluator's state and the one way to move it: `fold`."""

    def __init__(self) -> None:
        self.columns = Columns()

    def fold(self, groups: Sequence[Group]) -> NDArray[np.void]:
        """Fold groups in order. Returns transitions, `TRANSITION_DTYPE`."""
        return self.run(groups).transitions

    def run(self, groups: Sequence[Group]) -> Folded:
        """Fold groups in order. Returns transitions with the place of each one's cause among `groups`."""
        parts: list[Folded] = []
        waiting: list[tuple[int, Group]] = []
        for place, group in enumerate(groups):
            if group.facts:
                self._read(waiting, parts)
                for number, fact in enumerate(group.facts):
                    parts.append(facts.apply(self.columns, fact, place_of_fact(place, number)))
            if len(group.readings):
                waiting.append((place, group))
            if group.tick_ms:
                self._read(waiting, parts)
                parts.append(silence.sweep(self.columns, group.tick_ms, place_of_tick(place)))
        self._read(waiting, parts)
        return in_order([part for part in parts if len(part.causes)])

    def _read(self, waiting: list[tuple[int, Group]], parts: list[Folded]) -> None:
        """Fold the readings that have gathered since the last fact or tick."""
        if not waiting:
            return
        packed = joined([group.readings for _, group in waiting])
        causes = [np.arange(len(group.readings)) + place_of_reading(place, 0) for place, group in waiting]
        waiting.clear()
        self.columns.reach_sharer(int(packed["sharer"].max()))
        batch = Batch(
            packed["sharer"].astype(np.int32),
            packed["measured_ms"].astype(np.int64),
            packed["received_ms"].astype(np.int64),
            packed["level"].astype(np.int64),
            np.concatenate(causes),
        )
        for part in readings.rounds(readings.without_idle(self.columns, batch)):
            seen = readings.see(self.columns, part)
            if len(seen.batch.sharer):
                parts.append(judge(self.columns, seen))

    def dump(self) -> Iterator[bytes]:
        """The whole state, for a checkpoint: one part that describes it, then columns, made as asked for."""
        columns = self.columns
        described = _Dump(
            _VERSION,
            (columns.sharers.count, columns.follows.count),
            columns.known_bounds(),
            columns.door_open_ms,
            columns.last_tick_ms,
        )
        yield msgspec.msgpack.encode(described)
        for table in (columns.sharers, columns.rings, columns.follows):
            yield from table.parts()

    @classmethod
    def load(cls, parts: Iterable[Part]) -> "Fold":
        """The fold that `parts` were taken from; takes just them.

        Raises:
            ValueError: They were made by another version, or are damaged. Replay the journal instead.
        """
        some = iter(parts)
        dump = msgspec.msgpack.decode(next(some), type=_Dump)
        if dump.version != _VERSION:
            raise ValueError(f"checkpoint of version {dump.version}, not {_VERSION}")
        fold = cls()
        columns = fold.columns
        columns.sharers.restore(dump.counts[0], some)
        columns.rings.restore(dump.counts[0], some)
        columns.follows.restore(dump.counts[1], some)
        columns.deadlines.renew(columns.follows.used("due_ms"))
        for bounds in dump.bounds:
            columns.intern(bounds)
        columns.door_open_ms, columns.last_tick_ms = dump.door_open_ms, dump.last_tick_ms
        return fold
