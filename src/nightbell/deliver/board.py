"""The board: all open alarms and the newest word told about each, in memory.

What the stream shows when a screen connects, and what decides whether a late ring still speaks of now. It is
read back from the ledger at the start. Bounded by the number of open alarms and their follows.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from nightbell.alarm.effects import AlarmState, AlarmView, Notification, NotificationKind
from nightbell.deliver.outbox import Standing
from nightbell.words.tier import Tier

OVER_REMEMBERED_MAX: Final = 20_000
"""How many alarms are remembered after their end, for rings of theirs that are still on their way."""


class Change(NamedTuple):
    """One alarm before and after: `before` is None when it is new to us."""

    before: AlarmView | None
    after: AlarmView


class Board:
    """Open alarms, by id and by sharer, each with the newest notification of each follow."""

    def __init__(self) -> None:
        self._alarms: dict[str, AlarmView] = {}
        self._by_sharer: dict[int, dict[str, AlarmView]] = {}
        self._newest: dict[str, dict[int, Notification]] = {}
        self._steps: dict[str, dict[int, dict[int, int]]] = {}
        self._over: OrderedDict[str, AlarmView] = OrderedDict()

    def take(self, alarms: Iterable[AlarmView], notifications: Iterable[Notification]) -> list[Change]:
        """Take new versions; return those that really are newer, so that a replay changes nothing."""
        changes: list[Change] = []
        for alarm in alarms:
            before = self.alarm(alarm.id)
            if before is None or alarm.version > before.version:
                self._put(alarm)
                changes.append(Change(before, alarm))
        for told in notifications:
            if told.kind is NotificationKind.CLOCK:
                continue  # about no alarm, so nothing would ever take it away
            follows = self._newest.setdefault(told.alarm, {})
            known = follows.get(told.follow)
            if known is None or told.step > known.step:
                follows[told.follow] = told
            steps = self._steps.setdefault(told.alarm, {}).setdefault(told.follow, {})
            # News that it is over overtakes a ring however loud.
            loud = told.tier if told.kind in (NotificationKind.RING, NotificationKind.REPEAT) else Tier.CALL
            steps[loud] = max(told.step, steps.get(loud, told.step))
        for change in changes:
            if change.after.state is AlarmState.RESOLVED:
                self._newest.pop(change.after.id, None)
                self._steps.pop(change.after.id, None)
        return changes

    def _put(self, alarm: AlarmView) -> None:
        of_sharer = self._by_sharer.setdefault(alarm.sharer, {})
        if alarm.state is not AlarmState.RESOLVED:
            self._alarms[alarm.id] = alarm
            of_sharer[alarm.id] = alarm
            return
        self._alarms.pop(alarm.id, None)
        of_sharer.pop(alarm.id, None)
        if not of_sharer:
            del self._by_sharer[alarm.sharer]
        self._over[alarm.id] = alarm
        self._over.move_to_end(alarm.id)
        if len(self._over) > OVER_REMEMBERED_MAX:
            self._over.popitem(last=False)

    def alarm(self, alarm_id: str) -> AlarmView | None:
        """An open alarm, or one that ended not long ago."""
        return self._alarms.get(alarm_id) or self._over.get(alarm_id)

    def standing(self, told: Notification) -> Standing:
        """What is known about a notification's alarm."""
        steps = self._steps.get(told.alarm, {}).get(told.follow, {})
        as_loud = (step for tier, step in steps.items() if tier >= told.tier)
        return Standing(self.alarm(told.alarm), max(as_loud, default=told.step))

    def open_alarms(self, sharer: int) -> list[AlarmView]:
        """Open alarms of one sharer of which somebody was told, oldest first."""
        alarms = self._by_sharer.get(sharer, {}).values()
        raised = (alarm for alarm in alarms if alarm.state is not AlarmState.PENDING)
        return sorted(raised, key=lambda alarm: (alarm.opened_ms, alarm.id))

    def newest_told(self, alarm_id: str, person: str) -> Notification | None:
        """The newest notification of an open alarm to one person."""
        theirs = [told for told in self._newest.get(alarm_id, {}).values() if told.follower == person]
        return max(theirs, key=lambda told: told.step, default=None)

    def everybodys(self) -> Iterable[AlarmView]:
        """All open alarms, in no special order."""
        return self._alarms.values()

    @property
    def size(self) -> int:
        """How many alarms are open."""
        return len(self._alarms)
