"""The demo made live: through the services and the door, once, and on from where it was after a restart."""

import asyncio
import heapq
import stat
from pathlib import Path

import pytest

from nightbell.app.demo import FAMILY, FOLLOWER, STEP_MS
from nightbell.app.demo_family import DemoError, DemoFamily
from nightbell.follow.follow import FollowState
from nightbell.publish.native import Upload
from tests.unit.cli_house import NOW_MS, CliHouse
from tests.unit.test_publisher import ScriptedDoor, open_door

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


class Walker:
    """Sleeps by moving the house's clock to the next waker once all sleep; ends the demo after some time."""

    def __init__(self, house: CliHouse, minutes: int) -> None:
        self.house = house
        self.until_ms = house.clock.now_ms() + minutes * 60_000
        self.over = asyncio.Event()
        self.sleepers: list[tuple[int, int, asyncio.Event]] = []

    async def __call__(self, pause_s: float) -> None:
        """Sleep; nobody wakes after the end."""
        awake = asyncio.Event()
        at_ms = self.house.clock.now_ms() + round(pause_s * 1000)
        heapq.heappush(self.sleepers, (at_ms, id(awake), awake))
        if len(self.sleepers) == len(FAMILY):
            self.wake_first()
        await awake.wait()

    def wake_first(self) -> None:
        """Everybody sleeps: go to the first of them."""
        at_ms, _, awake = self.sleepers[0]
        if at_ms > self.until_ms:
            self.over.set()
            return
        heapq.heappop(self.sleepers)
        self.house.clock.advance_ms(at_ms - self.house.clock.now_ms())
        awake.set()


async def started(folder: Path) -> CliHouse:
    """A house without a control socket: the demo talks to the commands themselves."""
    house = CliHouse(folder)
    await house.accounts.start()
    await house.follows.start()
    return house


async def live(house: CliHouse, url: str, minutes: int) -> DemoFamily:
    """Make the family and let it live for some minutes."""
    walker = Walker(house, minutes)
    family = DemoFamily(house.commands, folder=house.folder, url=url, clock=house.clock, sleep=walker)
    await family.make(url)
    task = asyncio.create_task(family.live())
    await walker.over.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return family


def times(uploads: list[Upload]) -> list[int]:
    """When every reading that was sent was measured."""
    return [
        reading.measured_at
        for upload in uploads
        for reading in upload.readings
        if isinstance(reading.measured_at, int)
    ]


async def test_it_makes_three_sharers_a_follower_and_says_how_to_sign_in(tmp_path: Path) -> None:
    house = await started(tmp_path)
    family = DemoFamily(house.commands, folder=tmp_path, url="http://x", clock=house.clock)

    sentences = await family.make("http://bell.example.org")

    assert {person.name for person in house.accounts.people()} == {FOLLOWER, *(one.name for one in FAMILY)}
    assert [follow.state for follow in house.follows.everybody()] == [FollowState.ACTIVE] * 3
    assert "not real" in sentences[0]
    assert "http://bell.example.org" in sentences[1]
    password = sentences[3].rpartition(" ")[2]
    signed_in = await house.accounts.sign_in(
        name=FOLLOWER, password=password, device="x", peer="x", now_ms=NOW_MS
    )
    assert signed_in.token
    house.accounts.close()


async def test_what_it_keeps_is_for_this_user_only(tmp_path: Path) -> None:
    house = await started(tmp_path)
    await DemoFamily(house.commands, folder=tmp_path, url="http://x", clock=house.clock).make("http://x")

    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600
    house.accounts.close()


async def test_a_second_start_finds_the_same_family_and_the_same_sign_in(tmp_path: Path) -> None:
    house = await started(tmp_path)

    first = await DemoFamily(house.commands, folder=tmp_path, url="x", clock=house.clock).make("http://x")
    second = await DemoFamily(house.commands, folder=tmp_path, url="x", clock=house.clock).make("http://x")

    assert first == second
    assert len(list(house.follows.everybody())) == 3
    house.accounts.close()


async def test_a_start_that_was_cut_short_is_mended(tmp_path: Path) -> None:
    house = await started(tmp_path)
    family = DemoFamily(house.commands, folder=tmp_path, url="x", clock=house.clock)
    await family.make("http://x")
    for follow in house.follows.of_follower(
        next(p.id for p in house.accounts.people() if p.name == FOLLOWER)
    ):
        await house.follows.end(follow_id=follow.id, by=follow.sharer, now_ms=NOW_MS)

    await DemoFamily(house.commands, folder=tmp_path, url="x", clock=house.clock).make("http://x")

    active = [follow for follow in house.follows.everybody() if follow.state is FollowState.ACTIVE]
    assert len(active) == 3
    house.accounts.close()


async def test_a_real_person_of_a_demo_name_is_never_touched(tmp_path: Path) -> None:
    house = await started(tmp_path)
    await house.accounts.add_person(name=FOLLOWER, password="mine", now_ms=NOW_MS)

    with pytest.raises(DemoError, match="another folder"):
        await DemoFamily(house.commands, folder=tmp_path, url="x", clock=house.clock).make("http://x")

    assert len(list(house.accounts.people())) == 1
    house.accounts.close()


async def test_a_day_of_history_comes_first_then_the_low_within_two_minutes(tmp_path: Path) -> None:
    house = await started(tmp_path)
    door = ScriptedDoor()
    async with open_door(door) as url:
        await live(house, url, minutes=3)

    history = [upload for upload in door.uploads if len(upload.readings) > 1]
    single = [upload.readings[0] for upload in door.uploads if len(upload.readings) == 1]
    assert [len(upload.readings) for upload in history] == [288] * 3
    assert single[0].measured_at == NOW_MS + 45_000
    assert isinstance(single[0].glucose_mgdl, int)
    assert single[0].glucose_mgdl <= 55
    house.accounts.close()


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    house = await started(tmp_path)
    before, after = ScriptedDoor(), ScriptedDoor()
    async with open_door(before) as url:
        await live(house, url, minutes=30)
    house.clock.advance_ms(60 * 60_000)
    async with open_door(after) as url:
        await live(house, url, minutes=3)

    assert min(times(after.uploads)) > max(times(before.uploads)) - 2 * STEP_MS
    assert 30 <= len(times(after.uploads)) <= 48
    house.accounts.close()


async def test_a_door_that_was_closed_gets_what_it_missed(tmp_path: Path) -> None:
    house = await started(tmp_path)
    door = ScriptedDoor(*[(503, "30")] * 24, (200, ""))
    async with open_door(door) as url:
        await live(house, url, minutes=30)

    assert len(set(times(door.uploads))) == len(times(door.uploads))
    assert len(times(door.uploads)) >= 3 * 288
    house.accounts.close()
