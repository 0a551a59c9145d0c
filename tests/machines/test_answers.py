"""Goal: only those who may answer do, and an answer has taken effect when it is confirmed.

Method: the real accounts, follows, journal and fold, over stores in memory.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from nightbell.account.identity import FOLLOW, PUBLISH, Identity
from nightbell.adapters.stores.memory.journal import MemoryDisk, MemoryJournalStore
from nightbell.alarm.effects import AlarmState, Effects
from nightbell.alarm.service import Evaluation
from nightbell.answer.service import Answers
from nightbell.follow.access import Access
from nightbell.follow.bounds import bounds, telling
from nightbell.journal.facts import DoorOpened, FollowSet, SharerAdded
from nightbell.journal.ports import Fault
from nightbell.journal.service import Journal
from nightbell.publish.reading import Reading
from nightbell.words.clock import ManualClock
from nightbell.words.conditions import Family
from nightbell.words.errors import CallerError, ErrorCode, NightbellError, PlatformError
from tests.household import Cast

START_MS = 1_767_225_600_000


class Forgotten:
    """A checkpoint store of a machine that was just unpacked."""

    async def newest(self) -> bytes | None:
        return None

    async def keep(self, dumped: bytes) -> None:
        assert dumped


class Heard:
    """Keeps what was to be told."""

    def __init__(self) -> None:
        self.effects: list[Effects] = []

    def tell(self, effects: Effects) -> None:
        self.effects.append(effects)

    @property
    def written_seq(self) -> int:
        return self.effects[-1].upto_seq if self.effects else 0


class Bedside(NamedTuple):
    cast: Cast
    journal: Journal
    disk: MemoryDisk
    evaluation: Evaluation
    answers: Answers
    clock: ManualClock

    def who(self, person: str, *scopes: str) -> Identity:
        found = self.cast.house.accounts.person(person)
        assert found is not None
        return Identity(person, frozenset(scopes or (FOLLOW, PUBLISH)), found.sharer, 1)

    async def reading(self, level: int) -> None:
        now_ms = self.clock.now_ms()
        await self.journal.append(
            live=[Reading(self.cast.ana.sharer, now_ms, now_ms, level, 0, 1)], backfill=()
        )
        await self.evaluation.caught_up()

    async def an_urgent_low(self) -> str:
        await self.reading(50)
        (alarm,) = self.evaluation.open_alarms(self.cast.ana.sharer)
        return alarm.id


@pytest.fixture
async def bedside(cast: Cast) -> AsyncIterator[Bedside]:
    disk, clock = MemoryDisk(), ManualClock(START_MS)
    journal = Journal(MemoryJournalStore(disk), clock)
    await journal.start()
    evaluation = Evaluation(Heard(), Forgotten())
    await evaluation.load(written_seq=0)
    await evaluation.start(journal)
    journal.subscribe(evaluation.consume)
    journal.begin()
    house = cast.house
    await journal.append_fact(SharerAdded(START_MS, cast.ana.sharer))
    for follow in house.follows.of_sharer(cast.ana.id):
        limits = follow.limits
        await journal.append_fact(
            FollowSet(
                START_MS, follow.number, cast.ana.sharer, follow.follower, follow.told, bounds(limits),
                telling(limits), "UTC", "",
            )
        )  # fmt: skip
    access: Access = house.access
    answers = Answers(journal, evaluation, access, house.follows)
    yield Bedside(cast, journal, disk, evaluation, answers, clock)
    await journal.close()
    await evaluation.close()


async def refused(awaited: object) -> ErrorCode:
    with pytest.raises(NightbellError) as caught:
        await awaited  # type: ignore[misc]
    return caught.value.code


async def test_i_have_got_it_has_taken_effect_when_it_is_confirmed(bedside: Bedside) -> None:
    alarm = await bedside.an_urgent_low()

    view = await bedside.answers.take(alarm=alarm, identity=bedside.who(bedside.cast.ben.id), now_ms=START_MS)

    assert (view.state, view.answered_by) == (AlarmState.ANSWERED, bedside.cast.ben.id)


async def test_cleo_who_only_looks_may_answer_too(bedside: Bedside) -> None:
    alarm = await bedside.an_urgent_low()

    view = await bedside.answers.take(
        alarm=alarm, identity=bedside.who(bedside.cast.cleo.id), now_ms=START_MS
    )

    assert view.answered_by == bedside.cast.cleo.id


async def test_dan_cannot_tell_an_alarm_from_none(bedside: Bedside) -> None:
    alarm = await bedside.an_urgent_low()
    dan = bedside.who(bedside.cast.dan.id)

    real = await refused(bedside.answers.take(alarm=alarm, identity=dan, now_ms=START_MS))
    made_up = await refused(bedside.answers.take(alarm="0" * 32, identity=dan, now_ms=START_MS))

    assert real == made_up == ErrorCode.NOT_FOUND


async def test_an_answer_that_cannot_be_written_down_leaves_it_ringing(bedside: Bedside) -> None:
    alarm = await bedside.an_urgent_low()
    bedside.disk.broken = Fault.DISK_FULL

    with pytest.raises(PlatformError):
        await bedside.answers.take(alarm=alarm, identity=bedside.who(bedside.cast.ben.id), now_ms=START_MS)

    await bedside.evaluation.caught_up()
    (still,) = bedside.evaluation.open_alarms(bedside.cast.ana.sharer)
    assert still.state is AlarmState.RINGING
    bedside.disk.broken = None


async def test_a_low_rings_though_it_cannot_be_written_down(bedside: Bedside) -> None:
    bedside.disk.broken = Fault.DISK_FULL

    with pytest.raises(PlatformError):
        await bedside.reading(50)

    await bedside.evaluation.caught_up()
    assert [alarm.state for alarm in bedside.evaluation.open_alarms(bedside.cast.ana.sharer)] == [
        AlarmState.RINGING
    ]
    bedside.disk.broken = None


async def test_our_own_absence_is_nobody_elses_though_the_open_door_cannot_be_written_down(
    bedside: Bedside,
) -> None:
    await bedside.reading(110)
    bedside.disk.broken = Fault.DISK_ERROR
    bedside.clock.advance_ms(3 * 3_600_000)

    await refused(bedside.journal.append_fact(DoorOpened(bedside.clock.now_ms())))
    bedside.journal.tick()
    await refused(bedside.journal.settled())
    await bedside.evaluation.caught_up()

    assert bedside.evaluation.evaluated_tick_ms == bedside.clock.now_ms()
    assert bedside.evaluation.open_alarms(bedside.cast.ana.sharer) == []
    bedside.disk.broken = None


async def test_only_who_answered_can_take_it_back(bedside: Bedside) -> None:
    alarm = await bedside.an_urgent_low()
    await bedside.answers.take(alarm=alarm, identity=bedside.who(bedside.cast.ben.id), now_ms=START_MS)

    code = await refused(
        bedside.answers.undo(alarm=alarm, identity=bedside.who(bedside.cast.cleo.id), now_ms=START_MS + 1000)
    )

    assert code == ErrorCode.EXPIRED


async def test_an_answer_can_be_taken_back_for_five_seconds(bedside: Bedside) -> None:
    alarm, ben = await bedside.an_urgent_low(), bedside.who(bedside.cast.ben.id)
    await bedside.answers.take(alarm=alarm, identity=ben, now_ms=START_MS)

    view = await bedside.answers.undo(alarm=alarm, identity=ben, now_ms=START_MS + 5_000)

    assert (view.state, view.answered_by) == (AlarmState.RINGING, "")


async def test_after_that_the_answer_stands(bedside: Bedside) -> None:
    alarm, ben = await bedside.an_urgent_low(), bedside.who(bedside.cast.ben.id)
    await bedside.answers.take(alarm=alarm, identity=ben, now_ms=START_MS)

    code = await refused(bedside.answers.undo(alarm=alarm, identity=ben, now_ms=START_MS + 6_001))

    assert code == ErrorCode.EXPIRED


@pytest.mark.parametrize(("family", "longest"), [(Family.LOW, 30), (Family.HIGH, 240), (Family.SILENCE, 60)])
async def test_nobody_snoozes_for_longer_than_allowed(bedside: Bedside, family: Family, longest: int) -> None:
    ben = bedside.who(bedside.cast.ben.id)
    follow = bedside.cast.house.follows.of_follower(bedside.cast.ben.id)[0]

    await bedside.answers.snooze(
        follow_id=follow.id, family=family, minutes=longest, identity=ben, now_ms=START_MS
    )
    code = await refused(
        bedside.answers.snooze(
            follow_id=follow.id, family=family, minutes=longest + 1, identity=ben, now_ms=START_MS
        )
    )

    assert code == ErrorCode.GUARDRAIL
    assert bedside.evaluation.snoozed_until_ms(follow.number) == {family.value: START_MS + longest * 60_000}


async def test_nobody_snoozes_for_somebody_else(bedside: Bedside) -> None:
    follow = bedside.cast.house.follows.of_follower(bedside.cast.ben.id)[0]

    code = await refused(
        bedside.answers.snooze(
            follow_id=follow.id,
            family=Family.LOW,
            minutes=10,
            identity=bedside.who(bedside.cast.cleo.id),
            now_ms=START_MS,
        )
    )

    assert code == ErrorCode.NOT_FOUND


async def test_only_a_sharer_starts_a_sensor(bedside: Bedside) -> None:
    with pytest.raises(CallerError) as caught:
        await bedside.answers.sensor_started(
            identity=bedside.who(bedside.cast.ben.id), warm_up_minutes=120, now_ms=START_MS
        )

    assert caught.value.code == ErrorCode.NOT_ALLOWED


async def test_a_new_sensor_is_seen_by_all(bedside: Bedside) -> None:
    await bedside.answers.sensor_started(
        identity=bedside.who(bedside.cast.ana.id), warm_up_minutes=120, now_ms=START_MS
    )

    state = bedside.evaluation.state_of(bedside.cast.ana.sharer)
    assert state.warm_up_until_ms == START_MS + 120 * 60_000
