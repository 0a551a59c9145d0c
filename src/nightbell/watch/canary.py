"""The canaries: hidden sharers whose known low goes through the real door and must ring at their follower.

Theory of operation. Each canary goes round: ready, published (a low is out and must ring), then clearing: two
higher readings, each `gap_ms` after the one before, so that its alarm ends; `gap_ms` after the second it is
ready again. A round is begun every `round_every_ms` by the canary that has been ready longest, so there must
be enough of them: three gaps divided by the time between rounds.

What a canary's silence means depends on what we know of it. One that has gone round before is `proven`: if
its low does not ring, the way of the alarm is broken. One that we know nothing of (a new one, or our own
memory was lost) may still have an alarm open from before, and a low inside an open alarm need not ring; so
its silence says nothing, and it is cleared first.

The last canary knocks: it only ever publishes the higher reading, whenever the door is in doubt, so that
trying again often uses no canary up.
"""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from nightbell.watch.timings import Timings

LOW_MGDL: Final = 50
"""What a canary publishes to ring: an urgent low by anybody's limits (blueprint section 11: at most 55)."""

CLEAR_MGDL: Final = 120
"""What ends it: above low's limit by more than the 5 that clearing needs, and not high."""

CLEARS_NEEDED: Final = 2
"""A low clears after two readings (blueprint section 11)."""


class Phase(StrEnum):
    """Where one canary is on its round."""

    READY = "ready"
    PUBLISHED = "published"  # its low may be out
    CLEARING = "clearing"


class Canary(msgspec.Struct, frozen=True):
    """One canary. Kept on disk, so that a restart does not take an open alarm for a broken one.

    Attributes:
        person: Person id of the hidden sharer.
        phase: Where it is.
        proven: Whether its last round was rung and cleared.
        read_ms: When its newest reading went out; 0 if never.
        clears: Higher readings since its low.
    """

    person: str
    phase: Phase = Phase.READY
    proven: bool = False
    read_ms: int = 0
    clears: int = 0


class Step(msgspec.Struct, frozen=True):
    """What a canary does next.

    Attributes:
        person: Which canary.
        level: What it publishes, mg/dL.
    """

    person: str
    level: int


class Flock(msgspec.Struct, frozen=True):
    """All canaries.

    Attributes:
        canaries: Those that go round.
        knocker: The one that only knocks; empty if there are none at all.
        round_ms: When the last round began; 0 if never.
    """

    canaries: tuple[Canary, ...] = ()
    knocker: str = ""
    round_ms: int = 0


def flock_of(persons: tuple[str, ...], known: Flock) -> Flock:
    """The flock for these people: those known from before as they were, new ones as new."""
    if not persons:
        return Flock()
    before = {canary.person: canary for canary in known.canaries}
    canaries = tuple(before.get(person, Canary(person)) for person in persons[:-1])
    return Flock(canaries=canaries, knocker=persons[-1], round_ms=known.round_ms)


def resumed(flock: Flock, now_ms: int) -> Flock:
    """After a restart: a low that was out may have rung while nobody listened. It proves nothing now."""
    return replace(
        flock,
        canaries=tuple(
            replace(
                canary,
                phase=Phase.CLEARING if canary.phase is Phase.PUBLISHED else canary.phase,
                proven=canary.proven and canary.phase is not Phase.PUBLISHED,
                read_ms=min(canary.read_ms, now_ms),
            )
            for canary in flock.canaries
        ),
        round_ms=min(flock.round_ms, now_ms),
    )


def next_step(flock: Flock, *, door_troubled: bool, now_ms: int, timings: Timings) -> Step | None:
    """What to publish now, or nothing.

    While the door is in trouble it is only knocked at: a low that may or may not have arrived would use a
    canary up.
    """
    if not flock.knocker:
        return None
    if door_troubled:
        return Step(flock.knocker, CLEAR_MGDL)
    if flock.round_ms + timings.round_every_ms <= now_ms:
        rested = [
            canary
            for canary in flock.canaries
            if canary.phase is Phase.READY and canary.read_ms + timings.gap_ms <= now_ms
        ]
        if rested:
            return Step(min(rested, key=lambda canary: canary.read_ms).person, LOW_MGDL)
    for canary in flock.canaries:
        if canary.phase is Phase.CLEARING and canary.read_ms + timings.gap_ms <= now_ms:
            return Step(canary.person, CLEAR_MGDL)
    return None


def _changed(flock: Flock, person: str, **changes: object) -> Flock:
    return replace(
        flock,
        canaries=tuple(
            replace(canary, **changes) if canary.person == person else canary for canary in flock.canaries
        ),
    )


def canary_of(flock: Flock, person: str) -> Canary | None:
    """One canary that goes round; None for the knocker and strangers."""
    return next((canary for canary in flock.canaries if canary.person == person), None)


def begun(flock: Flock, step: Step, now_ms: int) -> Flock:
    """A step is about to be taken. For a low this is written down first: from here on it may be out."""
    if step.level != LOW_MGDL:
        return flock
    return replace(
        _changed(flock, step.person, phase=Phase.PUBLISHED, read_ms=now_ms, clears=0), round_ms=now_ms
    )


def refused(flock: Flock, step: Step) -> Flock:
    """The door certainly took nothing: the canary is where it was."""
    return _changed(flock, step.person, phase=Phase.READY) if step.level == LOW_MGDL else flock


def in_doubt(flock: Flock, step: Step) -> Flock:
    """The door may or may not have taken it. A low is cleared as if it had; a clearing is tried again."""
    if step.level != LOW_MGDL:
        return flock
    return _changed(flock, step.person, phase=Phase.CLEARING, proven=False)


def cleared_once(flock: Flock, step: Step, now_ms: int) -> Flock:
    """The door took a higher reading."""
    canary = canary_of(flock, step.person)
    if canary is None:
        return flock
    clears = canary.clears + 1
    done = clears >= CLEARS_NEEDED
    phase = Phase.READY if done else Phase.CLEARING
    return _changed(
        flock, step.person, phase=phase, read_ms=now_ms, clears=clears, proven=canary.proven or done
    )


def rang(flock: Flock, step: Step) -> Flock:
    """Its low rang."""
    return _changed(flock, step.person, phase=Phase.CLEARING, proven=True)


def did_not_ring(flock: Flock, step: Step) -> Flock:
    """Its low was taken and did not ring in time. It is cleared before it is believed again."""
    return _changed(flock, step.person, phase=Phase.CLEARING, proven=False)
