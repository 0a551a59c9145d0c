"""Follows from invitation to end, and the journal that must know of every change."""

import asyncio

import msgspec
import pytest

from nightbell.adapters.stores.memory.accounts import MemoryFollowStore
from nightbell.follow.defaults import default_limits
from nightbell.follow.follow import Follow, FollowState, Sight
from nightbell.follow.lifecycle import TABLE, Place, Role, Verb, moved, refusal
from nightbell.follow.limits import Limits, Typed
from nightbell.follow.service import FOLLOWERS_MAX, INVITATIONS_OPEN_MAX, NewFollow
from nightbell.follow.standing import Ended, Standing
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.glucose import Unit
from tests.household import HOUR_MS, NOW_MS, Cast, KnownFacts


async def invited(cast: Cast, now_ms: int = NOW_MS) -> str:
    """The secret of an invitation by Ana."""
    invitation = await cast.follows.invite(
        sharer=cast.ana.id, may_see_graph=True, may_be_told=True, now_ms=now_ms
    )
    return invitation.secret


def newest_fact(cast: Cast) -> Standing | Ended:
    """What the journal was told last."""
    return cast.house.journal.facts[-1]


def lower_limit(value: str = "80") -> Limits:
    """The defaults with low elsewhere."""
    limits = default_limits(Unit.MGDL)
    low = msgspec.structs.replace(limits.low, limit=Typed(value, Unit.MGDL))
    return msgspec.structs.replace(limits, low=low)


# Invitations


async def test_from_invitation_to_a_follower_who_is_told(cast: Cast) -> None:
    secret = await invited(cast)
    accepted = await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS)
    assert (accepted.state, accepted.sight, accepted.told) == (FollowState.ACCEPTED, Sight.NOTHING, False)
    fact = newest_fact(cast)
    assert isinstance(fact, Standing)
    assert not fact.told

    active = await cast.follows.confirm(follow_id=accepted.id, by=cast.ana.id, now_ms=NOW_MS + 1)

    assert (active.state, active.sight, active.told) == (FollowState.ACTIVE, Sight.GRAPH, True)
    fact = newest_fact(cast)
    assert isinstance(fact, Standing)
    assert (fact.told, fact.follow, fact.sharer, fact.follower) == (True, 2, 0, cast.dan.id)
    assert (fact.by, fact.at_ms, len(fact.telling)) == (cast.ana.id, NOW_MS + 1, 9)


async def test_looking_at_an_invitation_changes_nothing(cast: Cast) -> None:
    secret = await invited(cast)
    facts = list(cast.house.journal.facts)

    views = [cast.follows.invitation(secret, NOW_MS + at) for at in range(10)]

    assert {view.sharer_name for view in views if view is not None} == {"Ana"}
    assert cast.house.journal.facts == facts
    accepted = await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS + 10)
    assert accepted.follower == cast.dan.id


async def test_an_invitation_works_once_even_for_two_at_the_same_moment(cast: Cast) -> None:
    secret = await invited(cast)
    eve = await cast.accounts.add_person(name="Eve", password=None, now_ms=NOW_MS)

    answers = await asyncio.gather(
        *(cast.follows.accept(secret=secret, follower=who, now_ms=NOW_MS) for who in (cast.dan.id, eve.id)),
        return_exceptions=True,
    )

    assert [isinstance(answer, Follow) for answer in answers] == [True, False]
    assert isinstance(answers[1], CallerError)
    assert answers[1].code is ErrorCode.EXPIRED
    assert cast.follows.invitation(secret, NOW_MS) is None


async def test_an_invitation_lasts_48_hours(cast: Cast) -> None:
    secret = await invited(cast)

    assert cast.follows.invitation(secret, NOW_MS + 48 * HOUR_MS - 1) is not None
    assert cast.follows.invitation(secret, NOW_MS + 48 * HOUR_MS) is None
    with pytest.raises(CallerError) as refused:
        await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS + 48 * HOUR_MS)

    assert refused.value.code is ErrorCode.EXPIRED


async def test_an_invitation_survives_a_restart_and_its_secret_is_stored_nowhere(cast: Cast) -> None:
    secret = await invited(cast)
    store = cast.house.stores.follows
    assert isinstance(store, MemoryFollowStore)

    again = await cast.house.restarted()

    assert secret not in repr(store.invitations)
    assert len(secret) >= len("nbi_") + 22  # 128 bits and more
    assert again.follows.invitation(secret, NOW_MS) is not None


async def test_what_cannot_follow_does_not_use_the_invitation_up(cast: Cast) -> None:
    secret = await invited(cast)

    for follower in (cast.ana.id, cast.ben.id, "nobody"):
        with pytest.raises(CallerError):
            await cast.follows.accept(secret=secret, follower=follower, now_ms=NOW_MS)

    accepted = await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS)
    assert accepted.follower == cast.dan.id


@pytest.mark.parametrize("secret", ["", "nbi_", "x" * 5000, "\ud800"])
async def test_a_secret_nobody_gave_out_opens_nothing(cast: Cast, secret: str) -> None:
    assert cast.follows.invitation(secret, NOW_MS) is None
    with pytest.raises(CallerError):
        await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS)


async def test_open_invitations_are_bounded_and_make_room_when_over(cast: Cast) -> None:
    for _ in range(INVITATIONS_OPEN_MAX):
        await invited(cast)
    with pytest.raises(CallerError) as refused:
        await invited(cast)
    assert refused.value.code is ErrorCode.TOO_MANY

    assert await invited(cast, NOW_MS + 48 * HOUR_MS)
    await cast.follows.tend(NOW_MS + 48 * HOUR_MS)

    store = cast.house.stores.follows
    assert isinstance(store, MemoryFollowStore)
    assert len(store.invitations) == 1


async def test_an_invitation_is_taken_back_by_who_gave_it_only(cast: Cast) -> None:
    secret = await invited(cast)
    invitation = cast.follows.invitations_of(cast.ana.id, NOW_MS)[0]
    assert invitation.secret == ""
    with pytest.raises(CallerError):
        await cast.follows.withdraw(invitation_id=invitation.id, by=cast.dan.id, now_ms=NOW_MS)

    await cast.follows.withdraw(invitation_id=invitation.id, by=cast.ana.id, now_ms=NOW_MS)

    assert cast.follows.invitation(secret, NOW_MS) is None
    again = await cast.house.restarted()
    assert again.follows.invitation(secret, NOW_MS) is None


async def test_twenty_may_follow_one_sharer(cast: Cast) -> None:
    many = await cast.accounts.add_people(
        [f"Follower {at}" for at in range(FOLLOWERS_MAX - 2)], share=False, now_ms=NOW_MS
    )
    await cast.follows.add_many([NewFollow(cast.ana.id, one.id) for one in many], NOW_MS)
    secret = await invited(cast)

    with pytest.raises(CallerError) as refused:
        await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS)
    assert refused.value.code is ErrorCode.TOO_MANY

    await cast.follows.end(follow_id=cast.cleos.id, by=cast.cleo.id, now_ms=NOW_MS)
    accepted = await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS)
    assert accepted.follower == cast.dan.id


async def test_only_a_sharer_invites(cast: Cast) -> None:
    with pytest.raises(CallerError):
        await cast.follows.invite(sharer=cast.dan.id, may_see_graph=True, may_be_told=True, now_ms=NOW_MS)


# Lifecycle


def follow_at(cast: Cast, place: Place) -> Follow:
    """Ben's follow as if it were there."""
    state = {Place.PAUSED_BY_SHARER: "paused", Place.PAUSED_BY_FOLLOWER: "paused"}.get(place, place.value)
    by = {Place.PAUSED_BY_SHARER: cast.ana.id, Place.PAUSED_BY_FOLLOWER: cast.ben.id}.get(place, "")
    return msgspec.structs.replace(cast.bens, state=FollowState(state), paused_by=by)


@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("role", Role)
async def test_every_step_is_in_the_table_or_refused_with_a_reason(
    cast: Cast, place: Place, verb: Verb, role: Role
) -> None:
    follow = follow_at(cast, place)

    after = moved(follow, verb, role, NOW_MS + 1)

    if (place, verb, role) not in TABLE:
        assert after is None
        assert catalogue().has(refusal(follow, verb, role))
    else:
        assert after is not None
        assert (after is follow) == (TABLE[place, verb, role] is place)
        assert after.told == (after.state is FollowState.ACTIVE)


async def test_what_the_sharer_paused_the_follower_cannot_resume(cast: Cast) -> None:
    paused = await cast.follows.pause(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    assert (paused.state, paused.paused_by) == (FollowState.PAUSED, cast.ana.id)

    with pytest.raises(CallerError) as refused:
        await cast.follows.resume(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)

    assert refused.value.code is ErrorCode.CONFLICT
    resumed = await cast.follows.resume(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    assert (resumed.state, resumed.paused_by) == (FollowState.ACTIVE, "")


async def test_what_the_follower_paused_either_resumes(cast: Cast) -> None:
    for who in (cast.ana, cast.ben):
        await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)
        resumed = await cast.follows.resume(follow_id=cast.bens.id, by=who.id, now_ms=NOW_MS)
        assert resumed.state is FollowState.ACTIVE


async def test_the_follower_cannot_confirm_themself(cast: Cast) -> None:
    secret = await invited(cast)
    accepted = await cast.follows.accept(secret=secret, follower=cast.dan.id, now_ms=NOW_MS)

    for verb in (cast.follows.confirm, cast.follows.refuse):
        with pytest.raises(CallerError) as refused:
            await verb(follow_id=accepted.id, by=cast.dan.id, now_ms=NOW_MS)
        assert refused.value.code is ErrorCode.NOT_ALLOWED
    with pytest.raises(CallerError):
        await cast.follows.pause(follow_id=accepted.id, by=cast.dan.id, now_ms=NOW_MS)


async def test_an_ended_follow_is_over_and_a_new_one_gets_a_new_number(cast: Cast) -> None:
    await cast.follows.end(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)
    assert newest_fact(cast) == Ended(NOW_MS, cast.bens.number, cast.ben.id)

    for verb in (cast.follows.confirm, cast.follows.pause, cast.follows.resume):
        with pytest.raises(CallerError):
            await verb(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    with pytest.raises(CallerError):
        await cast.follows.set_limits(
            follow_id=cast.bens.id, by=cast.ben.id, limits=lower_limit(), now_ms=NOW_MS
        )
    again = await cast.follows.accept(secret=await invited(cast), follower=cast.ben.id, now_ms=NOW_MS)

    assert again.number == 2
    assert cast.follows.of_follower(cast.ben.id) == [again]
    assert cast.follows.of_sharer(cast.ana.id) == [cast.cleos, again]


async def test_saying_a_thing_twice_is_saying_it_once(cast: Cast) -> None:
    facts = len(cast.house.journal.facts)

    once = await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)
    twice = await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS + 5)

    assert once == twice
    assert len(cast.house.journal.facts) == facts + 1


async def test_to_anybody_else_a_follow_does_not_exist(cast: Cast) -> None:
    errors = []
    for follow_id in (cast.bens.id, "no such follow"):
        for verb in (cast.follows.confirm, cast.follows.pause, cast.follows.resume, cast.follows.end):
            with pytest.raises(CallerError) as refused:
                await verb(follow_id=follow_id, by=cast.dan.id, now_ms=NOW_MS)
            errors.append((refused.value.code, refused.value.sentence))
        with pytest.raises(CallerError) as refused:
            await cast.follows.set_limits(
                follow_id=follow_id, by=cast.dan.id, limits=lower_limit(), now_ms=NOW_MS
            )
        errors.append((refused.value.code, refused.value.sentence))

    assert len(set(errors)) == 1
    assert errors[0][0] is ErrorCode.NOT_FOUND


# Limits and permissions


async def test_limits_are_kept_as_typed_and_journaled_as_compared(cast: Cast) -> None:
    changed = await cast.follows.set_limits(
        follow_id=cast.bens.id, by=cast.ben.id, limits=lower_limit("80"), now_ms=NOW_MS
    )

    again = await cast.house.restarted()
    kept = again.follows.follow(cast.bens.id)
    assert kept == changed
    assert kept.limits.low.limit == Typed("80", Unit.MGDL)
    fact = newest_fact(cast)
    assert isinstance(fact, Standing)
    assert fact.bounds.low_at_most == 79


async def test_a_guardrail_keeps_the_old_limits_and_gives_its_reason(cast: Cast) -> None:
    with pytest.raises(CallerError) as refused:
        await cast.follows.set_limits(
            follow_id=cast.bens.id, by=cast.ben.id, limits=lower_limit("20"), now_ms=NOW_MS
        )

    assert refused.value.code is ErrorCode.GUARDRAIL
    assert refused.value.fields == {"condition": "low", "reason": "limits.limit_range"}
    assert cast.follows.follow(cast.bens.id) == cast.bens


async def test_each_of_the_two_decides_their_own_part(cast: Cast) -> None:
    with pytest.raises(CallerError):
        await cast.follows.set_limits(
            follow_id=cast.bens.id, by=cast.ana.id, limits=lower_limit(), now_ms=NOW_MS
        )
    with pytest.raises(CallerError):
        await cast.follows.set_permissions(
            follow_id=cast.cleos.id, by=cast.cleo.id, may_see_graph=True, may_be_told=True, now_ms=NOW_MS
        )

    changed = await cast.follows.set_permissions(
        follow_id=cast.bens.id, by=cast.ana.id, may_see_graph=False, may_be_told=False, now_ms=NOW_MS
    )

    assert (changed.sight, changed.told) == (Sight.NUMBER, False)
    fact = newest_fact(cast)
    assert isinstance(fact, Standing)
    assert not fact.told


async def test_a_follower_who_moves_takes_the_hours_along(cast: Cast) -> None:
    await cast.accounts.set_person(cast.ben.id, zone="America/New_York", now_ms=NOW_MS + 7)

    fact = newest_fact(cast)
    assert isinstance(fact, Standing)
    assert (fact.follow, fact.zone, fact.at_ms) == (cast.bens.number, "America/New_York", NOW_MS + 7)


# Store, journal, restart


async def test_what_the_store_did_not_take_is_not_journaled(cast: Cast) -> None:
    store = cast.house.stores.follows
    assert isinstance(store, MemoryFollowStore)
    facts = len(cast.house.journal.facts)
    store.broken = True

    with pytest.raises(PlatformError):
        await cast.follows.end(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)

    assert cast.follows.follow(cast.bens.id) == cast.bens
    assert len(cast.house.journal.facts) == facts
    assert cast.follows.untold == 0


@pytest.mark.parametrize("how", ["full", "failing"])
async def test_what_the_journal_did_not_take_is_said_and_told_to_it_later(cast: Cast, how: str) -> None:
    setattr(cast.house.journal, how, True)
    with pytest.raises(PlatformError) as failed:
        await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)
    assert "saved" in failed.value.sentence
    assert cast.follows.untold == 1
    setattr(cast.house.journal, how, False)

    await cast.follows.tend(NOW_MS + 60_000)

    assert cast.follows.untold == 0
    assert not cast.house.journal.known()[cast.bens.number].told


async def test_a_second_try_after_a_full_journal_reaches_it(cast: Cast) -> None:
    cast.house.journal.full = True
    with pytest.raises(PlatformError):
        await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)
    cast.house.journal.full = False

    await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS + 1)

    assert not cast.house.journal.known()[cast.bens.number].told
    assert cast.follows.untold == 0


async def test_a_crash_between_store_and_journal_is_healed_at_the_next_start(cast: Cast) -> None:
    await cast.follows.pause(follow_id=cast.bens.id, by=cast.ben.id, now_ms=NOW_MS)
    await cast.follows.end(follow_id=cast.cleos.id, by=cast.cleo.id, now_ms=NOW_MS)
    del cast.house.journal.facts[-2:]
    assert cast.house.journal.known()[cast.bens.number].told

    again = await cast.house.restarted()

    known = cast.house.journal.known()
    assert not known[cast.bens.number].told
    assert cast.cleos.number not in known
    assert await again.follows.reconcile(known, NOW_MS) == 0


async def test_what_the_journal_refuses_at_the_start_is_told_to_it_later(cast: Cast) -> None:
    people = await cast.accounts.add_people([f"P{at}" for at in range(1200)], share=True, now_ms=NOW_MS)
    await cast.follows.add_many([NewFollow(one.id, cast.dan.id) for one in people], NOW_MS)
    known = KnownFacts({at: cast.house.journal.known()[at] for at in (0, 1)})
    cast.house.journal.facts.clear()
    cast.house.journal.full = True
    with pytest.raises(PlatformError):
        await cast.follows.reconcile(known, NOW_MS)
    assert cast.follows.untold == 1200
    cast.house.journal.full = False

    await cast.follows.tend(NOW_MS)

    assert set(cast.house.journal.known()) == set(range(2, 1202))


async def test_a_follow_only_the_journal_knows_is_not_silenced_and_its_number_stays_taken(cast: Cast) -> None:
    known = cast.house.journal.known()
    extra = msgspec.structs.replace(known[0], follow=9)
    facts = len(cast.house.journal.facts)

    healed = await cast.follows.reconcile(KnownFacts({**known, 9: extra}), NOW_MS)
    new = await cast.follows.accept(secret=await invited(cast), follower=cast.dan.id, now_ms=NOW_MS)

    assert healed == 0
    assert len(cast.house.journal.facts) == facts + 1
    assert new.number == 10


async def test_many_follows_are_made_at_once_or_not_at_all(cast: Cast) -> None:
    people = await cast.accounts.add_people([f"P{at}" for at in range(40)], share=True, now_ms=NOW_MS)
    wanted = [NewFollow(sharer.id, cast.dan.id) for sharer in people]

    for wrong in (
        NewFollow(cast.dan.id, cast.ana.id),  # Dan does not share
        NewFollow(cast.ana.id, cast.ana.id),
        NewFollow(cast.ana.id, cast.ben.id),  # he does already
        NewFollow("nobody", cast.dan.id),
        NewFollow(cast.ana.id, cast.dan.id, lower_limit("20")),
        wanted[0],
    ):
        with pytest.raises(CallerError):
            await cast.follows.add_many([*wanted, wrong], NOW_MS)
    made = await cast.follows.add_many(wanted, NOW_MS)

    assert [one.number for one in made] == list(range(2, 42))
    assert len(cast.follows.of_follower(cast.dan.id)) == 40
    assert len(cast.house.journal.known()) == 42
    assert len(list(cast.follows.everybody())) == 42
