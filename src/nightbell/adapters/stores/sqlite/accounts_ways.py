"""Ways in accounts.sqlite: where people are reached is sealed, what is known of it is not."""

import sqlite3
from typing import Final

import numpy as np

from nightbell.account.packed import bound_to, ids_of_texts, text_of_way
from nightbell.account.ports import PackedWays, StoredWay, WayChange
from nightbell.account.texts import TEXT_END
from nightbell.account.way import PROOFS
from nightbell.adapters.stores.sqlite.accounts import AccountsFile
from nightbell.adapters.stores.sqlite.columns import Joined, numbers, numbers_of, packed_columns, texts_of
from nightbell.adapters.stores.sqlite.sealing import ContactSeal

_END: Final = f"char({ord(TEXT_END)})"

_WAYS: Final = (
    Joined("group_concat(person, '')", ids_of_texts),
    texts_of("channel", _END),
    numbers_of("number", np.int32),
    texts_of("sealed", _END),
    numbers_of("added_ms", np.int64),
    numbers_of("proven_ms", np.int64),
    numbers_of("proven_by", np.int8),
    numbers_of("lost_ms", np.int64),
    texts_of("lost_why", _END),
)


class SqliteWayStore:
    """Ways in the file of the accounts."""

    def __init__(self, file: AccountsFile) -> None:
        self._file = file

    async def load(self) -> PackedWays:
        """Everything that is stored.

        Raises:
            PlatformError: The file cannot be read.
        """
        return await self._file.read(_load)

    async def commit(self, change: WayChange) -> None:
        """Write all of a change or nothing of it.

        Raises:
            PlatformError: The file failed, or the key is not there; nothing was changed.
        """
        await self._file.write(lambda connection: _write(connection, change, self._file.seal))

    def opened(self, kept: str, bound_to: str) -> str:
        """A text that is kept sealed, as it was written; empty if our key does not open it."""
        return self._file.seal.opened(kept, bound_to)


def _load(connection: sqlite3.Connection) -> PackedWays:
    people, channels, numbers_given, texts, added, proven, proven_by, lost, why = packed_columns(
        connection, "way", _WAYS
    )
    end = TEXT_END.encode()
    return PackedWays(
        people=b"".join(people),
        channels=end.join(channels),
        numbers=numbers(numbers_given, np.int32),
        texts=end.join(texts),
        added_ms=numbers(added, np.int64),
        proven_ms=numbers(proven, np.int64),
        proven_by=numbers(proven_by, np.int8),
        lost_ms=numbers(lost, np.int64),
        lost_why=end.join(why),
    )


def _write(connection: sqlite3.Connection, change: WayChange, seal: ContactSeal) -> None:
    connection.executemany(
        "INSERT INTO way VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, channel, number)"
        " DO UPDATE SET sealed = excluded.sealed, added_ms = excluded.added_ms,"
        " proven_ms = excluded.proven_ms, proven_by = excluded.proven_by, lost_ms = excluded.lost_ms,"
        " lost_why = excluded.lost_why",
        (_row(one, seal) for one in change.ways),
    )
    connection.executemany("DELETE FROM way WHERE person = ? AND channel = ? AND number = ?", change.dropped)


def _row(stored: StoredWay, seal: ContactSeal) -> tuple[str | int, ...]:
    way = stored.way
    return (
        stored.person,
        way.channel,
        way.number,
        seal.sealed(text_of_way(way), bound_to(stored.person, f"{way.channel}:{way.number}")),
        way.added_ms,
        way.proven_ms,
        PROOFS.index(way.proven_by),
        way.lost_ms,
        way.lost_why,
    )
