"""Figures of a backlog: alone, as fast as it goes, and beside the live readings of a million sharers."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks.figures import Bar, Figure, beyond_ceiling, figure
from benchmarks.processes import BACKLOG, Load, Shape, Sharers, compiled, telling_its_port
from benchmarks.running import Run, checked, of_start, running
from benchmarks.size import RATE, Measured, Say, Size

BACKFILL_MIN: Final = 500_000.0
MIXED_P99_MS_MAX: Final = 1_000.0
DRAIN_S_MAX: Final = 1_800.0
DAY_READINGS: Final = 288 * 1_000_000
"""A day of a million sharers."""

MORE_THAN_THE_LANE: Final = Shape(readings=BACKLOG.readings, connections=800)
"""230,000 readings under way at once: the backfill lane holds 200,000, so that it is full and says so."""

CEILING_S: Final = 2.0
_LATER_SHARERS: Final = 0.7
"""The backlog comes from other sharers than the live readings, as far as there are enough."""

_RETRY: Final = "turned away ones put their upload aside, others come after 0.25 s"


def backfill(size: Size, say: Say) -> Measured:
    """A backlog alone: a day of one sharer in each request, acknowledged when it is durable."""
    ceiling: list[Load] = []
    ours: list[Load] = []
    cores: list[float] = []
    drains: list[float] = []
    with telling_its_port([str(compiled("answer"))]) as (_, answer_port), running("backfill", size) as run:
        for number in range(size.rounds):
            ceiling.append(
                run.sharers.load(answer_port, rate=0, seconds=CEILING_S, wasted=True, shape=BACKLOG)
            )
            cpu_s = run.child.cpu_s()
            ours.append(run.load(rate=0, seconds=size.backlog_s, shape=BACKLOG))
            cores.append((run.child.cpu_s() - cpu_s) / ours[-1].seconds)
            drains.append(run.child.until_quiet())
            say(
                f"backfill {number + 1}: generator {ceiling[-1].readings_per_s:,.0f}/s, "
                f"platform {ours[-1].readings_per_s:,.0f}/s on {cores[-1]:.2f} cores, "
                f"refused {ours[-1].refused}, drained in {drains[-1]:.1f} s"
            )
    rates, ceilings = ([load.readings_per_s for load in some] for some in (ours, ceiling))
    void = beyond_ceiling(rates, ceilings)
    found = [
        figure(
            "generator.backlog_per_s", ceilings, "1/s", note="the load client's own ceiling for a backlog"
        ),
        figure(
            "backfill.readings_per_s",
            rates,
            "1/s",
            bar=Bar(at_least=BACKFILL_MIN),
            void=void,
            note=f"{BACKLOG.readings} a request, {BACKLOG.connections} connections, durable; {_RETRY}",
        ),
        figure("backfill.cores", cores, "cores", note="of the platform, all threads"),
        figure("backfill.drain_s", drains, "s", note="until evaluation and history have caught up"),
    ]
    return Measured([*found, *of_start([run])], [checked("backfill", run, size)])


def mixed(size: Size, say: Say) -> Measured:
    """Live readings beside a backlog that fills its lane all the time."""
    live: list[Load] = []
    late: list[Load] = []
    with running("mixed", size) as run:
        behind = Sharers(run.folder / "tokens", first=int(size.sharers * _LATER_SHARERS))
        for number in range(size.rounds):
            together = _together(run, behind, size)
            live.append(together[0])
            late.append(together[1])
            run.child.until_quiet()
            say(
                f"mixed {number + 1}: live p99 {live[-1].p99_ms:.0f} ms, refused {live[-1].refused}, "
                f"backlog {late[-1].readings_per_s:,.0f}/s, refused {late[-1].refused}"
            )
    return Measured([*_of_mixed(live, late, size), *of_start([run])], [checked("mixed", run, size)])


def _together(run: Run, behind: Sharers, size: Size) -> tuple[Load, Load]:
    with ThreadPoolExecutor(1) as other:
        late = other.submit(run.load, rate=0, seconds=size.live_s, shape=MORE_THAN_THE_LANE, sharers=behind)
        live = run.load(rate=RATE, seconds=size.live_s)
        return live, late.result()


def _of_mixed(live: list[Load], late: list[Load], size: Size) -> list[Figure]:
    rates = [load.readings_per_s for load in late]
    connections = MORE_THAN_THE_LANE.connections
    note = f"{RATE:,.0f}/s beside a backlog over {connections} connections, {size.live_s:.0f} s"
    return [
        figure(
            "mixed.live_p99_ms",
            [load.p99_ms for load in live],
            "ms",
            bar=Bar(at_most=MIXED_P99_MS_MAX),
            note=note,
        ),
        figure("mixed.live_refused", [float(load.refused) for load in live], "", bar=Bar(at_most=0)),
        figure("mixed.backlog_per_s", rates, "1/s", note=_RETRY),
        figure("mixed.backlog_refused", [float(load.refused) for load in late], "", note="503, lane full"),
        figure(
            "mixed.drain_s_per_day_of_backlog",
            [DAY_READINGS / rate if rate else math.inf for rate in rates],
            "s",
            bar=Bar(at_most=DRAIN_S_MAX),
            note="a day of a million sharers at that rate",
        ),
    ]
