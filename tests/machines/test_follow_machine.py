"""Follows through any order of events, failures and crashes: Dan never sees, nobody paused is told."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from nightbell.account.person import Person
from nightbell.adapters.stores.memory.accounts import MemoryFollowStore
from nightbell.follow.follow import Follow, FollowState, Sight
from nightbell.follow.service import Follows
from nightbell.follow.standing import Ended, standing
from nightbell.words.errors import NightbellError
from tests.household import HOUR_MS, NOW_MS, Cast, FactsKept, House, assemble, memory_stores

EVERYBODY: Final = st.sampled_from(["ana", "ben", "cleo", "dan"])
INVITED: Final = st.sampled_from(["ben", "cleo"])
VERBS: Final = st.sampled_from(["confirm", "refuse", "pause", "resume", "end"])

Answer = TypeVar("Answer")


class FollowMachine(RuleBasedStateMachine):
    """Ana invites Ben and Cleo, and Dan tries every id he can think of but holds no link."""

    secrets: Bundle[str] = Bundle("secrets")
    follow_ids: Bundle[str] = Bundle("follow_ids")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now_ms = NOW_MS
        self.cast = self.loop.run_until_complete(self._begin())
        self.used: set[str] = set()

    async def _begin(self) -> Cast:
        house = House(memory_stores(), FactsKept())
        await house.start()
        return await assemble(house)

    def teardown(self) -> None:
        """Leave nothing running."""
        self.cast.accounts.close()
        self.loop.close()

    def attempt(self, work: Coroutine[Any, Any, Answer]) -> Answer | None:
        """Do it; None if it was refused or failed, which are answers too."""
        self.now_ms += 1
        try:
            return self.loop.run_until_complete(work)
        except NightbellError:
            return None

    def person(self, name: str) -> Person:
        """One of the cast."""
        found: Person = getattr(self.cast, name)
        return found

    @property
    def service(self) -> Follows:
        """The service that runs now."""
        return self.cast.follows

    @property
    def journal(self) -> FactsKept:
        """What was journaled."""
        return self.cast.house.journal

    @property
    def store(self) -> MemoryFollowStore:
        """What is durable."""
        store = self.cast.house.stores.follows
        assert isinstance(store, MemoryFollowStore)
        return store

    @initialize(target=follow_ids)
    def the_first_two(self) -> Any:
        """Ben's and Cleo's follows."""
        return multiple(self.cast.bens.id, self.cast.cleos.id)

    @rule(target=secrets, graph=st.booleans(), told=st.booleans())
    def invite(self, *, graph: bool, told: bool) -> Any:
        """Ana invites."""
        invitation = self.attempt(
            self.service.invite(
                sharer=self.cast.ana.id, may_see_graph=graph, may_be_told=told, now_ms=self.now_ms
            )
        )
        return multiple() if invitation is None else invitation.secret

    @rule(target=follow_ids, secret=secrets, who=INVITED)
    def accept(self, secret: str, who: str) -> Any:
        """Somebody who has the link accepts it; a link works once."""
        accepted = self.attempt(
            self.service.accept(secret=secret, follower=self.person(who).id, now_ms=self.now_ms)
        )
        if accepted is None:
            return multiple()
        assert secret not in self.used
        self.used.add(secret)
        return accepted.id

    @rule(secret=secrets)
    def look_at_the_link(self, secret: str) -> None:
        """Looking changes nothing."""
        before = (dict(self.store.follows), dict(self.store.invitations), list(self.journal.facts))
        self.service.invitation(secret, self.now_ms)
        assert before == (self.store.follows, self.store.invitations, self.journal.facts)

    @rule(verb=VERBS, follow_id=follow_ids, who=EVERYBODY)
    def do(self, verb: str, follow_id: str, who: str) -> None:
        """Anybody tries anything; Dan succeeds in nothing."""
        person = self.person(who)
        before = self.service.follow(follow_id)
        after = self.attempt(
            getattr(self.service, verb)(follow_id=follow_id, by=person.id, now_ms=self.now_ms)
        )
        if who == "dan":
            assert after is None
            assert self.service.follow(follow_id) == before

    @rule(follow_id=follow_ids, who=EVERYBODY, graph=st.booleans(), told=st.booleans())
    def permit(self, follow_id: str, who: str, *, graph: bool, told: bool) -> None:
        """Only Ana decides what her followers may."""
        before = self.service.follow(follow_id)
        after: Follow | None = self.attempt(
            self.service.set_permissions(
                follow_id=follow_id,
                by=self.person(who).id,
                may_see_graph=graph,
                may_be_told=told,
                now_ms=self.now_ms,
            )
        )
        if who != "ana":
            assert after is None
            assert self.service.follow(follow_id) == before

    @rule(zone=st.sampled_from(["UTC", "Europe/Lisbon", "Asia/Tokyo"]))
    def bens_journey(self, zone: str) -> None:
        """Ben travels."""
        self.attempt(self.cast.accounts.set_person(self.cast.ben.id, zone=zone, now_ms=self.now_ms))

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        """Links run out."""
        self.now_ms += hours * HOUR_MS

    @rule()
    def tend(self) -> None:
        """What is done every minute."""
        self.attempt(self.service.tend(self.now_ms))

    @rule(store=st.booleans(), full=st.booleans(), failing=st.booleans())
    def break_things(self, *, store: bool, full: bool, failing: bool) -> None:
        """The store, the journal's queue, the journal's disk."""
        self.store.broken, self.journal.full, self.journal.failing = store, full, failing

    @rule()
    def repair_things(self) -> None:
        """All is well again."""
        self.store.broken = self.journal.full = self.journal.failing = False

    @precondition(lambda self: not (self.store.broken or self.journal.full or self.journal.failing))
    @rule(lost=st.integers(0, 2))
    def crash(self, lost: int) -> None:
        """A restart; the last facts may have missed the journal while the store had them."""
        del self.journal.facts[max(2, len(self.journal.facts) - lost) :]
        house = self.loop.run_until_complete(self.cast.house.restarted())
        self.cast = self.cast._replace(house=house)

    @invariant()
    def dan_never_sees(self) -> None:
        """Whatever the others do."""
        viewer = self.cast.as_follower(self.cast.dan)
        assert self.cast.access.may_see(viewer=viewer, sharer=0) is Sight.NOTHING

    @invariant()
    def who_sees_has_an_active_follow(self) -> None:
        """And no more than it permits."""
        for person in (self.cast.ben, self.cast.cleo):
            sight = self.cast.access.may_see(viewer=self.cast.as_follower(person), sharer=0)
            live = [one for one in self.service.of_follower(person.id) if one.state is FollowState.ACTIVE]
            assert len(live) <= 1
            expected = Sight.NOTHING if not live else (Sight.NUMBER, Sight.GRAPH)[live[0].may_see_graph]
            assert sight is expected

    @invariant()
    def memory_is_what_is_stored(self) -> None:
        """Nothing is believed that would be gone after a crash."""
        assert {one: self.service.follow(one) for one in self.store.follows} == self.store.follows

    @invariant()
    def the_journal_knows_every_follow_as_it_stands(self) -> None:
        """Except those whose change it refused, which are counted and told again."""
        known = self.journal.known()
        differing = 0
        for follow in self.store.follows.values():
            zone = self.cast.accounts.person(follow.follower)
            assert zone is not None
            now = standing(follow, zone.zone, by="", at_ms=0)
            before = known.get(follow.number)
            if isinstance(now, Ended):
                differing += before is not None
            else:
                assert now.told == (follow.state is FollowState.ACTIVE and follow.may_be_told)
                differing += before is None or (before.told, before.zone) != (now.told, now.zone)
        assert differing <= self.service.untold
        if not (self.journal.full or self.journal.failing or self.store.broken):
            self.loop.run_until_complete(self.service.tend(self.now_ms))
            assert self.service.untold == 0


FollowMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFollows = FollowMachine.TestCase
