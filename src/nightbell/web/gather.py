"""Gathers what one person may be shown, for the API and the pages alike. Every look goes through `access`."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.account.person import Person
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.deliver.record import Timeline
from nightbell.follow.bounds import bounds
from nightbell.follow.defaults import default_limits
from nightbell.follow.follow import Follow, FollowState, Sight
from nightbell.follow.limits import Limits
from nightbell.publish.reading import Reading
from nightbell.web.guard import Caller
from nightbell.web.ports import House
from nightbell.web.show.alarms import Reader, urgency
from nightbell.web.show.readings import Freshness, Range, Seen, freshness, see
from nightbell.web.show.times import HOUR_MINUTES, MINUTE_MS
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.trend import Trend

HOUR_MS: Final = HOUR_MINUTES * MINUTE_MS
HOURS_MAX: Final = 24
READINGS_MAX: Final = 2_000
"""Most readings in one answer: 24 h at one a minute, and some more."""

ALARMS_SHOWN: Final = 20
TICK_STALE_MS: Final = 5_000
"""Evaluation that is further behind than this does not watch: as the stream's heartbeat says it."""


class Shown(NamedTuple):
    """One person as the caller may see them now.

    Attributes:
        follow: Through which they are seen; None for oneself.
        recent: Readings of the last hours, oldest first; empty without sight of the graph.
        alarms: Open alarms of which somebody was told, most urgent first.
        history_lost: Whether readings could not be read now.
    """

    person: Person
    follow: Follow | None
    sight: Sight
    newest: Reading | None
    recent: list[Reading]
    span: Range
    alarms: list[AlarmView]
    warm_up_until_ms: int
    clock_offset_ms: int
    history_lost: bool

    def seen(self, reader: Reader) -> Seen:
        """The newest reading for a screen."""
        return see(
            self.newest,
            self.recent,
            span=self.span,
            unit=reader.unit,
            zone=reader.zone,
            words=reader.words,
            now_ms=reader.now_ms,
        )


def is_watching(house: House, now_ms: int) -> bool:
    """Whether alarms are being evaluated now."""
    tick_ms = house.evaluation.evaluated_tick_ms
    return tick_ms > 0 and now_ms - tick_ms <= TICK_STALE_MS


def reader_of(caller: Caller, house: House, now_ms: int) -> Reader:
    """For whom words are made."""
    return Reader(
        person=caller.person.id,
        unit=caller.person.unit,
        zone=caller.person.zone,
        words=house.words,
        name_of=lambda person_id: name_of(house, person_id),
        now_ms=now_ms,
    )


def name_of(house: House, person_id: str) -> str:
    """A person's name, or a word for somebody who is gone."""
    person = house.accounts.person(person_id)
    return house.words.say("page.somebody") if person is None else person.name


def nothing_here(house: House) -> CallerError:
    """The one answer for what is not there and for what may not be seen: they can not be told apart."""
    return CallerError(ErrorCode.NOT_FOUND, house.words.say("errors.not_found"))


def sharer_of(house: House, person_id: str) -> Person:
    """The person of this id, who shares.

    Raises:
        CallerError: `NOT_FOUND`.
    """
    person = house.accounts.person(person_id)
    if person is None or person.sharer < 0:
        raise nothing_here(house)
    return person


def follow_of(house: House, caller: Caller, sharer: int) -> Follow | None:
    """The caller's own active follow of a sharer."""
    for follow in house.follows.of_follower(caller.person.id):
        if follow.sharer_number == sharer and follow.state is FollowState.ACTIVE:
            return follow
    return None


def limits_of(follow: Follow | None, caller: Caller) -> Limits:
    """The limits by which the caller sees: their own, or for themselves the ones everybody starts with."""
    return default_limits(caller.person.unit) if follow is None else follow.limits


def range_of(limits: Limits) -> Range:
    """What counts as low and high."""
    compared = bounds(limits)
    return Range(compared.low_at_most, compared.high_at_least)


def readings_in(packed: NDArray[np.void]) -> list[Reading]:
    """Packed readings as readings."""
    return [Reading(0, int(row["measured_ms"]), 0, int(row["level"]), int(row["trend"]), 0) for row in packed]


async def readings_of(house: House, sharer: int, *, hours: int, now_ms: int) -> list[Reading]:
    """Readings of the last hours, oldest first. The caller has opened the door."""
    packed = await house.history.readings(
        sharer=sharer, from_ms=now_ms - hours * HOUR_MS, to_ms=now_ms + MINUTE_MS, most=READINGS_MAX
    )
    return readings_in(packed)


def newest_of(house: House, sharer: int) -> Reading | None:
    """The newest reading; also one that could not be made durable, for it may be the one that matters."""
    durable = house.history.newest(sharer)
    state = house.evaluation.state_of(sharer)
    # History keeps whole seconds.
    if state.measured_ms // 1000 > (durable.measured_ms // 1000 if durable else 0):
        return Reading(sharer, state.measured_ms, 0, state.level, Trend.NONE, 0)
    return durable


def open_alarms(house: House, sharer: int) -> list[AlarmView]:
    """Open alarms of which somebody was told, most urgent first."""
    raised = [
        alarm for alarm in house.evaluation.open_alarms(sharer) if alarm.state is not AlarmState.PENDING
    ]
    return sorted(raised, key=urgency, reverse=True)


async def look_at(
    house: House, caller: Caller, person: Person, *, what: str, hours: int, now_ms: int
) -> Shown:
    """Open the door to one person and see how they are.

    `what` it is for stands in the record of looks. `hours` of readings come with it, none without sight of
    the graph.

    Raises:
        CallerError: `NOT_FOUND`: the caller may see nothing.
    """
    sight = await house.access.open(viewer=caller.identity, sharer=person.sharer, what=what, now_ms=now_ms)
    follow = None if person.id == caller.person.id else follow_of(house, caller, person.sharer)
    recent, history_lost = [], False
    if sight is Sight.GRAPH and hours:
        try:
            recent = await readings_of(house, person.sharer, hours=hours, now_ms=now_ms)
        except PlatformError:
            # The newest number is in memory: it must not vanish because the graph can not be read.
            history_lost = True
    state = house.evaluation.state_of(person.sharer)
    return Shown(
        person=person,
        follow=follow,
        sight=sight,
        newest=newest_of(house, person.sharer),
        recent=recent,
        span=range_of(limits_of(follow, caller)),
        alarms=open_alarms(house, person.sharer),
        warm_up_until_ms=state.warm_up_until_ms if state.warm_up_until_ms > now_ms else 0,
        clock_offset_ms=state.clock_offset_ms,
        history_lost=history_lost,
    )


def visible_sharers(house: House, caller: Caller) -> list[Person]:
    """Everybody whose readings the caller may see now, themselves included."""
    numbers = [
        follow.sharer_number
        for follow in house.follows.of_follower(caller.person.id)
        if follow.state is FollowState.ACTIVE
    ]
    if caller.person.sharer >= 0:
        numbers.append(caller.person.sharer)
    people = (house.accounts.sharer(number) for number in dict.fromkeys(numbers))
    return [
        person
        for person in people
        if person is not None
        and house.access.may_see(viewer=caller.identity, sharer=person.sharer) is not Sight.NOTHING
    ]


async def look_at_all(house: House, caller: Caller, *, hours: int, now_ms: int) -> list[Shown]:
    """Everybody the caller may see: the most urgent first, then those we know nothing of, then by name."""
    shown = [
        await look_at(house, caller, person, what="home", hours=hours, now_ms=now_ms)
        for person in visible_sharers(house, caller)
    ]

    def order(one: Shown) -> tuple[int, bool, str]:
        most = max((urgency(alarm) for alarm in one.alarms), default=0)
        known = freshness(one.newest.measured_ms if one.newest else 0, now_ms) is Freshness.FRESH
        return (-most, known, one.person.name.casefold())

    return sorted(shown, key=order)


async def alarm_of(house: House, caller: Caller, alarm_id: str) -> tuple[AlarmView, Person]:
    """One alarm that the caller may see, and whose it is. The record of looks is not written.

    Raises:
        CallerError: `NOT_FOUND`.
    """
    alarm = house.evaluation.open_alarm(alarm_id) or await house.deliver.alarm(alarm_id)
    person = None if alarm is None else house.accounts.sharer(alarm.sharer)
    if alarm is None or person is None:
        raise nothing_here(house)
    if house.access.may_see(viewer=caller.identity, sharer=alarm.sharer) is Sight.NOTHING:
        raise nothing_here(house)
    return alarm, person


async def story_of(
    house: House, caller: Caller, alarm_id: str, *, now_ms: int
) -> tuple[AlarmView, Person, Timeline | None]:
    """One alarm with everything that happened; the look is written down.

    Raises:
        CallerError: `NOT_FOUND`.
    """
    alarm, person = await alarm_of(house, caller, alarm_id)
    await house.access.open(viewer=caller.identity, sharer=alarm.sharer, what="alarm", now_ms=now_ms)
    return alarm, person, await house.deliver.timeline(alarm_id)


async def alarms_of(house: House, person: Person) -> list[AlarmView]:
    """Alarms of one person, newest first, open ones as they stand now. The door was opened."""
    try:
        kept = await house.deliver.alarms_of(sharer=person.sharer, limit=ALARMS_SHOWN)
    except PlatformError:
        kept = []  # those that are open are in memory
    now = {alarm.id: alarm for alarm in open_alarms(house, person.sharer)}
    known = {alarm.id for alarm in kept}
    fresh = [alarm for alarm in now.values() if alarm.id not in known]
    return fresh + [now.get(alarm.id, alarm) for alarm in kept]
