"""One detector's view of its thing: good, bad, doubtful or unknown, and since when.

Rules. Bad evidence makes it bad at once. After that, one good word only makes it doubtful; it is good again
after `NEEDED` good ones in a row, and until then a relapse counts from when the trouble first began. So a
single blip is over within seconds, and a thing that flaps is not excused by every good moment. Only the
stream owes us a word unasked, so only the stream can become bad by silence: its deadline is stored as
`due_ms`.
"""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from nightbell.watch.evidence import Detector, Why
from nightbell.words.clock import NEVER_MS

NEEDED: Final = {Detector.DOOR: 2, Detector.STREAM: 2, Detector.ALARM: 1, Detector.ANSWER: 1}
"""Good words in a row until it is believed. A ring or an answer comes at the end of a whole way: one is
enough."""


class Standing(StrEnum):
    """Where one detector stands."""

    UNKNOWN = "unknown"  # not looked at yet
    GOOD = "good"
    BAD = "bad"
    DOUBTFUL = "doubtful"  # was bad, the last word was good


class Sight(msgspec.Struct, frozen=True):
    """What one detector sees.

    Attributes:
        standing: Where it stands.
        since_ms: When the trouble began, kept while doubtful; 0 if there is none.
        good_ms: When it was last seen to be good; 0 if never.
        good_in_row: Good words since the last bad one.
        why: Why it is or was bad.
        due_ms: By when the next good word must come.
    """

    standing: Standing = Standing.UNKNOWN
    since_ms: int = 0
    good_ms: int = 0
    good_in_row: int = 0
    why: Why = Why.LATE
    due_ms: int = NEVER_MS

    @property
    def bad(self) -> bool:
        """Whether it fails now."""
        return self.standing is Standing.BAD

    @property
    def troubled(self) -> bool:
        """Whether it fails, or has failed and is not yet believed again."""
        return self.standing in (Standing.BAD, Standing.DOUBTFUL)


def seen_good(sight: Sight, *, needed: int, now_ms: int, due_ms: int = NEVER_MS) -> Sight:
    """After one good word."""
    in_row = sight.good_in_row + 1
    believed = not sight.troubled or in_row >= needed
    return replace(
        sight,
        standing=Standing.GOOD if believed else Standing.DOUBTFUL,
        since_ms=0 if believed else sight.since_ms,
        good_ms=now_ms,
        good_in_row=in_row,
        due_ms=due_ms,
    )


def seen_bad(sight: Sight, *, why: Why, since_ms: int) -> Sight:
    """After one bad word. A relapse keeps its beginning."""
    return replace(
        sight,
        standing=Standing.BAD,
        since_ms=sight.since_ms if sight.troubled else since_ms,
        good_in_row=0,
        why=why,
        due_ms=NEVER_MS,
    )


def connected(sight: Sight, *, due_ms: int) -> Sight:
    """The stream is open again: no longer bad, not yet good, and its first heartbeat is due."""
    standing = Standing.DOUBTFUL if sight.troubled else sight.standing
    return replace(sight, standing=standing, due_ms=due_ms)


def excused(sight: Sight, *, now_ms: int, due_ms: int) -> Sight:
    """We slept: a failure seen before counts only from now, and a word that was due is due afresh."""
    return replace(
        sight,
        since_ms=now_ms if sight.troubled else 0,
        due_ms=sight.due_ms if sight.due_ms == NEVER_MS else due_ms,
    )
