"""Many readings at once and one by one: the same is said of every upload, and the same is written down."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightbell.account.identity import Uploader
from nightbell.adapters.stores.memory.reading_log import MemoryLog
from nightbell.publish.admit import Judged, RawReading
from nightbell.publish.clock import ClockChange, newest_of
from nightbell.publish.columns import RawColumns, in_columns, newest_of_many
from nightbell.publish.native import read_upload
from nightbell.publish.reading import Reading, Readings
from nightbell.publish.service import PLAIN_ONE, Publish, Published
from nightbell.words.errors import CallerError

NOW: Final = 1_790_000_000_000
MIN: Final = 60_000
DAY: Final = 86_400_000
ANA: Final = Uploader(sharer=7, credential=3)
AT_ONCE: Final = 1
ONE_BY_ONE: Final = 10**9

Said = tuple[Published | str, list[ClockChange], list[Reading], list[int]]


class Log(MemoryLog):
    """A journal in memory that says how much came into the live lane."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[int] = []

    def append(self, *, live: Readings, backfill: Readings) -> asyncio.Future[int]:
        """Note, and take."""
        self.live.append(len(live))
        return super().append(live=live, backfill=backfill)


class Door:
    """Publishing into a journal in memory, many at once or one by one."""

    def __init__(self, many: int) -> None:
        self._many = many
        self._log = Log()
        self._learned: list[ClockChange] = []
        self._publish = Publish(self._log, clock_learned=self._clock_learned, many=many)
        self._log.subscribe(self._publish.consume)

    def _clock_learned(self, change: ClockChange) -> asyncio.Future[int]:
        self._learned.append(change)
        return self._log.settled()

    def _took_plain(self, raw: Sequence[RawReading] | RawColumns, sent_ms: int, at_ms: int) -> bool:
        """Whether it was one usual reading: then the door took it without a list."""
        if len(raw) != 1 or isinstance(raw, RawColumns):
            return False
        return self._publish.take_plain(ANA, raw[0], sent_ms, at_ms, lambda *_: None)

    async def send(self, body: bytes, at_ms: int) -> Said:
        """Send one upload; what was said of it, and all that is known and kept by now."""
        try:
            raw, sent_ms = read_upload(body, many=self._many)
            if self._took_plain(raw, sent_ms, at_ms):
                await self._log.settled()
                return PLAIN_ONE, list(self._learned), self._log.readings(), list(self._log.live)
            taken = self._publish.take(uploader=ANA, raw=raw, sent_ms=sent_ms, received_ms=at_ms)
        except CallerError as error:
            return error.code, list(self._learned), self._log.readings(), list(self._log.live)
        if taken.durable is not None:
            await taken.durable
        published = taken.published
        said = published._replace(refused=list(published.refused))
        return said, list(self._learned), self._log.readings(), list(self._log.live)


def at(*spans: tuple[int, int]) -> st.SearchStrategy[object]:
    """Times in some spans before now, ms; some of them the same."""
    return st.one_of(
        *[st.integers(NOW - most, NOW - least).map(lambda ms: ms // 500 * 500) for least, most in spans]
    )


live = at((-2 * MIN, 16 * MIN))
old = at((14 * MIN, 2 * DAY), (29 * DAY, 31 * DAY))
few = st.sampled_from(
    [NOW, NOW - 1, NOW - 15 * MIN, NOW - DAY, NOW - DAY - 5 * MIN, NOW + 3 * MIN, NOW + 2 * DAY]
)
odd_times: st.SearchStrategy[object] = st.sampled_from(
    ["2026-09-21T14:13:20Z", "2026-09-21T14:13:20", 1e3, NOW + 0.5, float(NOW), -1, 0, 2**60 + 1, -(2**62),
     2**63, 10**30, True, None, "x", [], {}]
)  # fmt: skip
times = st.one_of(live, old, few)

whole = st.one_of(st.integers(15, 610), st.sampled_from([19, 20, 600, 601, -1, -2, 0, 2**63, 10**400]))
numbers = st.one_of(
    whole, st.floats(15, 610), st.sampled_from([19.6, 20.0, 599.5, 600.4, 1e308, -0.0, 112.5])
)
words = st.sampled_from(["LOW", "HIGH"])
odd_values: st.SearchStrategy[object] = st.sampled_from(
    ["low", "112", None, True, [], float("nan"), float("inf"), -float("inf")]
)
mmol = st.one_of(
    st.floats(0, 40), st.integers(0, 40), st.sampled_from([-1.0, 100.0, 100.1, 1e308, 3.9, 10, "LOW", "HIGH"])
)
trends: st.SearchStrategy[object] = st.sampled_from(
    [
        "Flat",
        "FortyFiveDown",
        "None",
        "flat",
        "Forty Five Up",
        "sideways",
        "4",
        "44",
        4,
        9,
        10,
        -1,
        None,
        1.5,
        True,
    ]
)


def reading(
    time: st.SearchStrategy[object], **values: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    """One reading with a time, some value, and maybe an arrow."""
    fields = {name: value for name, value in values.items() if name != "trend"}
    return st.fixed_dictionaries({"measured_at": time, **fields}, optional={"trend": trends})


PLAIN: Final = [
    reading(times, glucose_mgdl=whole),
    reading(old, glucose_mgdl=st.integers(20, 600)),
    reading(times, glucose_mgdl=numbers),
    reading(old, glucose_mgdl=st.floats(20, 600)),
    reading(times, glucose_mgdl=st.one_of(words, numbers)),
    reading(times, glucose_mmoll=mmol),
    reading(few, glucose_mgdl=st.sampled_from([100, 101, "LOW"])),
]
ODD: Final = st.one_of(
    reading(odd_times, glucose_mgdl=whole),
    reading(times, glucose_mgdl=odd_values),
    reading(times, glucose_mmoll=odd_values),
    reading(times, glucose_mgdl=whole, glucose_mmoll=mmol),
    reading(times),
    st.sampled_from([None, 5, "x", [], {}]),
)
readings = st.one_of(
    *[st.lists(plain, max_size=60) for plain in PLAIN],
    *[st.lists(st.one_of(plain, ODD), max_size=60) for plain in PLAIN],
    st.lists(st.one_of(*PLAIN), max_size=60),
)
sent_at = st.one_of(
    st.none(),
    st.integers(-3 * 60 * MIN, 3 * 60 * MIN).map(lambda ms: NOW + ms),
    st.sampled_from([NOW + 2 * DAY, "x"]),
)
single = st.lists(reading(st.one_of(live, few), glucose_mgdl=st.integers(19, 21)), min_size=1, max_size=1)
uploads = st.one_of(
    st.lists(st.tuples(readings, sent_at, st.integers(0, 12 * MIN)), min_size=1, max_size=4),
    st.lists(st.tuples(single, sent_at, st.integers(0, 12 * MIN)), min_size=1, max_size=6),
)


@given(uploads, st.lists(st.integers(0, 3), max_size=3))
@example([([{"measured_at": NOW - DAY, "glucose_mgdl": 100}] * 2, None, 0)] * 2, [0])
@example([([{"measured_at": NOW, "glucose_mgdl": 100}], None, 0)], [0])
@example([([{"measured_at": NOW - 15 * MIN, "glucose_mgdl": 100}], None, 0)], [])
@example(
    [([{"measured_at": NOW - 2 * DAY + n * MIN, "glucose_mgdl": 100} for n in range(50)], None, 0)], [0, 0]
)
@example([([{"measured_at": NOW - n * MIN, "glucose_mgdl": 100 + n} for n in range(50)], None, 0)], [0, 0])
@example([([{"measured_at": NOW - n * DAY, "glucose_mgdl": 100} for n in range(-2, 40)], None, 0)], [0])
async def test_many_readings_at_once_are_taken_as_they_are_one_by_one(
    sent: list[tuple[list[object], object, int]], again: list[int]
) -> None:
    at_once, one_by_one = Door(AT_ONCE), Door(ONE_BY_ONE)
    now_ms = NOW

    for upload, says, later_ms in sent + [sent[number % len(sent)] for number in again]:
        now_ms += later_ms
        body = json.dumps({"readings": upload, "sent_at": says}).encode()
        assert await at_once.send(body, now_ms) == await one_by_one.send(body, now_ms)


@given(st.lists(st.one_of(times, st.just(NOW + 3 * 60 * MIN)), min_size=1, max_size=40), st.integers(-70, 70))
def test_the_newest_of_many_is_the_newest_one_by_one(measured: list[int], offset_min: int) -> None:
    judged = [Judged(place, ms, 100, 0) for place, ms in enumerate(measured)]
    columns = in_columns(judged)

    assert columns is not None
    expected = newest_of(judged, offset_ms=offset_min * MIN, received_ms=NOW)
    assert newest_of_many(columns, offset_ms=offset_min * MIN, received_ms=NOW) == expected


@pytest.mark.parametrize(
    "value", [{"glucose_mgdl": 112}, {"glucose_mgdl": 112.5}, {"glucose_mgdl": "LOW"}, {"glucose_mmoll": 6.2}]
)
def test_a_backlog_as_it_is_usually_sent_is_read_in_columns(value: dict[str, object]) -> None:
    usual: list[object] = [{"measured_at": NOW - n * 5 * MIN, "trend": "Flat", **value} for n in range(288)]

    raw, _ = read_upload(json.dumps({"readings": usual}).encode())

    assert isinstance(raw, RawColumns)
    assert raw.measured_ms.dtype == np.int64
    assert len(raw) == len(usual)


def test_a_few_readings_are_read_one_by_one() -> None:
    raw, _ = read_upload(json.dumps({"readings": [{"measured_at": NOW, "glucose_mgdl": 5}]}).encode())

    assert raw == [RawReading(NOW, 5, None)]
