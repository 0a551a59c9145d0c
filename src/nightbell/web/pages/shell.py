"""What a browser needs to install the app, to show a push, and to say plainly that there is no connection.

Nothing here is about anybody: a browser keeps it, and no reading is ever kept with it.
"""

from typing import Final

import msgspec
from litestar import Controller, Response, get

from nightbell.web.asking import InHouse
from nightbell.web.files import Files
from nightbell.web.pages.frame import Page, page
from nightbell.web.render import InPages
from nightbell.words.catalogue import Catalogue

GROUND: Final = "#f5f4f0"
ACCENT: Final = "#0b625b"
"""As in nightbell.css: what an installed app shows while it opens, and around its page."""

WORKER: Final = "service-worker.js"
ICON: Final = "bell-192.png"
BADGE: Final = "bell-badge-96.png"
KEPT: Final = ("nightbell.css", "offline.js", "bell.svg", ICON, BADGE)
"""What the page without a connection is made of, and what a push shows."""

_WORKER_WORDS: Final = (
    "push_unreadable",
    "push_unreadable_text",
    "push_late",
    "offline_heading",
    "this_device",
)


class _Icon(msgspec.Struct, frozen=True):
    src: str
    sizes: str
    type: str
    purpose: str = "any"


class _Manifest(msgspec.Struct, frozen=True):
    """A web app manifest (w3.org/TR/appmanifest); what Chromium asks for before it offers to install."""

    name: str
    short_name: str
    description: str
    lang: str
    icons: list[_Icon]
    id: str = "/"
    start_url: str = "/"
    scope: str = "/"
    display: str = "standalone"
    background_color: str = GROUND
    theme_color: str = ACCENT


class _WorkerBegin(msgspec.Struct, frozen=True):
    """What the service worker knows of this build."""

    build: str
    kept: list[str]
    icon: str
    badge: str
    words: dict[str, str]


def manifest_of(words: Catalogue, files: Files) -> bytes:
    """The manifest of this build."""
    pictures = (
        (ICON, "192x192", "any"),
        ("bell-512.png", "512x512", "any"),
        ("bell-mask-512.png", "512x512", "maskable"),
    )
    return msgspec.json.encode(
        _Manifest(
            name=words.say("page.brand"),
            short_name=words.say("page.brand"),
            description=words.say("device.app_text"),
            lang=words.language,
            icons=[_Icon(files.address(name), size, "image/png", use) for name, size, use in pictures]
            + [_Icon(files.address("bell.svg"), "any", "image/svg+xml")],
        )
    )


def worker_of(words: Catalogue, files: Files) -> bytes:
    """The service worker of this build: what it knows, then the script. A new build is so a new worker."""
    begin = _WorkerBegin(
        build=files.build,
        kept=[files.address(name) for name in KEPT],
        icon=files.address(ICON),
        badge=files.address(BADGE),
        words={name: words.say(f"device.{name}", n="{n}") for name in _WORKER_WORDS},
    )
    return b"self.nightbell = " + msgspec.json.encode(begin) + b";\n" + files.content(WORKER)


class ShellPages(Controller):
    """The installed app without its content."""

    include_in_schema = False

    @get("/manifest.webmanifest")
    async def manifest(self, house: InHouse, pages: InPages) -> Response[bytes]:
        """What the app is called and looks like once it is installed."""
        return _file(manifest_of(house.words, pages.files), "application/manifest+json")

    @get("/service-worker.js")
    async def worker(self, house: InHouse, pages: InPages) -> Response[bytes]:
        """At the root, for it serves the whole site."""
        return _file(worker_of(house.words, pages.files), "text/javascript")

    @get("/offline")
    async def offline(self, pages: InPages) -> Page:
        """What a browser keeps and shows where it cannot reach us."""
        return page(pages.render("offline.html"))


def _file(content: bytes, kind: str) -> Response[bytes]:
    # Looked at each time: an old worker must not outlive its build.
    return Response(content, media_type=kind, headers={"cache-control": "no-cache"})
