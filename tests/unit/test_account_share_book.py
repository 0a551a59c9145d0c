"""Share credentials and sessions as columns say what objects would say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.account.packed import halves, packed_sessions, packed_shares
from nightbell.account.ports import StoredSession, StoredShare
from nightbell.account.share import (
    SESSION_LASTS_MS,
    SESSIONS_OF_ONE_MAX,
    TOUCHED_AFTER_MS,
    ShareCredential,
)
from nightbell.account.share_book import Sessions, Shares
from nightbell.account.share_service import TENDED_AT_ONCE
from nightbell.adapters.stores.memory.accounts import MemoryAccountStore
from nightbell.words.identity import new_uuid, secret_hash
from nightbell.words.table import NO_ROW
from tests.household import NOW_MS, House

HASHED = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
OTHERWISE = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"


def share(number: int, password: str = HASHED, account: str = "") -> StoredShare:
    """The credential of one sharer."""
    account = account or new_uuid()
    return StoredShare(ShareCredential(account, f"Ana {number}", new_uuid(), number, NOW_MS), password)


def book_of(*stored: StoredShare) -> Shares:
    """A book that was loaded with these."""
    book = Shares()
    book.load(packed_shares(stored))
    return book


def test_credentials_that_were_hashed_in_different_ways_come_back_as_they_were_stored() -> None:
    stored = [share(1), share(2, OTHERWISE), share(3, "phc"), share(4, ""), share(5)]
    loaded, put = book_of(*stored), Shares()
    for one in stored:
        put.put(one)

    for book in (loaded, put):
        rows = [book.row(one.share.account) for one in stored]
        assert [StoredShare(book.share(row), book.password(row)) for row in rows] == stored
        assert [book.named(f"ANA {number}") for number in range(1, 6)] == rows
        assert book.named("Ana 6") == book.row(new_uuid()) == book.row("") == NO_ROW


def test_accounts_whose_ids_begin_alike_are_told_apart() -> None:
    alike = [share(n, account=f"00000000-0000-4000-8000-00000000000{n}") for n in range(4)]
    near = [share(n + 4, account=f"00000000-0000-4000-a000-00000000000{n}") for n in range(4)]
    book = book_of(*alike, *near)
    ids = packed_sessions(
        [StoredSession(b"h" * 32, one.share.account, 0, 0) for one in (*near, *alike)]
    ).accounts

    rows = book.rows(halves(ids)).tolist()

    assert rows == [book.row(one.share.account) for one in (*near, *alike)]
    assert [book.credential(row) for row in rows] == [4, 5, 6, 7, 0, 1, 2, 3]


def test_a_session_whose_account_is_gone_opens_nothing_and_the_others_do() -> None:
    there, gone = share(1), share(2)
    book, sessions = book_of(there), Sessions()
    stored = [
        StoredSession(secret_hash(one.share.account), one.share.account, NOW_MS, NOW_MS)
        for one in (gone, there)
    ]
    packed = packed_sessions(stored)

    sessions.load(packed, book.rows(halves(packed.accounts)))

    assert sessions.used(stored[0].id_hash, NOW_MS) == NO_ROW
    assert sessions.used(stored[1].id_hash, NOW_MS) == book.row(there.share.account)
    assert len(sessions) == 1


def test_a_session_that_ended_never_opens_the_account_that_got_its_place() -> None:
    sessions = Sessions()
    old, new = secret_hash("old"), secret_hash("new")
    sessions.put(old, 3, NOW_MS)

    sessions.drop((old,))
    sessions.put(new, 4, NOW_MS)

    assert sessions.used(old, NOW_MS) == NO_ROW
    assert sessions.used(new, NOW_MS) == 4
    assert sessions.of_share(3) == ()
    assert sessions.of_share(4) == (new,)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["open", "use", "end", "tend"]),
            st.integers(0, 9),
            st.integers(0, 3),
            st.sampled_from([0, TOUCHED_AFTER_MS, SESSION_LASTS_MS + 1]),
        ),
        max_size=80,
    )
)
def test_sessions_are_what_a_plain_dictionary_would_keep(steps: list[tuple[str, int, int, int]]) -> None:
    sessions, plain, now_ms = Sessions(), dict[bytes, tuple[int, int, int]](), NOW_MS
    shares = book_of(*(share(number) for number in range(4)))
    for what, which, whose, later_ms in steps:
        now_ms += later_ms
        hashed = secret_hash(str(which))
        if what == "open" and hashed not in plain:
            sessions.put(hashed, whose, now_ms)
            plain[hashed] = (whose, now_ms, now_ms)
        elif what == "end":
            sessions.drop((hashed,))
            plain.pop(hashed, None)
        elif what == "tend":
            written = sessions.touched(shares, most=99)
            grown = {one for one, (_, used, kept) in plain.items() if used - kept >= TOUCHED_AFTER_MS}
            assert {one.id_hash for one in written} == grown
            sessions.stored(written)
            plain = {
                one: (who, used, used if one in grown else kept) for one, (who, used, kept) in plain.items()
            }
        opened = sessions.used(hashed, now_ms)
        who, used_ms, kept_ms = plain.get(hashed, (NO_ROW, 0, 0))
        holds = who != NO_ROW and now_ms - used_ms <= SESSION_LASTS_MS
        assert opened == (who if holds else NO_ROW)
        if holds:
            plain[hashed] = (who, now_ms, kept_ms)
        over = {one for one, (_, used, _) in plain.items() if now_ms - used > SESSION_LASTS_MS}
        assert set(sessions.over(now_ms, most=99)) == over
        for number in range(4):
            mine = sorted(one for one, kept in plain.items() if kept[0] == number)
            assert sorted(sessions.of_share(number)) == mine
        assert len(sessions) == len(plain)


async def test_more_sessions_than_are_written_at_once_are_all_kept_and_all_dropped_in_the_end(
    house: House,
) -> None:
    people = await house.accounts.add_people([f"P{n}" for n in range(99)], share=True, now_ms=NOW_MS)
    store = house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    stored = [share(1000 + n) for n in range(len(people))]
    hashes = [secret_hash(str(n)) for n in range(TENDED_AT_ONCE + 500)]
    store.shares = {one.share.account: one for one in stored}
    store.sessions = {
        one: StoredSession(one, stored[n % 99].share.account, NOW_MS, NOW_MS) for n, one in enumerate(hashes)
    }
    again = (await house.restarted()).accounts.share
    later_ms = NOW_MS + TOUCHED_AFTER_MS
    for one in hashes:
        assert again._sessions.used(one, later_ms) != NO_ROW

    await again.tend(later_ms)
    used_ms = np.array([one.used_ms for one in store.sessions.values()])
    await again.tend(later_ms + SESSION_LASTS_MS + 1)

    assert (used_ms == later_ms).all()
    assert len(used_ms) == len(hashes)
    assert store.sessions == {}
    assert len(hashes) // 99 + 1 <= SESSIONS_OF_ONE_MAX
