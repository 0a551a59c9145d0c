"""Parts of pages, drawn anew for a page that is open. The same templates as the pages themselves."""

from litestar import Controller, get
from litestar.params import FromPath

from nightbell.web.asking import AnyRequest, InHouse
from nightbell.web.gather import sharer_of
from nightbell.web.pages.frame import Page, asking_of, frame_of, page
from nightbell.web.pages.views import person_view, tile_views
from nightbell.web.render import InPages


class FragmentPages(Controller):
    """What changes while a page is open."""

    path = "/fragments"
    include_in_schema = False

    @get("/bars")
    async def bars(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """Alarms that ask for an answer."""
        frame = frame_of(request, house, pages, asking_of(request, house), "")
        return page(pages.render("_bars.html", frame=frame))

    @get("/tiles")
    async def tiles(self, request: AnyRequest, house: InHouse, pages: InPages) -> Page:
        """Everybody's tile."""
        return page(pages.render("_tiles.html", tiles=await tile_views(house, asking_of(request, house))))

    @get("/people/{person_id:str}/now")
    async def now(
        self, request: AnyRequest, house: InHouse, pages: InPages, person_id: FromPath[str]
    ) -> Page:
        """One person's number."""
        person = await person_view(house, asking_of(request, house), sharer_of(house, person_id))
        return page(pages.render("_now.html", person=person))

    @get("/people/{person_id:str}/alarms")
    async def alarms(
        self, request: AnyRequest, house: InHouse, pages: InPages, person_id: FromPath[str]
    ) -> Page:
        """One person's alarms."""
        asking = asking_of(request, house)
        person = await person_view(house, asking, sharer_of(house, person_id))
        frame = frame_of(request, house, pages, asking, "")
        return page(pages.render("_alarms.html", person=person, frame=frame))
