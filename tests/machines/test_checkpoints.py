"""Goal: a checkpoint never knows of an alarm that the ledger does not. Method: a ledger that lags behind."""

from nightbell.adapters.stores.memory.journal import MemoryJournalStore
from nightbell.alarm.effects import Effects
from nightbell.alarm.service import Evaluation
from nightbell.journal.service import Journal
from nightbell.words.clock import ManualClock
from tests.sim.scene import START_MS, Scene


class Kept:
    """A checkpoint store."""

    def __init__(self) -> None:
        self.dumped: bytes | None = None

    async def newest(self) -> bytes | None:
        return self.dumped

    async def keep(self, dumped: bytes) -> None:
        self.dumped = dumped


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


async def test_an_empty_journal_starts_an_empty_evaluation() -> None:
    journal = Journal(MemoryJournalStore(), ManualClock(START_MS))
    await journal.start()
    evaluation = Evaluation(Ledger(), Kept())

    await evaluation.load(written_seq=0)
    await evaluation.start(journal)

    assert evaluation.evaluated_tick_ms == 0
    await journal.close()
    await evaluation.close()
