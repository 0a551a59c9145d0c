"""One platform from its start until somebody tells it to stop."""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from nightbell.adapters.machine.disk import is_full
from nightbell.app.demo_family import DemoError, DemoFamily
from nightbell.app.leftovers import SHADOWS, sweep
from nightbell.app.platform import Platform
from nightbell.app.settings import Settings
from nightbell.app.supervisor import Supervisor
from nightbell.app.tls import TlsFiles
from nightbell.app.watchdog import LOOK_EVERY_S, Watchdog, end_or_begin_anew
from nightbell.words.catalogue import catalogue

YOUNG_OBJECTS_MAX: Final = (10_000, 2, 10)
"""When Python looks for garbage, by generation: less often than its own (700, 10, 10), for a request makes
none. But a closed stream leaves some thirty objects that refer to each other, and what is looked through at
once stops everything: 400,000 young ones took a third of a second, these 30,000 take 25 ms."""

_M_MMAP_THRESHOLD: Final = -3
"""Number of the parameter in the C library's malloc.h."""

LARGE_BYTES: Final = 1 << 20
"""Pieces of memory of this size and more go back to the system when they are let go."""


LOCK_S: Final = 0.001
"""How long a thread waits for Python's lock at most. Python's own is 5 ms, and the journal's thread takes it
a dozen times a commit: on a busy machine commits took twice as long (docs/performance.md)."""


def share_the_lock() -> None:
    """Let threads that write and read have Python's lock sooner."""
    sys.setswitchinterval(LOCK_S)


def keep_large_apart() -> None:
    """Have large pieces of memory kept apart, where the C library can (glibc): see `give_back`.

    A start takes and lets go hundreds of megabytes in pieces of some megabytes. By itself the C library comes
    to keep those for later, and half of a million sharers' memory is then nothing but gaps.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Give memory that is free back to the system, where the C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def has_no_room(folder: Path) -> bool:
    """Whether a start that failed met a full disk."""
    return is_full(folder)


async def _show(platform: Platform, announce: Callable[[str], None]) -> None:
    """Bring the made-up family, and keep it publishing."""
    family = DemoFamily(platform.commands, folder=platform.folder, url=platform.url, clock=platform.clock)
    try:
        sentences = await family.make(platform.url)
    except DemoError as error:
        announce(str(error))
        await asyncio.Event().wait()
        return
    for sentence in sentences:
        announce(sentence)
    await family.live()


@contextlib.contextmanager
def keeping_what_is_loaded() -> Iterator[None]:
    """Load without looking for garbage, and never look at what was loaded again.

    People and follows are there for good. Walking the objects of 100,000 sharers again and again took a sixth
    of all time under load, and stopped everything for a quarter of a second each time.
    """
    gc.disable()
    try:
        yield
    finally:
        give_back()
        gc.freeze()
        gc.set_threshold(*YOUNG_OBJECTS_MAX)
        gc.enable()


async def _feed(watchdog: Watchdog, platform: Platform) -> None:
    """Say that the loop turns, and whether seconds are evaluated, until cancelled."""
    before = (-1, -1)
    while True:
        watchdog.turned()
        # By number and by time: a clock that was set back evaluates no later time, and groups that were not
        # kept have no number.
        now = (platform.evaluation.upto_seq, platform.evaluation.evaluated_tick_ms)
        journal = platform.journal.health()
        if now != before or (journal.failing and not journal.consumer_failures):
            watchdog.decided()
        before = now
        await asyncio.sleep(LOOK_EVERY_S / 2)


async def run_platform(
    folder: Path,
    settings: Settings,
    *,
    tls: TlsFiles | None,
    demo: bool,
    announce: Callable[[str], None],
    read: Callable[[], Settings],
    started: Callable[[], None],
) -> None:
    """Be the platform until SIGTERM or SIGINT.

    Args:
        folder: The data directory.
        settings: What the operator chose.
        tls: Certificate and key, if any.
        demo: Whether to bring a made-up family.
        announce: Tells whoever started us.
        read: Reads the settings anew, for the switches.
        started: Called once all is well.

    Raises:
        AlreadyRunningError: Another platform runs on this folder.
        NightbellError: It cannot start; the sentence says why and what to do.
    """
    keep_large_apart()
    share_the_lock()
    platform = Platform(folder, settings, tls=tls)
    supervisor = Supervisor(os.environ)
    for place in sweep(folder, SHADOWS).removed:
        announce(catalogue().say("doctor.leftovers_removed", files=place))
    with keeping_what_is_loaded():
        await platform.start()
    platform.follow_settings(read)
    started()
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    supervisor.ready()
    announce(catalogue().say("platform.open", url=platform.url))
    waiting = [asyncio.create_task(told.wait()), asyncio.create_task(platform.until_broken())]
    waiting.append(asyncio.create_task(supervisor.reassure(platform.is_deciding)))
    watchdog = Watchdog(lambda: end_or_begin_anew(os.environ))
    waiting.append(asyncio.create_task(_feed(watchdog, platform)))
    watchdog.start()
    if demo:
        waiting.append(asyncio.create_task(_show(platform, announce)))
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        watchdog.stop()
        supervisor.stopping()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await platform.close()
