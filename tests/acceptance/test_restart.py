"""A platform that was away for hours comes back: its own silence is nobody's."""

import asyncio
from pathlib import Path

from nightbell.app.platform import Platform
from nightbell.app.settings import load
from nightbell.follow.defaults import default_limits
from nightbell.follow.service import NewFollow
from nightbell.words.clock import ManualClock
from nightbell.words.glucose import Unit

START_MS = 1_763_800_000_000
HOURS_MS = 3 * 3_600_000


async def started(folder: Path, clock: ManualClock) -> Platform:
    settings = load(folder, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    platform = Platform(folder, settings, tls=None, clock=clock)
    await platform.start()
    return platform


async def until_evaluated(platform: Platform, at_ms: int) -> None:
    async with asyncio.timeout(20):
        while platform.evaluation.evaluated_tick_ms < at_ms:
            await asyncio.sleep(0.01)


async def test_hours_away_make_nobody_silent_when_we_are_back(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    platform = await started(tmp_path, clock)
    (ana,) = await platform.accounts.add_people(["Ana"], share=True, now_ms=clock.now_ms())
    (ben,) = await platform.accounts.add_people(["Ben"], share=False, now_ms=clock.now_ms())
    await platform.follows.add_many([NewFollow(ana.id, ben.id, default_limits(Unit.MGDL))], clock.now_ms())
    await until_evaluated(platform, START_MS)
    await platform.close()

    clock.advance_ms(HOURS_MS)
    platform = await started(tmp_path, clock)
    await until_evaluated(platform, START_MS + HOURS_MS)
    alarms = platform.evaluation.open_alarms(ana.sharer)
    await platform.close()

    assert alarms == []
