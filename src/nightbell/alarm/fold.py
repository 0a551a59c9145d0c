"""The whole fold: journal groups in, effects out. Evaluation and alarms move together, and only here.

Groups are folded in chunks that end at a tick, and a group with facts is a chunk of its own. So "the newest
reading when it happened" is the same wherever batches begin and end.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec
import numpy as np

from nightbell.alarm import ladder, people
from nightbell.alarm.alarm import NEVER_MEASURED, Alarm
from nightbell.alarm.book import AlarmBook, Cause, Change
from nightbell.alarm.decide import Reason
from nightbell.alarm.effects import Effects
from nightbell.alarm.tellings import TellingsState
from nightbell.evaluate.columns import NO_MS
from nightbell.evaluate.fold import Fold
from nightbell.evaluate.rules import CLOCK_BACK_MS_MIN
from nightbell.evaluate.transition import Folded, group_of, reading_of
from nightbell.follow.ladder import DEFAULT, ORDINARY, Watch, faults
from nightbell.journal.facts import (
    Answered,
    AnswerUndone,
    AnyFact,
    ClockLearned,
    FollowEnded,
    FollowSet,
    PassedOn,
    SensorStarted,
    Snoozed,
    WatchSet,
)
from nightbell.journal.group import Group
from nightbell.words.conditions import Condition, Family
from nightbell.words.table import Part

_VERSION: Final = 2


class _Dump(msgspec.Struct, frozen=True):
    version: int
    upto_seq: int
    tellings: TellingsState
    alarms: list[Alarm]
    snoozes: list[tuple[int, Family, int]]
    clocks: list[tuple[int, int, int]]
    watches: list[tuple[int, Watch]] = []


class AlarmFold:
    """Everything that is known about conditions and alarms, and the one way to move it."""

    def __init__(self) -> None:
        self.evaluation = Fold()
        self.book = AlarmBook()
        self.upto_seq = 0
        self.clocks: dict[tuple[int, int], int] = {}
        self.faults = 0
        self.last_fault = ""

    def fold(self, groups: Sequence[Group]) -> Effects:
        """Fold groups in order. Returns what it led to."""
        for chunk in _chunks(groups):
            self._fold_chunk(chunk)
            self.upto_seq = max(self.upto_seq, chunk[-1].seq)
        return self.book.effects(self.upto_seq)

    def newest(self, sharer: int) -> tuple[int, int]:
        """Level and `measured_ms` of a sharer's newest reading."""
        sharers = self.evaluation.columns.sharers
        if sharer >= sharers.count or sharers["newest_ms"][sharer] == NO_MS:
            return NEVER_MEASURED
        return int(sharers["newest_level"][sharer]), int(sharers["newest_ms"][sharer])

    def _fold_chunk(self, chunk: Sequence[Group]) -> None:
        before_ms = self.evaluation.columns.last_tick_ms
        by_cause = _by_cause(self.evaluation.run(chunk))
        if chunk[0].facts:
            for number, fact in enumerate(chunk[0].facts):
                with self._apart():
                    self._take_fact(fact, by_cause.pop(number, []))
        for cause, changes in by_cause.items():
            with self._apart():
                self._take_reading_or_tick(chunk, cause, changes)
        tick_ms = chunk[-1].tick_ms
        if tick_ms:
            with self._apart():
                if tick_ms < before_ms - CLOCK_BACK_MS_MIN:
                    self.book.set_back(tick_ms, before_ms, self.newest)
                self.book.tick(tick_ms, self.newest)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[None]:
        """A fault of ours about one cause is counted, and silences nobody else."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 see above; the service says it
            self.faults += 1
            self.last_fault = f"{type(error).__name__} in the book of alarms"

    def _take_reading_or_tick(self, chunk: Sequence[Group], cause: int, changes: list[Change]) -> None:
        group, place = chunk[group_of(cause)], reading_of(cause)
        if place is not None:
            reading = group.readings[place]
            newest = int(reading["level"]), int(reading["measured_ms"])
            self.book.change(changes, Cause(changes[0].at_ms, newest))
            return
        for sharer, part in groupby(sorted(changes, key=lambda change: change.sharer), lambda c: c.sharer):
            self.book.change(part, Cause(group.tick_ms, self.newest(sharer)))

    def _take_fact(self, fact: AnyFact, changes: list[Change]) -> None:
        match fact:
            case FollowSet():
                self.book.tellings.set(fact)
            case FollowEnded():
                self.book.tellings.end(fact.follow)
            case ClockLearned():
                self._learn_clock(fact)
            case WatchSet():
                self._set_watch(fact)
            case _:
                pass
        cause = self._cause(fact, changes)
        if changes:
            self.book.change(changes, cause)
        if isinstance(fact, FollowEnded) or (isinstance(fact, FollowSet) and not fact.told):
            self._let_go(fact)
        if isinstance(fact, FollowSet):
            self._retell(fact, cause)
        else:
            self._take_words(fact)

    def _learn_clock(self, fact: ClockLearned) -> None:
        """Tell the followers once that a phone's clock is wrong: its numbers are corrected, but mend it."""
        was_ms = self.clocks.get((fact.sharer, fact.source), 0)
        self.clocks[fact.sharer, fact.source] = fact.offset_ms
        if fact.offset_ms and not was_ms:
            follows = sorted(self.evaluation.columns.follows_of(fact.sharer))
            self.book.tell_of_clock(fact, follows, self.newest(fact.sharer))

    def _set_watch(self, fact: WatchSet) -> None:
        """Who watches and how it climbs; what is climbing goes on by the new ladder."""
        watch = (
            fact.watch
            if not faults(fact.watch.ladder)
            else msgspec.structs.replace(fact.watch, ladder=DEFAULT)
        )
        if watch == ORDINARY:
            self.book.watches.pop(fact.sharer, None)
        else:
            self.book.watches[fact.sharer] = watch
        for alarm in self.book.open_alarms(fact.sharer):
            ladder.change(self.book, alarm, fact.at_ms)

    def _take_words(self, fact: AnyFact) -> None:
        """What a person said about an alarm, if it is about one that is open."""
        match fact:
            case Answered():
                if alarm := self.book.by_id.get(fact.alarm):
                    people.answer(self.book, alarm, fact, self._now(fact, alarm.sharer))
            case AnswerUndone():
                if alarm := self.book.by_id.get(fact.alarm):
                    people.undo(self.book, alarm, fact, self._now(fact, alarm.sharer))
            case PassedOn():
                if alarm := self.book.by_id.get(fact.alarm):
                    people.pass_on(self.book, alarm, fact, self._now(fact, alarm.sharer))
            case Snoozed():
                if (sharer := self.book.tellings.sharer(fact.follow)) >= 0:
                    people.snooze(self.book, sharer, fact, self._now(fact, sharer))
            case _:
                pass

    def _let_go(self, fact: FollowSet | FollowEnded) -> None:
        """A follow may not be told any more; an answer of its follower is none any more either."""
        tellings = self.book.tellings
        sharer = tellings.sharer(fact.follow)
        if sharer >= 0:
            cause = self._now(fact, sharer)
            self.book.forget_answers_of(sharer, tellings.follower(fact.follow), cause)

    def _retell(self, fact: FollowSet, cause: Cause) -> None:
        """Delays, hours and repeats may have changed though no condition did: decide anew at once."""
        for alarm in self.book.open_alarms(fact.sharer):
            part = alarm.parts.get(fact.follow)
            if part and part.held:
                self.book.consider(alarm, fact.follow, cause)
                self.book.settle(alarm, cause)

    def _now(self, fact: AnyFact, sharer: int) -> Cause:
        return Cause(fact.at_ms, self.newest(sharer))

    def _cause(self, fact: AnyFact, changes: list[Change]) -> Cause:
        if not isinstance(fact, FollowSet | FollowEnded | SensorStarted):
            return Cause(fact.at_ms, NEVER_MEASURED)
        sharer = changes[0].sharer if changes else getattr(fact, "sharer", -1)
        newest = self.newest(sharer)
        others = tuple(sorted(self.evaluation.columns.follows_of(sharer))) if changes else ()
        if isinstance(fact, SensorStarted):
            return Cause(fact.at_ms, newest, Reason.BEGAN, Reason.SENSOR_STARTED, fact.by, others)
        told = isinstance(fact, FollowSet) and fact.told
        ended = Reason.LIMIT_CHANGED if told else Reason.FOLLOW_ENDED
        return Cause(fact.at_ms, newest, Reason.LIMIT_CHANGED, ended, fact.by, others)

    def dump(self) -> Iterator[bytes]:
        """The whole state, for a checkpoint: one part that describes it, then columns.

        Each part is copied when it is asked for: fold nothing before the last.
        """
        described = _Dump(
            _VERSION,
            self.upto_seq,
            self.book.tellings.state(),
            list(self.book.alarms.values()),
            [(follow, family, until_ms) for (follow, family), until_ms in self.book.snoozes.items()],
            [(sharer, source, offset_ms) for (sharer, source), offset_ms in self.clocks.items()],
            list(self.book.watches.items()),
        )
        yield msgspec.msgpack.encode(described)
        yield from self.book.tellings.parts()
        yield from self.evaluation.dump()

    @classmethod
    def load(cls, parts: Iterable[Part]) -> "AlarmFold":
        """The fold that `parts` were taken from.

        Raises:
            ValueError: They were made by another version or are damaged. Replay the journal instead.
        """
        some = iter(parts)
        dump = msgspec.msgpack.decode(next(some), type=_Dump)
        if dump.version != _VERSION:
            raise ValueError(f"checkpoint of version {dump.version}, not {_VERSION}")
        fold = cls()
        fold.upto_seq = dump.upto_seq
        fold.book.tellings.restore(dump.tellings, some)
        fold.book.watches = dict(dump.watches)
        fold.book.restore(dump.alarms, dump.snoozes)
        fold.clocks = {(sharer, source): offset_ms for sharer, source, offset_ms in dump.clocks}
        fold.evaluation = Fold.load(some)
        return fold


def _chunks(groups: Sequence[Group]) -> Iterator[Sequence[Group]]:
    """Cut after every tick, and around every group with facts."""
    start = 0
    for place, group in enumerate(groups):
        if group.facts and place > start:
            yield groups[start:place]
            start = place
        if group.facts or group.tick_ms:
            yield groups[start : place + 1]
            start = place + 1
    if start < len(groups):
        yield groups[start:]


def _by_cause(folded: Folded) -> dict[int, list[Change]]:
    """Transitions as changes, gathered by what caused them, in order."""
    gathered: dict[int, list[Change]] = {}
    columns = (
        folded.transitions[name].tolist() for name in ("at_ms", "sharer", "follow", "condition", "began")
    )
    for cause, at_ms, sharer, follow, condition, began in zip(
        np.asarray(folded.causes).tolist(), *columns, strict=True
    ):
        gathered.setdefault(cause, []).append(Change(at_ms, sharer, follow, Condition(condition), began))
    return gathered
