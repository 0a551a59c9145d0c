"""Everybody, in memory: by id, by name, by sharer number. What every request looks up.

A million people and their keys take some 350 MB as columns, where objects took 1.5 GB and a start a minute.
A person is made anew whenever somebody asks: about three microseconds.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.account.grants import Grant
from nightbell.account.identity import DEVICE_SCOPES, FOLLOW, PUBLISH, Identity
from nightbell.account.index import Index
from nightbell.account.packed import (
    SCOPES,
    Opened,
    halves,
    id_bytes,
    id_halves,
    id_text,
    never_sealed,
    person_of,
    text_of_person,
)
from nightbell.account.person import NOT_A_SHARER, Person, folded
from nightbell.account.ports import PackedKeys, PackedPeople, StoredKey, StoredPerson
from nightbell.account.texts import Texts, spans, text_key, text_keys
from nightbell.words.table import NO_ROW, Table, check_numbers

_PEOPLE: Final = (
    ("id_high", np.uint64, 0),
    ("id_low", np.uint64, 0),
    ("sharer", np.int32, NOT_A_SHARER),
    ("hidden", np.bool_, False),
    ("created_ms", np.int64, 0),
    ("text_start", np.int64, 0),
    ("text_size", np.int32, 0),
)

_KEYS: Final = (
    ("id_high", np.uint64, 0),
    ("id_low", np.uint64, 0),
    ("credential", np.int32, 0),
    ("person_high", np.uint64, 0),
    ("person_low", np.uint64, 0),
    ("scope", np.int8, 0),
    ("created_ms", np.int64, 0),
    ("label_start", np.int64, 0),
    ("label_size", np.int32, 0),
)
_FOLLOW_ONLY: Final = frozenset({FOLLOW})
_HASHES: Final = (("hash", np.uint64, 0),)
_HASH: Final = Struct(">4Q")
_HASH_WORDS: Final = 4


class People:
    """People and what is stored of their passwords.

    Args:
        opened: Opens what the store keeps sealed; it is kept sealed here too, and opened when somebody asks.
    """

    def __init__(self, opened: Opened = never_sealed) -> None:
        self._opened = opened
        self._table = Table(_PEOPLE)
        self._texts = Texts()
        self._ids = Index()
        self._names = Index()
        self._of_sharer = Table((("row", np.int32, NO_ROW),))

    def __len__(self) -> int:
        return self._table.count

    @property
    def next_sharer(self) -> int:
        """The number the next sharer gets."""
        return self._of_sharer.count

    def load(self, packed: PackedPeople) -> None:
        """Add many that are not there yet.

        Raises:
            ValueError: The columns are not of one length, or what is stored is damaged.
        """
        ids = halves(packed.ids)
        count = len(ids)
        starts, ends = spans(packed.texts, count)
        offset, _ = self._texts.put(packed.texts)
        first = self._table.extend(
            {
                "id_high": ids[:, 0],
                "id_low": ids[:, 1],
                "sharer": packed.sharers,
                "hidden": packed.hidden,
                "created_ms": packed.created_ms,
                "text_start": starts + offset,
                "text_size": ends - starts,
            }
        )
        rows = np.arange(first, first + count, dtype=np.int32)
        self._ids.add_many(ids[:, 0], rows)
        self._names.add_many(text_keys(packed.folded, count), rows)
        sharing = np.flatnonzero(packed.sharers != NOT_A_SHARER)
        if len(sharing):
            check_numbers(packed.sharers[sharing])
            self._of_sharer.reach(int(packed.sharers.max()))
            self._of_sharer["row"][packed.sharers[sharing]] = rows[sharing]

    def put(self, stored: StoredPerson) -> None:
        """Add or replace one; the name and the sharer number stay once given."""
        person = stored.person
        table = self._table
        high, low = halves(id_bytes(person.id))[0].tolist()
        row = self._row(high, low)
        if row == NO_ROW:
            row = table.count
            table.reach(row)
            table["id_high"][row], table["id_low"][row] = high, low
            table["hidden"][row], table["created_ms"][row] = person.hidden, person.created_ms
            self._ids.add(high, row)
            self._names.add(text_key(folded(person.name).encode()), row)
        table["text_start"][row], table["text_size"][row] = self._texts.put(text_of_person(stored))
        table["sharer"][row] = person.sharer
        if person.sharer != NOT_A_SHARER:
            self._of_sharer.reach(person.sharer)
            self._of_sharer["row"][person.sharer] = row

    def person(self, person_id: str) -> Person | None:
        """The person of this id."""
        row = self._row(*id_halves(person_id))
        return None if row == NO_ROW else self._stored(row).person

    def named(self, name: str) -> Person | None:
        """The person of this name, whatever its case."""
        wanted = folded(name)
        for row in self._names.rows(text_key(wanted.encode(errors="surrogatepass"))):
            person = self._stored(row).person
            if folded(person.name) == wanted:
                return person
        return None

    def sharer(self, number: int) -> Person | None:
        """The person who has this sharer number."""
        row = self._of_sharer["row"].item(number) if 0 <= number < self._of_sharer.count else NO_ROW
        return None if row == NO_ROW else self._stored(row).person

    def sharer_of(self, high: int, low: int) -> int | None:
        """The sharer number of the person with this id, -1 for none; None if there is no such person."""
        row = self._row(high, low)
        return None if row == NO_ROW else self._table["sharer"].item(row)

    def ids(self) -> NDArray[np.uint64]:
        """The id of everybody as two numbers, by row, shape (n, 2)."""
        return np.column_stack((self._table.used("id_high"), self._table.used("id_low")))

    def sharer_rows(self) -> NDArray[np.int32]:
        """The row of each sharer by number; -1 for a number that nobody has."""
        rows: NDArray[np.int32] = self._of_sharer.used("row")
        return rows

    def sharers_but(self, known: NDArray[np.int64]) -> list[int]:
        """All sharer numbers that are not among these, ascending."""
        left = self._of_sharer.used("row") != NO_ROW
        left[known[known < len(left)]] = False
        return np.flatnonzero(left).tolist()

    def everybody(self) -> Iterator[Person]:
        """All of them."""
        return (self._stored(row).person for row in range(self._table.count))

    def password(self, person_id: str) -> str:
        """What is stored of the password; empty for none."""
        row = self._row(*id_halves(person_id))
        return "" if row == NO_ROW else self._stored(row).password

    def stored(self, person: Person) -> StoredPerson:
        """The person as stored."""
        return StoredPerson(person, self.password(person.id))

    def _row(self, high: int, low: int) -> int:
        lows = self._table["id_low"].item
        for row in self._ids.rows(high):
            if lows(row) == low:
                return row
        return NO_ROW

    def _stored(self, row: int) -> StoredPerson:
        table = self._table
        return person_of(
            self._texts.at(table["text_start"].item(row), table["text_size"].item(row)),
            person_id=id_text(table["id_high"].item(row), table["id_low"].item(row)),
            sharer=table["sharer"].item(row),
            hidden=table["hidden"].item(row),
            created_ms=table["created_ms"].item(row),
            opened=self._opened,
        )


class OpenedKey(NamedTuple):
    """What a key opens, as the door needs it.

    Attributes:
        person: Person id, as two numbers.
        scope: "publish" or "follow".
        credential: The key's number.
    """

    person: tuple[int, int]
    scope: str
    credential: int


class Keys:
    """Keys by the hash of their secret, and by whose they are."""

    def __init__(self) -> None:
        self._table = Table(_KEYS)
        self._hashes = Table(_HASHES, _HASH_WORDS)
        self._labels = Texts()
        self._opens = Index()
        self._of_person = Index()

    def load(self, packed: PackedKeys) -> None:
        """Add many that are not there yet.

        Raises:
            ValueError: The columns are not of one length.
        """
        ids, people = halves(packed.ids), halves(packed.people)
        count = len(ids)
        starts, ends = spans(packed.labels, count)
        offset, _ = self._labels.put(packed.labels)
        first = self._table.extend(
            {
                "id_high": ids[:, 0],
                "id_low": ids[:, 1],
                "credential": packed.credentials,
                "person_high": people[:, 0],
                "person_low": people[:, 1],
                "scope": packed.scopes,
                "created_ms": packed.created_ms,
                "label_start": starts + offset,
                "label_size": ends - starts,
            }
        )
        words = halves(packed.hashes).reshape(-1, _HASH_WORDS)
        self._hashes.extend({"hash": words})
        rows = np.arange(first, first + count, dtype=np.int32)
        self._opens.add_many(words[:, 0], rows)
        self._of_person.add_many(people[:, 0], rows)

    def put(self, key: StoredKey) -> None:
        """Add one, or take out one that was revoked meanwhile."""
        words = _HASH.unpack(key.secret_hash)
        high, low = halves(id_bytes(key.person))[0].tolist()
        row = self._opened_row(words)
        if key.revoked_ms:
            if row != NO_ROW:
                self._opens.remove(words[0], row)
                self._of_person.remove(high, row)
            return
        table = self._table
        if row == NO_ROW:
            row = table.count
            table.reach(row)
            self._hashes.reach(row)
            self._hashes["hash"][row] = words
            table["id_high"][row], table["id_low"][row] = halves(id_bytes(key.id))[0]
            table["credential"][row] = key.credential
            table["person_high"][row], table["person_low"][row] = high, low
            table["scope"][row] = SCOPES.index(key.scope)
            table["created_ms"][row] = key.created_ms
            self._opens.add(words[0], row)
            self._of_person.add(high, row)
        table["label_start"][row], table["label_size"][row] = self._labels.put(key.label.encode())

    def opened_by(self, secret_hash: bytes) -> OpenedKey | None:
        """What the key with this secret opens."""
        row = self._opened_row(_HASH.unpack(secret_hash))
        if row == NO_ROW:
            return None
        table = self._table
        return OpenedKey(
            (table["person_high"].item(row), table["person_low"].item(row)),
            SCOPES[table["scope"].item(row)],
            table["credential"].item(row),
        )

    def key(self, key_id: str) -> StoredKey | None:
        """The key with this id, unless it was revoked. Looks at all of them: for people, not for requests."""
        high, low = id_halves(key_id)
        same = (self._table.used("id_high") == high) & (self._table.used("id_low") == low)
        for row in np.flatnonzero(same).tolist():
            if self._opened_row(tuple(self._hashes["hash"][row].tolist())) == row:
                return self._stored(row)
        return None

    def of_person(self, person_id: str) -> Sequence[StoredKey]:
        """One person's keys, oldest first."""
        high, low = id_halves(person_id)
        rows = [row for row in self._of_person.rows(high) if self._table["person_low"].item(row) == low]
        return sorted((self._stored(row) for row in rows), key=lambda key: key.credential)

    def _opened_row(self, words: tuple[int, ...]) -> int:
        for row in self._opens.rows(words[0]):
            if tuple(self._hashes["hash"][row].tolist()) == words:
                return row
        return NO_ROW

    def _stored(self, row: int) -> StoredKey:
        table = self._table
        label = self._labels.at(table["label_start"].item(row), table["label_size"].item(row))
        return StoredKey(
            id=id_text(table["id_high"].item(row), table["id_low"].item(row)),
            credential=table["credential"].item(row),
            person=id_text(table["person_high"].item(row), table["person_low"].item(row)),
            scope=SCOPES[table["scope"].item(row)],
            label=label.decode(),
            secret_hash=self._hashes["hash"][row].astype(">u8").tobytes(),
            created_ms=table["created_ms"].item(row),
            revoked_ms=0,
        )


def identity_of(grant: Grant, sharer: int) -> Identity:
    """What a device with this grant may do now; only somebody with a sharer number publishes."""
    publishes = sharer != NOT_A_SHARER and PUBLISH in grant.scopes
    scopes = DEVICE_SCOPES if publishes else _FOLLOW_ONLY
    return Identity(grant.person, scopes, sharer if publishes else NOT_A_SHARER, grant.credential)
