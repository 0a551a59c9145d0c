"""Share credentials and sessions in memory, as columns: a million old clients must fit, and load in seconds.

Both are loaded whole at the start, so nobody signs in again because we started anew. `benchmarks/share.py`
measures what each takes.
"""

from array import array
from collections.abc import Sequence
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.account.index import Index
from nightbell.account.packed import halves, id_bytes, id_halves, id_text, text_of_share
from nightbell.account.person import folded
from nightbell.account.ports import PackedSessions, PackedShares, StoredSession, StoredShare
from nightbell.account.share import (
    SESSION_LASTS_MS,
    SESSIONS_OF_ONE_MAX,
    TOUCHED_AFTER_MS,
    ShareCredential,
)
from nightbell.account.texts import FIELD_END, TEXT_END, Texts, spans, text_key, text_keys
from nightbell.words.table import NO_ROW, Table

_SHARES: Final = (
    ("id_high", np.uint64, 0),
    ("id_low", np.uint64, 0),
    ("person_high", np.uint64, 0),
    ("person_low", np.uint64, 0),
    ("credential", np.int32, 0),
    ("created_ms", np.int64, 0),
    ("text_start", np.int64, 0),
    ("text_size", np.int32, 0),
)

_SESSIONS: Final = (
    ("share", np.int32, NO_ROW),
    ("opened_ms", np.int64, 0),
    ("used_ms", np.int64, 0),
    ("stored_ms", np.int64, 0),
)
_HASHES: Final = (("hash", np.uint64, 0),)
_HASH: Final = Struct(">4Q")
_HASH_WORDS: Final = 4

_FIELD: Final = FIELD_END.encode()
_END: Final = TEXT_END.encode()
_USUAL: Final = b"\x1d"
"""Stands for how most passwords are hashed (`$argon2id$v=19$m=...$`): the same thirty letters in each."""

_PHC_FIELDS: Final = 4
"""`$name$version$settings$salt$hash` (the PHC string format): all but salt and hash are the same for all."""


class Shares:
    """Share credentials, by account id and by name; rows are for ever."""

    def __init__(self) -> None:
        self._table = Table(_SHARES)
        self._texts = Texts()
        self._ids = Index()
        self._names = Index()
        self._usual = b""

    def __len__(self) -> int:
        return self._table.count

    def load(self, packed: PackedShares) -> None:
        """Add many that are not there yet.

        Raises:
            ValueError: The columns are not of one length.
        """
        ids, people = halves(packed.ids), halves(packed.people)
        count = len(ids)
        if count and not self._usual:
            self._usual = _how_hashed(packed.texts.partition(_END)[0])
        texts = self._short(packed.texts)
        starts, ends = spans(texts, count)
        offset, _ = self._texts.put(texts)
        first = self._table.extend(
            {
                "id_high": ids[:, 0],
                "id_low": ids[:, 1],
                "person_high": people[:, 0],
                "person_low": people[:, 1],
                "credential": packed.credentials,
                "created_ms": packed.created_ms,
                "text_start": starts + offset,
                "text_size": ends - starts,
            }
        )
        rows = np.arange(first, first + count, dtype=np.int32)
        self._ids.add_many(ids[:, 0], rows)
        self._names.add_many(text_keys(packed.folded, count), rows)

    def put(self, stored: StoredShare) -> int:
        """Add one or give it another password; its row."""
        share, table = stored.share, self._table
        row = self.row(share.account)
        if row == NO_ROW:
            row = table.count
            table.reach(row)
            high, low = halves(id_bytes(share.account))[0].tolist()
            table["id_high"][row], table["id_low"][row] = high, low
            table["person_high"][row], table["person_low"][row] = halves(id_bytes(share.person))[0]
            table["credential"][row], table["created_ms"][row] = share.credential, share.created_ms
            self._ids.add(high, row)
            self._names.add(text_key(folded(share.name).encode()), row)
        text = text_of_share(stored)
        self._usual = self._usual or _how_hashed(text)
        table["text_start"][row], table["text_size"][row] = self._texts.put(self._short(text))
        return row

    def row(self, account: str) -> int:
        """The row of this account id, `NO_ROW` for none."""
        high, low = id_halves(account)
        lows = self._table["id_low"].item
        return next((row for row in self._ids.rows(high) if lows(row) == low), NO_ROW)

    def rows(self, accounts: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The rows of many account ids, given as two numbers each, `NO_ROW` for none."""
        highs, lows = self._table.used("id_high"), self._table.used("id_low")
        if not len(highs):
            return np.full(len(accounts), NO_ROW, np.int32)
        order = np.argsort(highs, kind="stable")
        places = np.minimum(np.searchsorted(highs[order], accounts[:, 0]), len(order) - 1)
        rows = order[places].astype(np.int32)
        others = np.flatnonzero((highs[rows] != accounts[:, 0]) | (lows[rows] != accounts[:, 1]))
        for at in others.tolist():  # nobody's; or, once in a world, two ids that begin with the same 64 bits
            rows[at] = self.row(id_text(*accounts[at].tolist()))
        return rows

    def named(self, name: str) -> int:
        """The row of this name, whatever its case; `NO_ROW` for none."""
        wanted = folded(name)
        for row in self._names.rows(text_key(wanted.encode(errors="surrogatepass"))):
            if folded(self._text(row)[0]) == wanted:
                return row
        return NO_ROW

    def share(self, row: int) -> ShareCredential:
        """The credential in this row."""
        table = self._table
        return ShareCredential(
            account=id_text(table["id_high"].item(row), table["id_low"].item(row)),
            name=self._text(row)[0],
            person=id_text(*self.person(row)),
            credential=self.credential(row),
            created_ms=table["created_ms"].item(row),
        )

    def password(self, row: int) -> str:
        """What is stored of the password."""
        return self._text(row)[1]

    def person(self, row: int) -> tuple[int, int]:
        """Whose it is, as two numbers."""
        return self._table["person_high"].item(row), self._table["person_low"].item(row)

    def credential(self, row: int) -> int:
        """Its number."""
        return int(self._table["credential"].item(row))

    def _text(self, row: int) -> list[str]:
        table = self._table
        text = self._texts.at(table["text_start"].item(row), table["text_size"].item(row))
        return text.replace(_FIELD + _USUAL, _FIELD + self._usual).decode().split(FIELD_END)

    def _short(self, texts: bytes) -> bytes:
        return texts.replace(_FIELD + self._usual, _FIELD + _USUAL) if self._usual else texts


class Sessions:
    """All sessions, by the hash of their id; bounded for each account. Rows of ended ones are used again."""

    def __init__(self) -> None:
        self._table = Table(_SESSIONS)
        self._hashes = Table(_HASHES, _HASH_WORDS)
        self._by_hash = Index()
        self._of_share = Index()
        self._free = array("i")

    def __len__(self) -> int:
        return self._table.count - len(self._free)

    def load(self, packed: PackedSessions, shares: NDArray[np.int32]) -> None:
        """Add many that are not there yet; those whose account is gone are left out.

        Raises:
            ValueError: The columns are not of one length.
        """
        there = np.flatnonzero(shares != NO_ROW)
        words = halves(packed.hashes).reshape(-1, _HASH_WORDS)[there]
        used_ms = packed.used_ms[there]
        first = self._table.extend(
            {
                "share": shares[there],
                "opened_ms": packed.opened_ms[there],
                "used_ms": used_ms,
                "stored_ms": used_ms,
            }
        )
        self._hashes.extend({"hash": words})
        rows = np.arange(first, first + len(there), dtype=np.int32)
        self._by_hash.add_many(words[:, 0], rows)
        self._of_share.add_many(_share_keys(shares[there]), rows)

    def used(self, hashed: bytes, now_ms: int) -> int:
        """The account's row behind this id, used now; `NO_ROW` if there is none or it has run out."""
        row = self._row(_HASH.unpack(hashed))
        if row == NO_ROW:
            return NO_ROW
        column = self._table["used_ms"]
        used_ms = column.item(row)
        if now_ms - used_ms > SESSION_LASTS_MS:
            return NO_ROW
        if now_ms > used_ms:
            column[row] = now_ms
        return int(self._table["share"].item(row))

    def put(self, hashed: bytes, share: int, now_ms: int) -> None:
        """Keep a new one."""
        words, table = _HASH.unpack(hashed), self._table
        row = self._free.pop() if self._free else table.count
        table.reach(row)
        self._hashes.reach(row)
        self._hashes["hash"][row] = words
        table["share"][row] = share
        for name in ("opened_ms", "used_ms", "stored_ms"):
            table[name][row] = now_ms
        self._by_hash.add(words[0], row)
        self._of_share.add(share + 1, row)

    def crowded_out(self, share: int) -> tuple[bytes, ...]:
        """What must go before this account may open one more: those unused for longest."""
        rows = self._rows_of(share)
        too_many = len(rows) + 1 - SESSIONS_OF_ONE_MAX
        if too_many <= 0:
            return ()
        oldest = sorted(rows, key=self._table["used_ms"].item)[:too_many]
        return tuple(map(self._hash, oldest))

    def drop(self, hashed: Sequence[bytes]) -> None:
        """Forget these."""
        for one in hashed:
            words = _HASH.unpack(one)
            row = self._row(words)
            if row != NO_ROW:
                self._by_hash.remove(words[0], row)
                self._of_share.remove(self._table["share"].item(row) + 1, row)
                self._table["share"][row] = NO_ROW
                self._free.append(row)

    def of_share(self, share: int) -> tuple[bytes, ...]:
        """Hashes of one account's sessions."""
        return tuple(map(self._hash, self._rows_of(share)))

    def over(self, now_ms: int, most: int) -> tuple[bytes, ...]:
        """Those that have run out, at most so many."""
        old = self._table.used("used_ms") < now_ms - SESSION_LASTS_MS
        rows = np.flatnonzero(old & (self._table.used("share") != NO_ROW))
        return tuple(map(self._hash, rows[:most].tolist()))

    def touched(self, shares: Shares, most: int) -> tuple[StoredSession, ...]:
        """Those whose stored time of last use has grown too old, at most so many."""
        table = self._table
        grown = table.used("used_ms") - table.used("stored_ms") >= TOUCHED_AFTER_MS
        rows = np.flatnonzero(grown & (table.used("share") != NO_ROW))[:most].tolist()
        return tuple(
            StoredSession(
                self._hash(row),
                shares.share(table["share"].item(row)).account,
                table["opened_ms"].item(row),
                table["used_ms"].item(row),
            )
            for row in rows
        )

    def stored(self, sessions: Sequence[StoredSession]) -> None:
        """These are stored with their time of last use."""
        for one in sessions:
            row = self._row(_HASH.unpack(one.id_hash))
            if row != NO_ROW:
                self._table["stored_ms"][row] = one.used_ms

    def _row(self, words: tuple[int, ...]) -> int:
        for row in self._by_hash.rows(words[0]):
            if tuple(self._hashes["hash"][row].tolist()) == words:
                return row
        return NO_ROW

    def _rows_of(self, share: int) -> list[int]:
        shares = self._table["share"].item
        return [row for row in self._of_share.rows(share + 1) if shares(row) == share]

    def _hash(self, row: int) -> bytes:
        return _HASH.pack(*self._hashes["hash"][row].tolist())


def _share_keys(shares: NDArray[np.int32]) -> NDArray[np.uint64]:
    return (shares + 1).astype(np.uint64)


def _how_hashed(text: bytes) -> bytes:
    """How the password in a credential's text was hashed, as it stands before the salt; empty if unknown."""
    parts = text.partition(_FIELD)[2].split(b"$")
    return b"$".join(parts[:_PHC_FIELDS]) + b"$" if len(parts) > _PHC_FIELDS else b""
