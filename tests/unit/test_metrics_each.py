"""Each number on the page is the one that its room counts: no two are alike here, so none is mistaken."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nightbell.app.metrics.definitions import PARTS
from nightbell.publish.reading import LIVE_AGE_MS_MAX
from nightbell.words.clock import ManualClock
from tests.acceptance.web_house import WebHouse, open_web_house
from tests.unit.test_metrics import NOW_MS, number, numbers_of, pass_ms, send, series_of, settle

MINUTE_MS = 60_000


@pytest.fixture
async def house() -> AsyncIterator[WebHouse]:
    async with open_web_house(ManualClock(NOW_MS)) as opened:
        yield opened


async def test_readings_and_sign_ins_are_counted_each_under_its_own_name(
    house: WebHouse, tmp_path: Path
) -> None:
    counts = house.publish.counts
    counts.live, counts.backfill, counts.duplicates, counts.refused = 11, 12, 13, 14
    for first, signed in ((20, house.accounts.sign_ins), (30, house.accounts.share.sign_ins)):
        signed.signed_in, signed.refused, signed.too_soon, signed.busy = range(first, first + 4)

    series = await series_of(numbers_of(house, tmp_path))

    readings = [
        number(series, "readings_total", way=one) for one in ("live", "backfill", "duplicate", "refused")
    ]
    results = ("ok", "refused", "too_soon", "busy")
    ways = [
        [number(series, "sign_ins_total", way=way, result=one) for one in results] for way in ("app", "share")
    ]
    assert readings == [11, 12, 13, 14]
    assert ways == [[20, 21, 22, 23], [30, 31, 32, 33]]


async def test_a_sharer_grows_from_fresh_to_late_to_stale(house: WebHouse, tmp_path: Path) -> None:
    ana, ben = await house.add("Ana", shares=True), await house.add("Ben", shares=True)
    await house.add("Cleo", shares=True)
    numbers = numbers_of(house, tmp_path)
    seen = []
    await send(house, ana.sharer, 120)
    for later_ms in (0, 8 * MINUTE_MS, LIVE_AGE_MS_MAX):
        pass_ms(house, later_ms)
        if later_ms == LIVE_AGE_MS_MAX:
            await send(house, ben.sharer, 110)
        await settle(house)
        series = await series_of(numbers)
        seen.append([number(series, "sharers", newest=one) for one in ("fresh", "late", "stale", "never")])

    assert seen == [[1, 0, 0, 2], [0, 1, 0, 2], [1, 0, 1, 1]]


@pytest.mark.parametrize("part", PARTS)
async def test_one_part_that_fails_is_named_and_the_bell_is_not_well(
    part: str, house: WebHouse, tmp_path: Path
) -> None:
    numbers = numbers_of(house, tmp_path)
    numbers._rooms = numbers._rooms._replace(
        failing=lambda: dict.fromkeys(PARTS, "") | {part: "It is broken."}
    )

    series = await series_of(numbers)

    assert number(series, "well") == 0
    assert [one for one in PARTS if number(series, "failing", part=one)] == [part]
