"""Backlogs wait where they are bounded: late readings never delay live ones, nor fill what follows."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from nightbell.account.identity import Identity, Uploader
from nightbell.adapters.stores.memory.journal import MemoryDisk, MemoryJournalStore
from nightbell.alarm.service import GROUPS_WAITING_MAX, Evaluation
from nightbell.journal.group import Group, no_readings
from nightbell.journal.service import Journal
from nightbell.load.gate import SHED_LOWER, Level, Work
from nightbell.load.service import Admission
from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.publish.native import NativeDoor
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.publish.service import Publish
from nightbell.web.front import awaited
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode, PlatformError
from tests.machines.test_journal_service import Gate, Kept

NOW_MS = 1_795_346_306_000
ANA = 4


def reading(sharer: int, *, late_ms: int = 1_000) -> Reading:
    return Reading(sharer, NOW_MS - late_ms, NOW_MS, 100, 4, 1)


class Scene:
    """The native door before a real journal on a disk in memory."""

    def __init__(self) -> None:
        self.disk, self.kept = MemoryDisk(), Kept()
        clock = ManualClock(NOW_MS)
        self.journal = Journal(MemoryJournalStore(self.disk), clock)
        self.admission = Admission(clock)
        self.publish = Publish(
            self.journal,
            clock_learned=lambda _: self.journal.settled(),
            admission=self.admission,
            late_again_s=self.journal.backfill_again_s,
        )
        ana = Identity("ana", frozenset({"publish"}), ANA, 9)
        self.door = NativeDoor(
            self.publish,
            identify=lambda *_: ana,
            uploader=lambda *_: Uploader(ANA, 9),
            words=catalogue(),
            admission=self.admission,
        )

    async def post(self, *ages_min: int, **headers: str) -> DoorAnswer:
        readings = [
            {"measured_at": NOW_MS - age * 60_000, "glucose_mgdl": 100 + at}
            for at, age in enumerate(ages_min)
        ]
        body = json.dumps({"readings": readings, "sent_at": NOW_MS}).encode()
        said = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        asked = DoorRequest(
            "POST", "/v1/readings", b"", {b"authorization": b"Bearer x"} | said, body, "127.0.0.1", NOW_MS
        )
        return await awaited(self.door.offer)(asked)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    await made.journal.start()
    made.journal.subscribe(made.publish.consume)
    made.journal.subscribe(made.kept.consume)
    yield made
    made.disk.before_write = lambda: None
    await made.journal.close()


async def test_under_load_the_live_readings_of_an_upload_are_kept_and_its_late_ones_come_again(
    scene: Scene,
) -> None:
    scene.admission.take(Level(SHED_LOWER, "live_wait_ms"))

    answer = await scene.post(1, 60, 65, 70)

    assert answer.status == 503
    assert 5 <= int(dict(answer.headers)[b"retry-after"]) <= 300
    assert scene.kept.sharers() == [[ANA]]
    scene.admission.take(Level())
    again = await scene.post(1, 60, 65, 70)
    assert again.status == 200
    assert b'"accepted":4,"duplicates":1' in again.body


async def test_live_readings_are_let_in_until_everything_below_is_at_nothing(scene: Scene) -> None:
    scene.admission.take(Level(SHED_LOWER, "live_wait_ms"))

    assert (await scene.post(1)).status == 200
    assert scene.admission.refused[Work.LIVE] == 0


async def test_where_even_live_readings_must_wait_an_upload_is_refused_unread(scene: Scene) -> None:
    scene.admission.take(Level(SHED_LOWER + 90, "live_wait_ms"))
    refused = 0
    for hour in range(24):
        scene.admission._clock = ManualClock(NOW_MS + hour * 3_600_000)  # another ticket
        refused += (await scene.post(1)).status == 503

    assert refused > 12
    assert scene.admission.refused[Work.LIVE] == refused


async def test_an_upload_whose_sender_gave_up_meanwhile_is_dropped_without_work(scene: Scene) -> None:
    scene.admission.lag_ms = 800.0

    late = await scene.post(1, deadline_ms="500")
    in_time = await scene.post(2, deadline_ms="5000")

    assert late.status == 503
    assert in_time.status == 200
    assert scene.kept.sharers() == [[ANA]]


async def test_a_sharers_newest_reading_is_written_before_their_own_backlog_and_everybodys(
    scene: Scene,
) -> None:
    gate = Gate(scene.disk)
    first = scene.journal.append(live=[reading(0)], backfill=())
    await gate.knocks.get()
    flood = [
        scene.journal.append(live=(), backfill=[reading(ANA, late_ms=3_600_000 + at)]) for at in range(500)
    ]
    both = asyncio.ensure_future(scene.post(1, 60, 65))
    await asyncio.sleep(0.02)  # it has waited long enough for company
    gate.let_all()

    await asyncio.gather(first, both, *flood)

    late = [bool((group.readings["measured_ms"] < NOW_MS - 900_000).any()) for group in scene.kept.groups]
    assert late[:2] == [False, False]
    assert scene.kept.sharers()[1] == [ANA]


async def test_while_evaluation_is_behind_late_readings_wait_in_their_lane_and_live_ones_do_not(
    scene: Scene,
) -> None:
    behind = True
    scene.journal.pause_backfill(lambda: behind)
    late = scene.journal.append(live=(), backfill=[reading(1, late_ms=3_600_000)])

    live = [scene.journal.append(live=[reading(sharer)], backfill=()) for sharer in range(2, 5)]
    await asyncio.gather(*live)
    await asyncio.sleep(0.05)
    waited = not late.done() and scene.journal.health().backfill == 1
    behind = False
    scene.journal.tick()

    await asyncio.wait_for(late, 20)
    assert waited


async def test_a_backlog_that_came_packed_has_an_age_while_it_waits(scene: Scene) -> None:
    scene.journal.pause_backfill(lambda: True)
    scene.journal.append(live=(), backfill=np.array([reading(1, late_ms=3_600_000)], READING_DTYPE))
    await asyncio.sleep(0.02)

    assert scene.journal.health().backfill_age_s > 0


async def test_the_backlog_lane_is_bounded_while_it_is_paused(scene: Scene) -> None:
    scene.journal.pause_backfill(lambda: True)
    many = [reading(1, late_ms=3_600_000)] * 512
    while scene.journal.health().backfill + len(many) <= 200_000:
        scene.journal.append(live=(), backfill=many)
        await asyncio.sleep(0)

    with pytest.raises(PlatformError) as refused:
        scene.journal.append(live=(), backfill=many)

    assert refused.value.code is ErrorCode.OVERLOADED


class Nobody:
    """Takes effects and keeps none."""

    written_seq = 0

    def tell(self, _: object) -> None:
        """Nothing."""

    async def newest(self) -> None:
        """There is no checkpoint."""

    async def keep(self, _: Sequence[bytes]) -> None:
        """Nothing."""


def test_evaluation_says_that_it_is_behind_before_much_waits() -> None:
    evaluation = Evaluation(Nobody(), Nobody())
    for seq in range(1, GROUPS_WAITING_MAX + 1):
        evaluation.consume(Group(seq, NOW_MS, (), no_readings(), 0))
    before = evaluation.behind
    evaluation.consume(Group(GROUPS_WAITING_MAX + 1, NOW_MS, (), no_readings(), 0))

    assert not before
    assert evaluation.behind
