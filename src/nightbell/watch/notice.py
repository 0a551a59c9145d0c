"""What one person is told about an incident: their sharers by name, their own clock, their own unit.

Every first notice has the six parts that people need in a crisis: that we are sorry, what is sure, what is
not known, what to do now, when the next word comes, and where to look. Source: `crisis-words`, after CDC's
CERC.
"""

from datetime import timedelta, tzinfo
from typing import Final

from nightbell.tell.message import SUBJECT_LENGTH_MAX, Message
from nightbell.watch.evidence import Detector
from nightbell.watch.judge import Announce, Incident, NoticeKind
from nightbell.watch.roster import Affected
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import NEVER_MS, from_ms
from nightbell.words.glucose import Unit
from nightbell.words.zones import zone_or_utc

LOW_LIMIT_SHOWN: Final = {Unit.MGDL: "70", Unit.MMOL: "3.9"}
"""Below it is low: blueprint section 11, the ADA's level 1."""

HOUR_MINUTES: Final = 60
NAMES_SHOWN: Final = 2
NAME_IN_SUBJECT_MAX: Final = 30
"""Letters of a name in a subject; more than fits a lock screen anyway."""


def time_of_day(at_ms: int, zone: tzinfo, *, now_ms: int) -> str:
    """An instant on the reader's clock, as `02:04 CET`; with its day where that is not today."""
    at = from_ms(at_ms).astimezone(zone)
    same_day = at.date() == from_ms(now_ms).astimezone(zone).date()
    return f"{at:%H:%M %Z}" if same_day else f"{at:%a %H:%M %Z}"


def span(duration_ms: int, words: Catalogue) -> str:
    """A duration in words; never less than a minute, for a reader in the night needs no seconds."""
    minutes = max(1, round(timedelta(milliseconds=duration_ms) / timedelta(minutes=1)))
    if minutes == 1:
        return words.say("notice.span_minute")
    if minutes < 2 * HOUR_MINUTES:
        return words.say("notice.span_minutes", n=minutes)
    hours, rest = divmod(minutes, HOUR_MINUTES)
    return words.say("notice.span_hours", h=hours, n=rest)


def names_in_words(names: tuple[str, ...], words: Catalogue, *, letters_max: int = 80) -> str:
    """`Ana`, `Ana and Ben`, `Ana and 3 more`; on one line whatever is in a name."""
    short = [" ".join(name.split())[:letters_max] for name in names]
    if len(short) == 1:
        return short[0]
    if len(short) == NAMES_SHOWN:
        return words.say("notice.names_two", first=short[0], second=short[1])
    return words.say("notice.names_more", first=short[0], n=len(short) - 1)


def message_of(
    announce: Announce, hit: Affected, words: Catalogue, *, page_url: str, shift_ms: int
) -> Message:
    """The message for one person.

    Args:
        announce: What is announced.
        hit: Whom it concerns, and whose readings they miss.
        words: In their language.
        page_url: Where the status page is; empty if nobody told us.
        shift_ms: What to add to our steady time to get the time of day.
    """
    telling = _Telling(announce, hit, words, page_url=page_url, shift_ms=shift_ms)
    if announce.incident.only_answers:
        subject, lines = telling.about_answers()
    elif announce.kind is NoticeKind.FIRST:
        subject, lines = telling.first()
    elif announce.kind is NoticeKind.UPDATE:
        subject, lines = telling.update()
    else:
        subject, lines = telling.clear()
    return Message(
        id=announce.notice,
        to=hit.person.person,
        subject=subject[:SUBJECT_LENGTH_MAX],
        text="\n".join(lines) + "\n",
        urgent=announce.kind is NoticeKind.FIRST,
        expires_ms=NEVER_MS,
        made_ms=announce.at_ms + shift_ms,
    )


class _Telling:
    """The sentences for one person, with what they have in common."""

    def __init__(
        self, announce: Announce, hit: Affected, words: Catalogue, *, page_url: str, shift_ms: int
    ) -> None:
        self._words = words
        self._incident: Incident = announce.incident
        self._kind = announce.kind
        self._hit = hit
        self._page_url = page_url
        zone = zone_or_utc(hit.person.zone)
        now_ms = announce.at_ms + shift_ms
        self._now = time_of_day(now_ms, zone, now_ms=now_ms)
        self._since = time_of_day(self._incident.since_ms + shift_ms, zone, now_ms=now_ms)
        self._next = time_of_day(announce.next_ms + shift_ms, zone, now_ms=now_ms) if announce.next_ms else ""
        self._span = span(announce.at_ms - self._incident.since_ms, words)
        self._names = names_in_words(hit.sharers, words) if hit.sharers else ""
        self._brief = (
            names_in_words(hit.sharers, words, letters_max=NAME_IN_SUBJECT_MAX) if hit.sharers else ""
        )

    def _both(self, key: str, **slots: str) -> list[str]:
        """The sentence about those they follow, and the one about themselves, as far as they apply."""
        lines = []
        if self._hit.sharers:
            lines.append(self._words.say(f"notice.{key}", names=self._names, **slots))
        if self._hit.shares:
            lines.append(self._words.say(f"notice.{key}_self", names=self._names, **slots))
        return lines

    def _subject(self, key: str, **slots: str) -> str:
        own = "" if self._hit.sharers else "_self"
        return self._words.say(f"notice.{key}{own}", names=self._brief, **slots)

    def _known(self) -> str:
        failing = set(self._incident.failing)
        if {Detector.DOOR, Detector.STREAM} <= failing:
            return self._words.say("notice.know_both")
        if Detector.DOOR in failing:
            return self._words.say("notice.know_door")
        if Detector.STREAM in failing:
            return self._words.say("notice.know_stream")
        return self._words.say("notice.know_alarm")

    def _foot(self) -> list[str]:
        lines = [self._words.say("notice.next", time=self._next)] if self._next else []
        if self._page_url:
            lines.append(self._words.say("notice.page", url=self._page_url))
        return lines

    def first(self) -> tuple[str, list[str]]:
        """You are NOT being watched, and what to do."""
        say = self._words.say
        limit = LOW_LIMIT_SHOWN[self._hit.person.unit]
        return self._subject("first_subject"), [
            say("notice.first_head"),
            *self._both("since", time=self._since),
            say("notice.fault"),
            "",
            say("notice.do"),
            *self._both("check"),
            say("notice.clock"),
            *self._both("low", limit=limit),
            *self._both("severe"),
            say("notice.plan"),
            "",
            self._known(),
            say("notice.unknown"),
            *self._foot(),
        ]

    def update(self) -> tuple[str, list[str]]:
        """Still not, and when the next word comes."""
        say = self._words.say
        return self._subject("update_subject", time=self._next), [
            say("notice.update_head", time=self._now),
            *self._both("update_since", since=self._since, span=self._span),
            self._known(),
            say("notice.unknown"),
            "",
            *self._both("update_check"),
            *self._foot(),
        ]

    def clear(self) -> tuple[str, list[str]]:
        """We are watching again, and what was not watched."""
        say = self._words.say
        return self._subject("clear_subject"), [
            *self._both("clear_head", time=self._now),
            say("notice.clear_gap", since=self._since, time=self._now, span=self._span),
            say("notice.clear_proof"),
            say("notice.clear_check"),
            say("notice.clear_sorry"),
            *self._foot(),
        ]

    def about_answers(self) -> tuple[str, list[str]]:
        """People are warned, but what they answer is not taken."""
        say = self._words.say
        if self._kind is NoticeKind.CLEAR:
            clear = say("notice.answers_clear", time=self._now, since=self._since)
            return say("notice.answers_clear_subject"), [clear, *self._foot()]
        subject = (
            say("notice.answers_subject")
            if self._kind is NoticeKind.FIRST
            else say("notice.answers_update_subject", time=self._next)
        )
        return subject, [
            say("notice.answers_head", time=self._since),
            say("notice.answers_means"),
            say("notice.answers_do"),
            *self._foot(),
        ]
