"""Everybody, in memory: by id, by name, by sharer number. What every request looks up."""

from collections.abc import Iterable, Sequence

from nightbell.account.identity import Identity
from nightbell.account.person import NOT_A_SHARER, Person, folded
from nightbell.account.ports import StoredKey, StoredPerson


class People:
    """People and what is stored of their passwords."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._named: dict[str, str] = {}
        self._sharers: list[str] = []
        self._passwords: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._people)

    @property
    def next_sharer(self) -> int:
        """The number the next sharer gets."""
        return len(self._sharers)

    def put(self, stored: StoredPerson) -> None:
        """Add or replace one; the name and the sharer number stay once given."""
        person = stored.person
        self._people[person.id] = person
        self._named[folded(person.name)] = person.id
        if stored.password:
            self._passwords[person.id] = stored.password
        if person.sharer != NOT_A_SHARER:
            # Stored rows come in any order: make room, each number is filled once.
            missing = person.sharer + 1 - len(self._sharers)
            self._sharers.extend([""] * missing)
            self._sharers[person.sharer] = person.id

    def person(self, person_id: str) -> Person | None:
        """The person of this id."""
        return self._people.get(person_id)

    def named(self, name: str) -> Person | None:
        """The person of this name, whatever its case."""
        return self._people.get(self._named.get(folded(name), ""))

    def sharer(self, number: int) -> Person | None:
        """The person who has this sharer number."""
        return self._people.get(self._sharers[number]) if 0 <= number < len(self._sharers) else None

    def everybody(self) -> Iterable[Person]:
        """All of them."""
        return self._people.values()

    def password(self, person_id: str) -> str:
        """What is stored of the password; empty for none."""
        return self._passwords.get(person_id, "")

    def stored(self, person: Person) -> StoredPerson:
        """The person as stored."""
        return StoredPerson(person, self.password(person.id))


class Keys:
    """Keys by the hash of their secret, and by their id."""

    def __init__(self) -> None:
        self._opens: dict[bytes, StoredKey] = {}
        self._ids: dict[str, StoredKey] = {}
        self._of_person: dict[str, tuple[str, ...]] = {}

    def put(self, key: StoredKey) -> None:
        """Add one, or replace one that was revoked meanwhile."""
        if key.revoked_ms:
            self._opens.pop(key.secret_hash, None)
            self._ids.pop(key.id, None)
            mine = self._of_person.get(key.person, ())
            self._of_person[key.person] = tuple(one for one in mine if one != key.id)
            return
        self._opens[key.secret_hash] = key
        self._ids[key.id] = key
        self._of_person[key.person] = (*self._of_person.get(key.person, ()), key.id)

    def opened_by(self, secret_hash: bytes) -> StoredKey | None:
        """The key with this secret."""
        return self._opens.get(secret_hash)

    def key(self, key_id: str) -> StoredKey | None:
        """The key with this id, unless it was revoked."""
        return self._ids.get(key_id)

    def of_person(self, person_id: str) -> Sequence[StoredKey]:
        """One person's keys, oldest first."""
        return [self._ids[one] for one in self._of_person.get(person_id, ())]


def identity_of(person: Person, scopes: frozenset[str], credential: int, *, publishes: bool) -> Identity:
    """What a credential of this person may do now; only a sharer publishes."""
    sharer = person.sharer if publishes else NOT_A_SHARER
    return Identity(person.id, scopes, sharer, credential)
