"""From what the house knows to what the API says."""

from nightbell.account.person import Person
from nightbell.account.sign_in import SignedIn
from nightbell.alarm.effects import AlarmView
from nightbell.follow.follow import Follow
from nightbell.publish.reading import Reading
from nightbell.web.gather import Shown, name_of
from nightbell.web.ports import House
from nightbell.web.show.alarms import Reader, alarm_text
from nightbell.web.show.readings import Freshness, plot_value, rely_until_ms
from nightbell.web.wire import AlarmOut, FollowOut, Grant, Me, ReadingOut, Tile
from nightbell.words.conditions import Condition
from nightbell.words.glucose import is_censored, shown
from nightbell.words.trend import Trend


def grant_out(signed_in: SignedIn, *, by_cookie: bool) -> Grant:
    """A grant. One that lives in a cookie is not shown to the page's scripts."""
    return Grant(
        token="" if by_cookie else signed_in.token,
        expires_ms=signed_in.expires_ms,
        renew_ms=signed_in.renew_ms,
        person=signed_in.identity.person,
    )


def me_out(person: Person) -> Me:
    """A person, to themselves."""
    return Me(person.id, person.name, person.email, person.unit, person.zone, person.sharer, person.webhook)


def reading_out(reading: Reading, reader: Reader) -> ReadingOut:
    """One reading as its viewer reads it."""
    return ReadingOut(
        measured_ms=reading.measured_ms,
        glucose_mgdl=None if is_censored(reading.level) else reading.level,
        shown=shown(reading.level, reader.unit),
        plot=plot_value(reading.level, reader.unit),
        time=reader.clock(reading.measured_ms),
        trend=Trend(reading.trend).name.lower(),
    )


def alarm_out(alarm: AlarmView, person: Person, reader: Reader) -> AlarmOut:
    """One alarm as its viewer reads it."""
    return AlarmOut(
        id=alarm.id,
        person=person.id,
        family=alarm.family,
        condition=Condition(alarm.condition).word,
        state=alarm.state.value,
        unseen=alarm.unseen,
        opened_ms=alarm.opened_ms,
        raised_ms=alarm.raised_ms,
        resolved_ms=alarm.resolved_ms,
        answered_by=reader.name_of(alarm.answered_by) if alarm.answered_by else "",
        answered_ms=alarm.answered_ms,
        answered_until_ms=alarm.answered_until_ms,
        title=reader.condition(alarm.condition),
        text=alarm_text(alarm, reader),
    )


def tile_out(one: Shown, reader: Reader) -> Tile:
    """One person as they are now."""
    seen = one.seen(reader)
    fresh = seen.state is Freshness.FRESH
    return Tile(
        id=one.person.id,
        name=one.person.name,
        sharer=one.person.sharer,
        follow=one.follow.id if one.follow else "",
        sight=one.sight.name.lower(),
        freshness=seen.state.value,
        reading=reading_out(one.newest, reader) if one.newest else None,
        arrow=reader.words.say(f"page.way_{seen.arrow}") if fresh and seen.arrow else "",
        change=seen.change if fresh else "",
        rely_until_ms=rely_until_ms(one.newest.measured_ms if one.newest else 0),
        warm_up_until_ms=one.warm_up_until_ms,
        alarms=[alarm_out(alarm, one.person, reader) for alarm in one.alarms],
    )


def follow_out(follow: Follow, house: House) -> FollowOut:
    """One follow."""
    return FollowOut(
        id=follow.id,
        sharer=follow.sharer,
        sharer_name=name_of(house, follow.sharer),
        follower=follow.follower,
        follower_name=name_of(house, follow.follower),
        state=follow.state.value,
        may_see_graph=follow.may_see_graph,
        may_be_told=follow.may_be_told,
    )
