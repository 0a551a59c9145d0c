"""How one alarm climbs its ladder: when the next step comes, and whom it tells. Pure.

A step's time follows from the step before it, so a clock that was set or a machine that slept for a week
brings one overdue step at once and the next one after its usual gap, never all of them together.
"""

from typing import Final, NamedTuple

import msgspec

from nightbell.follow.ladder import Ladder, Watch, Whom
from nightbell.words.clock import NEVER_MS
from nightbell.words.tier import Tier

LATE_MS_MAX: Final = 5_000
"""A step this much late keeps the schedule; later ones count from when they really came."""


class Climb(msgspec.Struct):
    """Where one alarm stands on its ladder.

    Attributes:
        place: Steps taken so far: rungs, then rounds, then hours.
        due_ms: When the next step comes; `NEVER_MS` while somebody has the alarm.
        kept_ms: When it would have come, had nobody answered.
        resumes: Whether it goes on from here when that answer ends, rather than from the beginning.
    """

    place: int
    due_ms: int
    kept_ms: int = NEVER_MS
    resumes: bool = False


class Step(NamedTuple):
    """One step: whom it tells, through what, and whether nobody answered all the way up."""

    whom: Whom
    tier: Tier
    exhausted: bool


def begun(ladder: Ladder, now_ms: int) -> Climb:
    """At the foot of the ladder."""
    return Climb(0, now_ms + ladder.rungs[0].after_ms)


def step_at(climb: Climb, ladder: Ladder) -> Step:
    """What the step that is due does."""
    rungs = ladder.rungs
    if climb.place < len(rungs):
        return Step(rungs[climb.place].whom, rungs[climb.place].tier, exhausted=False)
    if climb.place < len(rungs) + ladder.rounds:
        return Step(Whom.EVERYBODY, rungs[-1].tier, exhausted=False)
    return Step(Whom.EVERYBODY, Tier.NUDGE, exhausted=True)


def _gap_ms(place: int, ladder: Ladder) -> int:
    """How long after the step at `place` the next one comes."""
    rungs = ladder.rungs
    if place + 1 < len(rungs):
        return rungs[place + 1].after_ms - rungs[place].after_ms
    if place < len(rungs) + ladder.rounds:
        return ladder.round_ms
    return ladder.then_every_ms


def climbed(climb: Climb, ladder: Ladder, now_ms: int) -> Climb:
    """After the step that was due."""
    from_ms = climb.due_ms if now_ms - climb.due_ms <= LATE_MS_MAX else now_ms
    return Climb(climb.place + 1, from_ms + _gap_ms(climb.place, ladder))


def passed_on(climb: Climb, ladder: Ladder, now_ms: int) -> Climb:
    """Somebody on the ladder said: call the next one. What would tell the same person again is left out."""
    place, rungs = climb.place, ladder.rungs
    while 0 < place < len(rungs) - 1 and rungs[place].whom is rungs[place - 1].whom:
        place += 1
    return Climb(place, now_ms)


def answered(climb: Climb, *, resumes: bool) -> Climb:
    """Somebody has it: no step comes until that ends."""
    kept_ms = climb.kept_ms if climb.due_ms == NEVER_MS else climb.due_ms
    return Climb(climb.place, NEVER_MS, kept_ms, resumes)


def taken_up(climb: Climb, *, undone: bool, now_ms: int) -> Climb | None:
    """The answer is over; None: from the beginning, with the next ring."""
    if undone:
        return Climb(climb.place, max(climb.kept_ms, now_ms))
    return Climb(climb.place, now_ms) if climb.resumes else None


def told_by(step: Step, watch: Watch, rung_for: list[int]) -> list[int]:
    """The follows that a step tells, of those for whom the alarm rang."""
    order = watch.in_order(rung_for)
    if step.whom is Whom.EVERYBODY:
        return order
    return order[:1] if step.whom is Whom.DUTY else order[1:2] or order[:1]
