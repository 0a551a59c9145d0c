"""Readings come back from their packed blocks to the second, and settle into one each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nightbell.history.open_block import READINGS_MAX, OpenBlock
from nightbell.history.packing import merge, pack, pack_mixed, unpack
from nightbell.history.reading import BLOCK_MS, HISTORY_DTYPE, as_history, settled
from nightbell.publish.reading import READING_DTYPE, Reading

BLOCK = 166_232
BEGIN_MS = BLOCK * BLOCK_MS
LATE_MS = 16 * 60_000

LEVELS = st.sampled_from([0, 20, 54, 55, 100, 400, 600, 1023])
LATENESS = st.sampled_from([-5_000, 0, 7_000, 900_000, 900_001, LATE_MS, 3 * 3_600_000])
MEASURED = st.integers(BEGIN_MS, BEGIN_MS + BLOCK_MS - 1)


def made(sharer: int, measured_ms: int, lateness_ms: int, level: int, trend: int, source: int) -> Reading:
    return Reading(sharer, measured_ms, measured_ms + lateness_ms, level, trend, source)


READINGS = st.builds(
    made,
    st.integers(0, 3),
    MEASURED,
    LATENESS,
    LEVELS,
    st.integers(0, 9),
    st.sampled_from([0, 1, 2, 2**31 - 1]),
)


def packed(readings: list[Reading]) -> NDArray[np.void]:
    return np.array(readings, READING_DTYPE)


def expected(readings: list[Reading], sharer: int) -> list[tuple[int, int, int]]:
    """Second and level of what a sharer has, and whether it was late, worked out one by one."""
    best: dict[tuple[int, int], int] = {}
    for reading in readings:
        if reading.sharer != sharer:
            continue
        key = (reading.measured_ms // 1000 * 1000, reading.level)
        late = reading.received_ms if reading.received_ms - reading.measured_ms > 900_000 else 0
        best[key] = min(best.get(key, late), late)
    return [(second, level, int(late > 0)) for (second, level), late in sorted(best.items())]


def told(rows: NDArray[np.void]) -> list[tuple[int, int, int]]:
    return [(int(row["measured_ms"]), int(row["level"]), int(row["received_ms"] > 0)) for row in rows]


@given(st.lists(READINGS, min_size=1, max_size=60))
def test_a_packed_block_gives_back_every_field_to_the_second(readings: list[Reading]) -> None:
    rows = as_history(packed(readings))

    back = unpack(pack(rows, BLOCK), BLOCK)

    late = rows["received_ms"] > 0
    for name in ("measured_ms", "level", "trend", "source"):
        assert back[name].tolist() == rows[name].tolist()
    assert (back["received_ms"][~late] == 0).all()
    assert (abs(back["received_ms"][late] - rows["received_ms"][late]) < 1000).all()


@given(st.lists(READINGS, max_size=60), st.lists(READINGS, max_size=60))
def test_an_open_block_reads_and_packs_as_if_kept_one_by_one(
    first: list[Reading], second: list[Reading]
) -> None:
    block = OpenBlock(BLOCK, sharers=1, rows=1)
    for seq, part in enumerate((first, second), 1):
        block.add(packed(part), seq)

    packs = dict(block.packs())

    whole = first + second
    assert sorted(packs) == sorted({reading.sharer for reading in whole})
    for sharer in range(4):
        rows = block.readings(sharer)
        mine = [reading for reading in whole if reading.sharer == sharer]
        assert sorted(rows["source"].tolist()) == sorted(reading.source for reading in mine)
        assert told(settled(rows)) == expected(whole, sharer)
        if sharer in packs:
            assert unpack(packs[sharer], BLOCK).tolist() == rows.tolist()


@given(st.lists(READINGS, max_size=60))
def test_readings_packed_together_are_those_packed_one_by_one(readings: list[Reading]) -> None:
    spread = [
        reading._replace(measured_ms=reading.measured_ms - BLOCK_MS * (reading.source % 2))
        for reading in readings
    ]
    spread = [
        reading._replace(received_ms=reading.measured_ms + (old.received_ms - old.measured_ms))
        for reading, old in zip(spread, readings, strict=True)
    ]

    packs = list(pack_mixed(packed(spread)))

    assert [(each.block, each.sharer) for each in packs] == sorted(
        {(reading.measured_ms // BLOCK_MS, reading.sharer) for reading in spread}
    )
    for each in packs:
        mine = [reading for reading in spread if reading.measured_ms // BLOCK_MS == each.block]
        assert told(unpack(each.packed, each.block)) == expected(mine, each.sharer)


@given(st.lists(READINGS, min_size=1, max_size=30))
def test_readings_are_packed_alike_whether_or_not_one_of_years_ago_is_among_them(
    readings: list[Reading],
) -> None:
    ancient = made(0, BEGIN_MS - 400 * BLOCK_MS, LATE_MS, 100, 0, 1)

    assert list(pack_mixed(packed([*readings, ancient])))[1:] == list(pack_mixed(packed(readings)))


@given(st.lists(READINGS, min_size=1, max_size=30), st.lists(READINGS, min_size=1, max_size=30))
def test_merging_is_the_same_in_any_order_and_any_number_of_times(
    one: list[Reading], other: list[Reading]
) -> None:
    a, b = (pack(as_history(packed(part)), BLOCK) for part in (one, other))

    once = unpack(merge(a, b, BLOCK), BLOCK)
    swapped = unpack(merge(b, a, BLOCK), BLOCK)
    again = unpack(merge(merge(a, b, BLOCK), b, BLOCK), BLOCK)

    assert told(once) == told(swapped) == told(again)


def test_a_sharer_with_a_reading_every_five_minutes_takes_149_bytes_for_three_hours() -> None:
    rows = as_history(
        packed([made(1, BEGIN_MS + 7 + slot * 300_000, 5_000, 100 + slot, 4, 12) for slot in range(36)])
    )

    assert len(pack(rows, BLOCK)) == 149


def test_the_reading_that_came_in_time_is_kept_of_two_and_contradictions_are_both_kept() -> None:
    at = BEGIN_MS + 60_000
    rows = np.array([(at, at + LATE_MS, 100, 4, 1), (at, 0, 100, 4, 2), (at, 0, 60, 4, 1)], HISTORY_DTYPE)

    back = settled(rows)

    assert back[["level", "received_ms", "source"]].tolist() == [(60, 0, 1), (100, 0, 2)]


def test_a_flood_from_one_sharer_is_bounded_counted_and_harms_nobody_else() -> None:
    block = OpenBlock(BLOCK)
    flood = [made(1, BEGIN_MS + second * 1000, 0, 100, 4, 1) for second in range(READINGS_MAX + 100)]

    block.add(packed([*flood, made(2, BEGIN_MS, 0, 100, 4, 1)]), 1)
    block.add(packed([made(1, BEGIN_MS + 5_000, 0, 90, 4, 1)]), 2)

    assert len(block.readings(1)) == READINGS_MAX
    assert len(block.readings(2)) == 1
    assert block.dropped == 101


def test_a_sensor_that_measures_every_minute_keeps_all_of_its_readings_in_order() -> None:
    minutes = [
        made(1, BEGIN_MS + minute * 60_000, 5_000, 60 + minute, 4, minute // 100) for minute in range(180)
    ]
    block = OpenBlock(BLOCK, sharers=1, rows=1)
    for seq, begin in enumerate(range(0, 180, 17), 1):
        block.add(packed([*minutes[begin : begin + 17], made(0, BEGIN_MS + seq, 0, 100, 4, 1)]), seq)

    rows = block.readings(1)
    (_, everybody_else), (_, mine) = block.packs()

    assert rows["level"].tolist() == [60 + minute for minute in range(180)]
    assert rows["source"].tolist() == [minute // 100 for minute in range(180)]
    assert unpack(mine, BLOCK).tolist() == rows.tolist()
    assert len(unpack(everybody_else, BLOCK)) == 11
