"""The books that hold a million people: columns and an index, beside dictionaries that do the same slowly."""

import random
from collections import defaultdict

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nightbell.account.book import Keys, People
from nightbell.account.index import Index
from nightbell.account.packed import halves, id_bytes, id_halves, packed_keys, packed_people
from nightbell.account.person import Person, folded
from nightbell.account.ports import StoredKey, StoredPerson
from nightbell.account.texts import TEXT_END, text_key, text_keys
from nightbell.alarm.tellings import Tellings
from nightbell.follow.book import FollowBook
from nightbell.follow.defaults import default_limits
from nightbell.follow.follow import Follow, FollowState
from nightbell.follow.packed import packed_follows
from nightbell.follow.standing import Standing, differing, standing
from nightbell.journal.facts import FollowSet
from nightbell.words.glucose import Unit
from tests.household import KnownFacts


def uuid_of(number: int) -> str:
    """A UUID whose first half many others share, so that an index must look at both."""
    return f"{number % 3:08x}-0000-4000-8000-{number:012x}"


class IndexMachine(RuleBasedStateMachine):
    """An index beside a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.index = Index()
        self.model: dict[int, list[int]] = defaultdict(list)
        self.next_row = 0

    @rule(key=st.one_of(st.integers(0, 5), st.integers(0, 2**64 - 1)))
    def add(self, key: int) -> None:
        self.index.add(key, self.next_row)
        self.model[key or 1].append(self.next_row)
        self.next_row += 1

    @rule(seed=st.integers(0, 2**32), count=st.integers(0, 200), keys=st.sampled_from([3, 2**64]))
    def add_many(self, seed: int, count: int, keys: int) -> None:
        drawn = random.Random(seed)
        some = [drawn.randrange(keys) for _ in range(count)]
        rows = np.arange(self.next_row, self.next_row + count, dtype=np.int32)
        self.index.add_many(np.array(some, np.uint64), rows)
        for key, row in zip(some, rows.tolist(), strict=True):
            self.model[key or 1].append(row)
        self.next_row += count

    @rule(pick=st.randoms(use_true_random=False))
    def remove(self, pick: random.Random) -> None:
        full = [key for key, rows in self.model.items() if rows]
        if full:
            key = pick.choice(full)
            row = self.model[key].pop(pick.randrange(len(self.model[key])))
            self.index.remove(key, row)

    @invariant()
    def the_same_rows(self) -> None:
        for key in [*self.model, 77]:
            assert sorted(self.index.rows(key)) == sorted(self.model.get(key, []))
        keys = [*self.model, 77]
        for key, row in zip(keys, self.index.first_rows(np.array(keys, np.uint64)).tolist(), strict=True):
            assert row in (self.model.get(key) or [-1])


IndexMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestIndex = IndexMachine.TestCase


@given(st.lists(st.text(st.characters(exclude_characters=TEXT_END, codec="utf-8"), max_size=20), min_size=1))
def test_a_text_has_the_same_key_alone_and_among_others(texts: list[str]) -> None:
    together = text_keys(TEXT_END.join(texts).encode(), len(texts)).tolist()

    assert together == [text_key(text.encode()) for text in texts]


NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
PEOPLE = st.lists(
    st.tuples(NAMES, st.booleans(), st.booleans()), max_size=30, unique_by=lambda x: folded(x[0])
)


@given(people=PEOPLE, at_once=st.integers(0, 30))
def test_people_are_found_however_they_came_in(people: list[tuple[str, bool, bool]], at_once: int) -> None:
    stored = [
        StoredPerson(
            Person(
                uuid_of(n), name, "a@b.org" if n % 2 else "", Unit.MMOL, "Asia/Tokyo",
                n if shares else -1, hidden, n, "https://x" if n % 3 else "",
            ),
            f"phc {n}" if n % 2 else "",
        )
        for n, (name, shares, hidden) in enumerate(people)
    ]  # fmt: skip
    book = People()
    book.load(packed_people(stored[:at_once]))
    for one in stored[at_once:]:
        book.put(one)

    for one in stored:
        person = one.person
        assert book.person(person.id) == person
        assert book.named(person.name) == book.named(folded(person.name)) == person
        assert book.password(person.id) == one.password
        assert person.sharer < 0 or book.sharer(person.sharer) == person
    assert list(book.everybody()) == [one.person for one in stored]
    ids, rows = book.ids().tolist(), book.sharer_rows().tolist()
    for one in stored:
        if one.person.sharer >= 0:
            assert tuple(ids[rows[one.person.sharer]]) == id_halves(one.person.id)
    numbers = [one.person.sharer for one in stored if one.person.sharer >= 0]
    assert book.sharers_but(np.array([*numbers[::2], 999], np.int64)) == numbers[1::2]
    for nobody in (uuid_of(10_000), "", "dan", "-" * 36, "g" * 32, "00000000-0000-0000-0000-000000000000"):
        assert book.person(nobody) is None
    assert book.named("somebody who is not there") is None
    assert book.sharer(10_000) is None


def test_a_person_who_changes_is_found_as_they_are_now() -> None:
    book = People()
    ana = Person(uuid_of(1), "Ana", "", Unit.MGDL, "UTC", -1, hidden=False, created_ms=5)
    book.load(packed_people([StoredPerson(ana, "old")]))
    changed = msgspec.structs.replace(ana, email="ana@example.org", sharer=7)

    book.put(StoredPerson(changed, "new"))

    assert book.person(ana.id) == book.named("ANA") == book.sharer(7) == changed
    assert book.password(ana.id) == "new"
    assert len(book) == 1
    assert book.next_sharer == 8


@given(count=st.integers(0, 30), at_once=st.integers(0, 30), revoked=st.sets(st.integers(0, 29)))
def test_a_key_opens_until_it_is_revoked(count: int, at_once: int, revoked: set[int]) -> None:
    stored = [
        StoredKey(
            uuid_of(100 + n), n + 1, uuid_of(n % 4), "publish" if n % 2 else "follow", f"label {n}",
            bytes([n % 2]) * 8 + bytes([n]) * 24, n, 0,
        )
        for n in range(count)
    ]  # fmt: skip
    book = Keys()
    book.load(packed_keys(stored[:at_once]))
    for one in stored[at_once:]:
        book.put(one)
    for n in revoked & set(range(count)):
        book.put(msgspec.structs.replace(stored[n], revoked_ms=9))

    for n, one in enumerate(stored):
        opened = book.opened_by(one.secret_hash)
        if n in revoked:
            assert opened is None
            assert book.key(one.id) is None
        else:
            assert opened is not None
            assert (opened.scope, opened.credential) == (one.scope, one.credential)
            assert book.key(one.id) == one
    for person in range(4):
        assert book.of_person(uuid_of(person)) == [
            one for n, one in enumerate(stored) if n % 4 == person and n not in revoked
        ]
    assert book.opened_by(b"\xff" * 32) is None


def follow_of(number: int, state: FollowState, *, told: bool = True, metric: bool = False) -> Follow:
    """A follow between people of whom a few have many."""
    return Follow(
        uuid_of(1000 + number), number, uuid_of(number % 7), number % 7, uuid_of(50 + number // 7), state,
        may_see_graph=number % 2 == 0, may_be_told=told,
        limits=default_limits(Unit.MMOL if metric else Unit.MGDL), since_ms=number,
        paused_by=uuid_of(number % 7) if state is FollowState.PAUSED else "",
    )  # fmt: skip


SHARERS = halves(b"".join(id_bytes(uuid_of(number)) for number in range(7)))
"""Their ids, as the accounts have them. Those who follow only are not there: the book knows what to do."""

ROWS = np.arange(len(SHARERS), dtype=np.int32)

STATES = st.lists(st.sampled_from(list(FollowState)), max_size=40)


@given(states=STATES, at_once=st.integers(0, 40), later=st.lists(st.integers(0, 39), max_size=10))
def test_follows_are_found_by_both_people(states: list[FollowState], at_once: int, later: list[int]) -> None:
    follows = [follow_of(n, state, metric=n % 5 == 0) for n, state in enumerate(states)]
    book = FollowBook()
    book.load(packed_follows(follows[:at_once]), SHARERS, ROWS)
    for one in follows[at_once:]:
        book.put(one)
    for n in later:
        if n < len(follows) and follows[n].state is not FollowState.ENDED:
            follows[n] = msgspec.structs.replace(follows[n], state=FollowState.ENDED, paused_by="")
            book.put(follows[n])

    live = [one for one in follows if one.state is not FollowState.ENDED]
    assert [book.numbered(n) for n in range(len(follows))] == follows
    assert [book.follow(one.id) for one in follows] == follows
    assert list(book.live()) == live
    assert book.next_number == len(follows)
    for person in {one.sharer for one in follows} | {one.follower for one in follows} | {uuid_of(999)}:
        assert book.of_sharer(person) == [one for one in live if one.sharer == person]
        assert book.of_follower(person) == [one for one in live if one.follower == person]
    for one in follows:
        assert book.between(one.sharer, one.follower) == (one if one in live else None)
    assert book.follow("nothing") is None


CHANGES = st.lists(
    st.sampled_from(["same", "unknown", "told", "zone", "limits", "sharer", "follower", "ended"]), max_size=30
)


@given(states=STATES, changes=CHANGES, beyond=st.integers(0, 3))
def test_every_follow_that_the_journal_knows_otherwise_is_suspected(
    states: list[FollowState], changes: list[str], beyond: int
) -> None:
    follows = [follow_of(n, state) for n, state in enumerate(states)]
    book, known = FollowBook(), KnownFacts()
    book.load(packed_follows(follows), SHARERS, ROWS)
    for follow, change in zip(follows, changes + ["same"] * len(follows), strict=False):
        said = standing(follow, "UTC", by="", at_ms=0)
        if not isinstance(said, Standing) or change == "unknown":
            continue
        if change == "limits":
            said = standing(follow_of(follow.number, follow.state, metric=True), "UTC", by="", at_ms=0)
            assert isinstance(said, Standing)
        by_change: dict[str, dict[str, object]] = {
            "told": {"told": not said.told},
            "zone": {"zone": "Asia/Tokyo"},
            "sharer": {"sharer": said.sharer + 1},
            "follower": {"follower": uuid_of(77)},
        }
        parts = by_change.get(change, {})
        known[follow.number] = msgspec.structs.replace(said, **parts)
    for extra in range(beyond):
        known[len(follows) + extra] = Standing(
            0, len(follows) + extra, 1, uuid_of(1), told=True, bounds=FIRST.bounds, telling=FIRST.telling,
            zone="UTC", by="",
        )  # fmt: skip
    ended = [follow for follow in follows if follow.state is FollowState.ENDED]
    for follow in ended[: len(changes) // 2]:
        known[follow.number] = msgspec.structs.replace(FIRST, follow=follow.number)

    suspects = known.suspects(book.columns(lambda _: "UTC")).tolist()

    assert suspects == [one.number for one in differing(follows, lambda _: "UTC", known)]


def _first() -> Standing:
    said = standing(follow_of(0, FollowState.ACTIVE), "UTC", by="", at_ms=0)
    assert isinstance(said, Standing)
    return said


FIRST = _first()


def test_what_ended_in_the_alarms_table_is_told_again_if_the_store_says_it_goes_on() -> None:
    book, tellings = FollowBook(), Tellings()
    book.load(packed_follows([follow_of(0, FollowState.ACTIVE)]), SHARERS, ROWS)
    tellings.set(FollowSet(**msgspec.structs.asdict(FIRST)))
    columns = book.columns(lambda _: "UTC")
    assert tellings.suspects(columns).tolist() == []

    tellings.end(0)

    assert tellings.suspects(columns).tolist() == [0]
