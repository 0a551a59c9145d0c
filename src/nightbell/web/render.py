"""Pages from templates: every word from the catalogue, every value escaped, nothing inline."""

from typing import Any, Final

import jinja2
import msgspec
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from nightbell.account.person import Person
from nightbell.web.files import Files
from nightbell.web.show.alarms import Bar
from nightbell.web.show.times import clock_text
from nightbell.words.catalogue import Catalogue

_LIVE_WORDS: Final = (
    "age_now", "age_minute", "age_minutes", "age_hours", "span_seconds", "span_minutes", "span_hours",
    "watch_unknown", "watch_watching", "watch_seen", "watch_trying", "watch_lost", "watch_back",
    "trying", "late", "lost_since", "sound_off", "sound_on", "sound_button", "sound_test", "sound_none",
    "undo_left", "answer_failed", "link_copied", "chart_failed", "brand", "lost_do_check_who",
)  # fmt: skip
"""The sentences that a page fills by itself, because they must be right when the server is gone."""

_DEVICE_WORDS: Final = ("label", "this_device")
"""What a page calls the device that it turns pushes on for."""

_OPEN_SLOTS: Final = {name: f"{{{name}}}" for name in ("n", "h", "age", "name", "time", "browser", "system")}
"""Slots that the page fills itself stay as they are."""


class Frame(msgspec.Struct, frozen=True):
    """What every page shows around its own part.

    Attributes:
        me: Who is signed in; None on the way in.
        place: Which part of the house this is, as in the navigation.
        bars: Alarms that ask for an answer.
        said: One sentence about what was just done, empty if nothing.
        wrong: Whether `said` is bad news.
        seal: What our own forms carry.
        renew: Whether it is time for this browser to renew its grant.
        words: Sentences that the page itself must be able to say, as JSON.
    """

    me: Person | None
    place: str
    now_ms: int
    now_text: str
    build: str
    tls: bool
    bars: list[Bar]
    said: str
    wrong: bool
    seal: str
    renew: bool
    words: str


class Pages:
    """The templates of one language.

    Args:
        words: That language.
        files: The static files that pages name.
        tls: Whether browsers reach us over TLS.
        push_key: What a page subscribes to pushes with; empty where none are offered.
    """

    def __init__(self, words: Catalogue, files: Files, *, tls: bool, push_key: str = "") -> None:
        self.files: Final = files
        self._tls = tls
        said = {name: words.say(f"page.{name}", **_OPEN_SLOTS) for name in _LIVE_WORDS}
        said |= {name: words.say(f"device.{name}", **_OPEN_SLOTS) for name in _DEVICE_WORDS}
        self._live_words = msgspec.json.encode(said).decode()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("nightbell.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            say=words.say, static=files.address, language=words.language, push_key=push_key
        )

    def frame(
        self,
        *,
        me: Person | None,
        place: str,
        now_ms: int,
        bars: list[Bar] | None = None,
        said: str = "",
        wrong: bool = False,
        seal: str = "",
        renew: bool = False,
    ) -> Frame:
        """What stands around a page now."""
        return Frame(
            me=me,
            place=place,
            now_ms=now_ms,
            now_text=clock_text(now_ms, zone=me.zone if me else "UTC", now_ms=now_ms),
            build=self.files.build,
            tls=self._tls,
            bars=bars or [],
            said=said,
            wrong=wrong,
            seal=seal,
            renew=renew,
            words=self._live_words,
        )

    def render(self, template: str, **values: Any) -> str:
        """A page or a part of one."""
        return self._templates.get_template(template).render(values)


InPages = SkipValidation[NamedDependency[Pages]]
