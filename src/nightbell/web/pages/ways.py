"""The settings page, and on it one's own ways to be reached."""

from typing import Any

from litestar import Controller, Response, post

from nightbell.web.asking import AnyRequest, Asking, InHouse
from nightbell.web.pages.frame import Page, asking_by_form, frame_of, go_to, page
from nightbell.web.ports import House
from nightbell.web.problem import STATUS
from nightbell.web.render import InPages, Pages
from nightbell.web.show.ways import Typed, typed_address, ways_view
from nightbell.words.errors import CallerError, ErrorCode

_SAID_IN_PLACE = frozenset({ErrorCode.MALFORMED, ErrorCode.TOO_MANY})
_NUMBER_DIGITS = 9


class WaysPages(Controller):
    """Adding and removing ways by form."""

    include_in_schema = False

    @post("/settings/ways", status_code=200)
    async def add(self, request: AnyRequest, house: InHouse, pages: InPages) -> Response[Any]:
        """Add a way; one that cannot be comes back with its reason and what was typed."""
        asking, form = await asking_by_form(request, house)
        channel = form.get("channel", "")
        typed = Typed(channel, form.get("address", ""), form.get("label", ""))
        try:
            await house.ways.add(
                person_id=asking.caller.person.id,
                channel=channel,
                address=typed_address(channel, typed.address),
                label=typed.label.strip(),
                now_ms=asking.now_ms,
            )
        except CallerError as error:
            if error.code not in _SAID_IN_PLACE:
                raise
            return settings_page(request, house, pages, asking, typed=typed, wrong=error)
        return go_to("/settings", said="way_added")

    @post("/settings/ways/remove", status_code=200)
    async def remove(self, request: AnyRequest, house: InHouse) -> Response[Any]:
        """Take a way away."""
        asking, form = await asking_by_form(request, house)
        number = form.get("number", "")
        if not (number.isascii() and number.isdecimal() and len(number) <= _NUMBER_DIGITS):
            raise CallerError(ErrorCode.MALFORMED, house.words.say("errors.malformed"))
        await house.ways.remove(
            person_id=asking.caller.person.id,
            channel=form.get("channel", ""),
            number=int(number),
            now_ms=asking.now_ms,
        )
        return go_to("/settings", said="way_removed")


def settings_page(
    request: AnyRequest,
    house: House,
    pages: Pages,
    asking: Asking,
    *,
    typed: Typed | None = None,
    wrong: CallerError | None = None,
) -> Page:
    """One's own unit and zone, and how one is reached."""
    me = asking.caller.person
    said = wrong.sentence if wrong is not None else ""
    return page(
        pages.render(
            "settings.html",
            frame=frame_of(request, house, pages, asking, "settings", said=said, wrong=wrong is not None),
            webhook_secret=house.webhook_secret(me.id),
            ways=ways_view(house.ways.of(me), house.place.channels, asking.reader, typed),
        ),
        status=STATUS[wrong.code] if wrong is not None else 200,
    )
