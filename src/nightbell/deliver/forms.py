"""From what happened to what one viewer reads: their language, their unit, names instead of ids. Pure."""

from typing import assert_never

import msgspec

from nightbell.alarm.effects import AlarmView, Notification
from nightbell.deliver.compose import RELY_FOR_MS, compose
from nightbell.deliver.events import (
    STREAM_FOR_MS,
    AlarmOut,
    AnswerChange,
    AnswerOut,
    NotificationOut,
    ReadingOut,
    View,
)
from nightbell.deliver.ports import Contact, Contacts
from nightbell.publish.reading import Reading
from nightbell.words.catalogue import Catalogue, catalogue
from nightbell.words.conditions import Condition
from nightbell.words.glucose import is_censored, shown
from nightbell.words.trend import Trend


def arrow_word(trend: int, words: Catalogue) -> str:
    """The word for an arrow."""
    key = f"page.way_{Trend(trend).name.lower()}"
    return words.say(key if words.has(key) else "page.no_arrow")


class Forms:
    """Makes the forms in which viewers read."""

    def __init__(self, contacts: Contacts, *, link: str = "") -> None:
        self._contacts = contacts
        self._link = link

    def view(self, person: str) -> View:
        """How this person reads."""
        contact = self._contact(person)
        return View(contact.unit, contact.language)

    def out(
        self, about: AlarmView | AnswerChange | Notification, view: View, *, now_ms: int
    ) -> tuple[str, msgspec.Struct]:
        """The name of the event and its form."""
        match about:
            case AlarmView():
                return "alarm", self.alarm(about, view, now_ms=now_ms)
            case AnswerChange():
                return "answer", self.answer(about, now_ms=now_ms)
            case Notification():
                return "notification", self.notification(about, now_ms=now_ms)
            case _:
                assert_never(about)

    def reading(self, reading: Reading, view: View, *, kept: bool, now_ms: int) -> ReadingOut:
        """A reading; `kept` is whether it is durable."""
        return ReadingOut(
            sharer=reading.sharer,
            shown=shown(reading.level, view.unit),
            unit=str(view.unit),
            level_mgdl=None if is_censored(reading.level) else reading.level,
            trend=Trend(reading.trend).name.lower(),
            arrow=arrow_word(reading.trend, catalogue(view.language)),
            measured_ms=reading.measured_ms,
            received_ms=reading.received_ms,
            rely_until_ms=reading.measured_ms + RELY_FOR_MS,
            kept=kept,
            stream_until_ms=now_ms + STREAM_FOR_MS,
        )

    def alarm(self, alarm: AlarmView, view: View, *, now_ms: int) -> AlarmOut:
        """An alarm."""
        condition = Condition(alarm.condition)
        words = catalogue(view.language)
        key = f"alarm.{condition.word}_{'unseen' if alarm.unseen else 'headline'}"
        return AlarmOut(
            id=alarm.id,
            sharer=alarm.sharer,
            family=alarm.family,
            condition=condition.word,
            headline=words.say(key, name=self._sharer_name(alarm.sharer, words)),
            state=str(alarm.state),
            unseen=alarm.unseen,
            version=alarm.version,
            opened_ms=alarm.opened_ms,
            raised_ms=alarm.raised_ms,
            resolved_ms=alarm.resolved_ms,
            answered_by=self._name(alarm.answered_by),
            answered_person=alarm.answered_by,
            answered_ms=alarm.answered_ms,
            answered_until_ms=alarm.answered_until_ms,
            stream_until_ms=now_ms + STREAM_FOR_MS,
        )

    def answer(self, change: AnswerChange, *, now_ms: int) -> AnswerOut:
        """Who has an alarm now."""
        alarm = change.alarm
        return AnswerOut(
            alarm=alarm.id,
            sharer=alarm.sharer,
            by=self._name(alarm.answered_by),
            person=alarm.answered_by,
            at_ms=alarm.answered_ms,
            until_ms=alarm.answered_until_ms,
            stream_until_ms=now_ms + STREAM_FOR_MS,
        )

    def notification(self, told: Notification, *, now_ms: int) -> NotificationOut:
        """What a follower is told, in the follower's own form."""
        contact = self._contact(told.follower)
        words = catalogue(contact.language)
        message = compose(
            told,
            contact=contact,
            sharer_name=self._contacts.sharer_name(told.sharer),
            name_of=self._name,
            now_ms=now_ms,
            words=words,
            link=self._link,
            heard_ms=self._contacts.heard_ms(told.sharer),
        )
        return NotificationOut(
            id=told.id,
            alarm=told.alarm,
            step=told.step,
            sharer=told.sharer,
            kind=str(told.kind),
            condition=Condition(told.condition).word,
            unseen=told.unseen,
            urgent=told.urgent,
            subject=message.subject,
            text=message.text,
            at_ms=told.at_ms,
            rely_until_ms=told.measured_ms + RELY_FOR_MS if told.level >= 0 else 0,
            stream_until_ms=now_ms + STREAM_FOR_MS,
        )

    def _contact(self, person: str) -> Contact:
        return self._contacts.contact(person) or Contact(person, "")

    def _name(self, person: str) -> str:
        """The name of a person; empty for nobody, "Somebody" for one who is gone."""
        if not person:
            return ""
        contact = self._contact(person)
        return contact.name or catalogue(contact.language).say("alarm.somebody")

    def _sharer_name(self, sharer: int, words: Catalogue) -> str:
        return self._contacts.sharer_name(sharer) or words.say("alarm.the_sharer")
