"""Figures that need no running platform: the shipped evaluator, the shipped history, both in this process."""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.counts import opened
from benchmarks.figures import Bar, figure
from benchmarks.house import house
from benchmarks.processes import BUILD
from benchmarks.size import Measured, Say, Size
from nightbell.adapters.stores.sqlite.history import SqliteHistoryStore
from nightbell.evaluate.fold import Fold
from nightbell.history.service import History
from nightbell.journal.group import Group, no_readings
from nightbell.publish.reading import READING_DTYPE
from nightbell.words.clock import ManualClock

BATCH: Final = 1_000
STEP_MS: Final = 300_000
WARM_STEPS: Final = 3
"""Turns of everybody before it counts: from the fourth reading on every condition can begin."""

HISTORY_SHARERS: Final = 2_000
READINGS_A_DAY: Final = 288
BYTES_MAX: Final = 8.0
EVALUATE_MIN: Final = 250_000.0
SWEEP_MS_MAX: Final = 20.0
_DAY_MS: Final = 86_400_000
_START_MS: Final = 1_763_769_600_000
"""A midnight, where a block of history begins."""


def evaluate(size: Size, say: Say) -> Measured:
    """Everybody's next readings in batches, and a tick over all follows, by the shipped fold."""
    fold = furnished(size)
    now_ms = fold.columns.last_tick_ms
    chance = np.random.default_rng(1)
    level = chance.integers(80, 180, size.sharers).astype(float)
    rates, sweeps, changed = [], [], []
    for step in range(WARM_STEPS + size.rounds):
        now_ms += STEP_MS
        level = np.clip(level + chance.normal(0, 6, size.sharers), 25, 500)
        readings = _everybody(chance.permutation(size.sharers), level, now_ms)
        rate, transitions = _fold_all(fold, readings, now_ms)
        sweep_ms = _sweep(fold, now_ms + 1_000)
        if step >= WARM_STEPS:
            rates.append(rate)
            sweeps.append(sweep_ms)
            changed.append(transitions)
    silent_ms = _sweep(fold, now_ms + _DAY_MS)
    said = ", ".join(f"{rate:,.0f}/s" for rate in rates)
    say(f"evaluate: {said}; {sum(changed) // size.rounds:,} transitions a round")
    note = f"batches of {BATCH:,}, all conditions on, {sum(changed) // size.rounds:,} transitions"
    follows = fold.columns.follows.count
    found = [
        figure(
            "evaluate.readings_per_s",
            rates,
            "1/s",
            bar=Bar(at_least=EVALUATE_MIN),
            note=f"{note} in {size.sharers:,} readings",
        ),
        figure(
            "sweep.ms",
            sweeps,
            "ms",
            bar=Bar(at_most=SWEEP_MS_MAX),
            note=f"a tick over {follows:,} follows, nobody newly silent",
        ),
        figure("sweep.all_silent_ms", [silent_ms], "ms", note="the tick at which all of them fall silent"),
    ]
    return Measured(found, [])


def furnished(size: Size) -> Fold:
    """The shipped fold with everybody and every follow of the house."""
    copy = BUILD / "bench-run-evaluate"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(house(size.sharers) / "journal", copy / "journal")
    fold = Fold()
    with opened(copy) as journal:
        for group in journal.replay(0):
            fold.fold([group])
    shutil.rmtree(copy)
    return fold


def _everybody(who: NDArray[np.int64], level: NDArray[np.float64], now_ms: int) -> NDArray[np.void]:
    readings = np.zeros(len(who), READING_DTYPE)
    readings["sharer"] = who
    readings["measured_ms"] = now_ms - who % 20_000
    readings["received_ms"] = now_ms
    readings["level"] = level[who]
    return readings


def _fold_all(fold: Fold, readings: NDArray[np.void], now_ms: int) -> tuple[float, int]:
    """Readings a second, and how many transitions."""
    groups = [Group(1, now_ms, (), readings[at : at + BATCH], 0) for at in range(0, len(readings), BATCH)]
    began = time.perf_counter()
    transitions = sum(len(fold.fold([group])) for group in groups)
    return len(readings) / (time.perf_counter() - began), transitions


def _sweep(fold: Fold, at_ms: int) -> float:
    began = time.perf_counter()
    fold.fold([Group(1, at_ms, (), no_readings(), at_ms)])
    return (time.perf_counter() - began) * 1_000


def history(_size: Size, say: Say) -> Measured:
    """How large a day of everybody's readings is on the disk, with trend and source."""
    folder = BUILD / "bench-history"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = folder / "history.sqlite"
    asyncio.run(_write_a_day(path))
    bytes_each = path.stat().st_size / (HISTORY_SHARERS * READINGS_A_DAY)
    shutil.rmtree(folder)
    say(f"history: {bytes_each:.2f} bytes a reading")
    note = f"the file of a day of {HISTORY_SHARERS:,} sharers, {HISTORY_SHARERS * READINGS_A_DAY:,} readings"
    found = figure("history.bytes_per_reading", [bytes_each], "bytes", bar=Bar(at_most=BYTES_MAX), note=note)
    return Measured([found], [])


async def _write_a_day(path: Path) -> None:
    """Publish a day into a history and close its blocks."""
    clock = ManualClock(_START_MS)
    history = History(SqliteHistoryStore(path), clock)
    await history.start()
    chance = np.random.default_rng(2)
    phase_ms = chance.integers(0, STEP_MS, HISTORY_SHARERS)
    for step in range(READINGS_A_DAY):
        readings = np.zeros(HISTORY_SHARERS, READING_DTYPE)
        readings["sharer"] = np.arange(HISTORY_SHARERS)
        readings["measured_ms"] = _START_MS + step * STEP_MS + phase_ms
        readings["received_ms"] = readings["measured_ms"] + chance.integers(1_000, 20_000, HISTORY_SHARERS)
        readings["level"] = chance.integers(60, 300, HISTORY_SHARERS)
        readings["trend"] = chance.integers(1, 8, HISTORY_SHARERS)
        readings["source"] = 1 + np.arange(HISTORY_SHARERS)
        clock.advance_ms(STEP_MS)
        history.consume(Group(step + 1, clock.now_ms(), (), readings, 0))
    clock.advance_ms(_DAY_MS)
    history.consume(Group(READINGS_A_DAY + 1, clock.now_ms(), (), no_readings(), clock.now_ms()))
    await history.flush()
    state = history.health()
    await history.close()
    assert state.open_readings == 0, state
