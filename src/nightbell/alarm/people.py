"""What people say and change, as alarms take it: answers, snoozes, follows."""

from nightbell.alarm import ladder
from nightbell.alarm.alarm import ANSWER_MS, SHARER_ANSWER_MS, UNDO_MS, Alarm
from nightbell.alarm.book import AlarmBook, Cause
from nightbell.alarm.decide import Reason
from nightbell.alarm.effects import AlarmState, EntryKind
from nightbell.alarm.lifecycle import AlarmEvent
from nightbell.journal.facts import EVERYTHING, Answered, AnswerUndone, PassedOn, Snoozed
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Family


def answer(book: AlarmBook, alarm: Alarm, fact: Answered, cause: Cause) -> None:
    """Somebody has it, for what rang so far; the sharer only for a short while, once for each urgency."""
    if alarm.state not in {AlarmState.RINGING, AlarmState.ANSWERED}:
        return
    if EVERYTHING != fact.covers < alarm.rung_most:
        return  # they answered what it was, not what it is; that goes on ringing
    until_ms = fact.at_ms + ANSWER_MS
    if fact.by_sharer:
        if alarm.rung_most > alarm.sharer_covered:
            alarm.sharer_until_ms, alarm.sharer_covered = fact.at_ms + SHARER_ANSWER_MS, alarm.rung_most
        until_ms = alarm.sharer_until_ms
        if until_ms <= fact.at_ms or (alarm.answered_by and until_ms <= alarm.answered_until_ms):
            book.write(
                alarm.entry(EntryKind.ANSWERED, fact.at_ms, Reason.SHARER_HAD_THEIR_TIME, person=fact.by)
            )
            return
    alarm.answered_by, alarm.answered_ms, alarm.answered_until_ms = fact.by, fact.at_ms, until_ms
    alarm.covered = alarm.rung_most
    alarm.move(AlarmEvent.ANSWERED)
    ladder.pause(alarm, resumes=fact.by_sharer)
    reason = Reason.SHARER_SAID if fact.by_sharer else Reason.SAID_BY_PERSON
    book.write(alarm.entry(EntryKind.ANSWERED, fact.at_ms, reason, person=fact.by, until_ms=until_ms))
    book.remind_answer(alarm)
    for follow in alarm.parts:
        book.consider(alarm, follow, cause)
    book.settle(alarm, cause)


def undo(book: AlarmBook, alarm: Alarm, fact: AnswerUndone, cause: Cause) -> None:
    """The answer is taken back, by the one who gave it and within its five seconds."""
    if alarm.answered_by == fact.by and fact.at_ms - alarm.answered_ms <= UNDO_MS:
        book.end_answer(alarm, cause, EntryKind.ANSWER_UNDONE, Reason.SAID_BY_PERSON)


def pass_on(book: AlarmBook, alarm: Alarm, fact: PassedOn, cause: Cause) -> None:
    """Whoever was called says: call the next one. Nobody has it, so nothing falls silent."""
    if alarm.climb and alarm.climb.due_ms < NEVER_MS:
        book.write(alarm.entry(EntryKind.PASSED_ON, fact.at_ms, Reason.SAID_BY_PERSON, person=fact.by))
        ladder.pass_on(book, alarm, cause)
        book.settle(alarm, cause)


def snooze(book: AlarmBook, sharer: int, fact: Snoozed, cause: Cause) -> None:
    """One follow is left in peace about one family until a time."""
    family = Family(fact.family)
    alarm = book.alarms.get((sharer, family))
    if fact.until_ms <= fact.at_ms:
        book.snoozes.pop((fact.follow, family), None)
    else:
        book.snoozes[fact.follow, family] = fact.until_ms
        book.remind_snooze(sharer, family, fact.follow, fact.until_ms)
    if alarm:
        kind = EntryKind.SNOOZED if fact.until_ms > fact.at_ms else EntryKind.SNOOZE_ENDED
        book.write(
            alarm.entry(
                kind,
                fact.at_ms,
                Reason.SAID_BY_PERSON,
                follow=fact.follow,
                person=fact.by,
                until_ms=fact.until_ms,
            )
        )
    for concerned in book.open_alarms(sharer):
        if fact.follow in concerned.parts:
            book.consider(concerned, fact.follow, cause)
            book.settle(concerned, cause)
