"""Draws the icons of the installed app from bell.svg, with Chromium.

They are kept in the repository. When the bell changes: .venv/bin/python tools/icons.py
"""

import os
import re
import shutil
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import sync_playwright

STATIC: Final = Path(__file__).resolve().parents[1] / "src" / "nightbell" / "web" / "static"


class Icon(NamedTuple):
    """One picture.

    Attributes:
        size_px: Its width and height.
        ground: Colour behind the bell, up to the edge; empty keeps the rounded square of bell.svg, `none` has
            nothing behind the bell.
        bell: How large the bell is, against bell.svg; a mask may cut everything outside 80 % of the width.
    """

    size_px: int
    ground: str
    bell: float


ICONS: Final = {
    "bell-192.png": Icon(192, "", 1.0),
    "bell-512.png": Icon(512, "", 1.0),
    "bell-mask-512.png": Icon(512, "#0b625b", 0.86),
    "bell-touch-180.png": Icon(180, "#0b625b", 1.0),
    "bell-badge-96.png": Icon(96, "none", 1.4),
}


def drawn(svg: str, icon: Icon) -> str:
    """The picture as an SVG."""
    path = re.findall(r"<path.*?/>", svg)[0]
    if not icon.ground:
        return svg
    shift = 16 * (1 - icon.bell)
    ground = "" if icon.ground == "none" else f'<rect width="32" height="32" fill="{icon.ground}"/>'
    moved = f'<g transform="translate({shift} {shift}) scale({icon.bell})">{path}</g>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{ground}{moved}</svg>'


def main() -> None:
    """Draw all of them."""
    svg = (STATIC / "bell.svg").read_text(encoding="utf-8")
    found = os.environ.get("NIGHTBELL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        for name, icon in ICONS.items():
            page = browser.new_page(viewport={"width": icon.size_px, "height": icon.size_px})
            style = "margin:0;display:block;width:100vw;height:100vh"
            page.set_content(
                f'<body style="margin:0">{drawn(svg, icon).replace("<svg ", f"<svg style={style!r} ", 1)}'
            )
            page.screenshot(path=STATIC / name, omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
