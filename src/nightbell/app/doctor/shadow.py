"""The deployed settings on a made-up house: a real platform in a folder of its own beside the live files.

Rules:
1. The folder lies in the data directory, so on the same disk, and is removed whatever happens, Ctrl-C too.
2. The platform has the deployed settings but its own free port of 127.0.0.1, no mail server, no watcher, and
   nothing of our environment that would set them otherwise. Nobody in the house has an address.
3. Furnishing, platform and load are processes in a session of their own: Ctrl-C reaches us alone, and we end
   them, each by its own number. Where we are killed the system ends them (`bound.py`), and the next doctor,
   or the bell's next start, removes the folder (`app/leftovers.py`).
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Final, Protocol

import msgspec

from nightbell.adapters.machine.disk import free_bytes
from nightbell.adapters.machine.system import cpu_s, memory_mb, pause
from nightbell.app.doctor import bound
from nightbell.app.doctor.checks import FREE_BYTES_MIN, MB, PERSON_BYTES
from nightbell.app.doctor.headroom import STEPS, Step, held, rate_per_s
from nightbell.app.doctor.load import ANSWER_S_MAX, Asked, Sent
from nightbell.app.furnish import TOKENS
from nightbell.app.leftovers import holding
from nightbell.app.settings import FILE_NAME, PREFIX, Settings, sections
from nightbell.app.settings_channels import Smtp
from nightbell.app.settings_pages import as_toml

WAYS_OUT: Final = Smtp.__module__
"""Where the tables of all providers stand: a shadow has none of them, also of those that come later."""

FOLDER_PREFIX: Final = "shadow-"
ROOM_TIMES: Final = 3
"""The journal holds people and follows beside the accounts, and each file is written whole once more."""

FURNISH_MS_SHARER: Final = 0.7
"""To make up one sharer with three follows: a million in twelve minutes, on two cores of 2026."""

START_S: Final = 5
"""To start the made-up house, and to begin and end everything."""

OPENS_S_MAX: Final = 300
ENDS_S_MAX: Final = 30
STEP_S_MIN: Final = 3
STEP_S_MAX: Final = 10
LOG: Final = "platform.log"
_OPEN: Final = re.compile(r"https?://127\.0\.0\.1:(\d+)")


class ShadowError(Exception):
    """It cannot be tried. `key` is the sentence of the catalogue `doctor`, `slots` what it says."""

    def __init__(self, key: str, **slots: str | int) -> None:
        super().__init__(key)
        self.key = key
        self.slots = slots


def shadow_settings(settings: Settings) -> Settings:
    """The deployed settings, less all by which they could reach anybody or anything of the live bell."""
    return settings.model_copy(
        update={
            "listen": "127.0.0.1:0",
            "public_url": "",
            "watcher_url": "",
            "metrics_listen": "",
            "canary": False,
            **{name: table() for name, table in sections().items() if table.__module__ == WAYS_OUT},
        }
    )


class Told(Protocol):
    """Hears what begins: a sentence of the catalogue `doctor` and what it says."""

    def __call__(self, key: str, **slots: str | int) -> None:
        """Say it."""
        ...


def need_bytes(sharers: int) -> int:
    """What trying so many needs on the disk, with room to spare for the live bell; all is given back."""
    return sharers * PERSON_BYTES * ROOM_TIMES + FREE_BYTES_MIN


def lasting_s(sharers: int, seconds: int) -> list[int]:
    """How long making the house takes, about, and then each step at most."""
    furnish_s = round(START_S + sharers * FURNISH_MS_SHARER / 1_000)
    return [furnish_s, seconds, *(min(STEP_S_MAX, max(STEP_S_MIN, seconds // 6)) for _ in STEPS)]


def try_load(folder: Path, settings: Settings, sharers: int, *, seconds: int, told: Told) -> list[Step]:
    """Load the deployed settings with so many made-up sharers, then with more until it does not hold.

    Args:
        folder: The live data directory; only a folder of our own in it is touched.
        settings: The deployed ones.
        sharers: How many.
        seconds: How long at the rate of so many; each further step is shorter.
        told: Hears what begins.

    Raises:
        ShadowError: There is no room, or a part of it did not start.
    """
    need, free = need_bytes(sharers), free_bytes(folder)
    if free < need:
        raise ShadowError("load_no_room", need=need // MB, free=free // MB)
    furnish_s, *steps_s = lasting_s(sharers, seconds)
    minutes = max(1, round((furnish_s + sum(steps_s)) / 60))
    steps: list[Step] = []
    with _ended_by_signals(), _own_folder(folder) as place:
        (place / FILE_NAME).write_text(as_toml(shadow_settings(settings)), encoding="utf-8")
        told("load_furnish", n=sharers, minutes=minutes, mb=need // MB)
        _furnish(place, sharers)
        told("load_start", n=sharers)
        with _platform(place) as (process, port):
            first = 0
            for times, lasting in zip((1.0, *STEPS), steps_s, strict=True):
                told("load_load", times=f"{times:g}", seconds=lasting)
                asked = Asked(
                    port=port,
                    tls=settings.tls.certificate is not None,
                    tokens=str(place / TOKENS),
                    first=first,
                    per_s=rate_per_s(sharers) * times,
                    seconds=lasting,
                )
                steps.append(_step(process, asked, times))
                first += steps[-1].sent.sent
                if not held(steps[-1]):
                    break
    return steps


@contextlib.contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=folder))
    try:
        with holding(place):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end us as Ctrl-C does: everything that was begun is ended and removed."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _process(module: str, *arguments: str, log: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """One of our own modules in a process of its own, ended when the block ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    process = subprocess.Popen(  # noqa: S603 our own module
        [sys.executable, "-m", bound.__name__, str(os.getpid()), module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if module.endswith(".load") else log,
        stderr=log,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(ENDS_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()


def _furnish(place: Path, sharers: int) -> None:
    with (
        (place / "furnish.log").open("wb") as log,
        _process("nightbell.app.furnish", str(place), str(sharers), log=log) as process,
    ):
        if process.wait() != 0:
            raise ShadowError("load_no_house", why=_last_line(place / "furnish.log"))


@contextlib.contextmanager
def _platform(place: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    path = place / LOG
    arguments = ("up", "--data", str(place), "--no-watcher")
    with path.open("wb") as log, _process("nightbell.cli.main", *arguments, log=log) as process:
        for _ in range(OPENS_S_MAX * 10):
            if (found := _OPEN.search(path.read_text(errors="replace"))) is not None:
                yield process, int(found[1])
                return
            if process.poll() is not None:
                break
            pause(0.1)
        raise ShadowError("load_no_start", why=_last_line(path))


def _step(platform: "subprocess.Popen[bytes]", asked: Asked, times: float) -> Step:
    before_s = cpu_s(platform.pid)
    with (
        tempfile.TemporaryFile() as log,
        _process("nightbell.app.doctor.load", log=log) as process,
    ):
        try:
            out, _ = process.communicate(msgspec.json.encode(asked), asked.seconds + 2 * ANSWER_S_MAX)
            sent = msgspec.json.decode(out, type=Sent)
            share = (cpu_s(platform.pid) - before_s) / sent.seconds
            return Step(times, asked.per_s, share, memory_mb(platform.pid), sent)
        except (subprocess.TimeoutExpired, msgspec.DecodeError, OSError) as error:
            raise ShadowError("load_broke", why=type(error).__name__) from error


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
