"""The one door to somebody's readings, and the record of who came through it."""

import asyncio
from itertools import product

import msgspec
import pytest

from nightbell.account.identity import FOLLOW, PUBLISH, SHARE, Identity
from nightbell.adapters.stores.looks.gathered import GatheredLooks
from nightbell.adapters.stores.memory.accounts import MemoryLookStore
from nightbell.follow.access import KEPT_MS
from nightbell.follow.follow import Sight
from nightbell.follow.look import GENESIS, Look, chained, first_broken
from nightbell.words.errors import CallerError, ErrorCode
from tests.household import DAY_MS, MINUTE_MS, NOW_MS, Cast


def looks_of(cast: Cast) -> MemoryLookStore:
    """Where the record is."""
    store = cast.house.stores.looks
    assert isinstance(store, MemoryLookStore)
    return store


async def look(cast: Cast, now_ms: int, what: str = "screen") -> Sight:
    """Ben looks at Ana."""
    viewer = cast.as_follower(cast.ben)
    return await cast.access.open(viewer=viewer, sharer=0, what=what, now_ms=now_ms)


def test_each_of_the_cast_sees_what_was_granted(cast: Cast) -> None:
    sights = {
        person.name: cast.access.may_see(viewer=cast.as_follower(person), sharer=0)
        for person in (cast.ana, cast.ben, cast.cleo, cast.dan)
    }

    assert sights == {
        "Ana": Sight.GRAPH,
        "Ben": Sight.GRAPH,
        "Cleo": Sight.NUMBER,
        "Dan": Sight.NOTHING,
    }


async def test_dan_and_a_sharer_who_is_not_there_look_the_same(cast: Cast) -> None:
    errors = []
    for sharer in (0, 1, -1, 10**9):
        with pytest.raises(CallerError) as refused:
            await cast.access.open(
                viewer=cast.as_follower(cast.dan), sharer=sharer, what="screen", now_ms=NOW_MS
            )
        errors.append((refused.value.code, refused.value.sentence, str(refused.value.fields)))

    assert set(errors) == {(ErrorCode.NOT_FOUND, errors[0][1], "{}")}
    assert looks_of(cast).chain == []


async def test_a_follow_that_is_not_active_shows_nothing(cast: Cast) -> None:
    ben = cast.as_follower(cast.ben)

    await cast.follows.pause(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    assert cast.access.may_see(viewer=ben, sharer=0) is Sight.NOTHING
    await cast.follows.resume(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    assert cast.access.may_see(viewer=ben, sharer=0) is Sight.GRAPH
    await cast.follows.end(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    assert cast.access.may_see(viewer=ben, sharer=0) is Sight.NOTHING
    invitation = await cast.follows.invite(
        sharer=cast.ana.id, may_see_graph=True, may_be_told=True, now_ms=NOW_MS
    )
    await cast.follows.accept(secret=invitation.secret, follower=cast.ben.id, now_ms=NOW_MS)
    assert cast.access.may_see(viewer=ben, sharer=0) is Sight.NOTHING


@pytest.mark.parametrize(
    ("scopes", "own", "others"),
    [
        ({FOLLOW}, Sight.GRAPH, Sight.GRAPH),
        ({FOLLOW, PUBLISH}, Sight.GRAPH, Sight.GRAPH),
        ({PUBLISH}, Sight.NOTHING, Sight.NOTHING),
        ({SHARE}, Sight.GRAPH, Sight.NOTHING),
        (set(), Sight.NOTHING, Sight.NOTHING),
    ],
)
async def test_a_credential_sees_by_its_scope(
    cast: Cast, scopes: set[str], own: Sight, others: Sight
) -> None:
    ben = await cast.accounts.make_sharer(cast.ben.id, NOW_MS)
    viewer = Identity(ben.id, frozenset(scopes), ben.sharer, 5)

    assert cast.access.may_see(viewer=viewer, sharer=ben.sharer) is own
    assert cast.access.may_see(viewer=viewer, sharer=0) is others


async def test_random_people_see_only_what_was_granted(cast: Cast) -> None:
    granted = {(cast.ana.id, 0): Sight.GRAPH, (cast.ben.id, 0): Sight.GRAPH, (cast.cleo.id, 0): Sight.NUMBER}
    people = await cast.accounts.add_people([f"P{at}" for at in range(20)], share=True, now_ms=NOW_MS)
    granted |= {(person.id, person.sharer): Sight.GRAPH for person in people}

    for person, sharer in product(cast.accounts.people(), range(-1, 23)):
        sight = cast.access.may_see(viewer=cast.as_follower(person), sharer=sharer)
        assert sight is granted.get((person.id, sharer), Sight.NOTHING)


# The record


async def test_the_sharer_sees_who_looked_and_own_looks_are_not_written_down(cast: Cast) -> None:
    await look(cast, NOW_MS)
    await look(cast, NOW_MS + 1, "graph")
    await cast.access.open(viewer=cast.as_follower(cast.ana), sharer=0, what="screen", now_ms=NOW_MS)

    looks = await cast.access.looks(sharer_person=cast.ana.id, limit=10)

    assert [(one.viewer, one.what, one.at_ms) for one in looks] == [
        (cast.ben.id, "graph", NOW_MS + 1),
        (cast.ben.id, "screen", NOW_MS),
    ]
    assert await cast.access.looks(sharer_person=cast.ana.id, limit=1) == looks[:1]
    assert await cast.access.looks(sharer_person=cast.ben.id, limit=10) == []


async def test_a_screen_that_asks_every_second_is_one_look_a_minute(cast: Cast) -> None:
    for second in range(180):
        await look(cast, NOW_MS + second * 1000)

    assert [one.look.at_ms for one in looks_of(cast).chain] == [
        NOW_MS,
        NOW_MS + MINUTE_MS,
        NOW_MS + 2 * MINUTE_MS,
    ]


async def test_a_look_is_on_the_record_before_it_is_answered(cast: Cast) -> None:
    await look(cast, NOW_MS)

    assert len(looks_of(cast).chain) == 1


async def test_many_looks_at_once_are_few_transactions(cast: Cast) -> None:
    store = looks_of(cast)
    sizes = []
    append = store.append

    async def counted(looks: list[object]) -> None:
        sizes.append(len(looks))
        await append(looks)  # type: ignore[arg-type]  # handed through as it came

    store.append = counted  # type: ignore[method-assign,assignment]  # watched from outside
    await asyncio.gather(*(look(cast, NOW_MS, f"thing {at}") for at in range(50)))

    assert sum(sizes) == 50
    assert len(sizes) <= 3
    assert await cast.access.first_broken() is None


async def test_a_follower_sees_even_when_the_look_cannot_be_written_and_it_is_written_later(
    cast: Cast,
) -> None:
    store = looks_of(cast)
    store.broken = True

    assert await look(cast, NOW_MS) is Sight.GRAPH
    assert await look(cast, NOW_MS, "graph") is Sight.GRAPH
    assert store.chain == []
    store.broken = False
    await cast.access.tend(NOW_MS)

    assert [one.look.what for one in store.chain] == ["screen", "graph"]
    assert await cast.access.first_broken() is None


async def test_looks_that_did_not_fit_are_counted_in_the_record() -> None:
    store = MemoryLookStore()
    store.broken = True
    record = GatheredLooks(store, waiting_max=3)
    for at in range(10):
        await record.write_down(Look(NOW_MS + at, "ben", 0, "screen", 1))
    store.broken = False

    await record.tend(0)

    assert [one.look.what for one in store.chain] == ["screen", "screen", "screen", "lost 7"]
    assert first_broken(store.chain, GENESIS) is None


async def test_a_slow_disk_does_not_keep_a_follower_from_a_number() -> None:
    store = MemoryLookStore()
    gate = asyncio.Event()
    append = store.append

    async def slow(looks: list[object]) -> None:
        await gate.wait()
        await append(looks)  # type: ignore[arg-type]  # handed through as it came

    store.append = slow  # type: ignore[method-assign,assignment]  # slowed from outside
    record = GatheredLooks(store, patience_s=0.01)

    await record.write_down(Look(NOW_MS, "ben", 0, "screen", 1))  # comes back

    assert store.chain == []
    gate.set()
    await record.close()
    assert len(store.chain) == 1


@pytest.mark.parametrize("harm", ["changed", "taken out", "put in", "swapped", "rehashed"])
async def test_a_record_that_was_tampered_with_is_found_out(cast: Cast, harm: str) -> None:
    for at in range(6):
        await look(cast, NOW_MS + at * MINUTE_MS)
    store = looks_of(cast)
    assert await cast.access.first_broken() is None
    chain = store.chain
    forged = msgspec.structs.replace(chain[2].look, viewer=cast.cleo.id)

    if harm == "changed":
        chain[2] = chain[2]._replace(look=forged)
    if harm == "taken out":
        del chain[2]
    if harm == "put in":
        chain.insert(2, chain[2])
    if harm == "swapped":
        chain[2], chain[3] = chain[3], chain[2]
    if harm == "rehashed":
        chain[2] = chained([forged], chain[1].number, chain[1].hash)[0]

    assert await cast.access.first_broken() == (4 if harm == "rehashed" else chain[2].number)


async def test_old_looks_are_dropped_and_the_rest_still_holds_together(cast: Cast) -> None:
    for day in range(100):
        await look(cast, NOW_MS + day * DAY_MS)

    await cast.access.tend(NOW_MS + 99 * DAY_MS)

    chain = looks_of(cast).chain
    assert chain[0].look.at_ms == NOW_MS + 99 * DAY_MS - KEPT_MS
    assert await cast.access.first_broken() is None
    await look(cast, NOW_MS + 100 * DAY_MS)
    await cast.access.tend(NOW_MS + 300 * DAY_MS)
    assert looks_of(cast).chain == []
    await look(cast, NOW_MS + 300 * DAY_MS)
    assert await cast.access.first_broken() is None


async def test_the_record_goes_on_after_a_restart(cast: Cast) -> None:
    await look(cast, NOW_MS)
    again = await cast.house.restarted()

    await again.access.open(
        viewer=cast.as_follower(cast.ben), sharer=0, what="screen", now_ms=NOW_MS + MINUTE_MS
    )

    assert [one.number for one in looks_of(cast).chain] == [1, 2]
    assert await again.access.first_broken() is None
