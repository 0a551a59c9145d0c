"""Goal: a checkpoint never knows of an alarm that the ledger does not. Method: a ledger that lags behind."""

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from nightbell.adapters.stores.memory.journal import MemoryJournalStore
from nightbell.alarm.effects import AlarmState, Effects
from nightbell.alarm.fold import AlarmFold
from nightbell.alarm.service import LONG_REPLAY, Evaluation
from nightbell.journal.group import Group, no_readings
from nightbell.journal.service import Journal
from nightbell.publish.reading import Reading
from nightbell.words.clock import ManualClock
from tests.sim.scene import START_MS, Scene


class Kept:
    """A checkpoint store."""

    def __init__(self) -> None:
        self.dumped: Sequence[bytes] | None = None

    async def newest(self) -> Sequence[bytes] | None:
        return self.dumped

    async def keep(self, parts: Sequence[bytes]) -> None:
        self.dumped = parts


class Ledger:
    """Takes effects, and has written down what it says it has."""

    def __init__(self) -> None:
        self.told: list[Effects] = []
        self.written_seq = 0

    def tell(self, effects: Effects) -> None:
        self.told.append(effects)


async def evaluation_of(ledger: Ledger, kept: Kept, scene: Scene) -> Evaluation:
    """One that has folded a scene with an urgent low."""
    evaluation = Evaluation(ledger, kept)
    await evaluation.load(written_seq=ledger.written_seq)
    for group in scene.groups:
        evaluation.consume(group)
    await evaluation.close()
    return evaluation


def an_urgent_low() -> Scene:
    scene = Scene()
    scene.follow()
    scene.reading(50)
    return scene


async def test_no_checkpoint_is_kept_while_the_ledger_lags_behind() -> None:
    ledger, kept = Ledger(), Kept()
    evaluation = await evaluation_of(ledger, kept, an_urgent_low())

    assert not await evaluation.keep_checkpoint()

    assert kept.dumped is None


async def test_a_checkpoint_is_kept_once_the_ledger_has_it() -> None:
    ledger, kept = Ledger(), Kept()
    scene = an_urgent_low()
    evaluation = await evaluation_of(ledger, kept, scene)
    ledger.written_seq = len(scene.groups)

    assert await evaluation.keep_checkpoint()

    again = Evaluation(ledger, kept)
    assert await again.load(written_seq=ledger.written_seq) == len(scene.groups)
    assert again.open_alarms(0)


async def test_what_comes_while_a_checkpoint_is_copied_is_folded_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nightbell.alarm.service.PAUSE_S", 0.0)
    ledger, kept, scene = Ledger(), Kept(), Scene()
    scene.follow()
    evaluation = Evaluation(ledger, kept)
    await evaluation.load(written_seq=0)
    await evaluation.start(Remaining([]))
    for group in scene.groups:
        evaluation.consume(group)
    await evaluation.caught_up()
    before, known = list(evaluation._fold.dump()), len(scene.groups)
    ledger.written_seq = known
    scene.reading(50)

    copying = asyncio.ensure_future(evaluation.keep_checkpoint())
    await asyncio.sleep(0)  # it has begun
    for group in scene.groups[known:]:
        evaluation.consume(group)
    await copying
    await evaluation.caught_up()

    assert kept.dumped is not None
    assert list(kept.dumped[1:]) == before
    assert [note.kind.value for effects in ledger.told for note in effects.notifications] == ["ring"]
    await evaluation.close()


async def test_a_ledger_that_lost_its_end_gets_the_alarm_again() -> None:
    ledger, kept = Ledger(), Kept()
    scene = an_urgent_low()
    evaluation = await evaluation_of(ledger, kept, scene)
    ledger.written_seq = len(scene.groups)
    await evaluation.keep_checkpoint()
    first = ledger.told[0].notifications[0].id

    lost = Ledger()
    again = Evaluation(lost, kept)
    folded_upto = await again.load(written_seq=0)
    for group in scene.groups:
        again.consume(group)
    await again.close()

    assert folded_upto == 0
    assert lost.told[0].notifications[0].id == first


@pytest.mark.parametrize(
    "damaged", [[], [b"?"], [bytes(8), b"no state"], [bytes(8), *list(AlarmFold().dump())[:-1]]]
)
async def test_a_checkpoint_of_another_form_costs_a_longer_start_only(damaged: list[bytes]) -> None:
    scene, kept, ledger = an_urgent_low(), Kept(), Ledger()
    kept.dumped = damaged
    evaluation = Evaluation(ledger, kept)

    folded_upto = await evaluation.load(written_seq=0)
    for group in scene.groups:
        evaluation.consume(group)
    await evaluation.close()

    assert folded_upto == 0
    assert [note.kind.value for effects in ledger.told for note in effects.notifications] == ["ring"]


async def test_an_empty_journal_starts_an_empty_evaluation() -> None:
    journal = Journal(MemoryJournalStore(), ManualClock(START_MS))
    await journal.start()
    evaluation = Evaluation(Ledger(), Kept())

    await evaluation.load(written_seq=0)
    await evaluation.start(journal)

    assert evaluation.evaluated_tick_ms == 0
    await journal.close()
    await evaluation.close()


async def test_what_people_chose_before_the_journal_begins_is_not_forgotten() -> None:
    scene = an_urgent_low()
    facts = [fact for group in scene.groups for fact in group.facts]
    readings = [group for group in scene.groups if len(group.readings)]
    ledger = Ledger()
    evaluation = Evaluation(ledger, Kept())

    await evaluation.load(written_seq=0)
    await evaluation.start(Remaining(readings), lambda: iter(facts))

    assert [note.kind.value for effects in ledger.told for note in effects.notifications] == ["ring"]
    await evaluation.close()


class Remaining:
    """A journal whose beginning has expired."""

    def __init__(self, groups: list[Group]) -> None:
        self._groups = groups

    def replay(self, after_seq: int) -> Iterator[Group]:
        return (group for group in self._groups if group.seq > after_seq)


async def test_an_alarm_that_only_the_ledger_knows_is_closed_and_says_why() -> None:
    ledger, kept = Ledger(), Kept()
    scene = an_urgent_low()
    await evaluation_of(ledger, kept, scene)
    (view,) = ledger.told[0].alarms
    empty = Ledger()
    evaluation = Evaluation(empty, Kept())

    unkept = evaluation.reconcile([view], scene.now_ms)

    (closed,) = empty.told[0].alarms
    assert (closed.id, closed.state, closed.version) == (view.id, AlarmState.RESOLVED, view.version + 1)
    assert [line.reason for line in empty.told[0].entries] == ["lost_track"]
    assert unkept == [Reading(view.sharer, view.measured_ms, scene.now_ms, view.level, 0, 0)]


async def test_an_alarm_that_the_ledger_knows_in_a_later_version_goes_on_from_there() -> None:
    ledger = Ledger()
    scene = an_urgent_low()
    evaluation = await evaluation_of(ledger, Kept(), scene)
    (view,) = ledger.told[0].alarms
    later = msgspec.structs.replace(view, version=view.version + 7)

    unkept = evaluation.reconcile([later], scene.now_ms)

    assert unkept == []
    assert ledger.told[-1].alarms[0].version == later.version + 1


async def test_an_alarm_of_which_the_journal_knows_a_newer_number_brings_no_old_number_back() -> None:
    ledger = Ledger()
    scene = an_urgent_low()
    evaluation = await evaluation_of(ledger, Kept(), scene)
    (view,) = ledger.told[0].alarms
    lost = msgspec.structs.replace(view, id="lost")

    assert evaluation.reconcile([lost], scene.now_ms) == []
    newer = msgspec.structs.replace(lost, measured_ms=view.measured_ms + 1, level=48)
    assert [one.level for one in evaluation.reconcile([newer], scene.now_ms)] == [48]


class Journaled:
    """A journal of so many seconds."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def replay(self, after_seq: int) -> Iterator[Group]:
        for seq in range(after_seq + 1, self.seconds + 1):
            at_ms = START_MS + 1000 * seq
            yield Group(seq, at_ms, (), no_readings(), at_ms)


async def test_a_start_that_had_much_to_replay_leaves_less_to_the_next_one_soon() -> None:
    kept = Kept()
    evaluation = Evaluation(Ledger(), kept)
    await evaluation.load(written_seq=0)

    await evaluation.start(Journaled(LONG_REPLAY))
    async with asyncio.timeout(20):
        while kept.dumped is None:
            await asyncio.sleep(0.05)
    await evaluation.close()

    again = Evaluation(Ledger(), kept)
    assert await again.load(written_seq=0) == LONG_REPLAY
