"""The people one follows: how they are, their readings, their alarms."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from nightbell.follow.follow import Sight
from nightbell.web.api.forms import alarm_out, reading_out, tile_out
from nightbell.web.asking import InAsking, InHouse
from nightbell.web.gather import (
    HOUR_MS,
    alarms_of,
    follow_of,
    is_watching,
    limits_of,
    look_at,
    look_at_all,
    newest_of,
    nothing_here,
    readings_of,
    sharer_of,
)
from nightbell.web.show.readings import limit_lines, rely_until_ms, summary_text
from nightbell.web.wire import Alarms, Done, OnePerson, Readings, SensorIn, Snooze, Tiles
from nightbell.words.conditions import Family

PersonId = Annotated[str, PathParameter(description="Person id.", max_length=64)]
Hours = Annotated[int, QueryParameter(description="How many hours, 1 to 24.", ge=1, le=24)]

CHANGE_HOURS = 1
"""How far back readings are read to say how the number changes."""


class PeopleApi(Controller):
    """Whoever may be seen."""

    path = "/v1"
    tags = ("people",)

    @get("/people", operation_id="people")
    async def people(self, house: InHouse, asking: InAsking) -> Tiles:
        """Everybody the caller may see, most urgent first, then those nothing is known of, then by name."""
        caller, reader, now_ms = asking
        shown = await look_at_all(house, caller, hours=CHANGE_HOURS, now_ms=now_ms)
        tiles = [tile_out(one, reader) for one in shown]
        return Tiles(
            server_ms=now_ms,
            watching=is_watching(house, now_ms),
            rely_until_ms=min((tile.rely_until_ms for tile in tiles), default=0),
            people=tiles,
        )

    @get("/people/{person_id:str}", operation_id="person")
    async def person(self, house: InHouse, asking: InAsking, person_id: PersonId) -> OnePerson:
        """One person, as they are now."""
        caller, reader, now_ms = asking
        person = sharer_of(house, person_id)
        shown = await look_at(house, caller, person, what="person", hours=CHANGE_HOURS, now_ms=now_ms)
        tile = tile_out(shown, reader)
        return OnePerson(now_ms, is_watching(house, now_ms), tile.rely_until_ms, tile)

    @get("/people/{person_id:str}/readings", operation_id="readings")
    async def readings(
        self, house: InHouse, asking: InAsking, person_id: PersonId, hours: Hours = 3
    ) -> Readings:
        """Readings of the last hours, for a graph; only with sight of the graph."""
        caller, reader, now_ms = asking
        person = sharer_of(house, person_id)
        sight = await house.access.open(
            viewer=caller.identity, sharer=person.sharer, what="readings", now_ms=now_ms
        )
        if sight is not Sight.GRAPH:
            raise nothing_here(house)
        readings = await readings_of(house, person.sharer, hours=hours, now_ms=now_ms)
        newest = newest_of(house, person.sharer)
        limits = limits_of(follow_of(house, caller, person.sharer), caller)
        return Readings(
            server_ms=now_ms,
            rely_until_ms=rely_until_ms(newest.measured_ms if newest else 0),
            from_ms=now_ms - hours * HOUR_MS,
            to_ms=now_ms,
            unit=reader.unit,
            points=[reading_out(reading, reader) for reading in readings],
            lines=limit_lines(limits, reader.unit),
            summary=summary_text(readings, hours=hours, unit=reader.unit, words=house.words),
        )

    @get("/people/{person_id:str}/alarms", operation_id="alarms")
    async def alarms(self, house: InHouse, asking: InAsking, person_id: PersonId) -> Alarms:
        """Alarms of one person, newest first."""
        caller, reader, now_ms = asking
        person = sharer_of(house, person_id)
        shown = await look_at(house, caller, person, what="alarms", hours=0, now_ms=now_ms)
        return Alarms(
            server_ms=now_ms,
            rely_until_ms=rely_until_ms(shown.newest.measured_ms if shown.newest else 0),
            alarms=[alarm_out(alarm, person, reader) for alarm in await alarms_of(house, person)],
        )

    @post("/people/{person_id:str}/snooze", status_code=200, operation_id="snooze")
    async def snooze(
        self, house: InHouse, asking: InAsking, person_id: PersonId, data: JSONBody[Snooze]
    ) -> Done:
        """Be left in peace about one family for a while. It ends by itself and never hides urgent low."""
        person = sharer_of(house, person_id)
        follow = follow_of(house, asking.caller, person.sharer)
        if follow is None:
            raise nothing_here(house)
        await house.answers.snooze(
            follow_id=follow.id,
            family=Family(data.family),
            minutes=data.minutes,
            identity=asking.caller.identity,
            now_ms=asking.now_ms,
        )
        return Done()

    @post("/sensor", status_code=200, operation_id="sensor_started")
    async def sensor(self, house: InHouse, asking: InAsking, data: JSONBody[SensorIn]) -> Done:
        """Say that a new sensor warms up: nobody is told of missing readings meanwhile; it ends by itself."""
        await house.answers.sensor_started(
            identity=asking.caller.identity, warm_up_minutes=data.warm_up_minutes, now_ms=asking.now_ms
        )
        return Done()
