"""Journals made up to be unkind: short scripts of moves, drawn by Hypothesis or from a seed.

A move is five small numbers, so that Hypothesis can shrink it; `play` turns moves into a journal. Times and
levels stand on both sides of every edge of the page.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from hypothesis import strategies as st

from nightbell.follow.limits import Bounds
from nightbell.journal.facts import DoorOpened, FollowEnded, SensorStarted, SharerAdded
from nightbell.journal.group import Group
from tests.oracle.scribe import ALL_ON, IN_MGDL, IN_MMOL, TIGHT, Scribe, follow_set, some_bounds

BEGIN_MS: Final = 1_790_000_000_500
MINUTE: Final = 60_000
SHARERS: Final = 3
FOLLOWS: Final = 6

STEPS_MS: Final = (
    0, 1, 499, 500, 1_000, 30_000, 60_000, 60_001, 149_999, 150_000, 150_001, 299_000, 300_000, 300_000,
    300_000, 301_500, 479_999, 480_000, 600_000, 899_999, 900_000, 900_001, 930_000, 930_001, 960_000,
    1_200_000, 1_800_000, 3_600_000,
)  # fmt: skip
"""How far the time of day moves."""

AGES_MS: Final = (
    -60_000, -500, 0, 0, 0, 0, 1, 500, 999, 5_000, 149_999, 150_000, 300_000, 899_999, 900_000, 900_001,
    1_000_000, 1_500_000, 3_000_000, 7_200_000,
)  # fmt: skip
"""How old a reading is when it comes."""

LEVELS: Final = (
    0, 20, 39, 54, 55, 56, 57, 59, 60, 61, 68, 69, 70, 74, 75, 76, 80, 81, 100, 110, 112, 125, 130, 139, 140,
    149, 150, 160, 173, 174, 180, 181, 200, 244, 245, 250, 251, 294, 295, 299, 300, 350, 600, 1023,
)  # fmt: skip
"""Levels around every limit used here."""

WORDS: Final = (0, 1023)
"""LOW and HIGH."""

DELTAS: Final = (
    -30,
    -18,
    -16,
    -15,
    -14,
    -9,
    -8,
    -7,
    -5,
    -4,
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    18,
    30,
)
"""How much glucose moves from reading to reading."""

_RNG: Final = Random(20)

BOUNDS: Final[tuple[Bounds, ...]] = (
    IN_MGDL,
    IN_MMOL,
    TIGHT,
    *(some_bounds(_RNG) for _ in range(9)),
)
"""Limits to choose among; the first three have everything on."""

KINDS: Final = (
    "step", "read", "walk", "back", "tick", "set", "end", "sensor", "door", "added", "commit"
)  # fmt: skip
WEIGHTS: Final = (6, 8, 22, 10, 5, 6, 0.3, 1, 1, 0.5, 3)


class Move(NamedTuple):
    """One move. What the numbers mean depends on the kind; see `Script`."""

    kind: str
    who: int
    one: int
    two: int
    three: int


class Script:
    """Plays moves: keeps the time of day and each sharer's last level."""

    def __init__(self, *, set_up: bool) -> None:
        self.scribe = Scribe()
        self.now_ms = BEGIN_MS
        self.levels = [100] * SHARERS
        self.ended: set[int] = set()
        if set_up:
            for sharer in range(SHARERS):
                self.scribe.fact(SharerAdded(at_ms=self.now_ms, sharer=sharer))
            for follow in range(FOLLOWS):
                self.set_follow(follow, follow % 3, told=True)

    def set_follow(self, follow: int, which: int, *, told: bool) -> None:
        """Make or change a follow, unless it has ended: its number is never used again."""
        if follow not in self.ended:
            bounds = BOUNDS[which % len(BOUNDS)]
            fact = follow_set(self.now_ms, follow=follow, sharer=follow % SHARERS, bounds=bounds, told=told)
            self.scribe.fact(fact)

    def play(self, move: Move) -> None:
        """Do one move."""
        sharer, follow = move.who % SHARERS, move.who % FOLLOWS
        match move.kind:
            case "step":
                self.now_ms += STEPS_MS[move.one % len(STEPS_MS)]
            case "read":
                self.read(sharer, AGES_MS[move.one % len(AGES_MS)], LEVELS[move.two % len(LEVELS)])
            case "walk":
                self.walk(sharer, DELTAS[move.one % len(DELTAS)], 1 + move.two % 6, move.three)
            case "back":
                self.back(sharer, DELTAS[move.one % len(DELTAS)], 2 + move.two % 7, move.three)
            case "tick":
                self.scribe.tick(self.now_ms)
            case "set":
                self.set_follow(follow, move.one, told=move.two % 5 != 0)
            case "end":
                self.scribe.fact(FollowEnded(at_ms=self.now_ms, follow=follow, by=""))
                self.ended.add(follow)
            case "commit":
                self.scribe.commit()
            case _:
                self.tell(move, sharer)

    def tell(self, move: Move, sharer: int) -> None:
        """Do one of the moves that are a fact about a sharer, or about our door."""
        if move.kind == "sensor":
            until = self.now_ms + (move.one % 130 - 5) * MINUTE
            self.scribe.fact(SensorStarted(at_ms=self.now_ms, sharer=sharer, until_ms=until, by=""))
        elif move.kind == "door":
            self.scribe.fact(DoorOpened(at_ms=self.now_ms))
        else:
            assert move.kind == "added"
            self.scribe.fact(SharerAdded(at_ms=self.now_ms, sharer=sharer))

    def read(self, sharer: int, age_ms: int, level: int) -> None:
        """One reading of an age."""
        self.scribe.reading(sharer, self.now_ms - age_ms, self.now_ms, level)
        if 20 <= level <= 600:
            self.levels[sharer] = level

    def walk(self, sharer: int, delta: int, count: int, pace: int) -> None:
        """Some readings one after another, each moved by `delta`, five minutes apart or nearly."""
        for _ in range(count):
            self.now_ms += (300_000, 300_000, 299_400, 305_000, 900_000, 60_000)[pace % 6]
            level = self.levels[sharer] + delta
            self.levels[sharer] = level if 30 <= level <= 400 else 100
            self.scribe.reading(sharer, self.now_ms, self.now_ms, self.levels[sharer])
            if pace // 6 % 2:
                self.scribe.tick(self.now_ms + 100)

    def back(self, sharer: int, delta: int, count: int, how: int) -> None:
        """A phone, or our door, was away for some readings and now they all come, in either order."""
        readings = []
        for place in range(count):
            level = self.levels[sharer] + delta
            self.levels[sharer] = level if 30 <= level <= 400 else 100
            self.now_ms += (300_000, 180_000, 299_400)[how % 3]
            word = WORDS[place] if how // 30 % 3 == 0 and place < len(WORDS) else None
            readings.append((self.now_ms, self.levels[sharer] if word is None else word))
        self.now_ms += (0, 400_000, 1_000_000)[how // 3 % 3]
        if how // 9 % 2:
            self.scribe.fact(DoorOpened(at_ms=self.now_ms))
        for measured_ms, level in readings[:: -1 if how // 18 % 3 == 0 else 1]:
            self.scribe.reading(sharer, measured_ms, self.now_ms, level)
        if how // 90 % 2:
            self.scribe.tick(self.now_ms)


def play(moves: Sequence[Move], *, set_up: bool = True) -> list[Group]:
    """The journal of some moves; with `set_up` everybody exists before the first."""
    script = Script(set_up=set_up)
    for move in moves:
        script.play(move)
    script.scribe.tick(script.now_ms)
    return script.scribe.groups


def random_moves(seed: int, count: int) -> list[Move]:
    """Moves drawn from a seed: cheaper by far than Hypothesis, so many more of them."""
    rng = Random(seed)
    return [
        Move(kind, rng.randrange(60), rng.randrange(1_000), rng.randrange(1_000), rng.randrange(1_000))
        for kind in rng.choices(KINDS, WEIGHTS, k=count)
    ]


_SMALL: Final = st.integers(0, 999)
MOVES: Final = st.builds(
    Move,
    st.sampled_from(("commit", *KINDS, "walk", "walk", "back", "set")),
    st.integers(0, 59),
    _SMALL,
    _SMALL,
    _SMALL,
)
JOURNALS: Final = st.builds(
    lambda moves, set_up: play(moves, set_up=set_up),
    st.lists(MOVES, min_size=30, max_size=60),
    st.sampled_from((True, True, True, False)),
)
"""Journals for Hypothesis: many moves from the start, for a move can shrink to a commit: to nothing."""

assert all(bounds.on == ALL_ON for bounds in BOUNDS[:3])
