"""Who is let in: the decision, as a function of what was measured, the class of work and the person. Pure.

Rules:

1. The lowest class gives way first. A class above it is touched only when it is at nothing.
2. Too much load takes a step from what is let in; a second without gives a small one back. Live work that
   waits far too long in a fifth of a second takes a large step at once: a flood is there within one second.
3. Alarm work (C0) is always let in. Live work (C1) is refused only when all below it is at nothing and live
   readings wait longer than is promised: to refuse one it must be read first, so that helps late.
4. Whether somebody is let in hangs on a ticket that is theirs for an hour, the same for all classes: a few
   are served wholly and the others told when to come, rather than everybody served by halves.

Theory of operation: one number, `shed`, counts percent points taken away, from the bottom of the classes
upwards; 250 is: exports and history at nothing, sign-in at a half.

Source: H. Zhou et al., "Overload Control for Scaling WeChat Microservices" (DAGOR), SoCC 2018: mean queue
wait above 20 ms over a second; five percent down, one up; priority by business and hourly hash of the user.
"""

import hashlib
from enum import IntEnum
from typing import Final, NamedTuple


class Work(IntEnum):
    """Classes of work, the most critical first: C0 to C5."""

    ALARM = 0
    """Answers to alarms, and the watcher's canary."""
    LIVE = 1
    """Live readings and open streams."""
    RENEWAL = 2
    """Grants renewed: who is signed in stays so."""
    SIGN_IN = 3
    """Names and passwords."""
    HISTORY = 4
    """Late readings, and history as it is read: pages' graphs, old clients' hours."""
    EXPORT = 5
    """Everything of somebody at once."""


class Load(NamedTuple):
    """What was measured over the last second. None is: not known, and says nothing.

    Attributes:
        live_wait_ms: Mean wait of a commit of live readings for its turn; while none ends, of the oldest.
        live_filled: How much of the live lane's room is taken, 0 to 1.
        loop_lag_ms: How late the event loop serves, mean.
        commit_ms: How long a commit takes, mean.
        tick_age_ms: How old the newest evaluated tick is.
    """

    live_wait_ms: float | None = None
    live_filled: float | None = None
    loop_lag_ms: float | None = None
    commit_ms: float | None = None
    tick_age_ms: float | None = None


LIMITS: Final = Load(live_wait_ms=50, live_filled=0.5, loop_lag_ms=50, commit_ms=250, tick_age_ms=4_000)
"""Above any of these we are overloaded. DAGOR takes 20 ms, for calls of milliseconds; we promise a second,
and with 20 ms a backlog was hardly let in while live readings waited for 30. A commit takes a millisecond or
two, 100 with a noisy neighbour (facts/performance.md). A tick is a second old or so; the
platform calls itself unwell at 5 s."""

LIVE_LIMITS_MS: Final = 1_000

LIVE_LIMITS: Final = Load(live_wait_ms=LIVE_LIMITS_MS, loop_lag_ms=LIVE_LIMITS_MS, tick_age_ms=10_000)
"""Above any of these live readings are refused too: a second is what is promised (fault test F14)."""

STEP_DOWN: Final = 5
STEP_UP: Final = 1
FAR_TIMES: Final = 5
STEP_FAR_DOWN: Final = 25
"""So much at once where a limit is passed this many times over: a flood comes within seconds."""

LOOKS_A_SECOND: Final = 5
"""How often it is looked whether live work began to wait far too long."""

LEAP_LIMITS: Final = Load(live_wait_ms=LIVE_LIMITS_MS / 4, loop_lag_ms=LIVE_LIMITS_MS / 4)
"""Far too long: a quarter of what is promised, on the mean of a fifth of a second. Disks shared with others
take a tenth of a second now and then; that is no flood."""

STEP_LEAP: Final = 50
"""So much at once where it did: late readings are at nothing four looks after a flood began. One look, as a
noisy neighbour causes it, costs half of the exports for a minute and nobody else anything."""

STEP_LIVE_UP: Final = 20
"""Live readings come back within five seconds: a phone has the next one in five minutes anyway."""

ALL: Final = 100
"""Everybody, of a hundred."""

LOWER_CLASSES: Final = Work.EXPORT - Work.LIVE
SHED_LOWER: Final = 100 * LOWER_CLASSES
"""Everything below live is at nothing."""

SHED_MAX: Final = SHED_LOWER + 90
"""One live reading in ten is let in whatever happens, so that we see when it gets better."""

TICKETS: Final = 100
HOUR_MS: Final = 3_600_000


def excess(load: Load, limits: Load) -> tuple[float, str]:
    """How many times over its limit the worst measurement is, and which; what is not known is not over."""
    worst, reason = 0.0, ""
    for name, value, limit in zip(Load._fields, load, limits, strict=True):
        if value is not None and limit is not None and value / limit > worst:
            worst, reason = value / limit, name
    return worst, reason


class Level(NamedTuple):
    """How much is taken away, and why: the last measurement that was above its limit."""

    shed: int = 0
    reason: str = ""


CALM: Final = Level()


def next_level(level: Level, load: Load) -> Level:
    """The level after a second with this load."""
    times, reason = excess(load, LIMITS)
    live_times, live_reason = excess(load, LIVE_LIMITS)
    if level.shed > SHED_LOWER and live_times <= 1:
        return Level(max(SHED_LOWER, level.shed - STEP_LIVE_UP), level.reason)
    if times <= 1:
        shed = max(0, level.shed - STEP_UP)
        return Level(shed, level.reason if shed else "")
    step = STEP_FAR_DOWN if times > FAR_TIMES else STEP_DOWN
    if level.shed < SHED_LOWER:
        return Level(min(SHED_LOWER, level.shed + step), reason)
    if live_times > 1:
        return Level(min(SHED_MAX, level.shed + STEP_DOWN), live_reason)
    return Level(SHED_LOWER, reason)


class Watch(NamedTuple):
    """The level within a second.

    Attributes:
        level: How much is taken away.
        parts: What was measured in each part of this second so far.
        leapt: Whether a large step was taken in it.
    """

    level: Level = CALM
    parts: tuple[Load, ...] = ()
    leapt: bool = False


def next_watch(watch: Watch, part: Load) -> Watch:
    """After another part of a second with this load. A second's own step follows its last part."""
    level, parts, leapt = watch.level, (*watch.parts, part), watch.leapt
    times, reason = excess(part, LEAP_LIMITS)
    if times > 1 and level.shed < SHED_LOWER:
        level, leapt = Level(min(SHED_LOWER, level.shed + STEP_LEAP), reason), True
    if len(parts) < LOOKS_A_SECOND:
        return Watch(level, parts, leapt)
    if leapt and level.shed < SHED_LOWER:
        return Watch(level)
    return Watch(next_level(level, whole(parts)))


def whole(parts: tuple[Load, ...]) -> Load:
    """What was measured over all of these parts: the mean of each; how full and how old, the newest."""
    means: dict[str, float | None] = {}
    for name in ("live_wait_ms", "loop_lag_ms", "commit_ms"):
        known = [value for part in parts if (value := getattr(part, name)) is not None]
        means[name] = sum(known) / len(known) if known else None
    return parts[-1]._replace(**means)


def share(level: Level, work: Work) -> int:
    """How many of a hundred people are let in with this work."""
    if work is Work.ALARM:
        return 100
    return max(0, min(100, 100 - (level.shed - 100 * (Work.EXPORT - work))))


def ticket(user: str | int, hour: int) -> int:
    """A person's place among a hundred for an hour; the smaller, the later they are refused."""
    digest = hashlib.blake2b(f"{user}:{hour}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % TICKETS


def admits(level: Level, work: Work, place: int) -> bool:
    """Whether somebody with this ticket is let in with this work."""
    return place < share(level, work)


def soonest_s(level: Level, work: Work, place: int) -> int:
    """After how many seconds without overload this ticket is let in again: what lacks, a point a second."""
    lacking = max(0, level.shed - (100 * (Work.EXPORT - work) + TICKETS - 1 - place))
    return -(-lacking // STEP_LIVE_UP) if work is Work.LIVE else lacking // STEP_UP
