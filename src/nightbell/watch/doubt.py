"""Doubting ourselves: a watcher that slept, was starved, or whose clock was set, saw nothing."""

from enum import StrEnum

import msgspec

from nightbell.watch.timings import Timings


class Doubt(StrEnum):
    """Why we do not trust what we did not see."""

    STALLED = "stalled"  # our own loop stood still
    CLOCK = "clock"  # our clock was set, or the machine slept


class Beat(msgspec.Struct, frozen=True):
    """One look at both clocks.

    Attributes:
        steady_ms: Time that never jumps.
        clock_ms: The time of day.
    """

    steady_ms: int
    clock_ms: int


def doubt(before: Beat, after: Beat, *, expected_ms: int, timings: Timings) -> Doubt | None:
    """Whether something happened to us between two looks that should be `expected_ms` apart."""
    steady_ms = after.steady_ms - before.steady_ms
    if steady_ms - expected_ms > timings.stall_ms:
        return Doubt.STALLED
    if abs((after.clock_ms - before.clock_ms) - steady_ms) > timings.stall_ms:
        return Doubt.CLOCK
    return None
