"""The numbers to look at first, for a person: the same as on the page for Prometheus, in the same order."""

from collections.abc import Iterable
from math import isinf
from typing import Final

from nightbell.app.control_words import StatusLine
from nightbell.app.metrics.read import Sample
from nightbell.words.histogram import HUMAN_S, Histogram

HALF: Final = 0.5
NEARLY_ALL: Final = 0.99

LINES: Final = (
    ("newest_age", "newest_reading_age_seconds", (), None),
    ("told_half", "measured_to_told_seconds", ("app", "people"), HALF),
    ("told_most", "measured_to_told_seconds", ("app", "people"), NEARLY_ALL),
    ("canary_most", "measured_to_told_seconds", ("app", "canary"), NEARLY_ALL),
    ("answered_half", "told_to_answered_seconds", (), HALF),
    ("live_age", "waiting_age_seconds", ("live",), None),
    ("backfill_age", "waiting_age_seconds", ("backfill",), None),
    ("control_age", "waiting_age_seconds", ("control",), None),
    ("mail_waiting", "waiting", ("email",), None),
    ("webhook_waiting", "waiting", ("webhook",), None),
    ("outbox_waiting", "waiting", ("outbox",), None),
    ("outbox_age", "waiting_age_seconds", ("outbox",), None),
    ("evaluated_lag", "journal_lag_seconds", ("evaluated",), None),
    ("history_lag", "journal_lag_seconds", ("history",), None),
    ("tick_age", "evaluated_tick_age_seconds", (), None),
    ("unanswered", "unanswered_alarms", (), None),
    ("unanswered_age", "unanswered_age_seconds", (), None),
    ("streams", "streams", (), None),
    ("disk_free", "disk_free_bytes", (), None),
)
"""Key of the line's words under `cli.status_`, which number, which of its labels, and which share of it."""

NONE_YET: Final = -1.0


def first_page(samples: Iterable[Sample]) -> list[StatusLine]:
    """The lines, each of them always there."""
    found = {(sample.name, sample.labels): sample.value for sample in samples}
    return [_line(key, name, found.get((name, labels)), share) for key, name, labels, share in LINES]


def _line(key: str, name: str, value: float | Histogram | None, share: float | None) -> StatusLine:
    unit = next((unit for unit in ("seconds", "bytes") if name.endswith(unit)), "count")
    if isinstance(value, Histogram):
        assert share is not None
        within_s = value.within_s(share)
        return StatusLine(key, unit, min(within_s, HUMAN_S[-1]), more=within_s > HUMAN_S[-1])
    # JSON knows no infinity: an age without a beginning is that of nothing yet.
    return StatusLine(key, unit, NONE_YET if value is None or isinf(value) else float(value))
