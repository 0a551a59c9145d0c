"""The clock of the whole process is stepped under load: by libfaketime, where that is installed."""

import asyncio
from pathlib import Path
from typing import Final

from tests.faults.load import PATIENCE_S, Load, loaded
from tests.faults.outcome import Outcome, Size, of
from tests.faults.processes import lives
from tests.faults.record import now_ms

LIBRARY: Final = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
STEP_S: Final = 3600
STAYS_S: Final = 6.0
SEEN_S: Final = 2.5
"""How long until the process surely sees it: libfaketime looks once a second."""


async def clock(size: Size, folder: Path, seed: int) -> Outcome:  # noqa: ARG001 one fault, one size
    """An hour forward, then an hour back, which is right again; phones and screens keep the true time.

    While the clock is wrong by an hour what is new looks an hour old, as a backlog does, and no low is sent:
    readings are acknowledged and kept. Once it is right all must be as before, without a start.
    """
    if LIBRARY is None:
        return Outcome(skipped="needs libfaketime: apt-get install faketime")
    broken: list[str] = []
    set_to = folder / "clock"
    _set(set_to, 0)
    asked = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(set_to),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    def prepare(load: Load) -> None:
        load.platform.environment |= asked

    async with loaded(folder, sharers=200, phones=4, seed=seed, prepare=prepare) as load:
        before = lives(load)
        await asyncio.sleep(STAYS_S)
        load.without_lows = True
        await asyncio.sleep(SEEN_S)
        for offset_s in (STEP_S, 0):
            _set(set_to, offset_s)
            load.note(f"the clock is wrong by {offset_s} s")
            await asyncio.sleep(STAYS_S)
            if abs(load.health().evaluated_tick_ms - now_ms() - offset_s * 1000) > STEP_S * 500:
                broken.append(f"a clock that is wrong by {offset_s} s was not seen")
        load.without_lows = False
        await asyncio.sleep(STAYS_S)
        async with asyncio.timeout(PATIENCE_S):
            while not load.health().well:
                await asyncio.sleep(0.2)
        if lives(load) != before:
            broken.append("it ended, and began anew")
        for name in asked:
            load.platform.environment.pop(name)  # should it have to be started again to be asked for graphs
        verdict = await load.end()
    return of("the clock of the process stepped by +1 h, then by -1 h", verdict, {}, *broken)


def _set(place: Path, offset_s: int) -> None:
    beside = place.with_suffix(".new")
    beside.write_text(f"{offset_s:+d}\n")
    beside.replace(place)
