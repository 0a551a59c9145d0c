"""All open alarms, and what moves them: transitions, facts, and time.

Theory of operation. Everything that one cause (a reading, a fact, a tick) did is taken together: first what
holds is brought up to date, then each follow concerned decides, then the alarm settles: it recovers,
resolves, or goes on. A deadline is a number in a heap; one that was overtaken does not match any more.
Nothing here asks for the time, so a replay of the same journal comes to the same effects.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from nightbell.alarm import ladder
from nightbell.alarm.alarm import NEVER_MEASURED, SHARER_ANSWER_MS, Alarm, identity_hash
from nightbell.alarm.decide import Decision, Quiet, Reason, Verdict, decide
from nightbell.alarm.effects import (
    NO_LADDER,
    AlarmView,
    Effects,
    Entry,
    EntryKind,
    Notification,
    NotificationKind,
)
from nightbell.alarm.lifecycle import AlarmEvent
from nightbell.alarm.part import NOT_RUNG, Part, urgency
from nightbell.alarm.tellings import Tellings
from nightbell.follow.hours import next_change_ms, within
from nightbell.follow.ladder import ORDINARY, Watch
from nightbell.follow.limits import Telling
from nightbell.journal.facts import ClockLearned
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition, Family
from nightbell.words.tier import Tier

FOLD_AGAIN_MS = 5 * 60_000
"""How often a silence that is told as part of a low is looked at again."""

WHOLE_ALARM = -1
"""Stands for the follow in deadlines that belong to the alarm itself: the end of an answer."""

NEXT_STEP = -2
"""The same, for the next step of its ladder."""

_WRITTEN = frozenset({Reason.DELAY, Reason.HOURS, Reason.SNOOZED, Reason.SOMEBODY_HAS_IT, Reason.IN_THE_LOW})


class Change(NamedTuple):
    """One transition, as alarms see it."""

    at_ms: int
    sharer: int
    follow: int
    condition: Condition
    began: bool


class Cause(NamedTuple):
    """What made changes: when, the newest reading of the sharer then, the reason for the timeline, and who.

    Attributes:
        at_ms: Processing time.
        newest: Level and `measured_ms` of the newest reading, `NEVER_MEASURED` if there was none.
        began: Reason written when something begins.
        ended: Reason written when something ends.
        by: Person id who caused it, empty if nobody did.
        others: The sharer's follows that may be told, when a person's change may close an alarm.
    """

    at_ms: int
    newest: tuple[int, int]
    began: Reason = Reason.BEGAN
    ended: Reason = Reason.ENDED
    by: str = ""
    others: tuple[int, ...] = ()

    @property
    def closes(self) -> bool:
        """Whether a person's change, not a reading, ends what ends."""
        return self.ended in {Reason.LIMIT_CHANGED, Reason.FOLLOW_ENDED, Reason.SENSOR_STARTED}


class AlarmBook:
    """Every open alarm."""

    def __init__(self) -> None:
        self.tellings = Tellings()
        self.alarms: dict[tuple[int, Family], Alarm] = {}
        self.by_id: dict[str, Alarm] = {}
        self.snoozes: dict[tuple[int, Family], int] = {}
        self.watches: dict[int, Watch] = {}
        self._deadlines: list[tuple[int, int, str, int]] = []
        self._views: list[AlarmView] = []
        self._entries: list[Entry] = []
        self._notifications: list[Notification] = []
        self._opened: tuple[int, dict[tuple[int, Family], int]] = (0, {})

    def restore(self, alarms: list[Alarm], snoozes: list[tuple[int, Family, int]]) -> None:
        """Become what a checkpoint was taken from; the deadlines follow from the rest."""
        for alarm in alarms:
            self.alarms[alarm.sharer, alarm.family] = self.by_id[alarm.id] = alarm
            for follow, part in alarm.parts.items():
                self._remind(part.due_ms, alarm, follow)
            if alarm.answered_by:
                self.remind_answer(alarm)
            self.remind_step(alarm)
        for follow, family, until_ms in snoozes:
            self.snoozes[follow, family] = until_ms
            self.remind_snooze(self.tellings.sharer(follow), family, follow, until_ms)

    # -- what comes out ---------------------------------------------------------------------------------

    def effects(self, upto_seq: int) -> Effects:
        """Everything since the last call."""
        effects = Effects(upto_seq, tuple(self._views), tuple(self._entries), tuple(self._notifications))
        self._views, self._entries, self._notifications = [], [], []
        return effects

    def write(self, line: Entry) -> None:
        """Add a line to a timeline."""
        self._entries.append(line)

    def open_alarms(self, sharer: int) -> list[Alarm]:
        """A sharer's open alarms."""
        return [alarm for family in Family if (alarm := self.alarms.get((sharer, family)))]

    # -- changes of conditions --------------------------------------------------------------------------

    def change(self, changes: Iterable[Change], cause: Cause) -> None:
        """Take together everything that one cause changed for one sharer."""
        touched: dict[Family, dict[int, None]] = {}
        sharer = -1
        for change in sorted(changes, key=lambda one: (one.began, -one.condition)):
            sharer, family = change.sharer, change.condition.family
            touched.setdefault(family, {})[change.follow] = None
            self._hold(change, cause)
            if change.condition is Condition.NO_READINGS and self._mark_unseen(change, cause):
                touched.setdefault(Family.LOW, {})[change.follow] = None
        for family in Family:
            alarm = self.alarms.get((sharer, family))
            if alarm and family in touched:
                for follow in touched[family]:
                    self.consider(alarm, follow, cause)
                self.settle(alarm, cause)

    def _hold(self, change: Change, cause: Cause) -> None:
        if not change.began and (change.sharer, change.condition.family) not in self.alarms:
            return  # its beginning was lost to a fault of ours; there is nothing to end
        alarm = self._alarm(change, cause)
        part = alarm.parts.setdefault(change.follow, Part())
        if change.began:
            part.held[change.condition] = change.at_ms
            if change.condition > alarm.condition:
                if alarm.condition >= 0:
                    self.write(
                        alarm.entry(EntryKind.GREW, change.at_ms, cause.began, condition=change.condition)
                    )
                alarm.condition = change.condition
        else:
            part.held.pop(change.condition, None)
            part.ease()

    def _alarm(self, change: Change, cause: Cause) -> Alarm:
        key = (change.sharer, change.condition.family)
        alarm = self.alarms.get(key)
        if alarm is None:
            assert change.began
            ordinal = self._ordinal(key, change.at_ms)
            alarm_id = identity_hash(*key, cause.newest[1], change.at_ms, ordinal)
            alarm = Alarm(alarm_id, change.sharer, key[1], change.at_ms)
            self.alarms[key] = self.by_id[alarm_id] = alarm
            alarm.condition = change.condition
            self.write(alarm.entry(EntryKind.OPENED, change.at_ms, cause.began, condition=change.condition))
        return alarm

    def _ordinal(self, key: tuple[int, Family], at_ms: int) -> int:
        """How many alarms of this kind already opened in this very millisecond; ids must differ."""
        if self._opened[0] != at_ms:
            self._opened = (at_ms, {})
        ordinal = self._opened[1].get(key, 0)
        self._opened[1][key] = ordinal + 1
        return ordinal

    def _mark_unseen(self, change: Change, cause: Cause) -> bool:
        """Readings stopped, or came back, while a low holds for this follow.

        Where a person's word ends a silence, nothing was seen: the low stays unseen until a reading comes.
        """
        if cause.closes and not change.began:
            return False
        low = self.alarms.get((change.sharer, Family.LOW))
        part = low.parts.get(change.follow) if low else None
        if low is None or part is None or part.unseen == change.began:
            return False
        was = low.unseen
        part.unseen = change.began
        part.ease()
        if low.unseen != was:
            kind = EntryKind.UNSEEN if low.unseen else EntryKind.SEEN_AGAIN
            self.write(low.entry(kind, cause.at_ms, cause.began if change.began else cause.ended))
        return True

    # -- one follow decides -----------------------------------------------------------------------------

    def consider(self, alarm: Alarm, follow: int, cause: Cause, ring_reason: Reason | None = None) -> None:
        """Let one follow decide whether it is told now."""
        part = alarm.parts.get(follow)
        if part is None:
            return
        decision = self._decide(alarm, follow, part, cause.at_ms)
        if decision.verdict is Verdict.WAIT:
            self._withhold(alarm, follow, part, decision, cause.at_ms)
        else:
            self._ring(alarm, follow, part, decision, cause, ring_reason)
        due_ms = decision.due_ms
        if decision.reason is Reason.IN_THE_LOW:
            due_ms = min(due_ms, cause.at_ms + FOLD_AGAIN_MS)
        part.due_ms = due_ms = max(due_ms, cause.at_ms + 1)
        self._remind(due_ms, alarm, follow)

    def _decide(self, alarm: Alarm, follow: int, part: Part, now_ms: int) -> Decision:
        zone = self.tellings.zone(follow)

        def within_hours(telling: Telling) -> tuple[bool, int]:
            if within(telling.hours, zone, now_ms):
                return True, NEVER_MS
            return False, next_change_ms(telling.hours, zone, now_ms)

        quiet = Quiet(
            within_hours=within_hours,
            snoozed_until_ms=self.snoozes.get((follow, alarm.family), 0),
            covered=alarm.covered,
            covered_until_ms=alarm.answered_until_ms or NEVER_MS,
            told_as_low=alarm.family is Family.SILENCE and self._told_as_low(alarm.sharer, follow, now_ms),
        )
        return decide(part, self.tellings.telling(follow), quiet, now_ms)

    def _told_as_low(self, sharer: int, follow: int, now_ms: int) -> bool:
        """Whether this follow hears of the silence through an open low: then one alarm is enough."""
        low = self.alarms.get((sharer, Family.LOW))
        part = low.parts.get(follow) if low else None
        if low is None or part is None or not part.held:
            return False
        reason = self._decide(low, follow, part, now_ms).reason
        return reason not in {Reason.DELAY, Reason.HOURS, Reason.SNOOZED}

    def _withhold(self, alarm: Alarm, follow: int, part: Part, decision: Decision, now_ms: int) -> None:
        if decision.condition is None or decision.reason not in _WRITTEN:
            return
        said = (urgency(decision.condition, unseen=part.unseen), decision.reason.value)
        knows = decision.reason is Reason.SOMEBODY_HAS_IT and part.rung >= said[0]
        if said != part.withheld and not knows:
            part.withheld = said
            self.write(
                alarm.entry(
                    EntryKind.WITHHELD,
                    now_ms,
                    decision.reason,
                    condition=decision.condition,
                    follow=follow,
                    person=self.tellings.follower(follow),
                )
            )

    def _ring(
        self,
        alarm: Alarm,
        follow: int,
        part: Part,
        decision: Decision,
        cause: Cause,
        ring_reason: Reason | None,
    ) -> None:
        assert decision.condition is not None
        part.rung = max(part.rung, urgency(decision.condition, unseen=part.unseen))
        part.rung_ms, part.told, part.withheld = cause.at_ms, True, (NOT_RUNG, "")
        alarm.move(AlarmEvent.TOLD)
        alarm.raised_ms = alarm.raised_ms or cause.at_ms
        kind = NotificationKind.RING if decision.verdict is Verdict.RING else NotificationKind.REPEAT
        self.write(
            alarm.entry(
                EntryKind.TOLD,
                cause.at_ms,
                ring_reason or decision.reason,
                condition=decision.condition,
                follow=follow,
                person=self.tellings.follower(follow),
            )
        )
        climbs = ladder.begin(self, alarm, decision.condition, cause.at_ms)
        tier = Tier.NUDGE if climbs else NO_LADDER
        self._notify(alarm, follow, part, kind, decision.condition, cause, tier)

    def tell_step(
        self, alarm: Alarm, follow: int, condition: Condition, cause: Cause, reason: Reason, tier: Tier
    ) -> None:
        """One step of the ladder reaches one follow: told again, more loudly."""
        part = alarm.parts[follow]
        person = self.tellings.follower(follow)
        self.write(
            alarm.entry(
                EntryKind.TOLD, cause.at_ms, reason, condition=condition, follow=follow, person=person
            )
        )
        self._notify(alarm, follow, part, NotificationKind.REPEAT, condition, cause, tier)

    def rang_for(self, alarm: Alarm, now_ms: int) -> dict[int, Condition]:
        """The follows for whom a condition that climbs rang and may ring now, each with its most urgent."""
        climbs = self.watch(alarm.sharer).ladder.does_climb
        found: dict[int, Condition] = {}
        for follow, part in alarm.parts.items():
            condition = max((held for held in part.held if climbs(held)), default=None)
            if condition is None or part.rung < urgency(condition, unseen=False):
                continue
            if self._decide(alarm, follow, part, now_ms).reason not in {Reason.HOURS, Reason.SNOOZED}:
                found[follow] = condition
        return found

    def watch(self, sharer: int) -> Watch:
        """Who watches over a sharer, and how alarms climb."""
        return self.watches.get(sharer, ORDINARY)

    def _notify(
        self,
        alarm: Alarm,
        follow: int,
        part: Part,
        kind: NotificationKind,
        condition: int,
        cause: Cause,
        tier: int = NO_LADDER,
    ) -> None:
        level, measured_ms = cause.newest
        self._notifications.append(
            Notification(
                id=identity_hash(alarm.id, part.step, follow, cause.at_ms),
                alarm=alarm.id,
                step=part.step,
                sharer=alarm.sharer,
                follow=follow,
                follower=self.tellings.follower(follow),
                kind=kind,
                condition=condition,
                unseen=part.unseen,
                at_ms=cause.at_ms,
                urgent=kind in {NotificationKind.RING, NotificationKind.REPEAT},
                level=level,
                measured_ms=measured_ms,
                answered_by=alarm.answered_by,
                by=cause.by if kind is NotificationKind.CLOSED else "",
                tier=tier,
            )
        )
        part.step += 1

    def tell_of_clock(self, fact: ClockLearned, follows: Sequence[int], newest: tuple[int, int]) -> None:
        """A phone's clock is wrong: news for its followers, about no alarm."""
        news = identity_hash("clock", fact.sharer, fact.source, fact.at_ms)
        for follow in follows:
            self._notifications.append(
                Notification(
                    id=identity_hash(news, 0, follow),
                    alarm=news,
                    step=0,
                    sharer=fact.sharer,
                    follow=follow,
                    follower=self.tellings.follower(follow),
                    kind=NotificationKind.CLOCK,
                    condition=Condition.NO_READINGS,
                    unseen=False,
                    at_ms=fact.at_ms,
                    urgent=False,
                    level=newest[0],
                    measured_ms=newest[1],
                    answered_by="",
                )
            )

    # -- the alarm settles ------------------------------------------------------------------------------

    def settle(self, alarm: Alarm, cause: Cause) -> None:
        """After everything one cause did: say who recovered, ease or resolve, and write the new version."""
        for follow, part in alarm.parts.items():
            if part.told and not part.held:
                part.told = False
                if not cause.closes:
                    self._notify(alarm, follow, part, NotificationKind.RECOVERED, alarm.condition, cause)
                elif follow not in cause.others and self.tellings.follower(follow) != cause.by:
                    # Somebody else ended or paused this follow while it rang: its follower must not wonder,
                    # but may see no number any more.
                    blind = cause._replace(newest=NEVER_MEASURED)
                    self._notify(alarm, follow, part, NotificationKind.CLOSED, alarm.condition, blind)
        most = max((max(part.held) for part in alarm.parts.values() if part.held), default=None)
        if most is None:
            self._resolve(alarm, cause)
            return
        if most < alarm.condition:
            alarm.condition = most
            self.write(alarm.entry(EntryKind.EASED, cause.at_ms, cause.ended, condition=most))
        ladder.ease(self, alarm)
        self._views.append(alarm.view(cause.newest, 0))

    def _resolve(self, alarm: Alarm, cause: Cause) -> None:
        alarm.move(AlarmEvent.CLEARED)
        self.write(
            alarm.entry(
                EntryKind.RESOLVED, cause.at_ms, cause.ended, condition=alarm.condition, person=cause.by
            )
        )
        for follow in cause.others if cause.closes else ():
            if self.tellings.follower(follow) != cause.by:
                part = alarm.parts.setdefault(follow, Part())
                self._notify(alarm, follow, part, NotificationKind.CLOSED, alarm.condition, cause)
        self._views.append(alarm.view(cause.newest, cause.at_ms))
        del self.alarms[alarm.sharer, alarm.family], self.by_id[alarm.id]

    def forget_answers_of(self, sharer: int, person: str, cause: Cause) -> None:
        """Whoever had an alarm may not be told any more: nobody has it now."""
        for alarm in self.open_alarms(sharer):
            if alarm.answered_by == person:
                self.end_answer(alarm, cause, EntryKind.ANSWER_ENDED, Reason.FOLLOW_ENDED)

    # -- time -------------------------------------------------------------------------------------------

    def _remind(self, due_ms: int, alarm: Alarm, follow: int) -> None:
        if due_ms < NEVER_MS:
            heapq.heappush(self._deadlines, (due_ms, alarm.sharer, alarm.family.value, follow))

    def remind_snooze(self, sharer: int, family: Family, follow: int, until_ms: int) -> None:
        """Look again when a snooze ends, whether an alarm is open then or not."""
        heapq.heappush(self._deadlines, (until_ms, sharer, family.value, follow))

    def remind_step(self, alarm: Alarm) -> None:
        """Look again when the next step of the ladder comes."""
        if alarm.climb:
            self._remind(alarm.climb.due_ms, alarm, NEXT_STEP)

    def remind_answer(self, alarm: Alarm) -> None:
        """Look again when the answer ends."""
        self._remind(alarm.answered_until_ms, alarm, WHOLE_ALARM)

    def tick(self, now_ms: int, newest: Callable[[int], tuple[int, int]]) -> None:
        """Do everything whose deadline has come."""
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            due_ms, sharer, family_value, follow = heapq.heappop(self._deadlines)
            family = Family(family_value)
            alarm = self.alarms.get((sharer, family))
            self._end_snooze(follow, family, alarm, now_ms)
            if alarm is None:
                continue
            cause = Cause(now_ms, newest(sharer))
            if follow == WHOLE_ALARM:
                if alarm.answered_by and alarm.answered_until_ms == due_ms:
                    self.end_answer(alarm, cause, EntryKind.ANSWER_ENDED, Reason.TIME_OVER)
            elif follow == NEXT_STEP:
                if alarm.climb and alarm.climb.due_ms == due_ms:
                    ladder.step(self, alarm, cause)
                    self._views.append(alarm.view(cause.newest, 0))
            elif (part := alarm.parts.get(follow)) and part.due_ms == due_ms:
                before = alarm.state, part.step
                self.consider(alarm, follow, cause)
                if (alarm.state, part.step) != before:
                    self._views.append(alarm.view(cause.newest, 0))

    def set_back(self, now_ms: int, before_ms: int, newest: Callable[[int], tuple[int, int]]) -> None:
        """Our own clock was set back: what was stamped by the wrong one must not postpone anything."""
        step_ms = before_ms - now_ms
        self.snoozes = {key: until_ms - step_ms for key, until_ms in self.snoozes.items()}
        for (follow, family), until_ms in self.snoozes.items():
            self.remind_snooze(self.tellings.sharer(follow), family, follow, until_ms)
        for alarm in list(self.alarms.values()):
            if alarm.answered_by and alarm.answered_ms > now_ms:
                alarm.answered_ms, alarm.answered_until_ms = now_ms, alarm.answered_until_ms - step_ms
                self.remind_answer(alarm)
            alarm.sharer_until_ms = min(alarm.sharer_until_ms, now_ms + SHARER_ANSWER_MS)
            ladder.set_back(self, alarm, step_ms)
            for follow, part in alarm.parts.items():
                part.held = {condition: min(began_ms, now_ms) for condition, began_ms in part.held.items()}
                part.rung_ms = min(part.rung_ms, now_ms)
                self.consider(alarm, follow, Cause(now_ms, newest(alarm.sharer)))
            self._views.append(alarm.view(newest(alarm.sharer), 0))

    def _end_snooze(self, follow: int, family: Family, alarm: Alarm | None, now_ms: int) -> None:
        until_ms = self.snoozes.get((follow, family))
        if until_ms is not None and until_ms <= now_ms:
            del self.snoozes[follow, family]
            if alarm:
                self.write(alarm.entry(EntryKind.SNOOZE_ENDED, now_ms, Reason.TIME_OVER, follow=follow))

    def end_answer(self, alarm: Alarm, cause: Cause, kind: EntryKind, reason: Reason) -> None:
        """Nobody has it any more: whoever it still concerns is rung at once."""
        event = AlarmEvent.UNDONE if kind is EntryKind.ANSWER_UNDONE else AlarmEvent.ANSWER_ENDED
        self.write(alarm.entry(kind, cause.at_ms, reason, person=alarm.answered_by))
        alarm.forget_answer()
        alarm.move(event)
        ladder.take_up(self, alarm, undone=event is AlarmEvent.UNDONE, now_ms=cause.at_ms)
        for follow, part in alarm.parts.items():
            part.rung = NOT_RUNG
            self.consider(alarm, follow, cause, Reason.ANSWER_ENDED)
        self._views.append(alarm.view(cause.newest, 0))
