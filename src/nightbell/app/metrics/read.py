"""Reads every number from the rooms that count it, at the moment somebody asks. Nothing is kept here."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from nightbell.account.counts import SignInCounts
from nightbell.account.service import Accounts
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.alarm.service import Evaluation
from nightbell.app import logs
from nightbell.app.metrics.ages import ReadingAges
from nightbell.app.metrics.definitions import BY_NAME, CHANNELS, LANES
from nightbell.app.metrics.disk import DiskFacts
from nightbell.deliver.hub import Hub
from nightbell.deliver.service import Deliver
from nightbell.follow.service import Follows
from nightbell.history.service import History
from nightbell.journal.service import Journal
from nightbell.load.gate import share
from nightbell.load.service import Admission
from nightbell.publish.reading import LIVE_AGE_MS_MAX
from nightbell.publish.service import Publish
from nightbell.words.histogram import Histogram

FRESH_MS: Final = 6 * 60_000
"""A sensor measures every five minutes; a minute more is the usual way of a reading to us."""

INFINITE: Final = float("inf")

COUNTED_AT_ONCE: Final = 2_000
"""Open alarms counted before others may go on: about a millisecond and a half."""


class Sample(NamedTuple):
    """One number now.

    Attributes:
        name: Of which metric.
        labels: Values of its labels, in their order.
        value: The number, or durations in steps.
    """

    name: str
    labels: tuple[str, ...]
    value: float | Histogram


class Rooms(NamedTuple):
    """Where the numbers are counted.

    Attributes:
        canaries: Numbers of the hidden sharers, which are left out or kept apart.
        failing: What is wrong by part, empty where all is well.
        build: Which version runs.
    """

    admission: Admission
    journal: Journal
    publish: Publish
    history: History
    evaluation: Evaluation
    deliver: Deliver
    hub: Hub
    accounts: Accounts
    follows: Follows
    canaries: Callable[[], frozenset[int]]
    failing: Callable[[], Mapping[str, str]]
    build: str


class OpenAlarms(NamedTuple):
    """Open alarms, counted.

    Attributes:
        counts: How many by family and state.
        ringing: How many nobody has answered.
        oldest_ms: Since when the first of those rings, 0 for none.
    """

    counts: Counter[tuple[str, str]]
    ringing: int
    oldest_ms: int


async def count_open(alarms: Iterable[AlarmView], canaries: frozenset[int]) -> OpenAlarms:
    """Count in parts, so that nothing waits for the 60,000 that a million sharers have: 47 ms at once."""
    snapshot = iter(list(alarms))
    counts: Counter[tuple[str, str]] = Counter()
    ringing, oldest_ms = 0, 0
    while part := list(islice(snapshot, COUNTED_AT_ONCE)):
        for alarm in part:
            if alarm.sharer in canaries:
                continue
            counts[alarm.family, alarm.state.value] += 1
            if alarm.state is AlarmState.RINGING:
                ringing += 1
                oldest_ms = min(oldest_ms or alarm.raised_ms, alarm.raised_ms)
        await asyncio.sleep(0)
    return OpenAlarms(counts, ringing, oldest_ms)


def read(
    rooms: Rooms, ages: ReadingAges, disk: DiskFacts | None, alarms: OpenAlarms, *, now_ms: int
) -> list[Sample]:
    """Every number now, in no special order.

    Args:
        rooms: Where they are counted.
        ages: How old readings are on their way.
        disk: What the disk says; None if it did not answer.
        alarms: Open ones, counted.
        now_ms: Processing time.
    """
    canaries = rooms.canaries()
    return [
        *_newest(rooms.evaluation, canaries, now_ms),
        *_journal(rooms, now_ms),
        *_turned_away(rooms.admission),
        *_readings(rooms.publish, ages),
        *_alarms(alarms, rooms.hub.count, now_ms),
        *_told(rooms, now_ms),
        *_sign_ins("app", rooms.accounts.sign_ins),
        *_sign_ins("share", rooms.accounts.share.sign_ins),
        *_health(rooms),
        *_disk(disk, now_ms),
        *_logs(),
        Sample("build_info", (rooms.build, sys.version.split()[0]), 1),
    ]


def _newest(evaluation: Evaluation, canaries: frozenset[int], now_ms: int) -> Iterator[Sample]:
    """The newest readings of everybody, by column: two milliseconds for a million sharers."""
    newest_ms = evaluation.newest_measured_ms
    wanted = evaluation.is_sharer
    wanted[[number for number in canaries if number < len(wanted)]] = False
    newest_ms = newest_ms[wanted]
    came = int(np.count_nonzero(newest_ms > 0))
    fresh = int(np.count_nonzero(newest_ms >= now_ms - FRESH_MS))
    in_time = int(np.count_nonzero(newest_ms >= now_ms - LIVE_AGE_MS_MAX))
    counts = {
        "fresh": fresh,
        "late": in_time - fresh,
        "stale": came - in_time,
        "never": len(newest_ms) - came,
    }
    for newest, count in counts.items():
        yield Sample("sharers", (newest,), count)
    if len(newest_ms):
        age_s = max(0.0, (now_ms - int(newest_ms.max())) / 1000) if came else INFINITE
        yield Sample("newest_reading_age_seconds", (), age_s)
    tick_ms = evaluation.evaluated_tick_ms
    tick_age_s = max(0.0, (now_ms - tick_ms) / 1000) if tick_ms else INFINITE
    yield Sample("evaluated_tick_age_seconds", (), tick_age_s)


def _journal(rooms: Rooms, now_ms: int) -> Iterator[Sample]:
    journal, history = rooms.journal.health(), rooms.history.health()
    yield from _waits("live", journal.live, journal.live_age_s)
    yield from _waits("backfill", journal.backfill, journal.backfill_age_s)
    yield from _waits("control", journal.control, journal.control_age_s)
    behind = max(0, journal.last_seq - rooms.evaluation.upto_seq)
    yield Sample("journal_lag_groups", ("evaluated",), behind)
    yield Sample("journal_lag_groups", ("history",), max(0, journal.last_seq - history.flushed_seq))
    waiting_ms = rooms.evaluation.waiting_since_ms
    yield Sample("journal_lag_seconds", ("evaluated",), _age_s(waiting_ms, now_ms))
    if history.closed_ms:
        yield Sample("journal_lag_seconds", ("history",), _age_s(history.closed_ms, now_ms))
    yield Sample("uploads_turned_away_total", (), journal.refused)
    yield Sample("groups_not_durable_total", (), journal.volatile)
    yield Sample("consumer_failures_total", (), sum(journal.consumer_failures.values()))
    yield Sample("set_aside_total", (), rooms.evaluation.set_aside)
    yield Sample("commit_seconds", ("live",), rooms.journal.figures.live)
    yield Sample("commit_seconds", ("backfill",), rooms.journal.figures.backfill)
    yield Sample("history_open_readings", (), history.open_readings)
    yield Sample("history_dropped_total", (), history.dropped)


def _turned_away(admission: Admission) -> Iterator[Sample]:
    for work, count in admission.refused.items():
        yield Sample("let_in_percent", (work.name.lower(),), share(admission.level, work))
        yield Sample("turned_away_total", (work.name.lower(),), count)


def _readings(publish: Publish, ages: ReadingAges) -> Iterator[Sample]:
    counts = publish.counts
    yield Sample("readings_total", ("live",), counts.live)
    yield Sample("readings_total", ("backfill",), counts.backfill)
    yield Sample("readings_total", ("duplicate",), counts.duplicates)
    yield Sample("readings_total", ("refused",), counts.refused)
    yield Sample("measured_to_received_seconds", (), ages.measured_to_received())
    yield Sample("received_to_recorded_seconds", (), ages.received_to_recorded())


def _alarms(alarms: OpenAlarms, streams: int, now_ms: int) -> Iterator[Sample]:
    metric = BY_NAME["open_alarms"]
    for family in metric.labels["family"]:
        for state in metric.labels["state"]:
            yield Sample("open_alarms", (family, state), alarms.counts[family, state])
    yield Sample("unanswered_alarms", (), alarms.ringing)
    yield Sample("unanswered_age_seconds", (), _age_s(alarms.oldest_ms, now_ms))
    yield Sample("streams", (), streams)


def _told(rooms: Rooms, now_ms: int) -> Iterator[Sample]:
    deliver, figures = rooms.deliver.health(), rooms.deliver.figures
    yield from _waits("outbox", deliver.unwritten, _age_s(deliver.unwritten_oldest_ms, now_ms))
    yield Sample("outbox_left_out_total", (), deliver.left_out)
    for lane in deliver.lanes:
        if lane.channel in LANES:
            yield from _waits(lane.channel, lane.waiting + lane.under_way, _age_s(lane.oldest_ms, now_ms))
            yield Sample("channel_failures_in_a_row", (lane.channel,), lane.failures_in_a_row)
    for who, told in (("people", figures.told_people), ("canary", figures.told_canary)):
        for channel, histogram in told.items():
            if channel in CHANNELS:
                yield Sample("measured_to_told_seconds", (channel, who), histogram)
    yield Sample("told_to_answered_seconds", (), figures.answered)
    for name, counts in (("notifications_total", figures.settled), ("receipts_total", figures.receipts)):
        for channel in CHANNELS:
            for state in BY_NAME[name].labels["state"]:
                yield Sample(name, (channel, state), counts[channel, state])


def _waits(lane: str, count: int, age_s: float) -> Iterator[Sample]:
    yield Sample("waiting", (lane,), count)
    yield Sample("waiting_age_seconds", (lane,), age_s)


def _sign_ins(way: str, counts: SignInCounts) -> Iterator[Sample]:
    yield Sample("sign_ins_total", (way, "ok"), counts.signed_in)
    yield Sample("sign_ins_total", (way, "refused"), counts.refused)
    yield Sample("sign_ins_total", (way, "too_soon"), counts.too_soon)
    yield Sample("sign_ins_total", (way, "busy"), counts.busy)


def _health(rooms: Rooms) -> Iterator[Sample]:
    failing = rooms.failing()
    yield Sample("well", (), not any(failing.values()))
    for part, sentence in failing.items():
        yield Sample("failing", (part,), bool(sentence))
    yield Sample("follows_untold", (), rooms.follows.untold)


def _disk(disk: DiskFacts | None, now_ms: int) -> Iterator[Sample]:
    yield Sample("disk_unread", (), disk is None)
    if disk is None:
        return
    for name, size in disk.bytes_of.items():
        yield Sample("file_bytes", (name,), size)
    yield Sample("disk_free_bytes", (), disk.free_bytes)
    if disk.watcher_broken:
        yield Sample("watcher_heartbeat_age_seconds", (), INFINITE)
    if disk.watcher is not None:
        yield Sample("watcher_heartbeat_age_seconds", (), _age_s(disk.watcher.written_ms, now_ms))
        for state in BY_NAME["watcher_state"].labels["state"]:
            yield Sample("watcher_state", (state,), disk.watcher.state.value == state)


def _logs() -> Iterator[Sample]:
    for level in BY_NAME["log_lines_total"].labels["level"]:
        yield Sample("log_lines_total", (level,), logs.COUNTS.lines[level])
    yield Sample("log_lines_left_out_total", (), logs.COUNTS.left_out)
    yield Sample("log_lines_lost_total", (), logs.COUNTS.lost)


def _age_s(since_ms: int, now_ms: int) -> float:
    """How old something is; 0 if there is nothing."""
    return max(0.0, (now_ms - since_ms) / 1000) if since_ms else 0.0
