"""Everything that runs in a process of its own: the load, the screens, what they are pointed at.

All is bounded in time, and whatever was started is stopped by its own number.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

import msgspec

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / "build"
SOURCES: Final = Path(__file__).parent / "c"
CONNECTIONS: Final = 256
START_S_MAX: Final = 180.0
STOP_S_MAX: Final = 120.0
QUIET_SHARE: Final = 0.15
"""A process that uses less of a core has finished its work; ticks and heartbeats take a few percent."""

_OPEN: Final = re.compile(r"Nightbell is open at http://127\.0\.0\.1:(\d+)")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement could not be made; the text says why."""


class Shape(NamedTuple):
    """How load comes: how many readings a request, over how many connections."""

    readings: int = 1
    connections: int = CONNECTIONS


LIVE: Final = Shape()
BACKLOG: Final = Shape(readings=288)
"""A day of one sharer, which is what a phone sends after a day away (the door takes 512 readings)."""


class Load(msgspec.Struct, frozen=True):
    """What the load client reports."""

    offered_per_s: float
    sent: int
    good: int
    refused: int
    bad: int
    duplicates: int
    seconds: float
    requests_per_s: float
    readings_per_s: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    def kept(self, shape: Shape = LIVE) -> int:
        """Readings that were acknowledged and are new."""
        return self.good * shape.readings - self.duplicates


class Screens(msgspec.Struct, frozen=True):
    """What the screens report."""

    open: int
    closed: int
    refused: int
    events: int
    readings: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


def compiled(name: str) -> Path:
    """A client out of `benchmarks/c`, compiled anew if its source is newer.

    Raises:
        BenchError: There is no C compiler, or it refuses.
    """
    source, program = SOURCES / f"{name}.c", BUILD / f"bench-{name}"
    BUILD.mkdir(exist_ok=True)
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(source), "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise BenchError(
            "there is no C compiler: install one (on Debian: apt install gcc libc6-dev)"
        ) from None
    if done.returncode:
        raise BenchError(f"{source.name} does not compile: {done.stderr.strip()}")
    return program


class Child:
    """A process that is stopped when its block ends, whatever happens."""

    def __init__(self, command: list[str], *, log: IO[bytes] | int, **environment: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=log,
            stderr=None if log == subprocess.PIPE else subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | environment,
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def cpu_s(self) -> float:
        """Processor time it has used, all threads, seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def memory_mb(self, name: str = "VmRSS") -> float:
        """What it holds in memory now, or with `VmHWM` at most so far, MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise BenchError(f"process {self.pid} does not say its {name}")

    def until_quiet(self, seconds_max: float = 120.0) -> float:
        """Wait until it has finished what it was given. Returns how long that took, seconds."""
        began, quiet = time.monotonic(), 0
        before = self.cpu_s()
        while time.monotonic() - began < seconds_max:
            time.sleep(0.25)
            now = self.cpu_s()
            quiet = quiet + 1 if now - before < QUIET_SHARE * 0.25 else 0
            before = now
            if quiet == 4:
                return time.monotonic() - began - 1.0
        raise BenchError(f"process {self.pid} is still busy {seconds_max:.0f} s after the load ended")

    def stop(self) -> None:
        """Stop it in order; kill it if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop; at once if something went wrong."""
        if kind is not None and self.process.poll() is None:
            self.process.kill()
        self.stop()


@contextlib.contextmanager
def platform(folder: Path) -> Iterator[tuple[Child, int]]:
    """The real platform on a data directory, without a watcher and canaries: the child and its port.

    Raises:
        BenchError: It did not come up.
    """
    log = folder / "platform.log"
    command = [sys.executable, "-m", "nightbell.cli.main", "up", "--no-watcher"]
    command += ["--data", str(folder), "--listen", "127.0.0.1:0"]
    with log.open("wb") as file, Child(command, log=file, NIGHTBELL_CANARY="false") as child:
        until = time.monotonic() + START_S_MAX
        while (found := _OPEN.search(log.read_text(errors="replace"))) is None:
            if child.process.poll() is not None or time.monotonic() > until:
                raise BenchError(f"the platform did not come up; see {log}")
            time.sleep(0.02)
        yield child, int(found[1])


@contextlib.contextmanager
def telling_its_port(command: list[str]) -> Iterator[tuple[Child, int]]:
    """Something that prints the port it answers on."""
    with Child(command, log=subprocess.PIPE) as child:
        assert child.process.stdout is not None
        yield child, int(child.process.stdout.readline())


class Sharers:
    """The credentials of all sharers, and whose turn is next: every request of a run is another sharer's."""

    def __init__(self, tokens: Path, first: int = 0) -> None:
        self.tokens = tokens
        self.next = first

    def load(
        self,
        port: int,
        *,
        rate: float,
        seconds: float,
        now: bool = False,
        wasted: bool = False,
        shape: Shape = LIVE,
    ) -> Load:
        """Send readings; `rate` 0 is as fast as it goes. `wasted`: nobody keeps these.

        Raises:
            BenchError: The client failed.
        """
        command = [str(compiled("load")), str(port), str(shape.connections), str(rate)]
        command += [
            str(seconds),
            str(shape.readings),
            str(self.tokens),
            str(self.next),
            *(["now"] if now else []),
        ]
        done = subprocess.run(command, capture_output=True, timeout=seconds + 60, check=False)
        if done.returncode:
            raise BenchError(f"the load client failed: {done.stderr.decode(errors='replace').strip()}")
        result = msgspec.json.decode(done.stdout, type=Load)
        if not wasted:
            self.next += result.sent
        return result
