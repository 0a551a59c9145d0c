"""Goal: `kill -9` loses nothing that was acknowledged, and no alarm. Method: a real platform under load.

Every sharer's phone sends a reading at a time and repeats it until it is acknowledged; one of them is an
urgent low. Afterwards history must hold every acknowledged reading, and each sharer one low alarm.
"""

import asyncio
import random
import time
from pathlib import Path

import httpx
import pytest

from nightbell.app.control_words import Health, Nothing
from tests.acceptance.real_platform import RealPlatform

SHARERS = 4
READINGS = 40
THE_LOW = 20
KILLS = 3
SEED = 20191130

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


class Phone:
    """One sharer's phone: sends until acknowledged, across restarts."""

    def __init__(self, platform: RealPlatform, secret: str, started_ms: int) -> None:
        self._platform = platform
        self._secret = secret
        self._started_ms = started_ms
        self.acknowledged: set[int] = set()

    async def send_all(self, pace: random.Random) -> None:
        for number in range(READINGS):
            measured_ms = self._started_ms - (READINGS - number) * 5_000
            level = 50 if number == THE_LOW else 110 + number % 7
            while not await self._send(measured_ms, level):
                await asyncio.sleep(0.05)
            self.acknowledged.add(measured_ms // 1000)
            await asyncio.sleep(pace.uniform(0.01, 0.06))

    async def _send(self, measured_ms: int, level: int) -> bool:
        try:
            async with self._platform.client(self._secret) as client:
                answer = await client.post(
                    "/v1/readings", json={"readings": [{"measured_at": measured_ms, "glucose_mgdl": level}]}
                )
        except httpx.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["accepted"] == 1


async def test_nothing_acknowledged_is_lost_and_no_alarm_is_missed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    platform = RealPlatform(tmp_path)
    await platform.start()
    names = [f"Ana {number}" for number in range(SHARERS)]
    platform.add_person("Ben")
    people = {name: platform.add_person(name).person for name in names}
    for name in names:
        platform.let_follow(name, "Ben")
    now_ms = time.time_ns() // 1_000_000
    phones = [Phone(platform, platform.add_key(name, "publish"), now_ms) for name in names]
    ben = platform.add_key("Ben", "follow")
    sending = [
        asyncio.create_task(phone.send_all(random.Random(SEED + at))) for at, phone in enumerate(phones)
    ]

    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.3, 1.2))
        await platform.kill()
        await platform.start()
    await asyncio.gather(*sending)

    async with platform.client(ben) as client:
        await until_evaluated(platform)
        for name, phone in zip(names, phones, strict=True):
            answer = (await client.get(f"/v1/people/{people[name]}/readings", params={"hours": 1})).json()
            kept = {reading["measured_ms"] // 1000 for reading in answer["points"]}
            assert phone.acknowledged <= kept, f"seed {SEED}: acknowledged readings of {name} are gone"
            alarms = (await client.get(f"/v1/people/{people[name]}/alarms")).json()["alarms"]
            lows = [alarm["id"] for alarm in alarms if alarm["family"] == "low"]
            assert len(lows) == 1, f"seed {SEED}: {name} had {len(lows)} low alarms, not one"
            timeline = (await client.get(f"/v1/alarms/{lows[0]}")).json()
            assert [told["name"] for told in timeline["told"]][:1] == ["Ben"]
    await platform.kill()


async def until_evaluated(platform: RealPlatform) -> None:
    """Wait until a tick later than now was folded: then everything before it was."""
    started_ms = time.time_ns() // 1_000_000
    while platform.ask("health", Nothing(), Health).evaluated_tick_ms <= started_ms:
        await asyncio.sleep(0.1)


async def test_a_platform_that_is_told_to_stop_stops_in_order(tmp_path: Path) -> None:
    async with RealPlatform(tmp_path) as platform:
        platform.add_person("Ana")

    assert platform.process.returncode == 0
