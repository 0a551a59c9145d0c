"""What readings do to sharers: which count, the newest one, the chain, its slope, forecast and rate.

Theory of operation. A batch may hold several readings of one sharer, and each must see what the one before
left. So the batch is cut into rounds in which no sharer comes twice, and a round is one pass of array
operations. A day of backlog would be 288 rounds; but a late reading only ever moves `newest`, and of a run of
them all but the last one (or the first, if they come newest first) can be
left out beforehand without any difference to what follows. That is what `without_idle` does.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nightbell.evaluate import rules
from nightbell.evaluate.columns import NO_MS, Columns
from nightbell.publish.reading import LIVE_AGE_MS_MAX, NEAR_MS
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW

Number = TypeVar("Number", int, NDArray[np.int64])
"""One of them, or a column of them."""


class Batch(NamedTuple):
    """Readings in order, as columns, and the cause each will be named by."""

    sharer: NDArray[np.int32]
    measured_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    level: NDArray[np.int64]
    cause: NDArray[np.int64]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Batch":
        """Some of them, in the order of `index`."""
        return Batch(
            self.sharer[index],
            self.measured_ms[index],
            self.received_ms[index],
            self.level[index],
            self.cause[index],
        )


class Seen(NamedTuple):
    """A round after its sharers have seen it: what the follows need to know of each live reading.

    Attributes:
        batch: The readings that count or are near.
        counts: Whether each counts.
        near: Whether each is near.
        forecast: Thousandths of mg/dL in 20 min; meaningful where `forecast_known`.
        forecast_known: Whether there is a forecast.
        rate: Thousandths of mg/dL in 5 min; meaningful where `rate_known`.
        rate_known: Whether there is a rate.
        before: Level of the counted reading before it.
    """

    batch: Batch
    counts: NDArray[np.bool_]
    near: NDArray[np.bool_]
    forecast: NDArray[np.int64]
    forecast_known: NDArray[np.bool_]
    rate: NDArray[np.int64]
    rate_known: NDArray[np.bool_]
    before: NDArray[np.int64]


def forecast_milli(level: Number, slope: Number) -> Number:
    """Thousandths of mg/dL in 20 min, by a damped trend; `slope` in thousandths of mg/dL in 5 min."""
    return level * 1000 + slope * rules.FORECAST_STEPS_MILLI // 1000


def is_number(level: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a level is a number, neither LOW nor HIGH."""
    number: NDArray[np.bool_] = (level != CENSORED_LOW) & (level != CENSORED_HIGH)
    return number


def rounds(batch: Batch) -> Iterator[Batch]:
    """Cut a batch into parts in which no sharer comes twice, earlier readings first."""
    order = np.argsort(batch.sharer, kind="stable")
    sharer = batch.sharer[order]
    starts = np.flatnonzero(np.concatenate(([True], sharer[1:] != sharer[:-1])))
    if len(starts) == len(sharer):
        yield batch
        return
    lengths = np.diff(np.append(starts, len(sharer)))
    rank = np.arange(len(sharer)) - np.repeat(starts, lengths)
    by_rank = np.argsort(rank, kind="stable")
    cuts = np.cumsum(np.bincount(rank))[:-1]
    for part in np.split(order[by_rank], cuts):
        yield batch.take(part)


def without_idle(columns: Columns, batch: Batch) -> Batch:
    """Leave out late readings that cannot matter, so that a backlog costs few rounds.

    One idles if a late neighbour of the same sharer, or the newest reading known already, was measured at
    least a second later and is seen with the same effect.
    """
    is_late = batch.received_ms - batch.measured_ms > LIVE_AGE_MS_MAX
    if not is_late.any():
        return batch
    idle = is_late & (batch.measured_ms <= columns.sharers["newest_ms"][batch.sharer] - 1000)
    order = np.argsort(batch.sharer, kind="stable")
    sharer, measured, late = batch.sharer[order], batch.measured_ms[order], is_late[order]
    neighbours = (sharer[1:] == sharer[:-1]) & late[1:] & late[:-1]
    dominated = np.zeros(len(order), np.bool_)
    dominated[:-1] |= neighbours & (measured[1:] >= measured[:-1] + 1000)
    dominated[1:] |= neighbours & (measured[:-1] >= measured[1:] + 1000)
    idle[order] |= dominated
    return batch.take(~idle)


def see(columns: Columns, batch: Batch) -> Seen:
    """Let one round's sharers see their reading, and say what it is to each."""
    sharers = columns.sharers
    newest_ms, newest_level = sharers["newest_ms"][batch.sharer], sharers["newest_level"][batch.sharer]
    same_second = batch.measured_ms // 1000 == newest_ms // 1000
    repeated = same_second & (batch.level == newest_level)
    late = ~repeated & (batch.received_ms - batch.measured_ms > LIVE_AGE_MS_MAX)
    live = ~repeated & ~late
    near = live & (np.abs(batch.measured_ms - sharers["counted_ms"][batch.sharer]) < NEAR_MS)
    later = batch.measured_ms > newest_ms
    counts = live & ~near & (batch.measured_ms >= newest_ms)
    newest = counts | (late & later) | (near & (later | (same_second & (batch.level < newest_level))))
    sharers["newest_ms"][batch.sharer[newest]] = batch.measured_ms[newest]
    sharers["newest_level"][batch.sharer[newest]] = batch.level[newest]
    _break_chains(columns, batch.sharer[late & newest])
    which = np.flatnonzero(counts | near)
    return _see_live(columns, batch.take(which), counts[which], near[which])


def _see_live(columns: Columns, batch: Batch, counts: NDArray[np.bool_], near: NDArray[np.bool_]) -> Seen:
    sharers, who = columns.sharers, batch.sharer
    sharers["live_ms"][who] = np.maximum(sharers["live_ms"][who], batch.measured_ms)
    before = sharers["counted_level"][who].astype(np.int64)
    rate, rate_known = np.zeros(len(who), np.int64), np.zeros(len(who), np.bool_)
    which = np.flatnonzero(counts)
    if len(which):
        rate[which], rate_known[which] = _count(columns, batch.take(which))
    chain, slope = sharers["chain"][who], sharers["slope"][who].astype(np.int64)
    warmed = who[batch.measured_ms > sharers["warm_up_said_ms"][who]]
    sharers["warm_up_ms"][warmed] = NO_MS
    return Seen(
        batch=batch,
        counts=counts,
        near=near,
        forecast=forecast_milli(batch.level, slope),
        forecast_known=counts & (chain >= rules.FORECAST_CHAIN_MIN),
        rate=rate,
        rate_known=rate_known,
        before=before,
    )


def _break_chains(columns: Columns, who: NDArray[np.int32]) -> None:
    columns.sharers["chain"][who] = 0
    columns.sharers["slope"][who] = 0
    columns.rings["ring_ms"][who] = NO_MS


def _count(columns: Columns, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Let readings count: chain, slope and ring move on. Returns the rate and where it is known."""
    sharers, who = columns.sharers, batch.sharer
    gap_ms = batch.measured_ms - sharers["counted_ms"][who]
    step = batch.level - sharers["counted_level"][who]
    chain = sharers["chain"][who]
    number = is_number(batch.level)
    goes_on = (chain > 0) & (gap_ms <= rules.CHAIN_GAP_MS_MAX) & number
    step_per5 = np.where(goes_on, step, 0) * 300_000_000 // np.where(goes_on, gap_ms, 1)
    slope = sharers["slope"][who].astype(np.int64)
    slope = (rules.SLOPE_NEW * step_per5 + rules.SLOPE_OLD * slope) // rules.SLOPE_SCALE
    sharers["slope"][who] = np.where(goes_on, slope, 0)
    sharers["chain"][who] = np.where(goes_on, np.minimum(chain, 1 << 20) + 1, number)
    sharers["counted_ms"][who] = batch.measured_ms
    sharers["counted_level"][who] = batch.level
    return _turn_rings(columns, batch, goes_on, number)


def _turn_rings(
    columns: Columns, batch: Batch, goes_on: NDArray[np.bool_], number: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Put readings into their rings, newest first, and compute the rate over each."""
    ring_ms = np.roll(columns.rings["ring_ms"][batch.sharer], 1, axis=1)
    ring_level = np.roll(columns.rings["ring_level"][batch.sharer], 1, axis=1)
    ring_ms[~goes_on] = NO_MS
    ring_ms[:, 0] = np.where(number, batch.measured_ms, NO_MS)
    ring_level[:, 0] = batch.level
    columns.rings["ring_ms"][batch.sharer] = ring_ms
    columns.rings["ring_level"][batch.sharer] = ring_level
    inside = batch.measured_ms[:, None] - ring_ms <= rules.RATE_WINDOW_MS
    count = inside.sum(axis=1)
    oldest = np.maximum(count - 1, 0)[:, None]
    first_ms = np.take_along_axis(ring_ms, oldest, axis=1)[:, 0]
    first_level = np.take_along_axis(ring_level, oldest, axis=1)[:, 0].astype(np.int64)
    span_ms = batch.measured_ms - first_ms
    known = number & (count >= rules.RATE_READINGS_MIN) & (span_ms >= rules.RATE_SPAN_MS_MIN)
    change = np.where(known, batch.level - first_level, 0)
    return change * 300_000_000 // np.where(known, span_ms, 1), known
