"""How the person who asks is reached."""

from litestar import Controller, delete, get, put
from litestar.params import JSONBody

from nightbell.account.way import Way
from nightbell.web.asking import Asking, InAsking, InHouse
from nightbell.web.ports import House
from nightbell.web.show.ways import lost_text, way_line
from nightbell.web.wire import WayGone, WayIn, WayOut, WaysOut


class WaysApi(Controller):
    """One's own ways: nobody sees another's."""

    path = "/v1"
    tags = ("ways",)

    @get("/ways", operation_id="ways")
    async def ways(self, house: InHouse, asking: InAsking) -> WaysOut:
        """How the caller is reached. Addresses are shown shortened, never whole."""
        return _ways_out(house, asking)

    @put("/ways", operation_id="add_way")
    async def add(self, house: InHouse, asking: InAsking, data: JSONBody[WayIn]) -> WayOut:
        """Add a way, or name a known one anew. The same twice is one; it counts as good again."""
        way = await house.ways.add(
            person_id=asking.caller.person.id,
            channel=data.channel,
            address=data.address,
            label=data.label,
            now_ms=asking.now_ms,
        )
        return _way_out(way, house, asking)

    @delete("/ways", status_code=200, operation_id="remove_way")
    async def remove(self, house: InHouse, asking: InAsking, data: JSONBody[WayGone]) -> WaysOut:
        """Take a way away, named by its whole address, or by its number."""
        await house.ways.remove(
            person_id=asking.caller.person.id,
            channel=data.channel,
            address=data.address,
            number=data.number,
            now_ms=asking.now_ms,
        )
        return _ways_out(house, asking)


def _ways_out(house: House, asking: Asking) -> WaysOut:
    person = house.accounts.person(asking.caller.person.id) or asking.caller.person
    return WaysOut([_way_out(way, house, asking) for way in house.ways.of(person)])


def _way_out(way: Way, house: House, asking: Asking) -> WayOut:
    line = way_line(way, house.place.channels, asking.reader)
    return WayOut(
        channel=way.channel,
        number=way.number,
        label=way.label,
        shown=line.shown,
        added_ms=way.added_ms,
        proven_ms=way.proven_ms,
        proven_by=way.proven_by.value,
        lost_ms=way.lost_ms,
        lost_why=lost_text(way, house.words),
        state=line.state,
        text=line.text,
        promise=line.promise,
    )
