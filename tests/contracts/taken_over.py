"""What stores hand over, as books hold it that took the columns over."""

import numpy as np

from nightbell.account.book import Keys, People
from nightbell.account.packed import Opened, halves, id_bytes, id_text, never_sealed
from nightbell.account.ports import LoadedAccounts, StoredKey, StoredPerson, StoredSession, StoredShare
from nightbell.account.share_book import Shares
from nightbell.follow.book import FollowBook
from nightbell.follow.follow import Follow
from nightbell.follow.ports import LoadedFollows


def people_in(loaded: LoadedAccounts, opened: Opened = never_sealed) -> list[StoredPerson]:
    """People; what is sealed is opened by this."""
    people = People(opened)
    people.load(loaded.people)
    return [people.stored(person) for person in people.everybody()]


def keys_in(loaded: LoadedAccounts) -> list[StoredKey]:
    """Keys."""
    keys = Keys()
    keys.load(loaded.keys)
    return [key for person in people_in(loaded) for key in keys.of_person(person.person.id)]


def shares_in(loaded: LoadedAccounts) -> list[StoredShare]:
    """Share credentials."""
    shares = Shares()
    shares.load(loaded.shares)
    return [StoredShare(shares.share(row), shares.password(row)) for row in range(len(shares))]


def sessions_in(loaded: LoadedAccounts) -> list[StoredSession]:
    """Share sessions."""
    packed = loaded.sessions
    accounts = [id_text(*one) for one in halves(packed.accounts).tolist()]
    return [
        StoredSession(packed.hashes[32 * at : 32 * at + 32], account, opened_ms, used_ms)
        for at, (account, opened_ms, used_ms) in enumerate(
            zip(accounts, packed.opened_ms.tolist(), packed.used_ms.tolist(), strict=True)
        )
    ]


def follows_in(loaded: LoadedFollows, *sharers: str) -> list[Follow]:
    """Follows, ended ones too."""
    book = FollowBook()
    people = halves(b"".join(id_bytes(person) for person in sharers))
    book.load(loaded.follows, people, np.arange(len(people), dtype=np.int32))
    return list(book.some(range(book.next_number)))
