"""One alarm: its story, and the answer to it."""

from litestar import Controller, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from nightbell.web.asking import AnyRequest, InHouse
from nightbell.web.gather import alarm_of
from nightbell.web.pages.frame import Page, asking_by_form, asking_of, frame_of, go_to, page
from nightbell.web.pages.views import alarm_view
from nightbell.web.render import InPages


class AlarmPages(Controller):
    """What happened, and "I've got it"."""

    path = "/alarms"
    include_in_schema = False

    @get("/{alarm_id:str}")
    async def alarm(
        self, request: AnyRequest, house: InHouse, pages: InPages, alarm_id: FromPath[str]
    ) -> Page:
        """The story of one alarm, with its reasons."""
        asking = asking_of(request, house)
        view = await alarm_view(house, asking, alarm_id)
        frame = frame_of(request, house, pages, asking, "people")
        return page(pages.render("alarm.html", frame=frame, alarm=view))

    @post("/{alarm_id:str}/answer", status_code=200)
    async def answer(self, request: AnyRequest, house: InHouse, alarm_id: FromPath[str]) -> Redirect:
        """Say "I've got it"."""
        asking, _ = await asking_by_form(request, house)
        _, person = await alarm_of(house, asking.caller, alarm_id)
        await house.answers.take(alarm=alarm_id, identity=asking.caller.identity, now_ms=asking.now_ms)
        return go_to(f"/people/{person.id}")

    @post("/{alarm_id:str}/undo", status_code=200)
    async def undo(self, request: AnyRequest, house: InHouse, alarm_id: FromPath[str]) -> Redirect:
        """Take the answer back."""
        asking, _ = await asking_by_form(request, house)
        _, person = await alarm_of(house, asking.caller, alarm_id)
        await house.answers.undo(alarm=alarm_id, identity=asking.caller.identity, now_ms=asking.now_ms)
        return go_to(f"/people/{person.id}")
