"""A scene in virtual time: one sharer, some followers, readings and words, and what alarms make of them."""

from collections.abc import Sequence

import numpy as np

from nightbell.alarm.effects import Effects, Entry, Notification
from nightbell.alarm.fold import AlarmFold
from nightbell.follow.bounds import bounds, telling
from nightbell.follow.defaults import default_limits
from nightbell.follow.limits import Limits
from nightbell.journal.facts import AnyFact, FollowSet, SharerAdded
from nightbell.journal.group import Group, no_readings
from nightbell.publish.reading import READING_DTYPE
from nightbell.words.conditions import Condition
from nightbell.words.glucose import Unit
from nightbell.words.tier import Tier

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MINUTE_MS = 60_000
ANA = "00000000-0000-4000-8000-00000000000a"
BEN = "00000000-0000-4000-8000-00000000000b"
CLEO = "00000000-0000-4000-8000-00000000000c"
BEN_FOLLOWS, CLEO_FOLLOWS = 0, 1
NAMES = {ANA: "ana", BEN: "ben", CLEO: "cleo"}


def clock(span_ms: int) -> str:
    """Minutes and seconds, as `2:00`."""
    return f"{span_ms // MINUTE_MS}:{span_ms // 1000 % 60:02d}"


class Scene:
    """Ana shares as number 0. Time moves only by `pass_minutes`; every second has its tick."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.groups: list[Group] = []
        self.notifications: list[Notification] = []
        self.entries: list[Entry] = []
        self.fold = AlarmFold()
        self.last = Effects(0, (), (), ())
        self.fact(SharerAdded(self.now_ms, 0))

    def take(
        self, *, facts: tuple[AnyFact, ...] = (), readings: Sequence[tuple[int, int]] = (), tick: bool = False
    ) -> Effects:
        packed = no_readings()
        if readings:
            packed = np.array(
                [(0, at_ms, self.now_ms, level, 0, 1) for at_ms, level in readings], READING_DTYPE
            )
        group = Group(len(self.groups) + 1, self.now_ms, facts, packed, self.now_ms if tick else 0)
        self.groups.append(group)
        self.last = self.fold.fold([group])
        self.notifications += self.last.notifications
        self.entries += self.last.entries
        return self.last

    def fact(self, fact: AnyFact) -> Effects:
        return self.take(facts=(fact,))

    def follow(
        self,
        number: int = BEN_FOLLOWS,
        who: str = BEN,
        limits: Limits | None = None,
        *,
        told: bool = True,
        zone: str = "UTC",
        by: str = "",
    ) -> Effects:
        chosen = limits or default_limits(Unit.MGDL)
        return self.fact(
            FollowSet(self.now_ms, number, 0, who, told, bounds(chosen), telling(chosen), zone, by)
        )

    def reading(self, level: int, *, minutes_old: float = 0) -> Effects:
        return self.take(readings=[(self.now_ms - int(minutes_old * MINUTE_MS), level)])

    def pass_minutes(self, minutes: float, every_s: int = 10) -> None:
        end_ms = self.now_ms + int(minutes * MINUTE_MS)
        while self.now_ms < end_ms:
            self.now_ms += every_s * 1000
            self.take(tick=True)

    def readings(self, *levels: int) -> None:
        """One reading now and each 5 minutes after the last."""
        for place, level in enumerate(levels):
            if place:
                self.pass_minutes(5)
            self.reading(level)

    def told(self, who: str = BEN) -> list[tuple[str, str]]:
        """What one person was told by the alarm itself, not by its ladder: kind and condition."""
        return [
            (n.kind.value, Condition(n.condition).word + (" unseen" if n.unseen else ""))
            for n in self.notifications
            if n.follower == who and n.tier <= Tier.NUDGE
        ]

    def climbed(self, since_ms: int, who: str = "") -> list[tuple[str, str, str]]:
        """What the ladder told, as `("2:00", "ben", "call")`; of one person, or of all."""
        return [
            (clock(n.at_ms - since_ms), NAMES[n.follower], Tier(n.tier).name.lower())
            for n in self.notifications
            if n.tier > Tier.NUDGE and who in ("", n.follower)
        ]

    def forget(self) -> None:
        self.notifications.clear()
        self.entries.clear()
