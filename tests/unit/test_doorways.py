"""Turns at the doorway: a live reading does not wait behind the backlogs that came before it."""

import asyncio
from collections.abc import Callable

from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.web.doorway import LARGE_BYTES, TURN_S, WAITING_BYTES_MAX, Doorways
from nightbell.words.clock import ManualClock

NOW = 1_790_000_000_000


def upload(bytes_: int, name: str) -> DoorRequest:
    return DoorRequest("POST", "/v1/readings", b"", {}, b" " * bytes_, name, NOW)


class Door:
    """Answers at once, notes whom it has heard, and works on each for a while."""

    def __init__(self, work_s: float) -> None:
        self.heard: list[str] = []
        self.worked_s = 0.0
        self._work_s = work_s

    def offer(self, request: DoorRequest, answered: Callable[[DoorAnswer], None]) -> None:
        self.heard.append(request.peer)
        self.worked_s += self._work_s
        if request.peer == "breaks":
            raise RuntimeError
        answered(DoorAnswer(200, (), b""))


def at_a_door(work_s: float = TURN_S) -> tuple[Door, Doorways, list[int]]:
    door = Door(work_s)
    doorways = Doorways(door.offer, ManualClock(NOW), idle_s_max=1.0, elapsed=lambda: door.worked_s)
    return door, doorways, []


async def test_a_live_reading_is_taken_before_the_backlogs_that_came_first() -> None:
    door, doorways, answers = at_a_door()

    for name in ("one", "two", "three"):
        doorways.take(upload(LARGE_BYTES + 1, name), lambda answer: answers.append(answer.status))
    doorways.take(upload(LARGE_BYTES, "live"), lambda answer: answers.append(answer.status))
    await asyncio.sleep(0)
    doorways.take(upload(100, "live too"), lambda answer: answers.append(answer.status))
    for _ in range(5):
        await asyncio.sleep(0)

    assert door.heard == ["live", "one", "live too", "two", "three"]
    assert answers == [200] * 5


async def test_uploads_of_a_few_readings_go_together_and_for_a_moment_only() -> None:
    door, doorways, answers = at_a_door(TURN_S / 10)

    for number in range(35):
        doorways.take(upload(LARGE_BYTES + 1, str(number)), lambda answer: answers.append(answer.status))
    heard = []
    while len(door.heard) < 35:
        await asyncio.sleep(0)
        heard.append(len(door.heard))

    assert heard[0] in {10, 11}  # so much work and no more, then whoever else came
    assert len(heard) == 4
    assert answers == [200] * 35


async def test_what_waits_is_bounded_and_nothing_of_it_is_forgotten() -> None:
    door, doorways, answers = at_a_door()
    fits = WAITING_BYTES_MAX // (1 << 18)

    for number in range(fits + 2):
        doorways.take(upload(1 << 18, str(number)), lambda answer: answers.append(answer.status))

    assert door.heard == ["0", "1"]
    for _ in range(fits + 2):
        await asyncio.sleep(0)
    assert door.heard == [str(number) for number in range(fits + 2)]
    assert answers == [200] * (fits + 2)


async def test_a_backlog_that_breaks_the_door_is_answered_and_the_next_is_taken() -> None:
    door, doorways, answers = at_a_door()

    for name in ("breaks", "two"):
        doorways.take(upload(LARGE_BYTES + 1, name), lambda answer: answers.append(answer.status))
    for _ in range(5):
        await asyncio.sleep(0)

    assert door.heard == ["breaks", "two"]
    assert answers == [500, 200]
