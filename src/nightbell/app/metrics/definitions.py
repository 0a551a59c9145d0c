"""Every number we give out: its name, its kind, its meaning, and every value its labels may take.

The order is the order of the page: what matters most stands first. `docs/reference/metrics.md` is made of it.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from nightbell.alarm.effects import AlarmState
from nightbell.deliver.record import APP, EMAIL, WEBHOOK, DeliveryState
from nightbell.load.gate import Work
from nightbell.tell.attempt import ReceiptState
from nightbell.watch.page import Headline
from nightbell.words.conditions import Family

PREFIX: Final = "nightbell_"


class Kind(StrEnum):
    """What a number is."""

    GAUGE = "gauge"  # how it is now
    COUNTER = "counter"  # only grows, from 0 at each start
    HISTOGRAM = "histogram"  # durations in steps, from nothing at each start


class Metric(msgspec.Struct, frozen=True):
    """One number, or one for each combination of its labels' values.

    Attributes:
        name: Without the prefix; the unit is its end.
        kind: What it is.
        meaning: What it says, in a sentence.
        labels: All values that each label may take.
        first_page: Whether it is one of those to look at first.
        expected: What it is while all is well; empty where there is no bar.
    """

    name: str
    kind: Kind
    meaning: str
    labels: Mapping[str, tuple[str, ...]] = {}
    first_page: bool = False
    expected: str = ""

    @property
    def series_max(self) -> int:
        """How many series it can become, steps of a histogram not counted."""
        number = 1
        for values in self.labels.values():
            number *= len(values)
        return number


CHANNELS: Final = (APP, EMAIL, WEBHOOK)
LANES: Final = ("live", "backfill", "control", "outbox", EMAIL, WEBHOOK)
PARTS: Final = (
    "journal", "history", "outbox", "accounts", "watcher", "follows", "evaluation", "set_aside", "metrics",
    "settings",
)  # fmt: skip
WORKS: Final = tuple(work.name.lower() for work in Work)
FILES: Final = ("accounts", "journal", "history", "ledger", "checkpoint", "watcher")
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
OPEN_STATES: Final = (AlarmState.PENDING, AlarmState.RINGING, AlarmState.ANSWERED)
FAMILIES: Final = tuple(family.value for family in Family)
ENDS: Final = tuple(state.value for state in DeliveryState if state is not DeliveryState.WAITING)
RECEIPTS: Final = tuple(state.value for state in ReceiptState)

_LABEL: Final = {"lane": LANES}

METRICS: Final = (
    Metric(
        "newest_reading_age_seconds", Kind.GAUGE,
        "Age of the newest reading of anybody, canaries left out. +Inf: people share and none ever came. "
        "Missing: nobody shares.",
        first_page=True, expected="below 360 with one sharer, below 5 with a thousand",
    ),
    Metric(
        "measured_to_told_seconds", Kind.HISTOGRAM,
        "From the newest reading to the first ring about it, handed to a channel. A condition with a delay, "
        "as high, counts it from the reading at its end.",
        {"channel": CHANNELS, "who": ("people", "canary")}, first_page=True,
        expected="of canaries, over app: 99 of 100 within 10",
    ),
    Metric(
        "told_to_answered_seconds", Kind.HISTOGRAM,
        "From the first ring of an alarm to somebody's \"I've got it\". Canaries left out.", first_page=True,
    ),
    Metric(
        "waiting", Kind.GAUGE,
        "What waits: readings in live and backfill, facts in control, rows in outbox, notifications in each "
        "channel.", _LABEL, first_page=True,
    ),
    Metric(
        "waiting_age_seconds", Kind.GAUGE, "How long the oldest of it has waited; 0 if nothing waits.",
        _LABEL, first_page=True, expected="live and control below 1, outbox below 1",
    ),
    Metric(
        "journal_lag_groups", Kind.GAUGE, "Recorded groups that are not yet there.",
        {"to": ("evaluated", "history")}, first_page=True,
    ),
    Metric(
        "journal_lag_seconds", Kind.GAUGE,
        "How old the oldest recorded group is that is not evaluated; how far back history's file is "
        "complete, the rest being in memory and in the journal.",
        {"to": ("evaluated", "history")}, first_page=True, expected="evaluated below 1, history below 4 h",
    ),
    Metric(
        "readings_total", Kind.COUNTER, "Readings by what became of them.",
        {"way": ("live", "backfill", "duplicate", "refused")},
    ),
    Metric(
        "let_in_percent", Kind.GAUGE,
        "Of a hundred people, how many are let in with each class of work. Fewer while there is too much "
        "to do.",
        {"work": WORKS}, expected="100",
    ),
    Metric(
        "turned_away_total", Kind.COUNTER, "Requests that were told to come again because of that.",
        {"work": WORKS},
    ),
    Metric("uploads_turned_away_total", Kind.COUNTER, "Uploads and facts refused because a lane was full."),
    Metric(
        "measured_to_received_seconds", Kind.HISTOGRAM,
        "From the sensor to our door, corrected for the phone's clock. Live readings only.",
    ),
    Metric(
        "received_to_recorded_seconds", Kind.HISTOGRAM, "From our door to the disk. Live readings only.",
        expected="99 of 100 within 0.1",
    ),
    Metric(
        "commit_seconds", Kind.HISTOGRAM, "How long commits of the journal took, and how many there were.",
        {"lane": ("live", "backfill")}, expected="99 of 100 within 0.1",
    ),
    Metric("groups_not_durable_total", Kind.COUNTER, "Commits that failed.", expected="0"),
    Metric(
        "evaluated_tick_age_seconds", Kind.GAUGE,
        "Age of the newest second for which alarms were decided. +Inf: none yet.", expected="below 5",
    ),
    Metric("streams", Kind.GAUGE, "Open screens."),
    Metric(
        "open_alarms", Kind.GAUGE, "Alarms that are not over, canaries left out.",
        {"family": FAMILIES, "state": tuple(state.value for state in OPEN_STATES)},
    ),
    Metric("unanswered_alarms", Kind.GAUGE, "Alarms that ring and that nobody has taken."),
    Metric("unanswered_age_seconds", Kind.GAUGE, "How long the longest of them has rung; 0: there are none."),
    Metric(
        "notifications_total", Kind.COUNTER, "Notifications by how they ended on each channel.",
        {"channel": CHANNELS, "state": ENDS},
    ),
    Metric(
        "receipts_total", Kind.COUNTER, "Proofs that a notification arrived or was seen.",
        {"channel": CHANNELS, "state": RECEIPTS},
    ),
    Metric(
        "channel_failures_in_a_row", Kind.GAUGE, "Tries that failed since the last that did not.",
        {"channel": (EMAIL, WEBHOOK)}, expected="0",
    ),
    Metric(
        "sign_ins_total", Kind.COUNTER, "Sign-ins to the app and of Share clients, by how they ended.",
        {"way": ("app", "share"), "result": ("ok", "refused", "too_soon", "busy")},
    ),
    Metric(
        "sharers", Kind.GAUGE,
        "Sharers, canaries left out, by their newest reading: fresh to 6 min, late to 15, else stale.",
        {"newest": ("fresh", "late", "stale", "never")},
    ),
    Metric("well", Kind.GAUGE, "Whether the platform is well by its own account: 1 or 0.", expected="1"),
    Metric("failing", Kind.GAUGE, "Which part is not well: 1 or 0.", {"part": PARTS}, expected="0"),
    Metric(
        "watcher_state", Kind.GAUGE, "What the watcher says of us: 1 for the state it is in.",
        {"state": tuple(state.value for state in Headline)}, expected="quiet",
    ),
    Metric(
        "watcher_heartbeat_age_seconds", Kind.GAUGE,
        "Age of the watcher's last sign of life. +Inf: it cannot be read. Missing: there was never one.",
        expected="below 30",
    ),
    Metric("set_aside_total", Kind.COUNTER, "Records that could not be evaluated.", expected="0"),
    Metric("consumer_failures_total", Kind.COUNTER, "Groups that a part of us failed on.", expected="0"),
    Metric("follows_untold", Kind.GAUGE, "Changes of follows the alarms do not know of yet.", expected="0"),
    Metric("outbox_left_out_total", Kind.COUNTER, "Rows the outbox had no room for.", expected="0"),
    Metric("history_open_readings", Kind.GAUGE, "Readings in memory that are not in history's file."),
    Metric("history_dropped_total", Kind.COUNTER, "Readings above what one sharer can send.", expected="0"),
    Metric("file_bytes", Kind.GAUGE, "Size of what we keep.", {"file": FILES}),
    Metric("disk_free_bytes", Kind.GAUGE, "Room left where our files are."),
    Metric(
        "disk_unread", Kind.GAUGE,
        "1 if the disk did not answer in time when we looked at it: sizes are then missing.", expected="0",
    ),
    Metric("log_lines_total", Kind.COUNTER, "Lines of the log.", {"level": LEVELS}),
    Metric("log_lines_left_out_total", Kind.COUNTER, "Lines not written because the same came too often."),
    Metric(
        "log_lines_lost_total", Kind.COUNTER, "Lines that could not be written, as on a full disk.",
        expected="0",
    ),
    Metric(
        "build_info", Kind.GAUGE, "Always 1; which version runs, on which Python.",
        {"version": (), "python": ()},
    ),
)  # fmt: skip

BY_NAME: Final = {metric.name: metric for metric in METRICS}


def series_max() -> int:
    """How many series a whole page can hold, steps of histograms not counted."""
    return sum(metric.series_max or 1 for metric in METRICS)


def reference() -> str:
    """The page of docs/reference."""
    lines = [
        "# Metrics",
        "",
        "This page is made from `src/nightbell/app/metrics/definitions.py` by `tools/reference.py`.",
        "",
        "Set `metrics_listen` to have them answered at `/metrics`; how to read and what to be told of:",
        "[docs/recipes/prometheus.md](../recipes/prometheus.md). `nightbell status` says the first page.",
        "Every name begins with `nightbell_`; those that begin with `process_` are Prometheus' own. No label",
        "carries a person, a name, an address or glucose, and none takes a value that is not listed here.",
        "",
    ]
    for first, title in ((True, "The first page"), (False, "The rest")):
        lines += [f"## {title}", "", *_rows(first=first), ""]
    return "\n".join(lines)


def _rows(*, first: bool) -> Iterator[str]:
    yield "| name | kind | meaning | labels | while all is well |"
    yield "|---|---|---|---|---|"
    for metric in METRICS:
        if metric.first_page is first:
            labels = "; ".join(
                f"`{label}`: {', '.join(values) or 'one value'}" for label, values in metric.labels.items()
            )
            cells = f"`{PREFIX}{metric.name}`", metric.kind, metric.meaning, labels, metric.expected
            yield f"| {' | '.join(cells)} |"
