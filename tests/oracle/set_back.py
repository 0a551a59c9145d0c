"""The oracle, where our own clock was set back: the page's paragraph of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.oracle.oracle import Oracle


def set_back(oracle: Oracle, tick: int) -> None:
    """Nothing that a wrong clock stamped may lie after the tick."""
    for sharer in oracle.sharers.values():
        moved = False
        if sharer.newest is not None and sharer.newest.measured > tick:
            sharer.newest, moved = sharer.newest._replace(measured=tick), True
        if sharer.counted is not None and sharer.counted.measured > tick:
            sharer.counted, moved = sharer.counted._replace(measured=tick), True
        if moved:
            sharer.chain, sharer.slope, sharer.ring = 0, 0, []
        if sharer.live is not None:
            sharer.live = min(sharer.live, tick)
        if sharer.added is not None:
            sharer.added = min(sharer.added, tick)
    for follow in oracle.follows.values():
        if follow.first_set is not None:
            follow.first_set = min(follow.first_set, tick)
        follow.quiet = {soon: min(until, tick + 1_800_000) for soon, until in follow.quiet.items()}
    if oracle.door is not None:
        oracle.door = min(oracle.door, tick)
