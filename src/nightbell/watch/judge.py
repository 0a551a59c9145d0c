"""Is it us? The judge turns evidence into a suspicion, an incident, its updates and its end.

Theory of operation. `handle(judged, evidence, now_ms, timings)` is a pure function; the instant at which it
wants to look again is stored as `deadline_ms`. It starts quiet. Any detector that fails makes it suspicious:
the page turns amber and nobody is disturbed. Two detectors that fail together, or one that fails for long,
make an incident. Followers who cannot wait are told at that moment; everybody else once the trouble has
outlasted a short patience, so that a platform that is merely replaced disturbs nobody. While it is open there
is an update before each promised time. It ends only after proof: no detector in trouble, fresh heartbeats,
and a canary's low, published after the last failure, that rang and was answered. Then everybody who was told
hears that it is over, once.

The identities of an incident and its notices are made from the instant it began, so a watcher that is killed
and started again makes the same ones, and what was sent is not sent again.
"""

from enum import StrEnum
from typing import Final, assert_never

import msgspec
from msgspec.structs import replace

from nightbell.watch.evidence import (
    Bad,
    Detector,
    Evidence,
    Excused,
    Good,
    Lost,
    Opened,
    Pulse,
    Tick,
    WentRound,
    Why,
)
from nightbell.watch.sight import NEEDED, Sight, Standing, connected, excused, seen_bad, seen_good
from nightbell.watch.timings import Timings
from nightbell.words.clock import NEVER_MS

INCIDENTS_KEPT: Final = 50
"""Past incidents on the page and in the feed; Statuspage lists as many."""


class Stage(StrEnum):
    """How sure we are that we fail."""

    QUIET = "quiet"
    SUSPECTED = "suspected"
    INCIDENT = "incident"


class NoticeKind(StrEnum):
    """What a notice says."""

    FIRST = "first"
    UPDATE = "update"
    CLEAR = "clear"


class Audience(StrEnum):
    """Who hears a notice."""

    URGENT = "urgent"  # who follows, or is, somebody who was low or in an unanswered alarm
    EVERYONE = "everyone"  # everybody affected
    TOLD = "told"  # everybody who was told of this incident


class Incident(msgspec.Struct, frozen=True):
    """Our own failure.

    Attributes:
        id: Made from when it began.
        since_ms: When the first detector began to fail.
        opened_ms: When we were sure.
        failing: Every detector that failed in it, for long enough to count.
        first: The notice that said it first, or said that it had become worse; empty before.
        begun_ms: When anybody was first told; 0 if nobody yet.
        told_ms: When everybody was told; 0 if that has not come yet.
        updates: Updates made.
        update_ms: When the next update is made.
        over_ms: When it was over; 0 while open.
    """

    id: str
    since_ms: int
    opened_ms: int
    failing: tuple[Detector, ...]
    first: str = ""
    begun_ms: int = 0
    told_ms: int = 0
    updates: int = 0
    update_ms: int = NEVER_MS
    over_ms: int = 0

    @property
    def only_answers(self) -> bool:
        """Whether people are still warned, and only their answers are not taken."""
        return self.failing == (Detector.ANSWER,)


class Announce(msgspec.Struct, frozen=True):
    """One notice to be told: the only effect of the judge.

    Attributes:
        notice: Identity; a person hears each one once.
        kind: What it says.
        audience: Who hears it.
        incident: As it stands.
        at_ms: When it was decided.
        next_ms: By when we promise the next word; 0 if none.
    """

    notice: str
    kind: NoticeKind
    audience: Audience
    incident: Incident
    at_ms: int
    next_ms: int


class Judged(msgspec.Struct, frozen=True):
    """Everything the judge knows.

    Attributes:
        door: The door's sight; likewise the other three.
        stage: How sure we are.
        last_bad_ms: When a detector last failed; proof that it is over counts from there.
        pulses: Fresh heartbeats since then.
        went_round: Whether a canary has gone the whole way since then.
        incident: The open one.
        past: Past ones, newest first.
        deadline_ms: When the judge wants to look again even if nothing happens.
    """

    door: Sight = Sight()
    stream: Sight = Sight()
    alarm: Sight = Sight()
    answer: Sight = Sight()
    stage: Stage = Stage.QUIET
    last_bad_ms: int = 0
    pulses: int = 0
    went_round: bool = False
    incident: Incident | None = None
    past: tuple[Incident, ...] = ()
    deadline_ms: int = NEVER_MS

    def sight(self, detector: Detector) -> Sight:
        """The sight of one detector."""
        found: Sight = getattr(self, detector.value)
        return found

    @property
    def troubled(self) -> bool:
        """Whether any detector fails, or is not yet believed again."""
        return any(self.sight(detector).troubled for detector in Detector)


def handle(
    judged: Judged, evidence: Evidence, now_ms: int, timings: Timings
) -> tuple[Judged, tuple[Announce, ...]]:
    """Take one piece of evidence.

    Args:
        judged: What was known.
        evidence: What was seen.
        now_ms: Our steady time: it never jumps.
        timings: The clocks.

    Returns:
        What is known now, and what must be told, in order.
    """
    judged = _taken(judged, evidence, now_ms, timings)
    judged = _counted(_overdue(judged, now_ms, timings), evidence, now_ms)
    judged, announced = _weighed(judged, now_ms, timings)
    return replace(judged, deadline_ms=_deadline(judged, timings)), announced


def resumed(judged: Judged, now_ms: int, timings: Timings) -> Judged:
    """What is still known after the watcher itself was started again: the incidents, not what detectors saw.

    Proof that an incident is over must be found afresh. Instants of a clock that was set back meanwhile are
    drawn to now, so that no update waits for a time that is far away.
    """
    incident = judged.incident
    if incident is None:
        return Judged(past=judged.past)
    update_ms = incident.update_ms
    incident = replace(
        incident,
        since_ms=min(incident.since_ms, now_ms),
        opened_ms=min(incident.opened_ms, now_ms),
        update_ms=update_ms if update_ms == NEVER_MS else min(update_ms, now_ms + timings.update_every_ms),
    )
    return Judged(stage=Stage.INCIDENT, last_bad_ms=now_ms, incident=incident, past=judged.past)


def untold(incident: Incident, now_ms: int, timings: Timings) -> Announce | None:
    """The first word again, for whoever has become known since everybody was told; None before that.

    Who has had it is not told twice: it is the same notice.
    """
    if not incident.told_ms:
        return None
    return _said(incident.first, NoticeKind.FIRST, Audience.EVERYONE, incident, now_ms, timings=timings)


def _taken(judged: Judged, evidence: Evidence, now_ms: int, timings: Timings) -> Judged:
    """The sights after one piece of evidence."""
    due_ms = now_ms + timings.heartbeat_overdue_ms
    match evidence:
        case Good(detector):
            sight = seen_good(judged.sight(detector), needed=NEEDED[detector], now_ms=now_ms)
            judged = _with(judged, detector, sight)
        case Bad(detector, why, since_ms):
            judged = _with(judged, detector, seen_bad(judged.sight(detector), why=why, since_ms=since_ms))
        case Opened():
            judged = replace(judged, stream=connected(judged.stream, due_ms=due_ms))
        case Lost(why):
            judged = replace(judged, stream=seen_bad(judged.stream, why=why, since_ms=now_ms))
        case Pulse():
            judged = replace(judged, stream=_felt(judged.stream, evidence, now_ms, timings))
        case Excused():
            for detector in Detector:
                sight = excused(judged.sight(detector), now_ms=now_ms, due_ms=due_ms)
                judged = _with(judged, detector, sight)
        case WentRound() | Tick():
            pass
        case _:
            assert_never(evidence)
    return judged


def _felt(stream: Sight, pulse: Pulse, now_ms: int, timings: Timings) -> Sight:
    """The stream's sight after a heartbeat: what it says of itself counts, not only that it came."""
    if not pulse.watching:
        return seen_bad(stream, why=Why.NOT_WATCHING, since_ms=now_ms)
    if pulse.tick_age_ms > timings.tick_age_ms_max:
        return seen_bad(stream, why=Why.STUCK, since_ms=now_ms)
    due_ms = now_ms + timings.heartbeat_overdue_ms
    return seen_good(stream, needed=NEEDED[Detector.STREAM], now_ms=now_ms, due_ms=due_ms)


def _with(judged: Judged, detector: Detector, sight: Sight) -> Judged:
    match detector:
        case Detector.DOOR:
            return replace(judged, door=sight)
        case Detector.STREAM:
            return replace(judged, stream=sight)
        case Detector.ALARM:
            return replace(judged, alarm=sight)
        case Detector.ANSWER:
            return replace(judged, answer=sight)
        case _:
            assert_never(detector)


def _overdue(judged: Judged, now_ms: int, timings: Timings) -> Judged:
    """Silence is evidence: a heartbeat that is due and has not come."""
    if judged.stream.due_ms > now_ms:
        return judged
    missed_ms = judged.stream.due_ms - timings.heartbeat_overdue_ms + timings.heartbeat_every_ms
    return replace(judged, stream=seen_bad(judged.stream, why=Why.SILENT, since_ms=missed_ms))


def _counted(judged: Judged, evidence: Evidence, now_ms: int) -> Judged:
    """What has been proven since a detector last failed."""
    if _bad(judged):
        return replace(judged, last_bad_ms=now_ms, pulses=0, went_round=False)
    if isinstance(evidence, Pulse):
        return replace(judged, pulses=judged.pulses + 1)
    if isinstance(evidence, WentRound) and evidence.published_ms > judged.last_bad_ms:
        return replace(judged, went_round=True)
    return judged


def _bad(judged: Judged) -> list[Detector]:
    return [detector for detector in Detector if judged.sight(detector).bad]


def _is_us(judged: Judged, now_ms: int, timings: Timings) -> bool:
    """Whether what fails now is enough to say that we fail.

    Where there is no way out of our own machine, nothing that we see says anything about the platform; but
    after a while people are told all the same, for nobody can say that they are watched.
    """
    lasted = [now_ms - judged.sight(detector).since_ms for detector in _bad(judged)]
    if not lasted:
        return False
    if any(judged.sight(detector).why is Why.UNREACHABLE for detector in _bad(judged)):
        return max(lasted) >= timings.network_patience_ms
    return max(lasted) >= (timings.two_after_ms if len(lasted) > 1 else timings.one_after_ms)


def _weighed(judged: Judged, now_ms: int, timings: Timings) -> tuple[Judged, tuple[Announce, ...]]:
    """The stage, and what must be told."""
    if judged.incident is not None:
        if _proven_over(judged, timings):
            return _over(judged, judged.incident, now_ms)
        return _going_on(judged, judged.incident, now_ms, timings)
    if _is_us(judged, now_ms, timings):
        since_ms = min(judged.sight(detector).since_ms for detector in _bad(judged))
        incident = Incident(
            id=f"i{since_ms}", since_ms=since_ms, opened_ms=now_ms, failing=tuple(_bad(judged))
        )
        judged = replace(judged, stage=Stage.INCIDENT, incident=incident)
        return _going_on(judged, incident, now_ms, timings)
    return replace(judged, stage=Stage.SUSPECTED if judged.troubled else Stage.QUIET), ()


def _proven_over(judged: Judged, timings: Timings) -> bool:
    return (
        not judged.troubled
        and judged.door.standing is Standing.GOOD
        and judged.stream.standing is Standing.GOOD
        and judged.pulses >= timings.heartbeats_needed
        and (judged.went_round or not timings.needs_round)
    )


def _over(judged: Judged, incident: Incident, now_ms: int) -> tuple[Judged, tuple[Announce, ...]]:
    incident = replace(incident, over_ms=now_ms, update_ms=NEVER_MS)
    clear = Announce(
        notice=f"{incident.id}-clear",
        kind=NoticeKind.CLEAR,
        audience=Audience.TOLD,
        incident=incident,
        at_ms=now_ms,
        next_ms=0,
    )
    past = (incident, *judged.past)[:INCIDENTS_KEPT]
    return replace(judged, stage=Stage.QUIET, incident=None, past=past), (clear,)


def _going_on(
    judged: Judged, incident: Incident, now_ms: int, timings: Timings
) -> tuple[Judged, tuple[Announce, ...]]:
    """An incident that is open: first words, worse news, updates."""
    announced: list[Announce] = []
    grown = _grown(judged, incident, now_ms, timings)
    worse = incident.only_answers and not grown.only_answers and incident.begun_ms > 0
    first = f"{incident.id}-worse" if worse else incident.first or f"{incident.id}-first"
    incident = replace(grown, first=first)
    if not incident.begun_ms:
        incident = replace(incident, begun_ms=now_ms, update_ms=now_ms + timings.update_every_ms)
        announced.append(_said(first, NoticeKind.FIRST, Audience.URGENT, incident, now_ms, timings=timings))
    if worse or (not incident.told_ms and _patience_is_over(judged, incident, now_ms, timings)):
        # The next update keeps its time: some may have been promised it already.
        incident = replace(incident, told_ms=now_ms)
        announced.append(_said(first, NoticeKind.FIRST, Audience.EVERYONE, incident, now_ms, timings=timings))
    elif incident.update_ms <= now_ms:
        updates = incident.updates + 1
        incident = replace(incident, updates=updates, update_ms=now_ms + timings.update_every_ms)
        notice = f"{incident.id}-update-{updates}"
        announced.append(_said(notice, NoticeKind.UPDATE, Audience.TOLD, incident, now_ms, timings=timings))
    return replace(judged, stage=Stage.INCIDENT, incident=incident), tuple(announced)


def _said(
    notice: str, kind: NoticeKind, audience: Audience, incident: Incident, now_ms: int, *, timings: Timings
) -> Announce:
    """An announcement of an open incident, with the time by which the next word comes."""
    promised_ms = incident.update_ms + timings.update_promise_ms - timings.update_every_ms
    return Announce(notice, kind, audience, incident, now_ms, promised_ms)


def _grown(judged: Judged, incident: Incident, now_ms: int, timings: Timings) -> Incident:
    """The incident with what has meanwhile failed for long enough to count."""
    failing = tuple(
        detector
        for detector in Detector
        if detector in incident.failing
        or (judged.sight(detector).bad and now_ms - judged.sight(detector).since_ms >= timings.two_after_ms)
    )
    return replace(incident, failing=failing) if failing != incident.failing else incident


def _patience_is_over(judged: Judged, incident: Incident, now_ms: int, timings: Timings) -> bool:
    """Whether everybody must be told: the trouble outlasted the patience, and is there or may be."""
    if now_ms < incident.since_ms + timings.everyone_after_ms:
        return False
    return bool(_bad(judged)) or now_ms - judged.last_bad_ms >= timings.one_after_ms


def _deadline(judged: Judged, timings: Timings) -> int:
    """The next instant at which the passing of time alone changes something."""
    deadlines = [judged.stream.due_ms]
    incident = judged.incident
    if incident is not None:
        deadlines.append(incident.update_ms)
        if not incident.told_ms:
            everyone_ms = incident.since_ms + timings.everyone_after_ms
            deadlines.append(
                everyone_ms if _bad(judged) else max(everyone_ms, judged.last_bad_ms + timings.one_after_ms)
            )
    elif bad := _bad(judged):
        since_ms = min(judged.sight(detector).since_ms for detector in bad)
        blind = any(judged.sight(detector).why is Why.UNREACHABLE for detector in bad)
        alone_ms = timings.two_after_ms if len(bad) > 1 else timings.one_after_ms
        deadlines.append(since_ms + (timings.network_patience_ms if blind else alone_ms))
    return min(deadlines)
