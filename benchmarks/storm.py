"""Storms: what happens to live readings while the platform is flooded, frozen or robbed, and afterwards.

`python -m benchmarks.storm` runs every storm and the sweep on the real platform, writes `build/storm.json`,
and ends with 1 if one of them did not end by itself as it must. `--plot` draws it into docs/images.
"""

import argparse
import contextlib
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import msgspec

from benchmarks import storm_plot
from benchmarks.house import house
from benchmarks.machine import Machine, machine
from benchmarks.processes import BUILD, BenchError, Child, Sharers, compiled, platform
from benchmarks.storm_bell import Bell
from benchmarks.storm_series import (
    FLAT_SHARE_MIN,
    Ring,
    Second,
    Step,
    Storm,
    Vital,
    flatness,
    flatness_per_core,
    judged,
    retry_seconds,
)
from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.app.control_words import Health, Nothing
from nightbell.cli.asking import Platform as Control
from nightbell.words.clock import SystemClock

TIMEOUT_S: Final = 10
RETRIES: Final = 3
FLOOD_READINGS: Final = 7
"""A phone after half an hour without us: its newest reading and six that it kept (facts/overload.md)."""

FLOOD_TIMES: Final = 10
COMMIT_DELAY_US: Final = 2_000_000


class Scale(NamedTuple):
    """How large a run is.

    Attributes:
        sharers: In the house, three follows each.
        live_per_s: Live readings offered.
        baseline_s: Before the trigger.
        trigger_s: As long as it lasts.
        after_s: After it.
        connections: Each herd's, at most.
        sweep_s: Each step of the sweep.
        sign_ins_per_s: A storm of sign-ins.
    """

    sharers: int = 50_000
    live_per_s: float = 1_000.0
    baseline_s: float = 60.0
    trigger_s: float = 30.0
    after_s: float = 50.0
    connections: int = 4_000
    sweep_s: float = 12.0
    sign_ins_per_s: float = 500.0


WHOLE: Final = Scale()
SMALL: Final = Scale(10_000, 400.0, 15.0, 10.0, 40.0, 2_000, 8.0, 300.0)
TINY: Final = Scale(200, 200.0, 8.0, 12.0, 25.0, 500, 5.0, 100.0)
"""For the test: a house that is furnished in seconds."""


class Herd:
    """A client of `benchmarks/c/storm.c`, running."""

    def __init__(
        self, port: int, sharers: Sharers, phases: str, *, shape: int, connections: int, obey: bool = False
    ) -> None:
        program = compiled("storm")
        command = [str(program), str(port), str(sharers.tokens), str(sharers.next), str(TIMEOUT_S)]
        command += [str(int(obey)), str(RETRIES), str(connections), str(shape), phases]
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def seconds(self) -> list[Second]:
        """Wait for its end; what it counted.

        Raises:
            BenchError: It failed.
        """
        said, wrong = self.process.communicate(timeout=900)
        if self.process.returncode:
            raise BenchError(f"the storm's client failed: {wrong.decode(errors='replace')[:300]}")
        return [msgspec.json.decode(line, type=Second) for line in said.splitlines()]


class Witness:
    """Looks at the platform once a second, and listens to one stream, in threads of its own."""

    def __init__(self, folder: Path, child: Child, port: int, sharers: int) -> None:
        self.vitals: list[Vital] = []
        self.beats: list[float] = []
        self.rings: list[Ring] = []
        self._folder, self._child = folder, child
        self.bell = Bell(folder, port, sharers)
        self._ends = threading.Event()
        self._began = time.monotonic()
        key = (folder / "followers").read_text().split("\n", 1)[0]
        self._threads = [
            threading.Thread(target=self._look, daemon=True),
            threading.Thread(target=self._listen, args=(port, key), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ends.set()
        self._threads[0].join(20)
        self.rings = self.bell.stop()

    def _look(self) -> None:
        cpu_s, at = self._child.cpu_s(), time.monotonic()
        while not self._ends.wait(1.0):
            used, now = self._child.cpu_s(), time.monotonic()
            self.vitals.append(
                Vital(
                    round(now - self._began, 2),
                    round(self._child.memory_mb(), 1),
                    round((used - cpu_s) / (now - at), 2),
                    self._backlog(),
                )
            )
            cpu_s, at = used, now

    def _backlog(self) -> int:
        state = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":  # stopped: it would not answer
            return -1
        try:
            with Control(self._folder) as control:
                return control.ask("health", Nothing(), Health).backfill_waiting
        except Exception:  # noqa: BLE001 a witness that cannot look goes on looking
            return -1

    def _listen(self, port: int, key: str) -> None:
        headers = {"authorization": f"Bearer {key}"}
        timeout = httpx.Timeout(60, connect=30)
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream(
                "GET", f"http://127.0.0.1:{port}/v1/stream", headers=headers, timeout=timeout
            ) as stream,
        ):
            for line in stream.iter_lines():
                if line == "event: hb":
                    self.beats.append(time.monotonic() - self._began)
                if self._ends.is_set():
                    return


class Stage(NamedTuple):
    """A platform on a fresh copy of the house."""

    folder: Path
    child: Child
    port: int
    scale: Scale

    def herd(self, phases: str, *, shape: int, first: int = 0, obey: bool = False) -> Herd:
        """Let a herd loose."""
        sharers = Sharers(self.folder / "tokens")
        sharers.next = first
        return Herd(self.port, sharers, phases, shape=shape, connections=self.scale.connections, obey=obey)


@contextlib.contextmanager
def staged(name: str, scale: Scale) -> Iterator[Stage]:
    """Copy the house and start the platform."""
    folder = BUILD / f"storm-run-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(house(scale.sharers), folder)
    with platform(folder) as (child, port):
        child.until_quiet()
        yield Stage(folder, child, port, scale)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def frozen(stage: Stage) -> Iterator[None]:
    """The whole process stands still, as on a machine that was paused."""
    stage.child.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        stage.child.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def stalled(stage: Stage) -> Iterator[None]:
    """The disk takes seconds for each sync: strace makes every fdatasync and fsync wait.

    Raises:
        BenchError: strace cannot attach here.
    """
    command = ["strace", "-f", "-q", "-o", "/dev/null", "-p", str(stage.child.pid)]
    command += ["-e", "trace=fdatasync,fsync"]
    command += ["-e", f"inject=fdatasync,fsync:delay_enter={COMMIT_DELAY_US}"]
    try:
        tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise BenchError("strace is not installed") from None
    time.sleep(0.5)
    if tracer.poll() is not None:
        assert tracer.stderr is not None
        raise BenchError(f"strace cannot attach: {tracer.stderr.read().decode()[:200]}")
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait(30)


@contextlib.contextmanager
def robbed(stage: Stage) -> Iterator[None]:
    """The accounts' file and its companions are moved away, and come back."""
    files = list(stage.folder.glob("accounts.sqlite*"))
    aside = stage.folder / "aside"
    aside.mkdir()
    for file in files:
        file.rename(aside / file.name)
    try:
        yield
    finally:
        for file in files:
            (aside / file.name).rename(file)


def happening(
    name: str, scale: Scale, trigger: Callable[[Stage], contextlib.AbstractContextManager[None]]
) -> Storm:
    """A live herd, and something that happens to the platform in its midst."""
    with staged(name, scale) as stage:
        whole_s = scale.baseline_s + scale.trigger_s + scale.after_s
        witness = Witness(stage.folder, stage.child, stage.port, scale.sharers)
        live = stage.herd(f"{whole_s}:{scale.live_per_s}", shape=1)
        time.sleep(scale.baseline_s)
        begins = time.monotonic() - live.began
        with trigger(stage):
            time.sleep(scale.trigger_s)
        ends = time.monotonic() - live.began
        seconds = live.seconds()
        witness.stop()
        stage.child.stop()
        return _told(name, stage, [(begins, ends)], seconds, [], witness)


def flooded(name: str, scale: Scale, phases: list[tuple[float, float]], *, shape: int, obey: bool) -> Storm:
    """A live herd, and another one: `phases` are (seconds, first tries a second)."""
    with staged(name, scale) as stage:
        whole_s = scale.baseline_s + sum(seconds for seconds, _ in phases) + scale.after_s
        witness = Witness(stage.folder, stage.child, stage.port, scale.sharers)
        live = stage.herd(f"{whole_s}:{scale.live_per_s}", shape=1)
        parts = [(scale.baseline_s, 0.0), *phases, (scale.after_s, 0.0)]
        text = ",".join(f"{seconds}:{rate}" for seconds, rate in parts)
        other = stage.herd(text, shape=shape, first=scale.sharers // 2, obey=obey)
        windows, at = [], 0.0
        for seconds, rate in parts:
            if rate:
                windows.append((at, at + seconds))
            at += seconds
        heard, others = live.seconds(), other.seconds()
        witness.stop()
        stage.child.stop()
        return _told(name, stage, windows, heard, others, witness)


def _told(
    name: str,
    stage: Stage,
    windows: list[tuple[float, float]],
    live: list[Second],
    other: list[Second],
    witness: Witness,
) -> Storm:
    began_ms = live[0].at_ms - 1_000
    ticks = [(tick_ms - began_ms) / 1000 for tick_ms in _ticks(stage.folder)]
    return Storm(
        name,
        windows,
        live,
        other,
        witness.vitals,
        _gaps([tick for tick in ticks if tick >= 0], windows),
        _gaps(witness.beats, windows),
        witness.rings,
    )


def _ticks(folder: Path) -> list[int]:
    """Every tick in the journal of a platform that has ended."""
    store = SqliteJournalStore(folder / "journal")
    store.open(now_ms=SystemClock().now_ms(), seen_seq=0)
    try:
        return [group.tick_ms for group in store.replay(0) if group.tick_ms]
    finally:
        store.close()


def _gaps(instants: list[float], windows: list[tuple[float, float]]) -> list[float]:
    """The longest gap that ends before, in or after the triggers, seconds."""
    longest = [0.0, 0.0, 0.0]
    for before, instant in pairwise(instants):
        place = 0 if instant < windows[0][0] else 1 if instant <= windows[-1][1] else 2
        longest[place] = round(max(longest[place], instant - before), 2)
    return longest


def sweep(scale: Scale, say: Callable[[str], None]) -> list[Step]:
    """Offered load from half of what it takes to five times as much; every step on the same platform."""
    steps: list[Step] = []
    with staged("sweep", scale) as stage:
        sharers = Sharers(stage.folder / "tokens")
        capacity = sharers.load(stage.port, rate=0, seconds=scale.sweep_s / 2).requests_per_s
        stage.child.until_quiet()
        for times in (0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0):
            rate = times * capacity
            cpu_s = stage.child.cpu_s()
            herd = stage.herd(f"{scale.sweep_s}:{rate}", shape=1, first=sharers.next)
            spent_s = _children_s()
            seconds = herd.seconds()
            herd_cores = (_children_s() - spent_s) / scale.sweep_s
            used = (stage.child.cpu_s() - cpu_s) / scale.sweep_s
            sharers.next += int(rate * scale.sweep_s)
            heard = seconds[len(seconds) // 3 : -1]
            steps.append(_step(times, rate, heard, used, herd_cores))
            say(str(msgspec.to_builtins(steps[-1])))
            stage.child.until_quiet()
    return steps


def _children_s() -> float:
    """Processor time of the children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _step(times: float, rate: float, heard: list[Second], cores: float, herd_cores: float) -> Step:
    def each(name: str) -> float:
        return round(sum(int(getattr(one, name)) for one in heard) / len(heard), 1)

    return Step(
        times,
        round(rate, 1),
        each("good"),
        each("refused"),
        each("late"),
        sorted(one.p99_ms for one in heard)[len(heard) // 2],
        round(cores, 2),
        round(herd_cores, 2),
    )


class Report(msgspec.Struct, frozen=True):
    """What `build/storm.json` holds."""

    machine: Machine
    scale: dict[str, float]
    storms: list[Storm]
    steps: list[Step]
    skipped: dict[str, str] = {}


def storms(scale: Scale) -> dict[str, Callable[[], Storm]]:
    """Every storm there is."""
    flood = (scale.trigger_s, scale.live_per_s * FLOOD_TIMES)
    twice = [flood, (scale.trigger_s, 0.0), flood]
    sign_ins = [(scale.trigger_s, scale.sign_ins_per_s)]
    return {
        "flood": lambda: flooded("flood", scale, [flood], shape=FLOOD_READINGS, obey=False),
        "obeying": lambda: flooded("obeying", scale, [flood], shape=FLOOD_READINGS, obey=True),
        "relapse": lambda: flooded("relapse", scale, twice, shape=FLOOD_READINGS, obey=False),
        "sign_ins": lambda: flooded("sign_ins", scale, sign_ins, shape=0, obey=False),
        "frozen": lambda: happening("frozen", scale, frozen),
        "stalled": lambda: happening("stalled", scale, stalled),
        "robbed": lambda: happening("robbed", scale, robbed),
    }


def faults_of(storm: Storm) -> list[str]:
    """What one storm did that it must not."""
    return [f"{storm.name}: {fault}" for fault in judged(storm).faults()]


def main() -> int:
    """Run and report. Returns the exit code."""
    reader = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    reader.add_argument("--small", action="store_true", help="a fifth of the house, shorter")
    reader.add_argument("--only", action="append", help="only this storm, or `sweep`; may be repeated")
    reader.add_argument("--out", type=Path, default=BUILD / "storm.json")
    reader.add_argument("--plot", action="store_true", help="draw the report into docs/images, run nothing")
    wanted = reader.parse_args()
    if wanted.plot:
        report = msgspec.json.decode(wanted.out.read_bytes(), type=Report)
        storm_plot.draw(report.storms, report.steps)
        return 0
    scale = SMALL if wanted.small else WHOLE
    BUILD.mkdir(exist_ok=True)
    here, found, skipped, faults = machine(BUILD), [], {}, []
    for name, run in storms(scale).items():
        if wanted.only and name not in wanted.only:
            continue
        print(f"-- {name}", flush=True)
        try:
            storm = run()
        except BenchError as error:
            skipped[name] = str(error)
            print(f"skipped: {error}")
            continue
        found.append(storm)
        wanted.out.write_bytes(msgspec.json.encode(Report(here, scale._asdict(), found, [], skipped)))
        faults += faults_of(storm)
        told = msgspec.to_builtins(judged(storm)) | {"again_s": retry_seconds(storm.other)}
        print(told, storm.tick_gaps_s, storm.beat_gaps_s, flush=True)
    steps = sweep(scale, print) if not wanted.only or "sweep" in wanted.only else []
    if steps and flatness(steps) < FLAT_SHARE_MIN:
        each = f"{flatness_per_core(steps):.2f} of its peak for each second of processor it got"
        faults.append(f"sweep: goodput beyond capacity falls to {flatness(steps):.2f} of its peak; {each}")
    report = Report(here, scale._asdict(), found, steps, skipped)
    wanted.out.write_bytes(msgspec.json.encode(report))
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
