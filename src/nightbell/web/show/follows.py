"""Follows and limits as a person reads and types them."""

from collections.abc import Mapping
from typing import Final

import msgspec

from nightbell.follow.limits import ALL_DAYS, ConditionLimit, Hours, Limits, Typed
from nightbell.web.show.times import HOUR_MINUTES
from nightbell.words.catalogue import Catalogue
from nightbell.words.conditions import Condition
from nightbell.words.errors import CallerError, ErrorCode
from nightbell.words.glucose import Unit

_ORDER: Final = (
    Condition.URGENT_LOW,
    Condition.URGENT_LOW_SOON,
    Condition.LOW,
    Condition.FALLING_FAST,
    Condition.NO_READINGS,
    Condition.URGENT_HIGH,
    Condition.URGENT_HIGH_SOON,
    Condition.HIGH,
    Condition.RISING_FAST,
)
"""As a worried person reads them: what may kill first."""

_FIXED: Final = frozenset({Condition.URGENT_LOW, Condition.NO_READINGS})
_RATES: Final = frozenset({Condition.FALLING_FAST, Condition.RISING_FAST})
_NO_HOURS: Final = _FIXED
_NO_DELAY: Final = frozenset({Condition.URGENT_LOW})
_MINUTES_DIGITS: Final = 4


def invitation_link(public_url: str, secret: str) -> str:
    """The link to give away. What stands behind the # is never sent to a server, and so is in no log."""
    return f"{public_url}/invitation#{secret}"


class LimitRow(msgspec.Struct, frozen=True):
    """One condition in the form.

    Attributes:
        value: As typed; None where the condition has no limit of its own.
        per: `value` or `minute`: what the unit is per.
        begins: As `22:00`; empty is always.
    """

    word: str
    fixed: bool
    on: bool
    value: str | None
    unit: str
    per: str
    may_delay: bool
    delay: int
    repeat: int
    may_hours: bool
    begins: str
    ends: str
    days: int


def _minute_text(minute: int) -> str:
    return f"{minute // HOUR_MINUTES:02}:{minute % HOUR_MINUTES:02}"


def limit_rows(limits: Limits, unit: Unit) -> list[LimitRow]:
    """The form of one follower's limits; `unit` is for limits that nobody has typed yet."""
    return [_limit_row(condition, limits.of(condition), unit) for condition in _ORDER]


def _limit_row(condition: Condition, chosen: ConditionLimit, unit: Unit) -> LimitRow:
    hours = chosen.hours
    return LimitRow(
        word=condition.word,
        fixed=condition in _FIXED,
        on=chosen.on,
        value=chosen.limit.value if chosen.limit else None,
        unit=(chosen.limit.unit if chosen.limit else unit).value,
        per="minute" if condition in _RATES else "value",
        may_delay=condition not in _NO_DELAY,
        delay=chosen.delay_minutes,
        repeat=chosen.repeat_minutes,
        may_hours=condition not in _NO_HOURS,
        begins=_minute_text(hours.begins_minute) if hours else "",
        ends=_minute_text(hours.ends_minute) if hours else "",
        days=hours.days if hours else ALL_DAYS,
    )


def limits_from(form: Mapping[str, str], before: Limits, words: Catalogue) -> Limits:
    """The limits that a filled form asks for; what is not in the form stays as it was.

    Raises:
        CallerError: `GUARDRAIL`: something is not a number or not a time; the sentence names it.
    """
    chosen = {
        condition.word: _limit_from(condition, form, before.of(condition), words) for condition in Condition
    }
    return Limits(**chosen)


def _limit_from(
    condition: Condition, form: Mapping[str, str], before: ConditionLimit, words: Catalogue
) -> ConditionLimit:
    word = condition.word
    what = words.say(f"page.condition_{word}")

    def minutes(field: str, kept: int) -> int:
        text = form.get(f"{word}.{field}", str(kept)).strip() or "0"
        if not (text.isascii() and text.isdecimal() and len(text) <= _MINUTES_DIGITS):
            raise CallerError(
                ErrorCode.GUARDRAIL, words.say("page.limit_bad_number", what=what), condition=word
            )
        return int(text)

    limit = before.limit
    if limit is not None and f"{word}.value" in form:
        unit = Unit.MMOL if form.get(f"{word}.unit") == Unit.MMOL.value else Unit.MGDL
        limit = Typed(form[f"{word}.value"].strip(), unit)
    return ConditionLimit(
        on=condition in _FIXED or form.get(f"{word}.on") == "yes",
        limit=limit,
        delay_minutes=minutes("delay", before.delay_minutes),
        repeat_minutes=minutes("repeat", before.repeat_minutes),
        hours=_hours_from(word, form, before.hours, words, what),
    )


def _hours_from(
    word: str, form: Mapping[str, str], before: Hours | None, words: Catalogue, what: str
) -> Hours | None:
    if f"{word}.begins" not in form and f"{word}.ends" not in form:
        return before
    begins, ends = form.get(f"{word}.begins", "").strip(), form.get(f"{word}.ends", "").strip()
    if not begins and not ends:
        return None
    begins_minute, ends_minute = _minute_of(begins), _minute_of(ends)
    days = form.get(f"{word}.days", "")
    if begins_minute is None or ends_minute is None:
        raise CallerError(ErrorCode.GUARDRAIL, words.say("page.limit_bad_time", what=what), condition=word)
    kept = int(days) if days.isascii() and days.isdecimal() and 0 < len(days) <= _MINUTES_DIGITS else ALL_DAYS
    return Hours(begins_minute, ends_minute, kept & ALL_DAYS or ALL_DAYS)


def _minute_of(text: str) -> int | None:
    hour, colon, minute = text.partition(":")
    digits = f"{hour}{minute[:2]}"
    if not colon or not digits.isascii() or not digits.isdecimal() or len(digits) != _MINUTES_DIGITS:
        return None
    minutes = int(hour) * HOUR_MINUTES + int(minute[:2])
    return minutes if int(minute[:2]) < HOUR_MINUTES and minutes < 24 * HOUR_MINUTES else None
