"""What the templates draw, one struct for each part, gathered through the one door."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nightbell.account.person import Person
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.follow.follow import Follow, FollowState, Sight
from nightbell.follow.limits import Limits
from nightbell.follow.look import Look
from nightbell.web.asking import Asking
from nightbell.web.gather import Shown, alarms_of, look_at, look_at_all, name_of, story_of
from nightbell.web.ports import House
from nightbell.web.show.alarms import (
    AlarmLine,
    Reader,
    StoryEntry,
    ToldLine,
    alarm_line,
    alarm_text,
    chip_text,
    look_of,
    story_entry,
    told_line,
)
from nightbell.web.show.follows import LimitRow, limit_rows
from nightbell.web.show.readings import SPARK_HOURS, Seen, Spark, sparkline, summary_text
from nightbell.web.show.times import HOUR_MINUTES, MINUTE_MS, iso_text
from nightbell.web.show.ways import way_line
from nightbell.words.conditions import Family
from nightbell.words.glucose import shown

QUIET_CHOICES: Final = (
    (Family.LOW, (15, 30)),
    (Family.HIGH, (30, 60, 120, 240)),
    (Family.SILENCE, (15, 30, 60)),
)
"""What a follower may ask for on the page: within the longest of each (answer/rules.py)."""

CLOCK_WRONG_MS: Final = MINUTE_MS
"""A phone's clock that is wrong by less is not worth a word."""


class TileView(msgspec.Struct, frozen=True):
    """One person among others."""

    id: str
    name: str
    seen: Seen
    spark: Spark | None
    chip: str
    look: str
    notes: list[str]


class Row(msgspec.Struct, frozen=True):
    """One reading in a table."""

    time: str
    shown: str


class Quiet(msgspec.Struct, frozen=True):
    """One family and for how long one may be left in peace about it."""

    family: str
    minutes: tuple[int, ...]


class PersonView(msgspec.Struct, frozen=True):
    """One person, whole.

    Attributes:
        mine: Whether it is the viewer.
        quiet: What the viewer may ask for; empty if they are not told.
        limits: The viewer's own limits as a form; None if they have none here.
        limits_open: Whether the form is shown open, because something in it was not safe.
    """

    id: str
    name: str
    sharer: int
    mine: bool
    seen: Seen
    notes: list[str]
    graph: bool
    summary: str
    rows: list[Row]
    alarms: list[AlarmLine]
    quiet: list[Quiet]
    limits: list[LimitRow] | None
    limits_open: bool
    zone: str


class AlarmPageView(msgspec.Struct, frozen=True):
    """One alarm with its story."""

    id: str
    person: str
    name: str
    title: str
    look: str
    chip: str
    text: str
    entries: list[StoryEntry]
    told: list[ToldLine]
    cut: bool


class FollowView(msgspec.Struct, frozen=True):
    """One follow in a list, with what can be done about it."""

    id: str
    name: str
    state: str
    text: str
    verbs: list[str]
    graph: bool
    told: bool
    may_change: bool


class LookView(msgspec.Struct, frozen=True):
    """Somebody looked, once or several times in a row."""

    at_iso: str
    when: str
    who: str
    what: str


def _notes(house: House, one: Shown, reader: Reader) -> list[str]:
    words, notes = house.words, []
    if one.history_lost:
        notes.append(words.say("page.note_no_history"))
    if one.warm_up_until_ms:
        notes.append(words.say("page.note_warm_up", time=reader.clock(one.warm_up_until_ms)))
    if abs(one.clock_offset_ms) >= CLOCK_WRONG_MS:
        minutes = round(abs(one.clock_offset_ms) / MINUTE_MS)
        notes.append(words.say("page.note_clock", n=minutes))
    if one.follow is not None and not one.follow.may_be_told:
        notes.append(words.say("page.note_not_told", name=one.person.name))
    if one.sight is Sight.NUMBER:
        notes.append(words.say("page.note_number_only"))
    for follow in house.follows.of_sharer(one.person.id):
        if follow.state is not FollowState.ACTIVE:
            continue
        for family, until_ms in house.evaluation.snoozed_until_ms(follow.number).items():
            if until_ms > reader.now_ms:
                slots = {"name": reader.name_of(follow.follower), "time": reader.clock(until_ms)}
                notes.append(words.say("page.note_snoozed", what=words.say(f"page.family_{family}"), **slots))
    return notes


async def tile_views(house: House, asking: Asking) -> list[TileView]:
    """Everybody the caller may see."""
    caller, reader, now_ms = asking
    views = []
    for one in await look_at_all(house, caller, hours=SPARK_HOURS, now_ms=now_ms):
        worst = one.alarms[0] if one.alarms else None
        mine = one.person.id == caller.person.id
        views.append(
            TileView(
                id=one.person.id,
                name=house.words.say("page.you", name=one.person.name) if mine else one.person.name,
                seen=one.seen(reader),
                spark=sparkline(one.recent, span=one.span, unit=reader.unit, words=house.words, now_ms=now_ms)
                if one.recent
                else None,
                chip=chip_text(worst, reader) if worst else "",
                look=look_of(worst) if worst else "",
                notes=_notes(house, one, reader),
            )
        )
    return views


def waiting_lines(house: House, asking: Asking) -> list[str]:
    """Ways that no longer reach one, and what waits for a yes, the other's or one's own."""
    me = asking.caller.person.id
    mine = [
        house.words.say("page.home_waiting", name=name_of(house, follow.sharer))
        for follow in house.follows.of_follower(me)
        if follow.state is FollowState.ACCEPTED
    ]
    theirs = [
        house.words.say("page.home_wants", name=name_of(house, follow.follower))
        for follow in house.follows.of_sharer(me)
        if follow.state is FollowState.ACCEPTED
    ]
    lost = [
        house.words.say("page.home_way_lost", way=way_line(way, house.place.channels, asking.reader).name)
        for way in house.ways.of(asking.caller.person)
        if way.lost_ms
    ]
    return lost + theirs + mine


async def person_view(
    house: House, asking: Asking, person: Person, *, typed: Limits | None = None
) -> PersonView:
    """One person, whole. `typed` are limits that were not safe, to be shown again."""
    caller, reader, now_ms = asking
    one = await look_at(house, caller, person, what="person", hours=SPARK_HOURS, now_ms=now_ms)
    alarms = await alarms_of(house, person)
    follow, told = one.follow, one.follow is not None and one.follow.may_be_told
    in_a_bar = {
        alarm.id
        for alarm in one.alarms
        if follow is None or house.board.newest_told(alarm.id, caller.person.id) is not None
    }
    return PersonView(
        id=person.id,
        name=person.name,
        sharer=person.sharer,
        mine=person.id == caller.person.id,
        seen=one.seen(reader),
        notes=_notes(house, one, reader),
        graph=one.sight is Sight.GRAPH,
        summary=summary_text(one.recent, hours=SPARK_HOURS, unit=reader.unit, words=house.words),
        rows=[
            Row(reader.clock(reading.measured_ms), shown(reading.level, reader.unit))
            for reading in reversed(one.recent)
        ],
        alarms=[_line(alarm, reader, in_a_bar=alarm.id in in_a_bar) for alarm in alarms],
        quiet=[Quiet(family.value, minutes) for family, minutes in QUIET_CHOICES] if told else [],
        limits=limit_rows(typed or follow.limits, reader.unit) if follow is not None and told else None,
        limits_open=typed is not None,
        zone=reader.zone,
    )


def _line(alarm: AlarmView, reader: Reader, *, in_a_bar: bool) -> AlarmLine:
    """An alarm in the list, with its own button where no bar has one."""
    line = alarm_line(alarm, reader)
    may_answer = alarm.state is AlarmState.RINGING and not in_a_bar
    return msgspec.structs.replace(line, may_answer=may_answer)


async def alarm_view(house: House, asking: Asking, alarm_id: str) -> AlarmPageView:
    """One alarm with its story."""
    caller, reader, now_ms = asking
    alarm, person, timeline = await story_of(house, caller, alarm_id, now_ms=now_ms)
    title = house.words.say("page.alarm_title", name=person.name, condition=reader.condition(alarm.condition))
    return AlarmPageView(
        id=alarm.id,
        person=person.id,
        name=person.name,
        title=title,
        look=look_of(alarm),
        chip=chip_text(alarm, reader),
        text=alarm_text(alarm, reader),
        entries=[story_entry(entry, reader) for entry in (timeline.entries if timeline else ())],
        told=[told_line(told, alarm, reader) for told in (timeline.told if timeline else ())],
        cut=timeline is not None and timeline.cut,
    )


def _permissions(house: House, follow: Follow) -> str:
    words = house.words
    sees = words.say("page.follow_sees_graph" if follow.may_see_graph else "page.follow_sees_number")
    told = words.say("page.follow_is_told" if follow.may_be_told else "page.follow_not_told")
    return f"{sees} {told}"


_SHARER_VERBS: Final = {
    FollowState.ACCEPTED: ["confirm", "refuse"],
    FollowState.ACTIVE: ["pause", "end"],
    FollowState.PAUSED: ["resume", "end"],
    FollowState.ENDED: [],
}


def follower_views(house: House, asking: Asking) -> list[FollowView]:
    """Who follows the caller, those who wait first."""
    follows = [
        follow
        for follow in house.follows.of_sharer(asking.caller.person.id)
        if follow.state is not FollowState.ENDED
    ]
    views = [
        FollowView(
            id=follow.id,
            name=name_of(house, follow.follower),
            state=follow.state.value,
            text=_permissions(house, follow),
            verbs=_SHARER_VERBS[follow.state],
            graph=follow.may_see_graph,
            told=follow.may_be_told,
            may_change=True,
        )
        for follow in follows
    ]
    return sorted(views, key=lambda view: (view.state != FollowState.ACCEPTED, view.name.casefold()))


def following_views(house: House, asking: Asking) -> list[FollowView]:
    """Whom the caller follows."""
    views = [
        FollowView(
            id=follow.id,
            name=name_of(house, follow.sharer),
            state=follow.state.value,
            text=_permissions(house, follow),
            verbs=["end"],
            graph=follow.may_see_graph,
            told=follow.may_be_told,
            may_change=False,
        )
        for follow in house.follows.of_follower(asking.caller.person.id)
        if follow.state is not FollowState.ENDED
    ]
    return sorted(views, key=lambda view: view.name.casefold())


_SAME_LOOK_MS: Final = HOUR_MINUTES * MINUTE_MS


def look_views(looks: Sequence[Look], reader: Reader) -> list[LookView]:
    """Who looked, newest first; the same within an hour is one line that counts."""
    runs: list[tuple[Look, int]] = []
    for look in looks:
        last = next(
            (
                at
                for at, (first, _) in enumerate(runs)
                if (first.viewer, first.what) == (look.viewer, look.what)
                and first.at_ms - look.at_ms < _SAME_LOOK_MS
            ),
            None,
        )
        if last is None:
            runs.append((look, 1))
        else:
            runs[last] = (runs[last][0], runs[last][1] + 1)
    return [_look_view(look, times, reader) for look, times in runs]


def _look_view(look: Look, times: int, reader: Reader) -> LookView:
    key = f"page.look_{look.what}"
    what = reader.words.say(key) if reader.words.has(key) else look.what
    return LookView(
        at_iso=iso_text(look.at_ms),
        when=reader.clock(look.at_ms),
        who=reader.name_of(look.viewer),
        what=what if times == 1 else reader.words.say("page.look_times", what=what, n=times),
    )
