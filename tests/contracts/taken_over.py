"""What stores hand over, as books hold it that took the columns over."""

import numpy as np

from nightbell.account.book import Keys, People
from nightbell.account.packed import halves, id_bytes
from nightbell.account.ports import LoadedAccounts, StoredKey, StoredPerson
from nightbell.follow.book import FollowBook
from nightbell.follow.follow import Follow
from nightbell.follow.ports import LoadedFollows


def people_in(loaded: LoadedAccounts) -> list[StoredPerson]:
    """People."""
    people = People()
    people.load(loaded.people)
    return [people.stored(person) for person in people.everybody()]


def keys_in(loaded: LoadedAccounts) -> list[StoredKey]:
    """Keys."""
    keys = Keys()
    keys.load(loaded.keys)
    return [key for person in people_in(loaded) for key in keys.of_person(person.person.id)]


def follows_in(loaded: LoadedFollows, *sharers: str) -> list[Follow]:
    """Follows, ended ones too."""
    book = FollowBook()
    people = halves(b"".join(id_bytes(person) for person in sharers))
    book.load(loaded.follows, people, np.arange(len(people), dtype=np.int32))
    return list(book.some(range(book.next_number)))
