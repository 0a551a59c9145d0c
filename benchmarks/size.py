"""How large a run is, and the forms in which every measurement takes and gives."""

from collections.abc import Callable
from typing import Final, NamedTuple

from benchmarks.figures import ROUNDS_MIN, Counts, Figure

RATE: Final = 3_333.0
"""A reading of each of a million sharers every five minutes."""

Say = Callable[[str], None]


class Size(NamedTuple):
    """How large a run is.

    Attributes:
        sharers: In the house, three follows each.
        saturation_s: Seconds of a round at saturation.
        backlog_s: Seconds of a round of backlog alone.
        live_s: Seconds of a round at the live rate, and of a backlog beside it.
        screens: Open streams while it is published to them.
        streams: As many open streams as there can be.
        screen_s: Seconds of a round with screens.
        rounds: Of everything, at least three.
    """

    sharers: int = 1_000_000
    saturation_s: float = 5.0
    backlog_s: float = 10.0
    live_s: float = 60.0
    screens: int = 10_000
    streams: int = 20_000
    screen_s: float = 15.0
    rounds: int = ROUNDS_MIN


WHOLE: Final = Size()
SMALL: Final = Size(
    sharers=20_000, saturation_s=2.0, backlog_s=3.0, live_s=4.0, screens=500, streams=2_000, screen_s=4.0
)


class Measured(NamedTuple):
    """Figures of a run, and the counts that must agree after it."""

    figures: list[Figure]
    counts: list[Counts]
