"""A made-up family for `nightbell up --demo`: glucose computed from a seed and the time, nobody's recording.

Theory of operation. A level is a pure function of who and when, so a day of history and the live readings
after it are one curve, and a restart goes on where it was. It is the sum of a fasting level that is a little
higher at dawn, a hump after each meal of the day, slow noise, and the small noise of a sensor. One sharer
also has a low that begins when the demo does. The shapes look plausible; they are no model of a body.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from typing import Final, NamedTuple

from nightbell.app.publisher import Measured
from nightbell.words.glucose import MgDl, Unit
from nightbell.words.trend import Trend

MINUTE_MS: Final = 60_000
STEP_MS: Final = 5 * MINUTE_MS
DAY_MS: Final = 24 * 60 * MINUTE_MS
FIRST_LOW_AFTER_MS: Final = 45_000
"""When the low one's first live reading comes after the start: well inside the two minutes promised."""

SENSOR_MIN: Final = 40
SENSOR_MAX: Final = 400
ACCIDENT_MIN: Final = 82
"""Below this only the planned low goes, so that a demo shows one low and not a chance one."""

_MASK: Final = 2**64 - 1


class Part(Enum):
    """Which source of chance a number is drawn for."""

    MEAL_TIME = 1
    MEAL_SIZE = 2
    SLOW = 3
    SLOWER = 4
    SENSOR = 5


class Meal(NamedTuple):
    """A meal: minute of the day, how much it lifts at most, and how long until the peak."""

    minute: int
    lift_mgdl: int
    peak_minutes: int


class DemoSharer(NamedTuple):
    """One made-up sharer."""

    name: str
    seed: int
    unit: Unit
    fasting_mgdl: int
    dawn_mgdl: int
    noise_mgdl: int
    meals: tuple[Meal, ...]
    goes_low: bool


FAMILY: Final = (
    DemoSharer(
        "Demo Ana",
        11,
        Unit.MGDL,
        118,
        12,
        12,
        (Meal(450, 70, 50), Meal(760, 60, 55), Meal(1130, 75, 60)),
        True,
    ),
    DemoSharer(
        "Demo Teen",
        23,
        Unit.MGDL,
        135,
        25,
        22,
        (Meal(500, 95, 45), Meal(800, 80, 50), Meal(1000, 50, 40), Meal(1200, 90, 60)),
        False,
    ),
    DemoSharer(
        "Demo Grandpa",
        37,
        Unit.MMOL,
        122,
        8,
        8,
        (Meal(480, 45, 60), Meal(740, 50, 65), Meal(1090, 40, 70)),
        False,
    ),
)
"""Roles, not people: each name begins with what it is."""

FOLLOWER: Final = "Demo Ben"

_LOW_CURVE: Final = (
    (-90, 118), (-40, 118), (-25, 104), (-15, 92), (-10, 84), (-5, 76), (0, 53), (6, 51), (11, 50), (16, 53),
    (21, 62), (31, 84), (45, 108), (100, 118),
)  # fmt: skip
"""The low by minutes from the start: urgent at the first live reading, treated after a quarter of an hour."""

_LOW_WHOLE: Final = (-50, 50)
"""Between these minutes the curve above is all there is; outside, it is blended into the ordinary one."""


def chance(seed: int, part: Part, index: int) -> int:
    """A number from 0 to 65,535 that depends on nothing else (as SplitMix64 ends; Steele 2014)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + part.value * 0xD1B54A32D192ED03 + index) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return (mixed ^ (mixed >> 31)) >> 48


def _smooth(seed: int, part: Part, at_ms: int, every_minutes: int) -> float:
    """Noise from -1 to 1 that changes smoothly over about this long."""
    index, left = divmod(at_ms, every_minutes * MINUTE_MS)
    share = left / (every_minutes * MINUTE_MS)
    share = share * share * (3 - 2 * share)
    before, after = chance(seed, part, index), chance(seed, part, index + 1)
    return (before + (after - before) * share) / 32_768 - 1


def _meal_lift(sharer: DemoSharer, at_ms: int) -> float:
    """What the meals of today and of last evening still lift."""
    lift = 0.0
    today = at_ms // DAY_MS
    for day in (today - 1, today):
        for place, meal in enumerate(sharer.meals):
            index = day * 16 + place
            minute = meal.minute + chance(sharer.seed, Part.MEAL_TIME, index) * 50 // 65_536 - 25
            size = 0.7 + chance(sharer.seed, Part.MEAL_SIZE, index) * 0.6 / 65_536
            since = (at_ms - day * DAY_MS) / MINUTE_MS - minute
            if 0 < since < 6 * meal.peak_minutes:
                # Rises to its peak and fades: x exp(1 - x), as absorption against insulin looks.
                x = since / meal.peak_minutes
                lift += meal.lift_mgdl * size * x * 2.718281828 ** (1 - x)
    return lift


def _ordinary(sharer: DemoSharer, at_ms: int) -> float:
    hour = at_ms % DAY_MS / (60 * MINUTE_MS)
    dawn = max(0.0, 1 - abs(hour - 6) / 3) * sharer.dawn_mgdl
    slow = _smooth(sharer.seed, Part.SLOW, at_ms, 55) + _smooth(sharer.seed, Part.SLOWER, at_ms, 190)
    return sharer.fasting_mgdl + dawn + _meal_lift(sharer, at_ms) + slow * sharer.noise_mgdl


def _low(minutes: float) -> tuple[float, float]:
    """The planned low: its level, and how much of the whole it is, from 0 to 1."""
    begin, end = _LOW_WHOLE
    (first, _), (last, _) = _LOW_CURVE[0], _LOW_CURVE[-1]
    if not first < minutes < last:
        return 0.0, 0.0
    share = min(1.0, (minutes - first) / (begin - first), (last - minutes) / (last - end))
    for (before, here), (after, there) in pairwise(_LOW_CURVE):
        if minutes <= after:
            return here + (there - here) * (minutes - before) / (after - before), share
    raise AssertionError("the curve ends at its last point")


def level_at(sharer: DemoSharer, at_ms: int, start_ms: int) -> MgDl:
    """The level of a made-up sharer, within what a sensor can show and never low by accident.

    Args:
        sharer: Whose.
        at_ms: When, epoch ms.
        start_ms: When the demo began; the planned low is there.
    """
    sensor = chance(sharer.seed, Part.SENSOR, at_ms // STEP_MS) * 4 / 65_536 - 2
    level = max(float(ACCIDENT_MIN), _ordinary(sharer, at_ms) + sensor)
    if sharer.goes_low:
        low, share = _low((at_ms - start_ms) / MINUTE_MS)
        level += (low - level) * share
    return MgDl(round(min(SENSOR_MAX, max(SENSOR_MIN, level))))


def trend_of(before: int, after: int) -> Trend:
    """The arrow for two levels five minutes apart.

    Source: Dexcom's arrows change at 1, 2 and 3 mg/dL a minute.
    """
    rate = (after - before) / 5
    names = ((3, Trend.DOUBLE_UP), (2, Trend.SINGLE_UP), (1, Trend.FORTY_FIVE_UP))
    downs = ((3, Trend.DOUBLE_DOWN), (2, Trend.SINGLE_DOWN), (1, Trend.FORTY_FIVE_DOWN))
    for at_least, arrow in names if rate > 0 else downs:
        if abs(rate) >= at_least:
            return arrow
    return Trend.FLAT


def reading_at(sharer: DemoSharer, at_ms: int, start_ms: int) -> Measured:
    """The reading of a made-up sharer at a time."""
    before, here = level_at(sharer, at_ms - STEP_MS, start_ms), level_at(sharer, at_ms, start_ms)
    return Measured(at_ms, here, trend_of(before, here))


def first_live_ms(sharer: DemoSharer, start_ms: int) -> int:
    """When a sharer's first live reading is due; then every five minutes."""
    if sharer.goes_low:
        return start_ms + FIRST_LOW_AFTER_MS
    return start_ms + FIRST_LOW_AFTER_MS + STEP_MS * (1 + sharer.seed % 3) // 4


def past(sharer: DemoSharer, start_ms: int, since_ms: int) -> Iterator[Measured]:
    """The readings up to the start, every five minutes in step with the live ones, oldest first."""
    first = first_live_ms(sharer, start_ms)
    steps = (first - max(since_ms, start_ms - DAY_MS)) // STEP_MS
    for step in range(steps, 0, -1):
        yield reading_at(sharer, first - step * STEP_MS, start_ms)
