"""What a storm leaves behind, second by second, and what is judged of it. Pure."""

import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

LIVE_P99_MS_MAX: Final = 1_000.0
RECOVERED_S_MAX: Final = 30.0
GOODPUT_SHARE_MIN: Final = 0.95
FLAT_SHARE_MIN: Final = 0.9
"""Source: facts/overload.md, section 4; fault tests F14, F15, F16."""

SETTLE_S: Final = 5
"""Seconds at the start that are not counted: connections are made, code is warmed."""


class Second(msgspec.Struct, frozen=True):
    """One second of one herd, as its client counted it; see `benchmarks/c/storm.c`."""

    second: int
    at_ms: float
    rate: float
    offered: int
    tried: int
    good: int
    refused: int
    late: int
    broken: int
    lost: int
    open: int
    waiting: int
    again_min_s: int
    again_max_s: int
    p50_ms: float
    p99_ms: float


class Vital(msgspec.Struct, frozen=True):
    """How the platform was at an instant.

    Attributes:
        second: Since the live herd began.
        memory_mb: What it held in memory.
        cpu: Cores it used since the one before.
        backfill_waiting: Readings in the backfill lane, -1 if it did not say.
    """

    second: float
    memory_mb: float
    cpu: float
    backfill_waiting: int


NEVER: Final = -1.0


class Ring(msgspec.Struct, frozen=True):
    """A low among the storm: when it was measured, seconds since the witness began, and how long to its ring.

    Attributes:
        second: When.
        ms: From its reading to its ring on a screen; `NEVER` if it did not ring while it was waited for.
    """

    second: float
    ms: float


class Storm(msgspec.Struct, frozen=True):
    """One run: a live herd all the time, and something that happens to the platform for a while.

    Attributes:
        name: What happened.
        triggers: From when to when, seconds since the live herd began.
        live: The live herd.
        other: The herd that was the trigger, if it was one.
        vitals: The platform.
        tick_gaps_s: The longest time between two ticks in the journal: before, during and after.
        beat_gaps_s: The same of heartbeats on one stream.
        rings: Lows that somebody had meanwhile.
    """

    name: str
    triggers: list[tuple[float, float]]
    live: list[Second]
    other: list[Second] = []
    vitals: list[Vital] = []
    tick_gaps_s: list[float] = []
    beat_gaps_s: list[float] = []
    rings: list[Ring] = []


class Judgement(msgspec.Struct, frozen=True):
    """What a run showed.

    Attributes:
        before_per_s: Live readings acknowledged a second before the trigger, mean.
        before_share: The same as a share of what was offered: less, and there was nothing to disturb.
        during_p99_ms: The worst second's p99 of live readings during the trigger.
        recovered_s: Seconds from the end of the trigger until p99 was below a second for good; -1 if never.
        after_share: Live readings acknowledged a second after that, as a share of before.
        ring_ms: From a low's reading to its ring on a screen during the trigger: the median and the longest.
        never_rang: Lows of the whole run that did not ring within half a minute.
        memory_share: The most memory after the baseline, as a share of the most in it.
    """

    before_per_s: float
    before_share: float
    before_p99_ms: float
    during_p99_ms: float
    recovered_s: float
    after_share: float
    memory_share: float
    ring_ms: tuple[float, float] = (NEVER, NEVER)
    never_rang: int = 0

    def faults(self) -> list[str]:
        """What is not as it must be."""
        found = []
        if not 0 <= self.recovered_s <= RECOVERED_S_MAX:
            found.append(f"live p99 was not below {LIVE_P99_MS_MAX:.0f} ms within {RECOVERED_S_MAX:.0f} s")
        if self.after_share < GOODPUT_SHARE_MIN:
            found.append(f"goodput afterwards was {self.after_share:.2f} of before")
        if self.before_share < GOODPUT_SHARE_MIN:
            found.append(f"before it only {self.before_share:.2f} of what was offered was acknowledged")
        if self.never_rang:
            found.append(f"{self.never_rang} lows did not ring")
        return found


def judged(storm: Storm, *, p99_ms_max: float = LIVE_P99_MS_MAX) -> Judgement:
    """What a run showed. It must be longer than its last trigger by some seconds.

    Args:
        storm: The run.
        p99_ms_max: From where on a second counts as slow; more on a machine that others use too.
    """
    begins, ends = storm.triggers[0][0], storm.triggers[-1][1]
    # The client's seconds begin a moment after ours: the last one before the trigger may hold its beginning.
    before = [one for one in storm.live if SETTLE_S <= one.second < int(begins) - 1]
    during = [one for one in storm.live if int(begins) <= one.second < ends]
    after = [one for one in storm.live if one.second >= ends and one.offered]
    recovered_s = _recovered_s(after, ends, p99_ms_max)
    settled = [one for one in after if recovered_s >= 0 and one.second >= ends + recovered_s]
    before_per_s = statistics.fmean(one.good for one in before)
    offered_share = sum(one.good for one in settled) / max(1, sum(one.offered for one in settled))
    baseline_share = sum(one.good for one in before) / max(1, sum(one.offered for one in before))
    calm_mb = max((one.memory_mb for one in storm.vitals if one.second < begins), default=1.0)
    most_mb = max((one.memory_mb for one in storm.vitals), default=1.0)
    return Judgement(
        before_per_s=round(before_per_s, 1),
        before_share=round(baseline_share, 3),
        before_p99_ms=statistics.median(one.p99_ms for one in before),
        during_p99_ms=max((one.p99_ms for one in during if one.good), default=0.0),
        recovered_s=recovered_s,
        after_share=round(offered_share / baseline_share, 3) if settled else 0.0,
        memory_share=round(most_mb / calm_mb, 2),
        ring_ms=_rang_ms([ring for ring in storm.rings if begins <= ring.second < ends]),
        never_rang=sum(ring.ms == NEVER for ring in storm.rings),
    )


def _rang_ms(rings: Sequence[Ring]) -> tuple[float, float]:
    """The median and the longest of those that rang."""
    rang = [ring.ms for ring in rings if ring.ms != NEVER]
    return (round(statistics.median(rang), 1), max(rang)) if rang else (NEVER, NEVER)


def _recovered_s(after: Sequence[Second], ends: float, p99_ms_max: float) -> float:
    """After how many seconds live readings were fast for good; -1 if never.

    One slow second in ten is a noisy neighbour's, not a relapse: three in a row are.
    """
    slow = [one.p99_ms >= p99_ms_max or not one.good for one in after]
    last = -1
    for at in range(len(slow)):
        if slow[at] and (at < SETTLE_S or sum(slow[at - 2 : at + 3]) >= 3):
            last = at
    if not after or last >= len(after) - 3:
        return -1.0
    return round(max(0.0, after[last + 1].second - ends), 1) if last >= 0 else 0.0


class Step(msgspec.Struct, frozen=True):
    """One offered load of the sweep: first tries a second, readings acknowledged a second, cores used.

    `herd_cores` is what the clients took: where both together are all that the machine has, goodput falls
    because more is offered by clients that run on it too. `good_per_core_s` does not hang on that.
    """

    times: float
    offered_per_s: float
    good_per_s: float
    refused_per_s: float
    late_per_s: float
    p99_ms: float
    platform_cores: float
    herd_cores: float = 0.0

    @property
    def good_per_core_s(self) -> float:
        """Readings acknowledged for each second of processor that the platform got."""
        return self.good_per_s / self.platform_cores if self.platform_cores else 0.0


def flatness(steps: Sequence[Step]) -> float:
    """The least goodput at or beyond capacity, as a share of the most anywhere."""
    beyond = [step.good_per_s for step in steps if step.times >= 1]
    return min(beyond) / max(step.good_per_s for step in steps)


def flatness_per_core(steps: Sequence[Step]) -> float:
    """The same of readings for each second of processor that the platform got, whatever the herd left it."""
    beyond = [step.good_per_core_s for step in steps if step.times >= 1]
    return min(beyond) / max(step.good_per_core_s for step in steps)


def retry_seconds(seconds: Sequence[Second]) -> tuple[int, int]:
    """The least and the most that anybody was told to wait, seconds; zeros if nobody was."""
    least = [one.again_min_s for one in seconds if one.again_min_s]
    return (min(least), max(one.again_max_s for one in seconds)) if least else (0, 0)
