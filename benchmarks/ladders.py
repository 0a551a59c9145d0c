"""A hundred thousand ladders in virtual time, through the shipped fold: does every step come when it must?

Everybody goes urgently low within one minute and stays so for half an hour. Of three alarms one is answered,
at a random second, for a quarter of an hour; then its ladder begins anew. A step is on time if it comes with
the first second at or after its own instant, to just the people it is for, and none comes while somebody has
the alarm.
"""

from collections import defaultdict
from typing import Final

import numpy as np

from benchmarks.figures import Bar, Counts, figure
from benchmarks.size import Measured, Say, Size
from nightbell.alarm.alarm import ANSWER_MS
from nightbell.alarm.effects import NotificationKind
from nightbell.alarm.fold import AlarmFold
from nightbell.follow.bounds import bounds, telling
from nightbell.follow.defaults import default_limits
from nightbell.follow.ladder import DEFAULT, Whom
from nightbell.journal.facts import Answered, AnyFact, FollowSet, SharerAdded
from nightbell.journal.group import Group, no_readings
from nightbell.publish.reading import READING_DTYPE
from nightbell.words.glucose import Unit
from nightbell.words.tier import Tier

LADDERS: Final = 100_000
LADDERS_SMALL: Final = 2_000
WHOLE_SHARERS: Final = 100_000
"""From a house of so many on the whole hundred thousand are tried."""

MINUTES: Final = 26
READ_EVERY_S: Final = 300
SECOND_MS: Final = 1_000
START_MS: Final = 1_767_225_600_000
LEVEL: Final = 45
PERSON: Final = "00000000-0000-4000-8000-{:012x}"

Step = tuple[int, int, int]
"""When, in ms; the follow; the tier."""


class World:
    """Everybody's alarms, what their ladders did, and when each was answered."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.fold = AlarmFold()
        self.seq = 0
        self.rang_ms: dict[int, int] = {}
        self.alarm: dict[int, str] = {}
        self.answered_ms: dict[int, int] = {}
        self.steps: defaultdict[int, list[Step]] = defaultdict(list)

    def take(self, group: Group) -> None:
        """Fold one group and keep what it told."""
        for told in self.fold.fold([group]).notifications:
            if told.tier > Tier.NUDGE:
                self.steps[told.sharer].append((told.at_ms, told.follow, told.tier))
            elif told.kind is NotificationKind.RING and told.sharer not in self.rang_ms:
                self.rang_ms[told.sharer], self.alarm[told.sharer] = told.at_ms, told.alarm

    def group(self, at_ms: int, *, facts: tuple[AnyFact, ...] = (), sharers: list[int], tick: bool) -> None:
        """One commit of the journal."""
        self.seq += 1
        readings = no_readings()
        if sharers:
            readings = np.zeros(len(sharers), READING_DTYPE)
            readings["sharer"] = sharers
            readings["measured_ms"], readings["received_ms"], readings["level"] = at_ms, at_ms, LEVEL
        self.take(Group(self.seq, at_ms, facts, readings, at_ms if tick else 0))


def _furnish(world: World) -> None:
    """Two followers each, with the limits that ship; the first is on duty."""
    limits = default_limits(Unit.MGDL)
    for sharer in range(world.count):
        follows = tuple(
            FollowSet(
                START_MS, 2 * sharer + one, sharer, PERSON.format(2 * sharer + one), True,
                bounds(limits), telling(limits), "UTC", "",
            )
            for one in (0, 1)
        )  # fmt: skip
        world.group(START_MS, facts=(SharerAdded(START_MS, sharer), *follows), sharers=[], tick=False)


def _live(world: World, chance: np.random.Generator) -> None:
    """Half an hour, second by second."""
    phase_s = chance.integers(0, 60, world.count)
    answers_s = np.where(
        chance.random(world.count) < 1 / 3, chance.integers(70, MINUTES * 60, world.count), 0
    )
    by_phase = [np.flatnonzero(phase_s == second).tolist() for second in range(60)]
    by_answer: defaultdict[int, list[int]] = defaultdict(list)
    for sharer in np.flatnonzero(answers_s).tolist():
        by_answer[int(answers_s[sharer])].append(sharer)
    for second in range(MINUTES * 60):
        at_ms = START_MS + second * SECOND_MS
        into = second % READ_EVERY_S
        world.group(at_ms + 137, sharers=by_phase[into] if into < len(by_phase) else [], tick=False)
        facts = tuple(
            Answered(at_ms + 500, world.alarm[sharer], PERSON.format(2 * sharer), False)
            for sharer in by_answer.get(second, [])
        )
        for fact, sharer in zip(facts, by_answer.get(second, []), strict=True):
            world.answered_ms[sharer] = fact.at_ms
        if facts:
            world.group(at_ms + 500, facts=facts, sharers=[], tick=False)
        world.group(at_ms + SECOND_MS, sharers=[], tick=True)


def _due(world: World, sharer: int) -> list[Step]:
    """The steps that this alarm's ladder has within the time, while nobody has it."""
    end_ms = START_MS + MINUTES * 60 * SECOND_MS
    answered_ms = world.answered_ms.get(sharer)
    if answered_ms is None:
        return _climb(sharer, world.rang_ms[sharer], end_ms)
    again_ms = _second(answered_ms + ANSWER_MS)
    return _climb(sharer, world.rang_ms[sharer], answered_ms) + _climb(sharer, again_ms, end_ms)


def _climb(sharer: int, rang_ms: int, over_ms: int) -> list[Step]:
    """The steps of one ladder from its foot."""
    times = [(rung.after_ms, rung.whom, rung.tier) for rung in DEFAULT.rungs]
    last_ms, _, tier = times[-1]
    rounds = range(1, DEFAULT.rounds + 1)
    times += [(last_ms + number * DEFAULT.round_ms, Whom.EVERYBODY, tier) for number in rounds]
    first, second = 2 * sharer, 2 * sharer + 1
    who = {Whom.DUTY: (first,), Whom.SECOND: (second,), Whom.EVERYBODY: (first, second)}
    steps = [(_second(rang_ms + after_ms), whom, int(loud)) for after_ms, whom, loud in times]
    return [(at_ms, follow, loud) for at_ms, whom, loud in steps if at_ms <= over_ms for follow in who[whom]]


def _second(at_ms: int) -> int:
    """The first whole second at or after an instant."""
    return -(-at_ms // SECOND_MS) * SECOND_MS


def ladders(size: Size, say: Say) -> Measured:
    """How many of the ladders did just what they must, when they must."""
    world = World(LADDERS if size.sharers >= WHOLE_SHARERS else LADDERS_SMALL)
    _furnish(world)
    _live(world, np.random.default_rng(11))
    exact = sum(_due(world, sharer) == world.steps[sharer] for sharer in range(world.count))
    steps = sum(map(len, world.steps.values()))
    percent = 100 * exact / world.count
    say(f"ladders: {exact:,} of {world.count:,} exact, {steps:,} steps told")
    note = f"{world.count:,} ladders, {steps:,} steps, {len(world.answered_ms):,} answered, virtual time"
    found = figure("ladder.exact", [percent], "%", bar=Bar(at_least=100), note=note)
    return Measured([found], [Counts("ladders", {"rang": (len(world.rang_ms), world.count)})])
