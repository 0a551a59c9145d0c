"""Telling begins where the ledger says, and not before it is known who may be told."""

import asyncio

from nightbell.deliver.record import EMAIL, DeliveryState
from tests.simulators.cast import effects, ring
from tests.unit.test_deliver_service import Stage, settled, until


async def test_what_waited_is_not_touched_before_follows_are_known() -> None:
    stage = Stage()
    await stage.deliver.start()
    stage.postbox.hold = asyncio.Event()
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)
    stage.postbox.hold = None
    await stage.deliver.close()
    stage.deliver = stage._deliver()

    opened = await stage.deliver.open()
    queued = [lane.waiting for lane in stage.deliver.health().lanes]
    started = await stage.deliver.start()
    await settled(stage, EMAIL, DeliveryState.SENT)

    assert queued == [0]
    assert started == opened
    assert len(stage.postbox.taken) == 2
    await stage.deliver.close()
