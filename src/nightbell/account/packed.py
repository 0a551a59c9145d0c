"""Accounts as columns: how a store hands over a million of them, and how they are kept in memory."""

import binascii
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.account.identity import FOLLOW, PUBLISH
from nightbell.account.person import Person, folded
from nightbell.account.ports import (
    PackedKeys,
    PackedPeople,
    PackedSessions,
    PackedShares,
    PackedWays,
    StoredKey,
    StoredPerson,
    StoredSession,
    StoredShare,
    StoredWay,
)
from nightbell.account.texts import FIELD_END, TEXT_END
from nightbell.account.way import EMAIL, PROOFS, WEBHOOK, Way
from nightbell.words.glucose import Unit

SCOPES: Final = (PUBLISH, FOLLOW)
"""Scopes of keys by their number in columns."""

UUID_BYTES: Final = 16
UUID_CHARS: Final = 36
_HALVES: Final = Struct(">2Q")


def text_of_person(stored: StoredPerson) -> bytes:
    """The texts of a person in one."""
    person = stored.person
    fields = (person.name, person.email, person.unit.value, person.zone, person.webhook, stored.password)
    return FIELD_END.join(fields).encode()


def bound_to(person: str, what: str) -> str:
    """What a sealed text is bound to, so that one cannot be put in another's place."""
    return f"{person}:{what}"


def text_of_way(way: Way) -> str:
    """What is sealed of a way."""
    return FIELD_END.join((way.label, way.address))


def packed_ways(ways: Iterable[StoredWay]) -> PackedWays:
    """Ways as columns."""
    some = list(ways)
    all_ways = [one.way for one in some]
    return PackedWays(
        b"".join(id_bytes(one.person) for one in some),
        TEXT_END.join(way.channel for way in all_ways).encode(),
        np.array([way.number for way in all_ways], np.int32),
        TEXT_END.join(text_of_way(way) for way in all_ways).encode(),
        np.array([way.added_ms for way in all_ways], np.int64),
        np.array([way.proven_ms for way in all_ways], np.int64),
        np.array([PROOFS.index(way.proven_by) for way in all_ways], np.int8),
        np.array([way.lost_ms for way in all_ways], np.int64),
        TEXT_END.join(way.lost_why for way in all_ways).encode(),
    )


def packed_people(people: Iterable[StoredPerson]) -> PackedPeople:
    """People as columns."""
    some = list(people)
    persons = [stored.person for stored in some]
    return PackedPeople(
        b"".join(id_bytes(person.id) for person in persons),
        np.array([person.sharer for person in persons], np.int32),
        np.array([person.hidden for person in persons], np.bool_),
        np.array([person.created_ms for person in persons], np.int64),
        TEXT_END.encode().join(text_of_person(stored) for stored in some),
        TEXT_END.join(folded(person.name) for person in persons).encode(),
    )


def packed_keys(keys: Iterable[StoredKey]) -> PackedKeys:
    """Keys as columns; revoked ones are left out."""
    some = [key for key in keys if not key.revoked_ms]
    return PackedKeys(
        b"".join(id_bytes(key.id) for key in some),
        np.array([key.credential for key in some], np.int32),
        b"".join(id_bytes(key.person) for key in some),
        np.array([SCOPES.index(key.scope) for key in some], np.int8),
        TEXT_END.join(key.label for key in some).encode(),
        b"".join(key.secret_hash for key in some),
        np.array([key.created_ms for key in some], np.int64),
    )


def text_of_share(stored: StoredShare) -> bytes:
    """The texts of a Share credential in one."""
    return FIELD_END.join((stored.share.name, stored.password)).encode()


def packed_shares(shares: Iterable[StoredShare]) -> PackedShares:
    """Share credentials as columns."""
    some = list(shares)
    return PackedShares(
        b"".join(id_bytes(one.share.account) for one in some),
        b"".join(id_bytes(one.share.person) for one in some),
        np.array([one.share.credential for one in some], np.int32),
        np.array([one.share.created_ms for one in some], np.int64),
        TEXT_END.encode().join(text_of_share(one) for one in some),
        TEXT_END.join(folded(one.share.name) for one in some).encode(),
    )


def packed_sessions(sessions: Iterable[StoredSession]) -> PackedSessions:
    """Share sessions as columns."""
    some = list(sessions)
    return PackedSessions(
        b"".join(one.id_hash for one in some),
        b"".join(id_bytes(one.account) for one in some),
        np.array([one.opened_ms for one in some], np.int64),
        np.array([one.used_ms for one in some], np.int64),
    )


Opened = Callable[[str, str], str]
"""`AccountStore.opened`."""


def never_sealed(kept: str, bound_to: str) -> str:
    """`opened` of a store that keeps texts as they are."""
    del bound_to
    return kept


def person_of(
    text: bytes, *, person_id: str, sharer: int, hidden: bool, created_ms: int, opened: Opened = never_sealed
) -> StoredPerson:
    """The person whose texts these are. Where they are reached is opened only now."""
    name, email, unit, zone, webhook, password = text.decode().split(FIELD_END)
    email = opened(email, bound_to(person_id, EMAIL)) if email else email
    webhook = opened(webhook, bound_to(person_id, WEBHOOK)) if webhook else webhook
    person = Person(person_id, name, email, Unit(unit), zone, sharer, hidden, created_ms, webhook)
    return StoredPerson(person, password)


def id_bytes(identity: str) -> bytes:
    """The 16 bytes of a UUID.

    Raises:
        ValueError: It is none.
    """
    digits = identity.replace("-", "")
    if len(identity) != UUID_CHARS or len(digits) != 2 * UUID_BYTES or not digits.isalnum():
        raise ValueError("not a UUID")
    return int(digits, 16).to_bytes(UUID_BYTES)


def id_halves(identity: str) -> tuple[int, int]:
    """A UUID as two numbers, as columns keep it; of what is none, numbers that nobody has."""
    try:
        high, low = _HALVES.unpack(id_bytes(identity))
    except ValueError:
        return 0, 0
    return high, low


def id_text(high: int, low: int) -> str:
    """The lower-case text of a UUID."""
    digits = f"{high:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def halves(packed: bytes) -> NDArray[np.uint64]:
    """Many ids of 16 bytes as numbers, shape (n, 2)."""
    return np.frombuffer(packed, ">u8").astype(np.uint64).reshape(-1, 2)


def ids_of_texts(texts: str) -> bytes:
    """The bytes of many UUIDs whose texts follow each other without anything between.

    Raises:
        ValueError: They are no UUIDs.
    """
    return binascii.unhexlify(texts.encode().translate(None, b"-"))
