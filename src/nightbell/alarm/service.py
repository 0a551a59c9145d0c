"""Runs the fold behind the journal: groups gather for some milliseconds, are folded, effects handed on."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from nightbell.alarm.alarm import Alarm
from nightbell.alarm.decide import Reason
from nightbell.alarm.effects import AlarmState, AlarmView, Effects, Entry, EntryKind
from nightbell.alarm.fold import AlarmFold
from nightbell.alarm.ports import CheckpointStore, EffectsTaker, Replays
from nightbell.alarm.tellings import Tellings
from nightbell.evaluate.columns import NO_MS
from nightbell.journal.facts import AnyFact, DoorOpened
from nightbell.journal.group import VOLATILE_SEQ, Group, no_readings
from nightbell.publish.reading import Reading
from nightbell.words.conditions import Family
from nightbell.words.trend import Trend

PAUSE_S: Final = 0.1
"""How long groups gather before they are folded: small against the second that is promised."""

CHECKPOINT_EVERY_S: Final = 60.0
"""Source: alarm-engine practice; a start then replays a minute of journal at most."""

CHECKPOINT_SOON_S: Final = 0.5
LONG_REPLAY: Final = 5_000
"""A start that replayed so many groups (a tenth of a second) keeps a checkpoint soon: a platform that is
killed again and again must not have more to replay each time."""

CHECKPOINT_EVERY_S_MAX: Final = 600.0
"""Ten minutes of a million sharers are two million readings: some seconds of replay."""

CHECKPOINT_SHARE: Final = 1 / 2000
"""How much of its time the loop may stand still while the state is copied: 0.3 s in ten minutes."""

LAST_LINE: Final = 2_000_000_000
"""Number of the line that closes an alarm of which track was lost: after every other."""

CHECKPOINT_AGAIN_S: Final = 0.2
"""How soon it is tried again while the ledger is behind."""

_SEQ_BYTES: Final = 8

REPLAY_GROUPS: Final = 256
"""Groups folded at once when catching up."""

FACTS_AT_ONCE: Final = 1_000
"""Facts that are taken over at a start before others have the loop."""
GROUPS_WAITING_MAX: Final = 100
"""Groups that wait to be folded before late readings are committed no more: live ones come to some thirty in
the time that groups gather."""

READINGS_AT_ONCE: Final = 1_000
"""Readings folded at once, a last group apart: some 3 ms, and already as fast as larger batches."""

_log = structlog.get_logger()


def checkpoint_every_s(copied_in_s: float) -> float:
    """How long after one checkpoint the next one is due: the longer it holds us up, the later."""
    return min(max(CHECKPOINT_EVERY_S, copied_in_s / CHECKPOINT_SHARE), CHECKPOINT_EVERY_S_MAX)


class SharerState(NamedTuple):
    """What is known of a sharer now.

    Attributes:
        level: Level of the newest reading, -1 if there was never one.
        measured_ms: When it was measured, 0 if there was never one.
        clock_offset_ms: How wrong the uploader's clock is: true time minus its time; 0 if right.
        warm_up_until_ms: Until when a new sensor warms up, 0 if none does.
    """

    level: int
    measured_ms: int
    clock_offset_ms: int
    warm_up_until_ms: int


NOBODY: Final = SharerState(-1, 0, 0, 0)


class Evaluation:
    """The fold, kept running."""

    def __init__(self, taker: EffectsTaker, checkpoints: CheckpointStore) -> None:
        self._taker = taker
        self._checkpoints = checkpoints
        self._fold = AlarmFold()
        self._waiting: deque[Group] = deque()
        self._wake = asyncio.Event()
        self._consumed = 0
        self._folded = 0
        self._awaited: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._told_seq = 0
        self._checkpoint_every_s = CHECKPOINT_EVERY_S
        self._still = asyncio.Lock()
        self.set_aside = 0

    async def load(self, *, written_seq: int) -> int:
        """Take up the newest checkpoint.

        Args:
            written_seq: The newest group whose effects the ledger holds. A checkpoint that had told more is
                not used: those effects would be lost, and are made again from the journal.

        Returns:
            The newest durable group folded in; `start` will want those after it.
        """
        parts = await self._checkpoints.newest()
        if parts is None:
            return 0
        try:
            told_seq = int.from_bytes(parts[0], "little")
            if told_seq > written_seq:
                _log.warning("checkpoint.refused", why="the ledger holds less")
                return 0
            self._fold, self._told_seq = AlarmFold.load(parts[1:]), told_seq
        except (ValueError, IndexError, StopIteration) as problem:
            _log.warning("checkpoint.refused", why=str(problem))
        return self._fold.upto_seq

    async def start(self, journal: Replays, known: Callable[[], Iterator[AnyFact]] | None = None) -> None:
        """Catch up with the journal, and go on.

        Args:
            journal: What to replay.
            known: Sharers and follows as their own store has them, where the journal's beginning has expired:
                without a checkpoint, what people chose before it would be missing while it is replayed.
        """
        if self._fold.upto_seq == 0 and known is not None:
            facts = known()
            while some_facts := tuple(islice(facts, FACTS_AT_ONCE)):
                self._take([Group(0, 0, some_facts, no_readings(), 0)])
                await asyncio.sleep(0)
        some: list[Group] = []
        before_seq = self._fold.upto_seq
        for group in journal.replay(before_seq):
            some.append(group)
            if len(some) == REPLAY_GROUPS:
                self._take(some)
                some = []
                await asyncio.sleep(0)
        self._take(some)
        long = self._fold.upto_seq - before_seq >= LONG_REPLAY
        first_s = CHECKPOINT_SOON_S if long else CHECKPOINT_EVERY_S
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._keep_checkpoints(first_s))]

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What must run for ever; if one ends, the platform must end and start again."""
        return tuple(self._tasks)

    def reconcile(self, in_ledger: Sequence[AlarmView], now_ms: int) -> list[Reading]:
        """Agree with the ledger at start about what is open.

        An alarm that only the ledger knows cannot end by itself any more: it is closed, with the reason. One
        that the ledger knows in a later version goes on from there.

        Returns:
            The readings behind what was closed that the journal never kept: it rang from them while nothing
            could be written. Journal them once it listens, so that a low rings on; a new alarm then has it.
        """
        closed, lines, unkept = [], [], {}
        for view in in_ledger:
            alarm = self._fold.book.by_id.get(view.id)
            if alarm is not None:
                alarm.version = max(alarm.version, view.version + 1)
                closed.append(alarm.view(self._fold.newest(alarm.sharer), 0))
                continue
            if view.family != Family.SILENCE and view.measured_ms > self._fold.newest(view.sharer)[1]:
                at_ms, level = view.measured_ms, view.level
                unkept[view.sharer, at_ms] = Reading(view.sharer, at_ms, now_ms, level, Trend.NONE, 0)
            over = msgspec.structs.replace(
                view, state=AlarmState.RESOLVED, version=view.version + 1, resolved_ms=now_ms
            )
            closed.append(over)
            lines.append(
                Entry(
                    view.id, LAST_LINE, now_ms, EntryKind.RESOLVED, Reason.LOST_TRACK, view.condition, -1, ""
                )
            )
        if closed:
            self._hand_on(Effects(self._fold.upto_seq, tuple(closed), tuple(lines), ()))
        return list(unkept.values())

    async def close(self) -> None:
        """Fold what waits, and stop. `keep_checkpoint` once its effects are written down."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._drain()

    def consume(self, group: Group) -> None:
        """A group of the journal; volatile ones too, so that alarms live while the journal cannot write.

        Of a volatile one only readings, the tick and our own open door count: what a person said was not
        written down, they were told so, and it must not quiet anything.
        """
        if group.seq == VOLATILE_SEQ:
            ours = tuple(fact for fact in group.facts if isinstance(fact, DoorOpened))
            group = group._replace(facts=ours)
        self._waiting.append(group)
        self._consumed += 1
        self._wake.set()

    @property
    def behind(self) -> bool:
        """Whether so much waits that late readings should wait in the journal's lane, which is bounded."""
        return len(self._waiting) > GROUPS_WAITING_MAX

    async def caught_up(self) -> None:
        """Wait until everything consumed so far is folded, however much comes after it."""
        if self._folded < self._consumed:
            done = asyncio.get_running_loop().create_future()
            self._awaited.append((self._consumed, done))
            await done

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_S)
            self._wake.clear()
            while self._waiting:
                async with self._still:
                    self._take_next()
                await asyncio.sleep(0)

    def _drain(self) -> None:
        """Fold all that waits, now."""
        while self._waiting:
            self._take_next()

    def _take_next(self) -> None:
        some = self._next()
        self._take(some)
        self._folded += len(some)
        while self._awaited and self._awaited[0][0] <= self._folded:
            _, done = self._awaited.popleft()
            if not done.done():
                done.set_result(None)

    def _next(self) -> list[Group]:
        """The oldest groups that wait: few enough that whoever wants the loop has it soon."""
        some: list[Group] = []
        readings = 0
        while self._waiting and len(some) < REPLAY_GROUPS and readings < READINGS_AT_ONCE:
            some.append(self._waiting.popleft())
            readings += len(some[-1].readings)
        return some

    def _take(self, groups: Sequence[Group]) -> None:
        """Fold groups. One that cannot be evaluated at all is set aside and said; the others go on."""
        faults = self._fold.faults
        try:
            self._hand_on(self._fold.fold(groups))
        except Exception:  # noqa: BLE001 one group that cannot be folded must not stop the others
            if len(groups) > 1:
                for group in groups:
                    self._take([group])
                return
            self.set_aside += 1
            _log.exception("group.set_aside", seq=groups[0].seq)
        if self._fold.faults > faults:
            self.set_aside += self._fold.faults - faults
            _log.error("cause.set_aside", seq=groups[-1].seq, fault=self._fold.last_fault)

    def _hand_on(self, effects: Effects) -> None:
        if effects.alarms or effects.entries or effects.notifications:
            self._told_seq = max(self._told_seq, effects.upto_seq)
            self._taker.tell(effects)

    async def _keep_checkpoints(self, first_s: float) -> None:
        await asyncio.sleep(first_s)
        while True:
            kept = await self.keep_checkpoint()
            await asyncio.sleep(self._checkpoint_every_s if kept else CHECKPOINT_AGAIN_S)

    async def keep_checkpoint(self) -> bool:
        """Keep a checkpoint, unless the ledger does not hold yet what this state has told; whether it was."""
        try:
            async with self._still:
                if self._taker.written_seq < self._told_seq:
                    return False
                parts = await self._copied()
            await self._checkpoints.keep(parts)
        except Exception as problem:  # noqa: BLE001 without a checkpoint the next start is longer, no more
            _log.warning("checkpoint.not_kept", why=type(problem).__name__)
        return True

    async def _copied(self) -> list[bytes]:
        """A copy of the whole state, while nothing is folded; between two parts others have the loop.

        In one go a million sharers' state took a third of a second, in which nobody was answered.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        parts = [self._told_seq.to_bytes(_SEQ_BYTES, "little")]
        for part in self._fold.dump():
            parts.append(part)
            await asyncio.sleep(0)
        self._checkpoint_every_s = checkpoint_every_s(loop.time() - began)
        return parts

    # -- what others ask --------------------------------------------------------------------------------

    @property
    def evaluated_tick_ms(self) -> int:
        """The newest tick that was folded: what a heartbeat carries to prove that the alarm path works."""
        return max(self._fold.evaluation.columns.last_tick_ms, 0)

    @property
    def waiting_since_ms(self) -> int:
        """When the oldest group that waits to be folded was recorded; 0 if none waits."""
        return self._waiting[0].recorded_ms if self._waiting else 0

    @property
    def newest_measured_ms(self) -> NDArray[np.int64]:
        """When each sharer's newest reading was measured, by number; below 0 if there was never one.

        Not a copy: to be looked at at once.
        """
        newest: NDArray[np.int64] = self._fold.evaluation.columns.sharers.used("newest_ms")
        return newest

    @property
    def is_sharer(self) -> NDArray[np.bool_]:
        """Which of those numbers are sharers the journal knows."""
        known: NDArray[np.bool_] = self._fold.evaluation.columns.sharers.used("added_ms") != NO_MS
        return known

    def state_of(self, sharer: int) -> SharerState:
        """What is known of a sharer now."""
        sharers = self._fold.evaluation.columns.sharers
        if not 0 <= sharer < sharers.count:
            return NOBODY
        level, measured_ms = self._fold.newest(sharer)
        warm_up_ms = int(sharers["warm_up_ms"][sharer])
        return SharerState(
            level=level,
            measured_ms=measured_ms,
            clock_offset_ms=int(sharers["clock_offset_ms"][sharer]),
            warm_up_until_ms=0 if warm_up_ms == NO_MS else warm_up_ms,
        )

    def snoozed_until_ms(self, follow: int) -> dict[str, int]:
        """Until when a follow asked for quiet, by family."""
        snoozes = self._fold.book.snoozes
        return {family.value: until for (number, family), until in snoozes.items() if number == follow}

    def open_alarms(self, sharer: int) -> list[AlarmView]:
        """A sharer's open alarms as they stand."""
        return [self._look(alarm) for alarm in self._fold.book.open_alarms(sharer)]

    def open_alarm(self, alarm_id: str) -> AlarmView | None:
        """One open alarm as it stands, or None if it is over or unknown."""
        alarm = self._fold.book.by_id.get(alarm_id)
        return self._look(alarm) if alarm else None

    def _look(self, alarm: Alarm) -> AlarmView:
        view = alarm.view(self._fold.newest(alarm.sharer), 0)
        alarm.version -= 1
        return view

    def known_follows(self) -> Tellings:
        """What the journal says of each follow that has not ended, by number."""
        return self._fold.book.tellings

    def known_sharers(self) -> NDArray[np.int64]:
        """The sharers the journal knows."""
        added_ms = self._fold.evaluation.columns.sharers.used("added_ms")
        return np.flatnonzero(added_ms != NO_MS)

    def clock_offsets(self) -> dict[tuple[int, int], int]:
        """What was learned of uploaders' clocks: true time minus theirs, ms, by sharer and source."""
        return dict(self._fold.clocks)

    @property
    def upto_seq(self) -> int:
        """The newest durable group folded in."""
        return max(self._fold.upto_seq, VOLATILE_SEQ)
