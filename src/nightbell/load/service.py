"""Keeps the level: measures the event loop, asks the others once a second, and lets in or refuses."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from nightbell.load.again import AGAIN_S_MAX, AGAIN_S_MIN, spread
from nightbell.load.gate import (
    ALL,
    CALM,
    HOUR_MS,
    LOOKS_A_SECOND,
    SHED_LOWER,
    TICKETS,
    Level,
    Load,
    Watch,
    Work,
    admits,
    next_watch,
    share,
    soonest_s,
    ticket,
)
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock, SystemClock, from_ms
from nightbell.words.errors import ErrorCode, PlatformError

LOOK_EVERY_S: Final = 1.0 / LOOKS_A_SECOND
LAG_EVERY_S: Final = 0.05
"""How often the loop is asked how late it is: four times in each look, twenty in a second."""

LOOKS_AT_ONCE_MAX: Final = 2 * LOOKS_A_SECOND
LEAPS_AT_ONCE_MAX: Final = 2
"""What hides in a single stall, however long, is judged as no more than this: the machine may have slept."""

_log: Final = structlog.get_logger()


class Admission:
    """Who is let in now. All methods run on one event loop.

    Attributes:
        calm: Whether everybody is let in: the one thing that a reading asks while all is well.
        level: How much is taken away.
        lag_ms: How late the event loop was in the last second, mean.
        refused: How many were refused since the start, by class.
        shut_since_ms: Since when not everybody is let in, of each class that is touched.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read: Callable[[], Load] = Load
        self._spared: frozenset[int] = frozenset()
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._looked = 0.0
        self._lags = 0
        self._lag_sum_s = 0.0
        self._watch = Watch()
        self.calm = True
        self.level = CALM
        self.lag_ms = 0.0
        self.refused = dict.fromkeys(Work, 0)
        self.shut_since_ms: dict[Work, int] = {}

    def start(self, read: Callable[[], Load]) -> None:
        """Begin to measure; `read` says what the others measured since it was last called."""
        self._read = read
        loop = asyncio.get_running_loop()
        self._looked = loop.time()
        self._due = loop.time() + LAG_EVERY_S
        self._timer = loop.call_at(self._due, self._ask_loop, loop)

    def close(self) -> None:
        """Measure no more; everybody is let in."""
        if self._timer is not None:
            self._timer.cancel()
        self.take(CALM)

    def spare(self, sharers: frozenset[int]) -> None:
        """Uploads of these sharers are alarm work: the watcher's canaries."""
        self._spared = sharers

    def refuses(self, work: Work, user: str | int) -> int:
        """0 if this work is let in, else in how many seconds to come again. Ask only where not `calm`."""
        if share(self.level, work) == TICKETS or (work is Work.LIVE and user in self._spared):
            return 0
        place = ticket(user, self._clock.now_ms() // HOUR_MS)
        if admits(self.level, work, place):
            return 0
        self.refused[work] += 1
        return self._again_s(soonest_s(self.level, work, place))

    def closed_s(self, work: Work) -> int:
        """0 unless nobody at all is let in with this work; else in how many seconds to come again."""
        if share(self.level, work):
            return 0
        self.refused[work] += 1
        return self._again_s(soonest_s(self.level, work, 0))

    def check(self, work: Work, user: str | int) -> None:
        """Let in, or refuse.

        Raises:
            PlatformError: OVERLOADED, with the time after which to come again; nothing was done.
        """
        if self.calm:
            return
        seconds = self.refuses(work, user)
        if seconds:
            raise refusal(seconds)

    def take(self, level: Level) -> None:
        """From now on this much is let in."""
        if (level.shed > 0) is self.calm:
            _log.warning("load.high" if level.shed else "load.calm", reason=level.reason)
        elif level.shed >= SHED_LOWER > self.level.shed:
            _log.error("load.live_only", reason=level.reason)
        if level.shed != self.level.shed:
            now_ms, before = self._clock.now_ms(), self.shut_since_ms
            touched = [work for work in reversed(Work) if share(level, work) < ALL]
            self.shut_since_ms = {work: before.get(work, now_ms) for work in touched}
        self.level = level
        self.calm = level.shed == 0

    def turned_away(self) -> list[str]:
        """Who is turned away now, of how many, and since when, in sentences: the least urgent first."""
        say, sentences = catalogue().say, []
        for work, since_ms in self.shut_since_ms.items():
            key = "some" if share(self.level, work) else "all"
            refused, since = ALL - share(self.level, work), f"{from_ms(since_ms):%Y-%m-%d %H:%M:%S} UTC"
            what = say(f"load.work.{work.name.lower()}")
            sentences.append(say(f"load.turned_away.{key}", what=what, refused=refused, since=since))
        return sentences

    def _again_s(self, soonest: int) -> int:
        """Evenly from the soonest possible instant to twice as late."""
        self._count += 1
        least = max(AGAIN_S_MIN, min(soonest, AGAIN_S_MAX // 2))
        return spread(self._count, least, min(AGAIN_S_MAX, 2 * least))

    def _ask_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._lag_sum_s += now - self._due
        self._lags += 1
        # What a stall of a second hides are all the askings that did not happen in it: each was late by then.
        missed = int((now - self._due) / LAG_EVERY_S)
        self._lag_sum_s += missed * (now - self._due) / 2
        self._lags += missed
        if self._lags * LAG_EVERY_S >= LOOK_EVERY_S:
            self._look()
        self._due = now + LAG_EVERY_S
        self._timer = loop.call_at(self._due, self._ask_loop, loop)

    def _look(self) -> None:
        self.lag_ms = self._lag_sum_s / self._lags * 1000
        self._lag_sum_s, self._lags = 0.0, 0
        load, watch = self._read()._replace(loop_lag_ms=self.lag_ms), self._watch._replace(level=self.level)
        now = asyncio.get_running_loop().time()
        # A look that came seconds late is worth the looks that could not happen.
        looks = max(1, min(LOOKS_AT_ONCE_MAX, round((now - self._looked) / LOOK_EVERY_S)))
        for look in range(looks):
            leaps = look < LEAPS_AT_ONCE_MAX
            watch = next_watch(watch, load if leaps else load._replace(live_wait_ms=None, loop_lag_ms=None))
        self._looked = now
        self._watch = watch
        self.take(watch.level)


def open_to_all() -> Admission:
    """One that was never started: it lets everybody in."""
    return Admission(SystemClock())


def too_late(seconds: int = AGAIN_S_MIN) -> PlatformError:
    """What is answered instead of work for which nobody waits any more."""
    sentence = catalogue().say("load.too_late", seconds=seconds)
    return PlatformError(ErrorCode.OVERLOADED, sentence, retry_after_s=seconds)


def refusal(seconds: int) -> PlatformError:
    """What somebody is told who is not let in."""
    sentence = catalogue().say("load.refused", seconds=seconds)
    return PlatformError(ErrorCode.OVERLOADED, sentence, retry_after_s=seconds)
