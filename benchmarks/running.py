"""Figures of the running platform: how much it takes, how soon it answers, how soon a screen shows it."""

import http.client
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.counts import counts
from benchmarks.figures import Bar, Counts, Figure, beyond_ceiling, figure, ratios
from benchmarks.house import house
from benchmarks.processes import (
    BUILD,
    LIVE,
    BenchError,
    Child,
    Load,
    Screens,
    Shape,
    Sharers,
    compiled,
    platform,
    telling_its_port,
)
from benchmarks.size import RATE, Measured, Say, Size
from nightbell.app.furnish import (
    FOLLOWER_GRANTS_MAX,
    FOLLOWS_EACH,
    SHARERS_TO_FOLLOWER,
    first_follower,
)
from nightbell.words.clock import SystemClock

LIVE_P99_MS_MAX: Final = 25.0
CPU_SHARE_MAX: Final = 0.5
SCREEN_P99_MS_MAX: Final = 250.0
SATURATION_MIN: Final = 12_000.0
ASGI_RATIO_MIN: Final = 0.5
FLOOR_RATIO_MIN: Final = 0.15
RSS_MB_MAX: Final = 2_000.0
START_S_MAX: Final = 15.0
ALARMS_PER_S_MIN: Final = 35.0
LOW_MGDL: Final = 48
SHARERS_WITH_A_SCREEN: Final = FOLLOWER_GRANTS_MAX * SHARERS_TO_FOLLOWER // FOLLOWS_EACH
"""Of so many sharers, the first ones, a follower holds a grant, so that a screen can be opened."""

SETTLE_S: Final = 3.0
"""After streams have opened: their first snapshots are written, heartbeats go on."""
CORES: Final = 2
"""The machine that is meant: a share of 1 is both of its cores."""


class Run:
    """One platform on a fresh copy of the house."""

    def __init__(self, folder: Path, sharers: Sharers, child: Child, port: int, start_s: float) -> None:
        self.folder = folder
        self.sharers = sharers
        self.child = child
        self.port = port
        self.start_s = start_s
        self.acknowledged = 1
        """Readings; the first one proved that it evaluates."""

    def load(
        self,
        *,
        rate: float,
        seconds: float,
        now: bool = False,
        shape: Shape = LIVE,
        sharers: Sharers | None = None,
    ) -> Load:
        """Load the platform, and count what it acknowledged."""
        sharers = sharers or self.sharers
        load = sharers.load(self.port, rate=rate, seconds=seconds, now=now, shape=shape)
        self.acknowledged += load.kept(shape)
        if load.bad or load.good + load.refused != load.sent:
            raise BenchError(f"requests were not answered as they should be: {msgspec.to_builtins(load)}")
        return load


@contextmanager
def running(name: str, size: Size) -> Iterator[Run]:
    """Copy the house, start the platform cold, and see that it evaluates."""
    folder = BUILD / f"bench-run-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(house(size.sharers), folder)
    began = time.monotonic()
    with platform(folder) as (child, port):
        prove_evaluates(folder, port, min(size.sharers, SHARERS_WITH_A_SCREEN) - 1)
        run = Run(folder, Sharers(folder / "tokens"), child, port, time.monotonic() - began)
        child.until_quiet()
        yield run


def prove_evaluates(folder: Path, port: int, sharer: int) -> None:
    """Publish one sharer's low, and see it ring on a follower's stream.

    Raises:
        BenchError: It did not.
    """
    key = (folder / "followers").read_text().splitlines()[first_follower(sharer)]
    token = (folder / "tokens").read_text().splitlines()[sharer]
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    stream.request("GET", "/v1/stream", headers={"Authorization": f"Bearer {key}"})
    said = stream.getresponse()
    if said.status != 200:
        raise BenchError(f"the stream answers {said.status}")
    reading = {"measured_at": SystemClock().now_ms(), "glucose_mgdl": LOW_MGDL}
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    door.request(
        "POST",
        "/v1/readings",
        msgspec.json.encode({"readings": [reading]}),
        {"Authorization": f"Bearer {token}"},
    )
    answer = door.getresponse()
    if answer.status != 200:
        raise BenchError(f"the door answers {answer.status}: {answer.read()!r}")
    while (line := said.readline()) and not line.startswith(b"event: notification"):
        pass
    stream.close()
    door.close()
    if not line:
        raise BenchError("the stream ended before the low rang on it")


def checked(name: str, run: Run, size: Size, *, since_ms: int = 0) -> Counts:
    """The counts of a run that is over; its folder is removed if they agree.

    `since_ms`: what lay in history before the run was measured earlier than this.
    """
    found = counts(name, run.folder, sharers=size.sharers, acknowledged=run.acknowledged, since_ms=since_ms)
    if not found.mismatches():
        shutil.rmtree(run.folder)
    return found


def saturation(size: Size, say: Say) -> Measured:
    """As fast as it goes, beside a do-nothing application on the same server, round by round."""
    ceiling: list[Load] = []
    base: list[Load] = []
    floor: list[Load] = []
    ours: list[Load] = []
    drains: list[float] = []
    with (
        telling_its_port([str(compiled("answer"))]) as (_, answer_port),
        telling_its_port([sys.executable, "-m", "benchmarks.nothing"]) as (_, nothing_port),
        telling_its_port([sys.executable, "-m", "benchmarks.floor"]) as (_, floor_port),
        running("saturation", size) as run,
    ):
        for number in range(size.rounds):
            seconds = size.saturation_s
            ceiling.append(run.sharers.load(answer_port, rate=0, seconds=seconds, wasted=True))
            base.append(run.sharers.load(nothing_port, rate=0, seconds=seconds, wasted=True))
            floor.append(run.sharers.load(floor_port, rate=0, seconds=seconds, wasted=True))
            ours.append(run.load(rate=0, seconds=seconds))
            drains.append(run.child.until_quiet())
            say(
                f"saturation {number + 1}: generator {ceiling[-1].requests_per_s:,.0f}/s, "
                f"nothing {base[-1].requests_per_s:,.0f}/s, floor {floor[-1].requests_per_s:,.0f}/s, "
                f"platform {ours[-1].readings_per_s:,.0f}/s, "
                f"p99 {ours[-1].p99_ms:.0f} ms, drained in {drains[-1]:.1f} s"
            )
    found = of_saturation(ceiling, base, floor, ours)
    found.append(figure("saturation.drain_s", drains, "s", note="until alarms, ledger and history caught up"))
    return Measured([*found, *of_start([run])], [checked("saturation", run, size)])


def of_saturation(ceiling: list[Load], base: list[Load], floor: list[Load], ours: list[Load]) -> list[Figure]:
    """What one reading a request reached, beside what does nothing, all of a round measured in turn."""
    ceilings = [load.requests_per_s for load in ceiling]
    bases = [load.requests_per_s for load in base]
    floors = [load.requests_per_s for load in floor]
    rates = [load.readings_per_s for load in ours]
    void, base_void, floor_void = (beyond_ceiling(some, ceilings) for some in (rates, bases, floors))
    same = "alternating, equal connections"
    return [
        figure("generator.requests_per_s", ceilings, "1/s", note="the load client's own ceiling"),
        figure("nothing.requests_per_s", bases, "1/s", void=base_void, note="a do-nothing ASGI callable"),
        figure("floor.requests_per_s", floors, "1/s", void=floor_void, note="a do-nothing protocol"),
        figure(
            "saturation.readings_per_s",
            rates,
            "1/s",
            bar=Bar(at_least=SATURATION_MIN),
            void=void,
            note="one reading a request, each credential for the first time",
        ),
        figure(
            "saturation.asgi_ratio",
            ratios(rates, bases),
            "",
            bar=Bar(at_least=ASGI_RATIO_MIN),
            void=void or base_void,
            note=f"of the do-nothing callable, same server, {same}",
        ),
        figure(
            "saturation.floor_ratio",
            ratios(rates, floors),
            "",
            bar=Bar(at_least=FLOOR_RATIO_MIN),
            void=void or floor_void,
            note=f"of the do-nothing protocol, same loop and parser, {same}",
        ),
        figure(
            "saturation.p99_ms", [load.p99_ms for load in ours], "ms", note="closed loop, 256 connections"
        ),
    ]


def live(size: Size, say: Say) -> Measured:
    """A million sharers' rate, open loop, alarms opening, the outbox on."""
    loads: list[Load] = []
    shares: list[float] = []
    opened: list[float] = []
    with running("live", size) as run:
        for number in range(size.rounds):
            cpu_s, began_ms = run.child.cpu_s(), SystemClock().now_ms()
            loads.append(run.load(rate=RATE, seconds=size.live_s))
            shares.append((run.child.cpu_s() - cpu_s) / loads[-1].seconds / CORES)
            opened.append(opened_between(run.folder, began_ms, SystemClock().now_ms()) / loads[-1].seconds)
            say(
                f"live {number + 1}: p50 {loads[-1].p50_ms:.1f}, p99 {loads[-1].p99_ms:.1f}, "
                f"max {loads[-1].max_ms:.0f} ms, refused {loads[-1].refused}, "
                f"{shares[-1]:.2f} of two cores, {opened[-1]:.1f} alarms/s opened"
            )
        run.child.until_quiet()
        memory = [run.child.memory_mb()]
        peak = run.child.memory_mb("VmHWM")
    note = f"{RATE:,.0f}/s, one a request, {size.live_s:.0f} s, 256 connections"
    found = [
        figure("live.p50_ms", [load.p50_ms for load in loads], "ms", note=note),
        figure(
            "live.p99_ms",
            [load.p99_ms for load in loads],
            "ms",
            bar=Bar(at_most=LIVE_P99_MS_MAX),
            note="from the schedule",
        ),
        figure("live.max_ms", [load.max_ms for load in loads], "ms"),
        figure("live.refused", [float(load.refused) for load in loads], "", bar=Bar(at_most=0)),
        figure(
            "live.cpu_share", shares, "", bar=Bar(at_most=CPU_SHARE_MAX), note="of two cores, all threads"
        ),
        figure("live.alarms_per_s", opened, "1/s", bar=Bar(at_least=ALARMS_PER_S_MIN), note="really opened"),
        figure(
            "rss_mb",
            memory,
            "MB",
            bar=Bar(at_most=RSS_MB_MAX),
            note=f"after the load; {peak:,.0f} MB at most",
        ),
    ]
    return Measured([*found, *of_start([run])], [checked("live", run, size)])


def opened_between(folder: Path, from_ms: int, to_ms: int) -> int:
    """Alarms in the ledger that opened in a span of time."""
    with sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True) as ledger:
        question = "SELECT count(*) FROM alarm WHERE opened_ms BETWEEN ? AND ? AND raised_ms > 0"
        return int(ledger.execute(question, (from_ms, to_ms)).fetchone()[0])


def screen(size: Size, say: Say) -> Measured:
    """From the scheduled instant of a request to the event on a follower's stream, at the live rate."""
    shown: list[Screens] = []
    with running("screen", size) as run:
        for number in range(size.rounds):
            shown.append(_screens_round(run, size))
            say(
                f"screen {number + 1}: {shown[-1].open} open, {shown[-1].readings:,} readings seen, "
                f"p50 {shown[-1].p50_ms:.1f}, p99 {shown[-1].p99_ms:.1f}, max {shown[-1].max_ms:.0f} ms"
            )
    note = f"{size.screens:,} open streams, {RATE:,.0f} readings/s published"
    seen = [one.readings / size.screen_s for one in shown]
    found = [
        figure("screen.p50_ms", [one.p50_ms for one in shown], "ms", note=note),
        figure(
            "screen.p99_ms",
            [one.p99_ms for one in shown],
            "ms",
            bar=Bar(at_most=SCREEN_P99_MS_MAX),
            note="from the schedule",
        ),
        figure("screen.events_per_s", seen, "1/s", note="readings that arrived on screens"),
    ]
    return Measured([*found, *of_start([run])], [checked("screen", run, size)])


@contextmanager
def screens_open(run: Run, count: int, seconds: float) -> Iterator[Child]:
    """So many streams, open for some seconds from now on.

    Raises:
        BenchError: Not all of them opened.
    """
    command = [str(compiled("screens")), str(run.port), str(count)]
    command += [str(run.folder / "followers"), str(seconds)]
    with Child(command, log=subprocess.PIPE) as child:
        assert child.process.stdout is not None
        line = child.process.stdout.readline()
        if line.split() != [b"open", str(count).encode()]:
            raise BenchError(f"not all screens opened: {line.decode()}")
        yield child


def _screens_round(run: Run, size: Size) -> Screens:
    with screens_open(run, size.screens, size.screen_s + 10) as child:
        assert child.process.stdout is not None
        time.sleep(SETTLE_S)
        run.load(rate=RATE, seconds=size.screen_s, now=True)
        result = msgspec.json.decode(child.process.stdout.readline(), type=Screens)
    if result.closed or not result.readings:
        raise BenchError(f"screens were closed, or saw nothing: {result}")
    return result


def of_start(runs: list[Run]) -> list[Figure]:
    """How long a cold start took, from the process to the first low that rang."""
    return [
        figure(
            "start.s",
            [run.start_s for run in runs],
            "s",
            bar=Bar(at_most=START_S_MAX),
            note="to the first reading evaluated and told",
        )
    ]


def joined(figures: list[Figure]) -> list[Figure]:
    """Figures of the same key from several runs, as one with all their rounds."""
    by_key: dict[str, list[Figure]] = {}
    for one in figures:
        by_key.setdefault(one.key, []).append(one)
    return [
        same[0]
        if len(same) == 1
        else msgspec.structs.replace(
            same[0],
            rounds=tuple(value for one in same for value in one.rounds),
            value=statistics.median([value for one in same for value in one.rounds]),
        )
        for same in by_key.values()
    ]
