"""The page `docs/reference/conditions.md` in plain Python: one sharer, one follow, one cause at a time.

Hold it beside the page: the order is the page's. Nothing here is fast, nothing is shared with the product but
the records that go in. Every number stands here a second time, on purpose.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from nightbell.follow.limits import Bounds
from nightbell.journal.facts import (
    AnyFact,
    DoorOpened,
    FollowEnded,
    FollowSet,
    SensorStarted,
    SharerAdded,
)
from nightbell.journal.group import Group
from nightbell.words.conditions import Condition
from tests.oracle.set_back import set_back

MINUTE: Final = 60_000
LOW_WORD: Final = 0
HIGH_WORD: Final = 1023


class Transition(NamedTuple):
    """One condition of one follow began or ended."""

    at_ms: int
    sharer: int
    follow: int
    condition: int
    began: bool


class Seen(NamedTuple):
    """What is remembered of one reading."""

    measured: int
    level: int


class OracleSharer:
    """What is kept for a sharer."""

    def __init__(self) -> None:
        self.newest: Seen | None = None
        self.live: int | None = None
        self.counted: Seen | None = None
        self.chain = 0
        self.slope = 0
        self.ring: list[Seen] = []
        self.warm_up: int | None = None
        self.warm_up_said = 0
        self.added: int | None = None

    def forecast(self) -> int | None:
        """Thousandths of mg/dL 20 minutes after the last counted reading; None where it is not known."""
        if self.counted is None or self.chain < 4:
            return None
        return self.counted.level * 1_000 + (self.slope * 1_773) // 1_000

    def rate(self) -> int | None:
        """Thousandths of mg/dL per 5 minutes at the last counted reading; None where it is not known."""
        if self.counted is None:
            return None
        close = [seen for seen in self.ring if self.counted.measured - seen.measured <= 960_000]
        if len(close) < 3:
            return None
        first = min(close)
        span = self.counted.measured - first.measured
        if span < 480_000:
            return None
        return (self.counted.level - first.level) * 300_000_000 // span


class OracleFollow:
    """What is kept for a follow."""

    def __init__(self, fact: FollowSet) -> None:
        self.number = fact.follow
        self.sharer = fact.sharer
        self.first_set: int | None = None
        self.bounds = fact.bounds
        self.told = False
        self.holds: set[Condition] = set()
        self.marks: set[Condition] = set()
        self.quiet = {Condition.URGENT_LOW_SOON: 0, Condition.URGENT_HIGH_SOON: 0}

    def on(self, condition: Condition) -> bool:
        """Whether the follower wants it at all."""
        return bool(self.bounds.on >> condition & 1)

    def beyond(self, condition: Condition, level: int) -> bool:
        """The column "beyond" of the table."""
        bounds = self.bounds
        return {
            Condition.URGENT_LOW: level <= bounds.urgent_low_at_most,
            Condition.LOW: level <= bounds.low_at_most,
            Condition.HIGH: level >= bounds.high_at_least,
            Condition.URGENT_HIGH: level >= bounds.urgent_high_at_least,
        }[condition]

    def clear(self, condition: Condition, level: int) -> bool:
        """The column "clear" of the table."""
        bounds = self.bounds
        return {
            Condition.URGENT_LOW: level >= bounds.urgent_low_clear,
            Condition.LOW: level >= bounds.low_clear,
            Condition.HIGH: level <= bounds.high_clear,
            Condition.URGENT_HIGH: level <= bounds.urgent_high_clear,
        }[condition]

    def soon_is_beyond_urgent(self, soon: Condition, level: int) -> bool:
        """Whether the level is already what this condition warns of."""
        if soon is Condition.URGENT_LOW_SOON:
            return level <= self.bounds.urgent_low_at_most
        return level >= self.bounds.urgent_high_at_least

    def soon_is_near(self, soon: Condition, forecast: int) -> bool:
        """Whether the forecast is within 2 mg/dL of urgent, or beyond: it may begin."""
        if soon is Condition.URGENT_LOW_SOON:
            return forecast <= (self.bounds.urgent_low_at_most + 2) * 1_000
        return forecast >= (self.bounds.urgent_high_at_least - 2) * 1_000

    def soon_is_past(self, soon: Condition, forecast: int) -> bool:
        """Whether the forecast is more than 5 mg/dL away from urgent: it may end."""
        if soon is Condition.URGENT_LOW_SOON:
            return forecast > (self.bounds.urgent_low_at_most + 5) * 1_000
        return forecast < (self.bounds.urgent_high_at_least - 5) * 1_000


LEVELS: Final = (Condition.LOW, Condition.URGENT_LOW, Condition.HIGH, Condition.URGENT_HIGH)
SOONS: Final = (Condition.URGENT_LOW_SOON, Condition.URGENT_HIGH_SOON)
RATES: Final = (Condition.FALLING_FAST, Condition.RISING_FAST)


class Oracle:
    """Says what the product must say."""

    def __init__(self) -> None:
        self.sharers: dict[int, OracleSharer] = {}
        self.follows: dict[int, OracleFollow] = {}
        self.followers: dict[int, list[OracleFollow]] = {}
        self.last_tick: int | None = None
        self.door: int | None = None
        self.out: list[Transition] = []

    def feed(self, group: Group) -> list[Transition]:
        """Take one group: facts, then readings, then the tick."""
        self.out = []
        for fact in group.facts:
            self.take_fact(fact)
        if len(group.readings):
            for sharer, measured, received, level, _trend, _source in group.readings.tolist():
                self.take_reading(sharer, Seen(measured, level), received)
        if group.tick_ms:
            self.take_tick(group.tick_ms)
        return self.out

    def feed_all(self, groups: Iterable[Group]) -> list[Transition]:
        """Take many groups."""
        return [transition for group in groups for transition in self.feed(group)]

    # --- small steps that the rest is said in ---------------------------------------------------------

    def sharer(self, number: int) -> OracleSharer:
        """The sharer, made at the first mention."""
        return self.sharers.setdefault(number, OracleSharer())

    def told_follows(self, sharer: int) -> list[OracleFollow]:
        """The follows of a sharer that may be told, by number."""
        return [follow for follow in self.followers.get(sharer, []) if follow.told]

    def due(self, follow: OracleFollow) -> int:
        """When silence begins for a follow that may be told."""
        sharer = self.sharer(follow.sharer)
        assert follow.first_set is not None
        if sharer.live is not None:
            base = sharer.live
        elif sharer.added is not None:
            base = max(sharer.added, follow.first_set)
        else:
            base = follow.first_set
        if self.door is not None:
            base = max(base, self.door)
        if sharer.warm_up is not None:
            base = max(base, sharer.warm_up)
        return base + follow.bounds.no_readings_after_ms

    def change(self, follow: OracleFollow, after: set[Condition], at: int) -> None:
        """Let exactly `after` hold from now on; say what ended, then what began, each by condition number."""
        for condition in sorted(follow.holds - after):
            self.out.append(Transition(at, follow.sharer, follow.number, int(condition), began=False))
        for condition in sorted(after - follow.holds):
            self.out.append(Transition(at, follow.sharer, follow.number, int(condition), began=True))
        follow.holds = after

    # --- a reading arrives ----------------------------------------------------------------------------

    def take_reading(self, number: int, seen: Seen, received: int) -> None:
        """A reading arrives: repeated, late, near, older, or it counts."""
        sharer = self.sharer(number)
        newest, counted = sharer.newest, sharer.counted
        if newest is not None and seen.level == newest.level and same_second(seen, newest):
            return
        if received - seen.measured > 15 * MINUTE:
            self.take_late(number, seen)
        elif counted is not None and abs(seen.measured - counted.measured) < 150_000:
            self.take_near(number, seen, received)
        elif newest is None or seen.measured >= newest.measured:
            self.take_counting(number, seen, received)

    def take_late(self, number: int, seen: Seen) -> None:
        """A late reading: it may be the newest, it breaks the chain, and rings for nobody."""
        sharer = self.sharer(number)
        if sharer.newest is None or seen.measured > sharer.newest.measured:
            sharer.newest = seen
            sharer.chain, sharer.slope, sharer.ring = 0, 0, []

    def take_near(self, number: int, seen: Seen, received: int) -> None:
        """A near reading: it does not count, but where it is low it alarms."""
        sharer = self.sharer(number)
        newest = sharer.newest
        assert newest is not None
        if seen.measured > newest.measured or (same_second(seen, newest) and seen.level < newest.level):
            sharer.newest = seen
        self.hear(sharer, seen)
        for follow in self.told_follows(number):
            after = self.near(follow, seen)
            self.change(follow, self.heard(follow, after, received), received)

    def take_counting(self, number: int, seen: Seen, received: int) -> None:
        """A reading that counts: everything is judged anew."""
        sharer = self.sharer(number)
        before = sharer.counted
        self.count(sharer, seen)
        self.hear(sharer, seen)
        for follow in self.told_follows(number):
            after = set(follow.holds)
            self.judge_levels(follow, after, seen)
            for soon in SOONS:
                self.judge_soon(follow, after, soon, sharer, seen)
            self.judge_rates(follow, after, sharer, before)
            self.change(follow, self.heard(follow, after, received), received)

    def count(self, sharer: OracleSharer, seen: Seen) -> None:
        """A reading counts: the chain, the slope and the ring."""
        before = sharer.counted
        is_number = seen.level not in (LOW_WORD, HIGH_WORD)
        if before is None or seen.measured - before.measured > 930_000 or sharer.chain == 0 or not is_number:
            sharer.slope = 0
            sharer.chain = 1 if is_number else 0
            sharer.ring = [seen] if is_number else []
        else:
            per5 = (seen.level - before.level) * 300_000_000 // (seen.measured - before.measured)
            sharer.slope = (6_000 * per5 + 2_800 * sharer.slope) // 10_000
            sharer.chain += 1
            sharer.ring = [*sharer.ring, seen][-4:]
        sharer.newest = sharer.counted = seen

    def hear(self, sharer: OracleSharer, seen: Seen) -> None:
        """A live reading that is near or counts: `live` moves, and a warm-up said before it is over."""
        if sharer.live is None or seen.measured > sharer.live:
            sharer.live = seen.measured
        if sharer.warm_up is not None and seen.measured > sharer.warm_up_said:
            sharer.warm_up = None

    def heard(self, follow: OracleFollow, holds: set[Condition], received: int) -> set[Condition]:
        """What holds when `live` may have moved: no readings ends, unless `live` is too long ago for that."""
        live = self.sharer(follow.sharer).live
        assert live is not None
        if received < live + follow.bounds.no_readings_after_ms:
            return holds - {Condition.NO_READINGS}
        return holds

    def postponed(self, follow: OracleFollow, holds: set[Condition], at: int) -> set[Condition]:
        """What holds when a fact has moved `due`: no readings ends where that has not come yet."""
        return holds - {Condition.NO_READINGS} if at < self.due(follow) else holds

    # --- each follow, when a reading counts -----------------------------------------------------------

    def judge_levels(self, follow: OracleFollow, after: set[Condition], seen: Seen) -> None:
        """Low, urgent low, high, urgent high."""
        for condition in LEVELS:
            if condition not in follow.holds:
                if follow.on(condition) and follow.beyond(condition, seen.level):
                    after.add(condition)
                    follow.marks.discard(condition)
            elif not follow.clear(condition, seen.level):
                follow.marks.discard(condition)
            elif condition in follow.marks:
                after.discard(condition)
            else:
                follow.marks.add(condition)

    def judge_soon(
        self, follow: OracleFollow, after: set[Condition], soon: Condition, sharer: OracleSharer, seen: Seen
    ) -> None:
        """Urgent low soon, or its mirror."""
        forecast = sharer.forecast()
        urgent = follow.soon_is_beyond_urgent(soon, seen.level)
        if soon not in follow.holds:
            wanted = forecast is not None and not urgent and follow.soon_is_near(soon, forecast)
            if wanted and follow.on(soon) and seen.measured >= follow.quiet[soon]:
                after.add(soon)
                follow.marks.discard(soon)
                follow.quiet[soon] = seen.measured + 30 * MINUTE
        elif urgent:
            follow.marks.discard(soon)
        elif forecast is None:
            pass
        elif not follow.soon_is_past(soon, forecast):
            follow.marks.discard(soon)
        elif soon in follow.marks:
            after.discard(soon)
        else:
            follow.marks.add(soon)
        if urgent:
            follow.quiet[soon] = max(follow.quiet[soon], seen.measured + 30 * MINUTE)

    def judge_rates(
        self, follow: OracleFollow, after: set[Condition], sharer: OracleSharer, before: Seen | None
    ) -> None:
        """Falling fast, rising fast: only while the rate is known."""
        rate = sharer.rate()
        if rate is None:
            return
        assert sharer.counted is not None
        assert before is not None
        level, bounds = sharer.counted.level, follow.bounds
        if Condition.FALLING_FAST in follow.holds:
            if rate > -500 * bounds.falling_mgdl_per_5min or level > bounds.low_at_most + 80:
                after.discard(Condition.FALLING_FAST)
        elif (
            follow.on(Condition.FALLING_FAST)
            and rate <= -1_000 * bounds.falling_mgdl_per_5min
            and level < before.level
            and level <= bounds.low_at_most + 70
        ):
            after.add(Condition.FALLING_FAST)
        if Condition.RISING_FAST in follow.holds:
            if rate < 500 * bounds.rising_mgdl_per_5min or level < bounds.high_at_least - 80:
                after.discard(Condition.RISING_FAST)
        elif (
            follow.on(Condition.RISING_FAST)
            and rate >= 1_000 * bounds.rising_mgdl_per_5min
            and level > before.level
            and level >= bounds.high_at_least - 70
        ):
            after.add(Condition.RISING_FAST)

    # --- each follow, when a reading is near ----------------------------------------------------------

    def near(self, follow: OracleFollow, seen: Seen) -> set[Condition]:
        """The lower of two readings that contradict each other alarms; nothing ends."""
        after = set(follow.holds)
        for condition in (Condition.LOW, Condition.URGENT_LOW):
            if condition not in follow.holds:
                if follow.on(condition) and follow.beyond(condition, seen.level):
                    after.add(condition)
                    follow.marks.discard(condition)
            elif not follow.clear(condition, seen.level):
                follow.marks.discard(condition)
        soon = Condition.URGENT_LOW_SOON
        if follow.soon_is_beyond_urgent(soon, seen.level):
            follow.quiet[soon] = max(follow.quiet[soon], seen.measured + 30 * MINUTE)
            follow.marks.discard(soon)
        return after

    # --- silence --------------------------------------------------------------------------------------

    def take_tick(self, tick: int) -> None:
        """A second has come: silence begins for whom it is due."""
        if self.last_tick is not None and tick < self.last_tick - 60_000:
            set_back(self, tick)
        for number in sorted(self.follows):
            follow = self.follows[number]
            if follow.told and Condition.NO_READINGS not in follow.holds and tick >= self.due(follow):
                self.change(follow, follow.holds | {Condition.NO_READINGS}, tick)
        self.last_tick = tick

    # --- facts ----------------------------------------------------------------------------------------

    def take_fact(self, fact: AnyFact) -> None:  # noqa: C901 a paragraph of the page for each
        """A fact became true."""
        match fact:
            case FollowSet():
                self.take_follow_set(fact)
            case FollowEnded():
                if fact.follow in self.follows:
                    self.hush(self.follows[fact.follow], fact.at_ms)
            case SensorStarted():
                sharer = self.sharer(fact.sharer)
                if sharer.warm_up is None:
                    sharer.warm_up_said = fact.at_ms
                sharer.warm_up = min(fact.until_ms, sharer.warm_up_said + 10_800_000)
                for follow in self.told_follows(fact.sharer):
                    self.change(follow, self.postponed(follow, follow.holds, fact.at_ms), fact.at_ms)
            case DoorOpened():
                if self.last_tick is None or fact.at_ms - self.last_tick > 60_000:
                    self.door = fact.at_ms
            case SharerAdded():
                sharer = self.sharer(fact.sharer)
                if sharer.added is None:
                    sharer.added = fact.at_ms
            case _:
                pass

    def hush(self, follow: OracleFollow, at: int) -> None:
        """A follow that may not be told has no conditions."""
        self.change(follow, set(), at)
        follow.told = False

    def take_follow_set(self, fact: FollowSet) -> None:
        """A follow was made or changed."""
        follow = self.follows.get(fact.follow)
        if follow is None:
            follow = self.follows[fact.follow] = OracleFollow(fact)
            self.followers.setdefault(fact.sharer, []).append(follow)
            self.followers[fact.sharer].sort(key=lambda one: one.number)
        if not fact.told:
            follow.bounds = fact.bounds
            self.hush(follow, fact.at_ms)
            return
        if follow.told and follow.bounds == fact.bounds:
            return
        same: set[Condition] = set()
        if follow.told:
            same = {one for one in Condition if own(one, follow.bounds) == own(one, fact.bounds)}
        else:
            follow.holds, follow.marks = set(), set()
            follow.quiet = dict.fromkeys(SOONS, 0)
        if follow.first_set is None:
            follow.first_set = fact.at_ms
        follow.told, follow.bounds = True, fact.bounds
        self.rejudge(follow, same, fact.at_ms)

    def rejudge(self, follow: OracleFollow, same: set[Condition], at: int) -> None:
        """What holds under new bounds; what is the `same` goes on as it is, with its mark."""
        after = follow.holds & same
        for condition in {*LEVELS} - same:
            if self.level_holds(follow, condition, at):
                after.add(condition)
        for soon in {*SOONS} - same:
            if soon in follow.holds and follow.on(soon) and not self.soon_is_over(follow, soon):
                after.add(soon)
        for condition in {*RATES} - same:
            if condition in follow.holds and follow.on(condition):
                after.add(condition)
        if Condition.NO_READINGS in follow.holds:
            after.add(Condition.NO_READINGS)
        follow.marks &= same
        self.change(follow, self.postponed(follow, after, at), at)

    def level_holds(self, follow: OracleFollow, condition: Condition, at: int) -> bool:
        """Whether a level condition holds under new bounds."""
        newest = self.sharer(follow.sharer).newest
        if newest is None or not follow.on(condition) or not follow.beyond(condition, newest.level):
            return False
        return condition in follow.holds or at - newest.measured <= 15 * MINUTE

    def soon_is_over(self, follow: OracleFollow, soon: Condition) -> bool:
        """Whether a soon condition is over under new bounds; with no forecast it is not."""
        sharer = self.sharer(follow.sharer)
        forecast = sharer.forecast()
        if forecast is None or sharer.counted is None or sharer.newest != sharer.counted:
            return False
        return not follow.soon_is_beyond_urgent(soon, sharer.counted.level) and follow.soon_is_past(
            soon, forecast
        )


def own(condition: Condition, bounds: Bounds) -> tuple[int, ...]:
    """What a condition depends on: its bit, and its own bounds."""
    limits = {
        Condition.FALLING_FAST: (bounds.falling_mgdl_per_5min, bounds.low_at_most),
        Condition.LOW: (bounds.low_at_most, bounds.low_clear),
        Condition.URGENT_LOW_SOON: (bounds.urgent_low_at_most,),
        Condition.URGENT_LOW: (bounds.urgent_low_at_most, bounds.urgent_low_clear),
        Condition.RISING_FAST: (bounds.rising_mgdl_per_5min, bounds.high_at_least),
        Condition.HIGH: (bounds.high_at_least, bounds.high_clear),
        Condition.URGENT_HIGH_SOON: (bounds.urgent_high_at_least,),
        Condition.URGENT_HIGH: (bounds.urgent_high_at_least, bounds.urgent_high_clear),
        Condition.NO_READINGS: (bounds.no_readings_after_ms,),
    }
    return (bounds.on >> condition & 1, *limits[condition])


def same_second(one: Seen, other: Seen) -> bool:
    """Whether two readings were measured in the same whole second."""
    return one.measured // 1_000 == other.measured // 1_000
