"""Draws storms: how fast live readings were answered, and how many, second by second. SVG by hand.

Readable on a light and on a dark page: the drawing asks which it lies on.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.processes import ROOT
from benchmarks.storm_series import LIVE_P99_MS_MAX, Step, Storm

IMAGES: Final = ROOT / "docs" / "images"
TITLES: Final = {
    "flood": "A flood at ten times the live rate",
    "obeying": "The same flood, by clients that wait as told",
    "relapse": "A flood, and another while it drains",
    "sign_ins": "A storm of sign-ins",
    "frozen": "The process stands still",
    "stalled": "The disk takes two seconds a sync",
    "robbed": "The accounts' file is gone",
}

WIDTH: Final = 760
PANEL: Final = 110
LEFT: Final = 76
RIGHT: Final = 16
GAP: Final = 46
P99_MS_MIN: Final = 1.0
P99_MS_MAX: Final = 20_000.0

STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600; font-size: 13px }
.axis { stroke: #999; stroke-width: 1 }
.grid { stroke: #ccc; stroke-width: 1; stroke-dasharray: 2 4 }
.trigger { fill: #d97706; opacity: .16 }
.bar { stroke: #b91c1c; stroke-width: 1; stroke-dasharray: 5 4 }
.p99 { fill: none; stroke: #7c3aed; stroke-width: 1.6 }
.good { fill: none; stroke: #047857; stroke-width: 1.6 }
.offered { fill: none; stroke: #888; stroke-width: 1.2; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .axis { stroke: #777 } .grid { stroke: #444 }
  .trigger { fill: #fbbf24; opacity: .2 }
  .bar { stroke: #f87171 } .p99 { stroke: #c4b5fd } .good { stroke: #6ee7b7 } .offered { stroke: #999 }
}
"""

Scale = Callable[[float], float]


def _linear(low: float, high: float, first: float, last: float) -> Scale:
    return lambda value: first + (min(max(value, low), high) - low) / (high - low) * (last - first)


def _line(points: Sequence[tuple[float, float]], kind: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{text}"/>'


def _label(x: float, y: float, said: str, *, anchor: str = "start", kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text{mark} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{said}</text>'


def _rule(x1: float, x2: float, y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _p99_panel(storm: Storm, across: Scale, top: float) -> list[str]:
    up = _linear(math.log10(P99_MS_MIN), math.log10(P99_MS_MAX), top + PANEL, top)
    parts = []
    for ms in (1, 10, 100, 1_000, 10_000):
        y = up(math.log10(ms))
        parts.append(_rule(LEFT, WIDTH - RIGHT, y, "bar" if ms == LIVE_P99_MS_MAX else "grid"))
        parts.append(_label(LEFT - 6, y + 4, f"{ms:,} ms", anchor="end"))
    # A second in which nothing was answered has no p99: it is drawn at the top.
    points = [
        (across(one.second + 0.5), up(math.log10(one.p99_ms if one.good and one.p99_ms else P99_MS_MAX)))
        for one in storm.live
        if one.offered
    ]
    return [*parts, _line(points, "p99"), _label(LEFT + 6, top + 14, "live readings, p99")]


def _goodput_panel(storm: Storm, across: Scale, top: float) -> list[str]:
    most = 1.6 * max(one.offered for one in storm.live)
    up = _linear(0, most, top + PANEL, top)
    parts = [_rule(LEFT, WIDTH - RIGHT, top + PANEL, "axis")]
    for share in (0.0, 0.5, 1.0):
        value = share * max(one.offered for one in storm.live)
        parts.append(_label(LEFT - 6, up(value) + 4, f"{value:,.0f}/s", anchor="end"))
    seconds = [one for one in storm.live if one.offered]
    parts.append(_line([(across(one.second + 0.5), up(one.offered)) for one in seconds], "offered"))
    parts.append(_line([(across(one.second + 0.5), up(one.good)) for one in seconds], "good"))
    return [*parts, _label(LEFT + 6, top + 14, "live readings acknowledged, and offered (dashed)")]


def drawn_storm(storm: Storm) -> str:
    """One storm: p99 above, goodput below, what happened shaded."""
    last = max(one.second for one in storm.live) + 1
    across = _linear(0, last, LEFT, WIDTH - RIGHT)
    first, second = 34.0, 34.0 + PANEL + 18
    height = second + PANEL + GAP
    parts = [_label(LEFT, 18, TITLES.get(storm.name, storm.name), kind="title")]
    for begins, ends in storm.triggers:
        width = across(ends) - across(begins)
        parts += [
            f'<rect class="trigger" x="{across(begins):.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{PANEL}"/>'
            for top in (first, second)
        ]
    parts += _p99_panel(storm, across, first) + _goodput_panel(storm, across, second)
    for at in range(0, last, 20):
        parts.append(_label(across(at), second + PANEL + 18, f"{at} s", anchor="middle"))
    return _whole(parts, height)


def drawn_sweep(steps: Sequence[Step]) -> str:
    """Goodput over offered load, both as shares of the most that was taken."""
    most = max(step.good_per_s for step in steps)
    times = max(step.times for step in steps)
    across = _linear(0, times, LEFT, WIDTH - RIGHT)
    up = _linear(0, 1.2 * most, 34 + 1.6 * PANEL, 34)
    parts = [_label(LEFT, 18, "Readings acknowledged while more and more is offered", kind="title")]
    for share in (0.0, 0.5, 0.9, 1.0):
        kind = "bar" if share == 0.9 else "grid"
        parts.append(_rule(LEFT, WIDTH - RIGHT, up(share * most), kind))
        parts.append(_label(LEFT - 6, up(share * most) + 4, f"{share * most:,.0f}/s", anchor="end"))
    parts.append(_line([(across(step.times), up(step.good_per_s)) for step in steps], "good"))
    for step in steps:
        x, y = across(step.times), up(step.good_per_s)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="good"/>')
        parts.append(_label(x, 34 + 1.6 * PANEL + 18, f"{step.times:g}x", anchor="middle"))
    return _whole(parts, 34 + 1.6 * PANEL + GAP)


def _whole(parts: Sequence[str], height: float) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img">\n<style>{STYLE}</style>\n{body}\n</svg>\n'
    )


def draw(storms: Sequence[Storm], steps: Sequence[Step], folder: Path = IMAGES) -> None:
    """Write a drawing of each storm and of the sweep."""
    folder.mkdir(parents=True, exist_ok=True)
    for storm in storms:
        (folder / f"storm-{storm.name}.svg").write_text(drawn_storm(storm), encoding="utf-8")
    if steps:
        (folder / "storm-sweep.svg").write_text(drawn_sweep(steps), encoding="utf-8")
