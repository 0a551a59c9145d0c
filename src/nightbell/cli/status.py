"""`nightbell status`: the numbers to look at first, in words."""

import argparse
from typing import Final

from nightbell.app.control_words import Nothing, Status, StatusLine
from nightbell.cli.asking import Platform
from nightbell.cli.people import health_sentence
from nightbell.cli.speak import CommandError, Speaker, say

MINUTE_S: Final = 60
HOUR_S: Final = 3600
WHOLE_FROM: Final = 10
"""From here on a fraction of a second says nothing."""

GIGABYTE: Final = 1_000_000_000


def status(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Say how the platform is, in numbers.

    Raises:
        CommandError: It is not well, or none is running.
    """
    with Platform(asked.data) as platform:
        found = platform.ask("status", Nothing(), Status)
    rows = [[say(f"status_{line.key}"), shown(line)] for line in found.lines]
    speaker.table(found, [say("head_what"), say("head_now")], rows, health_sentence(found.health))
    if not speaker.as_json:
        speaker.result(found, health_sentence(found.health), *found.health.turned_away)
    if not found.health.well:
        raise CommandError(say("health_refused"), code="not_well")


def shown(line: StatusLine) -> str:
    """One number as a person reads it."""
    if line.value < 0:
        return say("status_none")
    value = _in_unit(line)
    return say("status_more", value=value) if line.more else value


def _in_unit(line: StatusLine) -> str:
    if line.unit == "bytes":
        return say("status_gigabytes", count=f"{line.value / GIGABYTE:.1f}")
    if line.unit != "seconds":
        return f"{line.value:.0f}"
    if line.value >= 2 * HOUR_S:
        return say("status_hours", count=f"{line.value / HOUR_S:.1f}")
    if line.value >= 2 * MINUTE_S:
        return say("status_minutes", count=round(line.value / MINUTE_S))
    return say(
        "status_seconds", count=f"{line.value:.0f}" if line.value >= WHOLE_FROM else f"{line.value:.3g}"
    )
