"""Afterwards: what was acknowledged is in the journal, in history and in the ledger, and nothing else is.

The platform is stopped. Its journal is read with the shipped reader; history is opened as a start would open
it; the alarms of the ledger are compared, id by id, with those that the shipped fold makes of this journal.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.figures import Counts
from nightbell.adapters.stores.sqlite.history import SqliteHistoryStore
from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.alarm.fold import AlarmFold
from nightbell.history.service import History
from nightbell.journal.group import Group
from nightbell.words.clock import SystemClock

GROUPS_AT_ONCE: Final = 256
_ALL_TIME_MS: Final = 2**42


class Replayed(NamedTuple):
    """What the journal says.

    Attributes:
        readings: How many there are.
        sharers: Whose they are.
        alarms: Ids of all alarms that the fold makes of it.
        notifications: Ids of all notifications.
    """

    readings: int
    sharers: list[int]
    alarms: set[str]
    notifications: set[str]


@contextmanager
def opened(folder: Path) -> Iterator[SqliteJournalStore]:
    """The journal of a data directory on which no platform runs."""
    journal = SqliteJournalStore(folder / "journal")
    journal.open(now_ms=SystemClock().now_ms(), seen_seq=0)
    try:
        yield journal
    finally:
        journal.close()


def replayed(journal: SqliteJournalStore, fold: AlarmFold, sharers: int) -> Replayed:
    """Fold a whole journal, from its first group."""
    shared = np.zeros(sharers, np.bool_)
    readings, alarms, notifications = 0, set[str](), set[str]()
    for groups in _some(journal.replay(0)):
        readings += sum(len(group.readings) for group in groups)
        for group in groups:
            shared[group.readings["sharer"]] = True
        effects = fold.fold(groups)
        alarms.update(view.id for view in effects.alarms)
        notifications.update(told.id for told in effects.notifications)
    return Replayed(readings, np.flatnonzero(shared).tolist(), alarms, notifications)


def _some(groups: Iterator[Group]) -> Iterator[list[Group]]:
    some: list[Group] = []
    for group in groups:
        some.append(group)
        if len(some) == GROUPS_AT_ONCE:
            yield some
            some = []
    yield some


async def in_history(folder: Path, journal: SqliteJournalStore, sharers: list[int], since_ms: int) -> int:
    """How many readings history gives out, sharer by sharer, after a start on this folder."""
    history = History(SqliteHistoryStore(folder / "history.sqlite"), SystemClock())
    replay_after = await history.start()
    history.restore(journal.replay(replay_after))
    found = 0
    for sharer in sharers:
        found += len(await history.readings(sharer=sharer, from_ms=since_ms, to_ms=_ALL_TIME_MS))
    await history.close()
    return found


def ids(ledger: Path, table: str) -> set[str]:
    """The ids of one table of the ledger."""
    with sqlite3.connect(ledger) as connection:
        return {row[0] for row in connection.execute(f"SELECT id FROM {table}")}


def without_delivery(ledger: Path) -> int:
    """Notifications of the ledger that have no way to anybody in the outbox."""
    question = "SELECT count(*) FROM notification WHERE id NOT IN (SELECT notification FROM delivery)"
    with sqlite3.connect(ledger) as connection:
        return int(connection.execute(question).fetchone()[0])


def counts(where: str, folder: Path, *, sharers: int, acknowledged: int, since_ms: int) -> Counts:
    """Compare everything after a run."""
    with opened(folder) as journal:
        said = replayed(journal, AlarmFold(), sharers)
        kept = asyncio.run(in_history(folder, journal, said.sharers, since_ms))
    ledger = folder / "ledger.sqlite"
    alarms, notifications = ids(ledger, "alarm"), ids(ledger, "notification")
    return Counts(
        where,
        {
            "readings in the journal": (said.readings, acknowledged),
            "readings in history": (kept, acknowledged),
            "alarms in the ledger": (len(alarms), len(said.alarms)),
            "alarms that only one of ledger and journal knows": (len(alarms ^ said.alarms), 0),
            "notifications in the ledger": (len(notifications), len(said.notifications)),
            "notifications that only one of them knows": (len(notifications ^ said.notifications), 0),
            "notifications without a delivery in the outbox": (without_delivery(ledger), 0),
        },
    )
