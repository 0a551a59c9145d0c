"""Figures of the running platform: how much it takes, how soon it answers, how soon a screen shows it."""

import http.client
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.counts import counts
from benchmarks.figures import ROUNDS_MIN, Bar, Counts, Figure, beyond_ceiling, figure, ratios
from benchmarks.house import house
from benchmarks.processes import (
    BUILD,
    BenchError,
    Child,
    Load,
    Screens,
    Sharers,
    compiled,
    platform,
    telling_its_port,
)
from nightbell.app.furnish import first_follower
from nightbell.words.clock import SystemClock

RATE: Final = 3_333.0
"""A reading of each of a million sharers every five minutes."""

ALARMS_PER_S_MIN: Final = 35.0
LOW_MGDL: Final = 48

Say = Callable[[str], None]


class Size(NamedTuple):
    """How large a run is.

    Attributes:
        sharers: In the house, three follows each.
        saturation_s: Seconds of a round at saturation.
        live_s: Seconds of a round at the live rate.
        screens: Open streams.
        screen_s: Seconds of a round with screens.
        rounds: Of everything, at least three.
    """

    sharers: int = 100_000
    saturation_s: float = 5.0
    live_s: float = 60.0
    screens: int = 2_000
    screen_s: float = 15.0
    rounds: int = ROUNDS_MIN


WHOLE: Final = Size()
SMALL: Final = Size(sharers=10_000, saturation_s=2.0, live_s=4.0, screens=200, screen_s=4.0)


class Measured(NamedTuple):
    """Figures of a run, and the counts that must agree after it."""

    figures: list[Figure]
    counts: list[Counts]


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

    def load(self, *, rate: float, seconds: float, now: bool = False) -> Load:
        """Load the platform, and count what it acknowledged."""
        load = self.sharers.load(self.port, rate=rate, seconds=seconds, now=now)
        self.acknowledged += load.kept
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
        prove_evaluates(folder, port, size.sharers - 1)
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


def checked(name: str, run: Run, size: Size) -> Counts:
    """The counts of a run that is over; its folder is removed if they agree."""
    found = counts(name, run.folder, sharers=size.sharers, acknowledged=run.acknowledged)
    if not found.mismatches():
        shutil.rmtree(run.folder)
    return found


def saturation(size: Size, say: Say) -> Measured:
    """As fast as it goes, beside a do-nothing application on the same server, round by round."""
    ceiling: list[Load] = []
    base: list[Load] = []
    ours: list[Load] = []
    drains: list[float] = []
    nothing = [sys.executable, "-m", "benchmarks.nothing"]
    with (
        telling_its_port([str(compiled("answer"))]) as (_, answer_port),
        telling_its_port(nothing) as (_, nothing_port),
        running("saturation", size) as run,
    ):
        for number in range(size.rounds):
            seconds = size.saturation_s
            ceiling.append(run.sharers.load(answer_port, rate=0, seconds=seconds, wasted=True))
            base.append(run.sharers.load(nothing_port, rate=0, seconds=seconds, wasted=True))
            ours.append(run.load(rate=0, seconds=seconds))
            drains.append(run.child.until_quiet())
            say(
                f"saturation {number + 1}: generator {ceiling[-1].requests_per_s:,.0f}/s, "
                f"nothing {base[-1].requests_per_s:,.0f}/s, platform {ours[-1].readings_per_s:,.0f}/s, "
                f"p99 {ours[-1].p99_ms:.0f} ms, drained in {drains[-1]:.1f} s"
            )
    ceilings = [load.requests_per_s for load in ceiling]
    bases = [load.requests_per_s for load in base]
    rates = [load.readings_per_s for load in ours]
    void = beyond_ceiling(rates, ceilings)
    base_void = beyond_ceiling(bases, ceilings)
    found = [
        figure("generator.requests_per_s", ceilings, "1/s", note="the load client's own ceiling"),
        figure("nothing.requests_per_s", bases, "1/s", void=base_void, note="a do-nothing ASGI callable"),
        figure("saturation.readings_per_s", rates, "1/s", void=void, note="one reading a request"),
        figure(
            "saturation.asgi_ratio",
            ratios(rates, bases),
            "",
            bar=Bar(at_least=0.4),
            void=void or base_void,
            note="of the do-nothing callable, same server, alternating",
        ),
        figure(
            "saturation.p99_ms", [load.p99_ms for load in ours], "ms", note="closed loop, 256 connections"
        ),
        figure("saturation.drain_s", drains, "s", note="until alarms, ledger and history have caught up"),
    ]
    return Measured([*found, *of_start([run])], [checked("saturation", run, size)])


def live(size: Size, say: Say) -> Measured:
    """A million sharers' rate, open loop, alarms opening, the outbox on."""
    loads: list[Load] = []
    shares: list[float] = []
    opened: list[float] = []
    with running("live", size) as run:
        for number in range(size.rounds):
            cpu_s, began_ms = run.child.cpu_s(), SystemClock().now_ms()
            loads.append(run.load(rate=RATE, seconds=size.live_s))
            shares.append((run.child.cpu_s() - cpu_s) / loads[-1].seconds)
            opened.append(opened_between(run.folder, began_ms, SystemClock().now_ms()) / loads[-1].seconds)
            say(
                f"live {number + 1}: p50 {loads[-1].p50_ms:.1f}, p99 {loads[-1].p99_ms:.1f}, "
                f"max {loads[-1].max_ms:.0f} ms, refused {loads[-1].refused}, "
                f"{shares[-1]:.2f} cores, {opened[-1]:.1f} alarms/s opened"
            )
        run.child.until_quiet()
        memory = [run.child.memory_mb()]
        peak = run.child.memory_mb("VmHWM")
    note = f"{RATE:,.0f}/s, one a request, {size.live_s:.0f} s, 256 connections"
    found = [
        figure("live.p50_ms", [load.p50_ms for load in loads], "ms", note=note),
        figure("live.p99_ms", [load.p99_ms for load in loads], "ms", note="from the scheduled instant"),
        figure("live.max_ms", [load.max_ms for load in loads], "ms"),
        figure("live.refused", [float(load.refused) for load in loads], "", bar=Bar(at_most=0)),
        figure("live.cpu_share", shares, "cores", note="of the platform, all threads"),
        figure("live.alarms_per_s", opened, "1/s", bar=Bar(at_least=ALARMS_PER_S_MIN), note="really opened"),
        figure("rss_mb", memory, "MB", note=f"after the load; {peak:,.0f} MB at most"),
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
        figure("screen.p99_ms", [one.p99_ms for one in shown], "ms", note="from the scheduled instant"),
        figure("screen.events_per_s", seen, "1/s", note="readings that arrived on screens"),
    ]
    return Measured([*found, *of_start([run])], [checked("screen", run, size)])


def _screens_round(run: Run, size: Size) -> Screens:
    command = [str(compiled("screens")), str(run.port), str(size.screens)]
    command += [str(run.folder / "followers"), str(size.screen_s + 3)]
    with Child(command, log=subprocess.PIPE) as child:
        assert child.process.stdout is not None
        line = child.process.stdout.readline()
        if line.split() != [b"open", str(size.screens).encode()]:
            raise BenchError(f"not all screens opened: {line.decode()}")
        run.child.until_quiet()
        run.load(rate=RATE, seconds=size.screen_s, now=True)
        result = msgspec.json.decode(child.process.stdout.readline(), type=Screens)
    if result.closed or not result.readings:
        raise BenchError(f"screens were closed, or saw nothing: {result}")
    return result


def of_start(runs: list[Run]) -> list[Figure]:
    """How long a cold start took, from the process to the first low that rang."""
    return [
        figure("start.s", [run.start_s for run in runs], "s", note="to the first reading evaluated and told")
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
