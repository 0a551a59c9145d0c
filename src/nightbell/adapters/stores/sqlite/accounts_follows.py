"""Follows, invitations and looks in accounts.sqlite."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from nightbell.account.packed import ids_of_texts
from nightbell.adapters.stores.sqlite.accounts import AccountsFile
from nightbell.adapters.stores.sqlite.columns import Joined, numbers, numbers_of, packed_columns
from nightbell.follow.limits import Limits
from nightbell.follow.look import ChainedLook, Look
from nightbell.follow.packed import STATES, PackedFollows
from nightbell.follow.ports import FollowChange, LoadedFollows, StoredInvitation

FORM: Final = 1
"""How limits are written. A new form gets a new number and a reader beside this one."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Limits)


_STATE: Final = " ".join(f"WHEN '{state.value}' THEN {place}" for place, state in enumerate(STATES))

_FOLLOWS: Final = (
    numbers_of("number", np.int32),
    Joined("group_concat(id, '')", ids_of_texts),
    numbers_of("sharer_number", np.int32),
    Joined("group_concat(follower, '')", ids_of_texts),
    # State and permissions in one number: what is joined is read digit by digit.
    numbers_of(f"(CASE state {_STATE} END) * 4 + may_see_graph * 2 + may_be_told", np.int8),
    numbers_of("limit_set", np.int64),
    numbers_of("since_ms", np.int64),
    # Few are paused: those alone, each with its number. A condition would read all rows once more.
    Joined("group_concat(CASE WHEN paused_by <> '' THEN number || ' ' || paused_by END, ' ')", str.split),
)


class SqliteFollowStore:
    """Follows and open invitations in the file."""

    def __init__(self, file: AccountsFile) -> None:
        self._file = file

    async def load(self) -> LoadedFollows:
        """Everything that is stored; ended follows too.

        Raises:
            PlatformError: The file cannot be read.
        """
        return await self._file.read(_load)

    async def commit(self, change: FollowChange) -> None:
        """Write all of a change or nothing of it.

        Raises:
            PlatformError: The file failed; nothing was changed.
        """
        await self._file.write(lambda connection: _write(connection, change))


class SqliteLookStore:
    """The chain of looks in the file."""

    def __init__(self, file: AccountsFile) -> None:
        self._file = file

    async def tail(self) -> tuple[int, bytes]:
        """Number and hash of the newest link, or of the last that was dropped."""
        return await self._file.read(_tail)

    async def append(self, looks: Sequence[ChainedLook]) -> None:
        """Add links, all or none."""
        rows = [
            (
                one.number,
                one.look.at_ms,
                one.look.viewer,
                one.look.sharer,
                one.look.what,
                one.look.credential,
                one.hash,
            )
            for one in looks
        ]
        await self._file.write(
            lambda connection: connection.executemany("INSERT INTO look VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        )

    async def of_sharer(self, sharer: int, limit: int) -> list[ChainedLook]:
        """The newest looks at one sharer, newest first."""
        return await self._file.read(
            lambda connection: _links(
                connection, "WHERE sharer = ? ORDER BY number DESC LIMIT ?", sharer, limit
            )
        )

    async def links(self, after: int, limit: int) -> list[ChainedLook]:
        """Links of the chain in order, from the one after number `after`."""
        return await self._file.read(
            lambda connection: _links(connection, "WHERE number > ? ORDER BY number LIMIT ?", after, limit)
        )

    async def drop_before(self, before_ms: int) -> int:
        """Forget looks older than this from the beginning of the chain; how many."""
        return await self._file.write(lambda connection: _drop(connection, before_ms))

    async def anchor_hash(self) -> bytes:
        """Hash of the link before the first that is kept."""
        return await self._file.read(_anchor)


def _load(connection: sqlite3.Connection) -> LoadedFollows:
    invitations = [
        StoredInvitation(identity, hashed, sharer, bool(graph), bool(told), expires_ms)
        for identity, hashed, sharer, graph, told, expires_ms in connection.execute(
            "SELECT id, secret_hash, sharer, may_see_graph, may_be_told, expires_ms FROM invitation"
            " ORDER BY expires_ms"
        )
    ]
    return LoadedFollows(_follows(connection), invitations)


def _follows(connection: sqlite3.Connection) -> PackedFollows:
    sets = connection.execute("SELECT id, content FROM limit_set ORDER BY id").fetchall()
    limit_ids = np.array([number for number, _ in sets], np.int64)
    taken, ids, sharer_numbers, followers, stands, limits, since_ms, paused = packed_columns(
        connection, "follow", _FOLLOWS, number="number"
    )
    how = numbers(stands, np.int8)
    return PackedFollows(
        numbers=numbers(taken, np.int32),
        ids=b"".join(ids),
        sharer_numbers=numbers(sharer_numbers, np.int32),
        followers=b"".join(followers),
        states=how >> 2,
        may_see_graph=(how & 2) != 0,
        may_be_told=(how & 1) != 0,
        limits=np.searchsorted(limit_ids, numbers(limits, np.int64)).astype(np.int32),
        since_ms=numbers(since_ms, np.int64),
        paused_by={
            int(number): person
            for words in paused
            for number, person in zip(words[::2], words[1::2], strict=True)
        },
        limit_sets=[_decoder.decode(content) for _, content in sets],
    )


def _write(connection: sqlite3.Connection, change: FollowChange) -> None:
    chosen: dict[Limits, int] = {}
    for follow in change.follows:
        if follow.limits not in chosen:
            chosen[follow.limits] = _limit_set(connection, follow.limits)
    connection.executemany(
        "INSERT INTO follow VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " state = excluded.state, may_see_graph = excluded.may_see_graph, may_be_told = excluded.may_be_told,"
        " limit_set = excluded.limit_set, since_ms = excluded.since_ms, paused_by = excluded.paused_by",
        (
            (
                one.number,
                one.id,
                one.sharer,
                one.sharer_number,
                one.follower,
                one.state.value,
                int(one.may_see_graph),
                int(one.may_be_told),
                chosen[one.limits],
                one.since_ms,
                one.paused_by,
            )
            for one in change.follows
        ),
    )
    connection.executemany(
        "INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                one.id,
                one.secret_hash,
                one.sharer,
                int(one.may_see_graph),
                int(one.may_be_told),
                one.expires_ms,
            )
            for one in change.invitations
        ),
    )
    connection.executemany(
        "DELETE FROM invitation WHERE id = ?", ((identity,) for identity in change.invitations_dropped)
    )


def _limit_set(connection: sqlite3.Connection, limits: Limits) -> int:
    content = _encoder.encode(limits)
    connection.execute(
        "INSERT INTO limit_set (form, content) VALUES (?, ?) ON CONFLICT DO NOTHING", (FORM, content)
    )
    (number,) = connection.execute(
        "SELECT id FROM limit_set WHERE form = ? AND content = ?", (FORM, content)
    ).fetchone()
    return int(number)


def _tail(connection: sqlite3.Connection) -> tuple[int, bytes]:
    newest = connection.execute("SELECT number, hash FROM look ORDER BY number DESC LIMIT 1").fetchone()
    if newest is None:
        newest = connection.execute("SELECT number, hash FROM look_anchor").fetchone()
    return int(newest[0]), bytes(newest[1])


def _anchor(connection: sqlite3.Connection) -> bytes:
    (anchor,) = connection.execute("SELECT hash FROM look_anchor").fetchone()
    return bytes(anchor)


def _links(connection: sqlite3.Connection, which: str, first: int, second: int) -> list[ChainedLook]:
    rows = connection.execute(
        f"SELECT number, at_ms, viewer, sharer, what, credential, hash FROM look {which}", (first, second)
    )
    return [
        ChainedLook(number, Look(at_ms, viewer, sharer, what, credential), hashed)
        for number, at_ms, viewer, sharer, what, credential, hashed in rows
    ]


def _drop(connection: sqlite3.Connection, before_ms: int) -> int:
    first_kept = connection.execute(
        "SELECT number FROM look WHERE at_ms >= ? ORDER BY number LIMIT 1", (before_ms,)
    ).fetchone()
    upto = first_kept[0] - 1 if first_kept is not None else _tail(connection)[0]
    last = connection.execute("SELECT number, hash FROM look WHERE number = ?", (upto,)).fetchone()
    if last is None:
        return 0
    connection.execute("UPDATE look_anchor SET number = ?, hash = ?", last)
    return connection.execute("DELETE FROM look WHERE number <= ?", (upto,)).rowcount
