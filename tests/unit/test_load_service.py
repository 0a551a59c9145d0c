"""Admission on a running event loop: what it measures, whom it spares, what it says."""

import asyncio
import time

import pytest

from nightbell.load.gate import SHED_LOWER, Level, Load, Work
from nightbell.load.service import Admission, open_to_all
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode, PlatformError

NOW_MS = 1_795_312_800_000


def at(shed: int) -> Admission:
    admission = Admission(ManualClock(NOW_MS))
    admission.take(Level(shed, "live_wait_ms"))
    return admission


async def until_not_calm(admission: Admission) -> None:
    async with asyncio.timeout(20):
        while admission.calm:
            await asyncio.sleep(0.01)


def test_while_all_is_well_everybody_is_let_in_without_being_asked_for() -> None:
    admission = open_to_all()

    for work in Work:
        admission.check(work, "anybody")

    assert admission.calm
    assert sum(admission.refused.values()) == 0


def test_who_is_not_let_in_hears_when_to_come_again_and_is_counted() -> None:
    admission = at(SHED_LOWER)

    with pytest.raises(PlatformError) as refused:
        admission.check(Work.SIGN_IN, "Dan")

    assert refused.value.code is ErrorCode.OVERLOADED
    assert refused.value.retry_after_s is not None
    assert 5 <= refused.value.retry_after_s <= 300
    assert admission.refused[Work.SIGN_IN] == 1


def test_the_watchers_canaries_are_let_in_when_live_readings_are_not() -> None:
    admission = at(SHED_LOWER + 90)
    admission.spare(frozenset({3}))

    let_in = [sharer for sharer in range(1_000) if not admission.refuses(Work.LIVE, sharer)]

    assert 3 in let_in
    assert len(let_in) < 200
    assert not admission.refuses(Work.ALARM, "Ben")


def test_those_refused_together_are_told_different_times() -> None:
    admission = at(300)

    waits = {admission.refuses(Work.HISTORY, 1) for _ in range(50)}

    assert len(waits) > 5
    assert 0 not in waits


async def test_an_event_loop_that_serves_late_is_seen_whoever_holds_it_up() -> None:
    admission = Admission(ManualClock(NOW_MS))
    admission.start(Load)

    async def hold_up() -> None:
        while admission.calm:
            time.sleep(0.15)  # noqa: ASYNC251 what must not happen, and does
            await asyncio.sleep(0.01)

    async with asyncio.timeout(30):
        await hold_up()

    assert admission.level.reason == "loop_lag_ms"
    assert admission.lag_ms > 20
    admission.close()
    assert admission.calm


async def test_what_the_others_measured_is_asked_for_every_second() -> None:
    admission = Admission(ManualClock(NOW_MS))
    asked = []

    def read() -> Load:
        asked.append(1)
        return Load(tick_age_ms=60_000)

    admission.start(read)
    await until_not_calm(admission)

    assert asked
    assert admission.level.reason in {"tick_age_ms", "loop_lag_ms"}
    admission.close()


def test_who_is_turned_away_and_since_when_is_said_until_it_is_over() -> None:
    clock = ManualClock(NOW_MS)
    admission = Admission(clock)
    admission.take(Level(140, "live_wait_ms"))
    clock.advance_ms(90_000)
    admission.take(Level(200, "live_wait_ms"))

    exports, late = admission.turned_away()
    admission.take(Level(100, "live_wait_ms"))
    exports_later = admission.turned_away()
    admission.take(Level(0))

    assert "all of these: exports. Since 2026-11-22 02:00:00 UTC" in exports
    assert "all of these: late readings and graphs. Since 2026-11-22 02:00:00 UTC" in late
    assert exports_later == [exports]
    assert admission.turned_away() == []


def test_a_class_of_which_some_are_let_in_is_said_to_be_so() -> None:
    admission = at(240)

    *_, sign_in = admission.turned_away()

    assert "40 of 100 people with these: names and passwords" in sign_in
