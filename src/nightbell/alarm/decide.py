"""One follow's decision: ring, ring again, or not and why not, and when to look again. Pure."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from nightbell.alarm.part import NOT_RUNG, Part, urgency
from nightbell.follow.limits import Telling
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition


class Verdict(StrEnum):
    """What to do for one follow now."""

    RING = "ring"
    REPEAT = "repeat"
    WAIT = "wait"


class Reason(StrEnum):
    """Why. Each has a sentence in the catalogue `reason.json`."""

    FIRST = "first"
    GREW = "grew"
    UNSEEN = "unseen"
    NOT_ANSWERED = "not_answered"
    ANSWER_ENDED = "answer_ended"
    DELAY = "delay"
    HOURS = "hours"
    SNOOZED = "snoozed"
    SOMEBODY_HAS_IT = "somebody_has_it"
    IN_THE_LOW = "in_the_low"
    RANG_ALREADY = "rang_already"
    NEVER_AGAIN = "never_again"
    NOTHING_HOLDS = "nothing_holds"
    LOST_TRACK = "lost_track"
    LIMIT_CHANGED = "limit_changed"
    FOLLOW_ENDED = "follow_ended"
    SENSOR_STARTED = "sensor_started"
    BEGAN = "began"
    ENDED = "ended"
    SAID_BY_PERSON = "said_by_person"
    SHARER_SAID = "sharer_said"
    SHARER_HAD_THEIR_TIME = "sharer_had_their_time"
    TIME_OVER = "time_over"
    LADDER_DUTY = "ladder_duty"
    LADDER_SECOND = "ladder_second"
    LADDER_EVERYBODY = "ladder_everybody"
    LADDER_AGAIN = "ladder_again"
    LADDER_OVER = "ladder_over"


class Quiet(NamedTuple):
    """What may keep one follow from being told now.

    Attributes:
        within_hours: Whether `now` is within the hours of a condition; and when that may next change.
        snoozed_until_ms: Until when this follow asked for quiet; 0 if not.
        covered: The urgency an answer covers; `NOT_RUNG` if nobody has it.
        covered_until_ms: When the answer ends by itself.
        told_as_low: Whether this follow hears of this silence through an open low.
    """

    within_hours: Callable[[Telling], tuple[bool, int]]
    snoozed_until_ms: int
    covered: int
    covered_until_ms: int
    told_as_low: bool


class Decision(NamedTuple):
    """The verdict, the condition it is about, why, and when to look again."""

    verdict: Verdict
    condition: Condition | None
    reason: Reason
    due_ms: int


def decide(part: Part, telling: tuple[Telling, ...], quiet: Quiet, now_ms: int) -> Decision:
    """Decide for one follow.

    Args:
        part: What holds for it and what rang already.
        telling: Its delays, repeats and hours, in the order of `Condition`.
        quiet: What may keep it from being told.
        now_ms: Processing time.
    """
    due_ms, best, why_not = int(NEVER_MS), None, Reason.NOTHING_HOLDS
    for condition in sorted(part.held):
        open_ms, reason = _kept(condition, part.held[condition], telling[condition], quiet, now_ms)
        if reason is None:
            best = condition
        else:
            due_ms, why_not = min(due_ms, open_ms), reason
    if best is None:
        worst = max(part.held) if part.held else None
        return Decision(Verdict.WAIT, worst, why_not, due_ms)
    now_urgent = urgency(best, unseen=part.unseen)
    if now_urgent <= quiet.covered:
        return Decision(Verdict.WAIT, best, Reason.SOMEBODY_HAS_IT, min(due_ms, quiet.covered_until_ms))
    if now_urgent > part.rung:
        reason = _why_now(part, best)
        return Decision(Verdict.RING, best, reason, min(due_ms, _repeat_ms(telling[best], now_ms)))
    again_ms = _repeat_ms(telling[best], part.rung_ms)
    if again_ms <= now_ms:
        return Decision(
            Verdict.REPEAT, best, Reason.NOT_ANSWERED, min(due_ms, _repeat_ms(telling[best], now_ms))
        )
    reason = Reason.NEVER_AGAIN if again_ms == NEVER_MS else Reason.RANG_ALREADY
    return Decision(Verdict.WAIT, best, reason, min(due_ms, again_ms))


def _why_now(part: Part, best: Condition) -> Reason:
    if part.rung == NOT_RUNG:
        return Reason.FIRST
    return Reason.UNSEEN if part.rung == urgency(best, unseen=False) else Reason.GREW


def _repeat_ms(telling: Telling, rung_ms: int) -> int:
    return rung_ms + telling.repeat_ms if telling.repeat_ms else NEVER_MS


def _kept(
    condition: Condition, began_ms: int, telling: Telling, quiet: Quiet, now_ms: int
) -> tuple[int, Reason | None]:
    """When a condition may be told and why not yet; no reason if it may now.

    Urgent low has no delay and no hours, and no snooze hides it, whatever is stored.
    """
    if condition is Condition.URGENT_LOW:
        return now_ms, None
    if condition is Condition.NO_READINGS and quiet.told_as_low:
        return NEVER_MS, Reason.IN_THE_LOW
    if now_ms < began_ms + telling.delay_ms:
        return began_ms + telling.delay_ms, Reason.DELAY
    if now_ms < quiet.snoozed_until_ms:
        return quiet.snoozed_until_ms, Reason.SNOOZED
    if condition is not Condition.NO_READINGS:
        within, change_ms = quiet.within_hours(telling)
        if not within:
            return change_ms, Reason.HOURS
    return now_ms, None
