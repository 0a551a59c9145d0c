"""An open alarm on its ladder: begun when it rings, stopped by an answer, taken up when that ends.

`climb.py` says when and whom; here it happens to the book.
"""

from typing import TYPE_CHECKING

from nightbell.alarm import climb
from nightbell.alarm.alarm import Alarm
from nightbell.alarm.decide import Reason
from nightbell.alarm.effects import EntryKind
from nightbell.follow.ladder import Whom
from nightbell.words.clock import NEVER_MS

if TYPE_CHECKING:
    from nightbell.alarm.book import AlarmBook, Cause

_REASONS = {
    Whom.DUTY: Reason.LADDER_DUTY,
    Whom.SECOND: Reason.LADDER_SECOND,
    Whom.EVERYBODY: Reason.LADDER_EVERYBODY,
}


def begin(book: "AlarmBook", alarm: Alarm, condition: int, now_ms: int) -> bool:
    """It rang for somebody: it begins to climb, unless it does. Returns whether it climbs."""
    ladder = book.watch(alarm.sharer).ladder
    if not ladder.does_climb(condition):
        return False
    if alarm.climb is None or alarm.climb.due_ms == NEVER_MS:  # it grew beyond what an answer covers
        alarm.climb, alarm.exhausted = climb.begun(ladder, now_ms), False
        book.remind_step(alarm)
    return True


def step(book: "AlarmBook", alarm: Alarm, cause: "Cause") -> None:
    """The next step is due."""
    watch = book.watch(alarm.sharer)
    assert alarm.climb is not None
    now = climb.step_at(alarm.climb, watch.ladder)
    again = alarm.climb.place >= len(watch.ladder.rungs)
    reason = Reason.LADDER_OVER if now.exhausted else Reason.LADDER_AGAIN if again else _REASONS[now.whom]
    rang_for = book.rang_for(alarm, cause.at_ms)
    for follow in climb.told_by(now, watch, list(rang_for)):
        book.tell_step(alarm, follow, rang_for[follow], cause, reason, now.tier)
    if now.exhausted and not alarm.exhausted:
        alarm.exhausted = True
        book.write(
            alarm.entry(EntryKind.EXHAUSTED, cause.at_ms, Reason.LADDER_OVER, condition=alarm.condition)
        )
    alarm.climb = climb.climbed(alarm.climb, watch.ladder, cause.at_ms)
    book.remind_step(alarm)


def ease(book: "AlarmBook", alarm: Alarm) -> None:
    """Nothing that climbs holds any more: it is at the foot again."""
    climbs = book.watch(alarm.sharer).ladder.does_climb
    if alarm.climb and not any(climbs(held) for part in alarm.parts.values() for held in part.held):
        alarm.climb, alarm.exhausted = None, False


def pause(alarm: Alarm, *, resumes: bool) -> None:
    """Somebody has it."""
    if alarm.climb:
        alarm.climb = climb.answered(alarm.climb, resumes=resumes)
    alarm.exhausted = False


def take_up(book: "AlarmBook", alarm: Alarm, *, undone: bool, now_ms: int) -> None:
    """Nobody has it any more. A ladder that an answer did not hold, for it grew since, is left as it is."""
    if alarm.climb and alarm.climb.due_ms == NEVER_MS:
        alarm.climb = climb.taken_up(alarm.climb, undone=undone, now_ms=now_ms)
        book.remind_step(alarm)


def pass_on(book: "AlarmBook", alarm: Alarm, cause: "Cause") -> None:
    """Whoever was called cannot: the next step comes now."""
    assert alarm.climb is not None
    alarm.climb = climb.passed_on(alarm.climb, book.watch(alarm.sharer).ladder, cause.at_ms)
    step(book, alarm, cause)


def change(book: "AlarmBook", alarm: Alarm, now_ms: int) -> None:
    """The ladder was changed while it climbs: never later than either of the two says."""
    if alarm.climb and alarm.climb.due_ms < NEVER_MS:
        ladder = book.watch(alarm.sharer).ladder
        due_ms = min(alarm.climb.due_ms, now_ms + ladder.rungs[0].after_ms)
        alarm.climb = climb.Climb(min(alarm.climb.place, len(ladder.rungs)), due_ms)
        book.remind_step(alarm)


def set_back(book: "AlarmBook", alarm: Alarm, step_ms: int) -> None:
    """Our clock was set back: the next step comes after as long as it would have."""
    if alarm.climb and alarm.climb.due_ms < NEVER_MS:
        alarm.climb.due_ms -= step_ms
        book.remind_step(alarm)
    elif alarm.climb and alarm.climb.kept_ms < NEVER_MS:
        alarm.climb.kept_ms -= step_ms
