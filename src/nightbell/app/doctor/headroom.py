"""What the doctor makes of a load: whether the settings hold, and how far beyond. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nightbell.app.doctor.finding import Finding, Says
from nightbell.app.doctor.load import Sent
from nightbell.words.catalogue import Catalogue

P99_MS_MAX: Final = 1_000.0
"""Phones wait longer, but a low that waits a second at the door is a second late (issue)."""

OWN_SHARE_MAX: Final = 0.8
"""Of a core: above it the load program is what is measured (as `benchmarks/figures.py` voids a figure)."""

FULL_SHARE_MIN: Final = 0.85
"""Cores: a platform is one Python process, and one that uses this much has no more to give."""

STEPS: Final = (1.5, 2.0, 2.5, 3.0)
"""Up to three times: phones that all come back after a break send about this much."""

HEADROOM_GOOD: Final = 1.5
INTERVAL_S: Final = 300
"""A sensor measures every five minutes."""

PER_S_MIN: Final = 1.0
"""So that a minute of a few sharers says anything."""


class Step(msgspec.Struct, frozen=True):
    """One rate, held for some seconds.

    Attributes:
        times: The rate as a multiple of what so many sharers send.
        per_s: Readings a second.
        cpu_share: Cores that the platform used, all threads.
        memory_mb: What it held in memory at most.
        sent: What came of it.
    """

    times: float
    per_s: float
    cpu_share: float
    memory_mb: float
    sent: Sent


def rate_per_s(sharers: int) -> float:
    """What so many sharers send, readings a second."""
    return max(PER_S_MIN, sharers / INTERVAL_S)


def held(step: Step) -> bool:
    """Whether everything was acknowledged, and soon."""
    sent = step.sent
    return sent.refused == 0 and sent.failed == 0 and sent.p99_ms <= P99_MS_MAX


def by_the_load(step: Step) -> bool:
    """Whether a rate that was not held may say something about the load program only.

    It was busy itself; or its connections were all waiting for answers that each came soon, from a platform
    that was not full. What was refused or failed is the platform's.
    """
    sent = step.sent
    if sent.refused or sent.failed:
        return False
    waiting = sent.answer_p99_ms <= P99_MS_MAX and step.cpu_share < FULL_SHARE_MIN
    return sent.own_share > OWN_SHARE_MAX or waiting


def judge(words: Catalogue, sharers: int, steps: Sequence[Step]) -> Finding:
    """Whether the settings hold so many sharers, and how far beyond.

    Args:
        words: The sentences.
        sharers: How many were tried.
        steps: In rising order; the first is what they send, only the last may not have held.
    """
    says = Says(words, "load")
    last = steps[-1]
    good = [step.times for step in steps if held(step)]
    slots: dict[str, str | int] = {
        "n": sharers,
        "per_s": f"{last.per_s:.0f}",
        "times": f"{max(good, default=0):g}",
        "next": f"{last.times:g}",
    }
    if not good:
        return says.warn("unknown", **slots) if by_the_load(last) else says.fail("over", **slots)
    if held(last):
        return says.ok("ample", **slots)
    if by_the_load(last):
        enough = good[-1] >= HEADROOM_GOOD
        return says.ok("at_least", **slots) if enough else says.warn("unproven", **slots)
    return says.ok("holds", **slots) if good[-1] >= HEADROOM_GOOD else says.warn("tight", **slots)
