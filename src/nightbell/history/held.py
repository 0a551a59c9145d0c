"""Closed blocks that cannot be written: how many stay in memory, and where the others are found again. Pure.

While history's file fails, closed blocks wait in memory. Days of them would fill it, and the alarms with it.
So the oldest leave memory: their readings are in the journal, which keeps every file that history has not
written yet, and are read from there once the file works again, one block at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from nightbell.history.open_block import LATENESS_S_MAX, OpenBlock, taken
from nightbell.history.ports import HistoryState
from nightbell.history.reading import BLOCK_MS
from nightbell.journal.group import Group

CLOSED_BYTES_MAX: Final = 512 << 20
"""What closed blocks may hold in memory while they cannot be written: two of a million sharers, six hours of
them; of a thousand sharers more than a year. Source: 2,000 MB for everything (issue 3)."""

ReadAgain = Callable[[int, int], Iterator[Group]]
"""Groups of the journal after one and up to another, while it runs."""


class JournalOnly(NamedTuple):
    """A closed block that is neither in memory nor in the file: its readings are in these journal groups."""

    block: int
    first_seq: int
    last_seq: int


def leaving(sizes: Sequence[int], bytes_max: int) -> int:
    """How many of the closed blocks, the oldest first, leave memory so that the others fit."""
    held, kept = 0, 0
    for size in reversed(sizes):
        if held + size > bytes_max:
            break
        held += size
        kept += 1
    return len(sizes) - kept


def lowered(state: HistoryState, journal_only: Sequence[JournalOnly]) -> HistoryState:
    """How far the store is if these are not in it: a restart reads the journal from before all of them."""
    if not journal_only:
        return state
    return HistoryState(
        closed_upto=min(state.closed_upto, min(each.block for each in journal_only) - 1),
        beside_seq=state.beside_seq,
        replay_after=min(state.replay_after, min(each.first_seq for each in journal_only) - 1),
    )


def gathered(groups: Iterable[Group], block: int) -> OpenBlock:
    """The block anew, from the groups that held it; what came very late is beside it already."""
    found = OpenBlock(block)
    for group in groups:
        readings = group.readings
        late_ms = readings["received_ms"] - readings["measured_ms"]
        mine = (readings["measured_ms"] // BLOCK_MS == block) & (late_ms <= LATENESS_S_MAX * 1000)
        found.add(taken(readings, np.flatnonzero(mine)), group.seq)
    return found
