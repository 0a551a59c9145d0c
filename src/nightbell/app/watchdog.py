"""Ends a platform that lives and does nothing, from a thread of its own, so that a fresh one takes its place.

Rules:
1. The loop has not turned, or no second was evaluated, in ten looks of a second each: we end.
2. A look counts what happened since the one before, never a clock. So a machine that slept, a process that
   was stopped, or a clock that was set, adds one look and ends nobody.
3. Looks begin once the platform has started, and stop when it is told to stop: replay may take its time.
4. Seconds that wait for the disk do not count: an end would not make a disk quicker, and the next start would
   wait for it too. Health says so, and systemd's own patience is longer.
5. systemd starts what ended. Without it, we start ourselves anew in the same process: same number, same
   command.

What holds Python's lock for good stops this thread too: then systemd's watchdog ends us, and the watcher
tells everybody.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from nightbell.app.supervisor import SOCKET_VARIABLE

LOOK_EVERY_S: Final = 1.0
LOOKS_MAX: Final = 10
"""How many looks may find nothing new: 10 s, the bound of F25 in the list of fault tests."""

EXIT_STUCK: Final = 70
"""`EX_SOFTWARE` of sysexits(3)."""

_SAY_S_MAX: Final = 1.0
"""How long the last line may take: what blocks the loop may be the log itself."""

_log: Final = structlog.get_logger(__name__)


def end_or_begin_anew(environ: Mapping[str, str]) -> None:
    """End at once if systemd started us, which starts us again; else become a fresh platform in place."""
    if not environ.get(SOCKET_VARIABLE):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 the command we are
    os._exit(EXIT_STUCK)


class Watchdog:
    """The thread that looks.

    Args:
        end: Ends the process.
        look_every_s: Between two looks, seconds.
    """

    def __init__(self, end: Callable[[], object], *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._end = end
        self._look_every_s = look_every_s
        self._stopped = threading.Event()
        self._turned = False
        self._decided = False
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def turned(self) -> None:
        """The loop turns."""
        self._turned = True

    def decided(self) -> None:
        """A second was evaluated, or waits for something that an end would not heal."""
        self._decided = True

    def _look(self) -> None:
        unturned = undecided = 0
        while not self._stopped.wait(self._look_every_s):
            unturned = 0 if self._turned else unturned + 1
            # A loop that stands cannot say that seconds are evaluated: that is counted once, as the loop's.
            undecided = 0 if self._decided or not self._turned else undecided + 1
            self._turned = self._decided = False
            if max(unturned, undecided) >= LOOKS_MAX:
                why = "the event loop stands" if unturned >= LOOKS_MAX else "no second is evaluated"
                self._say(why)
                self._end()
                return

    def _say(self, why: str) -> None:
        what = f"{why} for 10 s; we end, and start again from the journal. Nothing promised is lost."
        saying = threading.Thread(target=lambda: _log.critical("platform.stuck", what=what), daemon=True)
        saying.start()
        saying.join(_SAY_S_MAX)
