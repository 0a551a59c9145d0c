"""Reads the history of a run and the files that the platform left, and says what was promised and not kept.

    python -m tests.faults.checker HISTORY DATA

It runs when the platform has ended, in a process of its own, and knows of the product only how a record lies
on the disk. What must ring it decides by a rule of its own: a reading of at most 54 mg/dL that was
acknowledged while it was the newest of its sharer. Prints a JSON document; ends with 1 if anything was lost.
"""

import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from nightbell.journal.group import Group
from nightbell.journal.packing import Damaged, decode
from tests.faults.record import Acked, Harmed, Heard, House, Line, Sent, Shown, lines

MUST_RING_MGDL: Final = 54
"""Source: level 2 hypoglycaemia, below 54 mg/dL (3.0 mmol/L); the product's own limit is higher."""

OPENS_WITHIN_MS: Final = 60_000
"""How long after its acknowledgement a low's alarm may open: hours of slack on a slow machine are no miss."""

SHOWN_AT_MOST: Final = 20
"""So many violations of one kind are printed."""

Reading = tuple[int, int, int]
"""Sharer, second, level."""


class Alarm(NamedTuple):
    """One low alarm of the ledger."""

    id: str
    sharer: int
    opened_ms: int
    resolved_ms: int


class Notice(NamedTuple):
    """One notification of the ledger."""

    id: str
    alarm: str
    step: int
    follow: int
    follower: str
    urgent: bool


class Files(NamedTuple):
    """What the platform left: the journal's readings with how often each is there, and the ledger."""

    journal: Counter[Reading]
    torn: tuple[tuple[int, str], ...]
    alarms: tuple[Alarm, ...]
    notices: tuple[Notice, ...]


class Verdict(msgspec.Struct, frozen=True):
    """What was found. `rung_ms` are the times from sending a low to hearing it on the screen, ascending.

    `lost` are acknowledged readings, `missed` alarms, `doubled` what is there twice or under two ids, and
    `excused` what is gone with the damaged part of a journal, where the fault was to damage it.
    """

    violations: tuple[str, ...]
    acked: int
    lows: int
    lost: int
    missed: int
    doubled: int
    excused: int
    repeated_on_stream: int
    journaled_twice_late: int
    rung_ms: tuple[int, ...]


def segments_of(folder: Path) -> list[tuple[int, str, list[tuple[int, bytes]], list[tuple[int, str]]]]:
    """Each of the journal's files in order: its first number, name, records, and what cannot be read."""
    segments: list[tuple[int, str, list[tuple[int, bytes]], list[tuple[int, str]]]] = []
    for path in folder.glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as file:
            try:
                (first,) = file.execute("SELECT first_seq FROM segment").fetchone()
            except sqlite3.DatabaseError as error:
                segments.append((0, path.name, [], [(0, str(error))]))
                continue
            rows, unread = _rows(file)
            segments.append((first, path.name, rows, unread))
    segments.sort()
    return segments


def _rows(file: sqlite3.Connection) -> tuple[list[tuple[int, bytes]], list[tuple[int, str]]]:
    """The records of one file; where damage hides one, those around it."""
    with suppress(sqlite3.DatabaseError):
        return file.execute("SELECT seq, packed FROM record").fetchall(), []
    rows, unread = [], []
    try:
        (low, high) = file.execute("SELECT min(seq), max(seq) FROM record").fetchone()
    except sqlite3.DatabaseError as error:
        return [], [(0, str(error))]
    for seq in range(low or 0, (high or 0) + 1):
        try:
            rows += file.execute("SELECT seq, packed FROM record WHERE seq = ?", (seq,)).fetchall()
        except sqlite3.DatabaseError as error:
            unread.append((seq, str(error)))
    return rows, unread


def journal_of(folder: Path) -> tuple[Counter[Reading], tuple[tuple[int, str], ...]]:
    """Every reading that counts in the journal's files; and the numbers of records that cannot be read.

    A number of 0 is a whole file.
    """
    segments = segments_of(folder)
    held: Counter[Reading] = Counter()
    torn = []
    for at, (_, name, rows, unread) in enumerate(segments):
        void_from = segments[at + 1][0] if at + 1 < len(segments) else 2**62
        torn += [(seq, f"{name}: record {seq}: {why}") for seq, why in unread]
        for seq, packed in rows:
            group = decode(packed)
            if isinstance(group, Damaged):
                torn.append((seq, f"{name}: record {seq}: {group.reason}"))
            elif seq < void_from:
                held.update(readings_of(group))
    return held, tuple(torn)


def readings_of(group: Group) -> Iterator[Reading]:
    """The readings of one record."""
    columns = (group.readings[name].tolist() for name in ("sharer", "measured_ms", "level"))
    return ((sharer, ms // 1000, level) for sharer, ms, level in zip(*columns, strict=True))


def files_of(data: Path) -> Files:
    """All that is checked of a data directory."""
    held, torn = journal_of(data / "journal")
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger:
        alarms = ledger.execute("SELECT id, sharer, opened_ms, resolved_ms FROM alarm WHERE family = 'low'")
        notices = ledger.execute("SELECT id, alarm, step, follow, follower, urgent FROM notification")
        return Files(held, torn, tuple(Alarm(*row) for row in alarms), tuple(Notice(*row) for row in notices))


KINDS: Final[dict[str, tuple[str, ...]]] = {
    "lost": ("lost", "gone from history"),
    "missed": ("missed", "unheard"),
    "doubled": ("twice", "doubled in history", "two ids", "two alarms"),
}
"""Which violations are counted as what: the word before the colon."""


def _few(every: list[str]) -> Iterator[str]:
    """Some of each kind."""
    seen: Counter[str] = Counter()
    for one in every:
        kind = one.partition(":")[0]
        seen[kind] += 1
        if seen[kind] <= SHOWN_AT_MOST:
            yield one
    for kind, times in seen.items():
        if times > SHOWN_AT_MOST:
            yield f"{kind}: and {times - SHOWN_AT_MOST} more"


class _Run:
    """One history, sorted by what its lines are."""

    def __init__(self, history: Iterable[Line]) -> None:
        self.followers = 0
        self.sent: dict[Reading, Sent] = {}
        self.acked: dict[Reading, int] = {}
        self.heard: list[Heard] = []
        self.shown: dict[int, Counter[tuple[int, int]]] = {}
        self.lows: list[Reading] = []
        self.harmed: set[Reading] = set()
        self.harmed_seqs: set[int] = set()
        newest: dict[int, int] = defaultdict(int)
        for line in history:
            match line:
                case House(followers=followers):
                    self.followers = followers
                case Sent():
                    self.sent.setdefault((line.sharer, line.measured_ms // 1000, line.level), line)
                case Acked():
                    reading = (line.sharer, line.measured_ms // 1000, line.level)
                    self.acked.setdefault(reading, line.at_ms)
                    if line.level <= MUST_RING_MGDL and line.measured_ms >= newest[line.sharer]:
                        self.lows.append(reading)
                    newest[line.sharer] = max(newest[line.sharer], line.measured_ms)
                case Heard():
                    self.heard.append(line)
                case Harmed():
                    self.harmed |= set(line.readings)
                    self.harmed_seqs |= set(line.seqs)
                case Shown():
                    self.shown[line.sharer] = Counter(line.points)
                case _:
                    pass


def _readings(run: _Run, files: Files) -> Iterator[str]:
    """Every acknowledged one once, and nothing that nobody sent.

    What lay in the damaged part of a journal may be gone from it; see `_graphs`.
    """
    late = {reading for reading, sent in run.sent.items() if sent.late}
    for seq, why in files.torn:
        if seq not in run.harmed_seqs:
            yield f"torn: {why}"
    for reading in run.acked:
        if not files.journal[reading] and reading not in run.harmed:
            yield f"lost: {reading} was acknowledged and is not in the journal"
    for reading, times in files.journal.items():
        # A backlog may lie in the journal twice, if its phone had to send it again; a graph shows it once.
        if times > 1 and reading not in late:
            yield f"twice: {reading} is in the journal {times} times"
        if times and reading not in run.sent:
            yield f"strange: {reading} is in the journal and nobody sent it"


def _graphs(run: _Run) -> Iterator[str]:
    """Every acknowledged one once on a graph, but for what was live and lay in the damaged part."""
    if not run.shown:
        yield "nothing was shown at the end, so history was not checked"
    for reading in run.acked:
        sharer, second, level = reading
        times = run.shown[sharer][second, level] if sharer in run.shown else 1
        excused = times == 0 and reading in run.harmed and not run.sent[reading].late
        if times != 1 and not excused:
            kind = "doubled in" if times else "gone from"
            yield f"{kind} history: ({sharer}, {second}, {level}) was acknowledged and is shown {times} times"


def _rings(run: _Run, files: Files) -> Iterator[str]:
    """Every low that must ring rang, for everybody who follows, and on the screen."""
    by_alarm: dict[str, set[str]] = defaultdict(set)
    for notice in files.notices:
        if notice.urgent:
            by_alarm[notice.alarm].add(notice.follower)
    on_screen = {heard.alarm for heard in run.heard}
    alarms: dict[int, list[Alarm]] = defaultdict(list)
    for alarm in files.alarms:
        alarms[alarm.sharer].append(alarm)
    for low in run.lows:
        sent_ms, acked_ms = run.sent[low].at_ms, run.acked[low]
        covering = [
            alarm
            for alarm in alarms[low[0]]
            if alarm.opened_ms <= acked_ms + OPENS_WITHIN_MS
            and (not alarm.resolved_ms or alarm.resolved_ms >= sent_ms)
        ]
        told = max((len(by_alarm[alarm.id]) for alarm in covering), default=0)
        if told < run.followers:
            yield f"missed: {low} was acknowledged and {told} of {run.followers} were told"
        elif not any(alarm.id in on_screen for alarm in covering):
            yield f"unheard: {low} rang, and the screen was never told"


def _ids(run: _Run, files: Files) -> Iterator[str]:
    """The same thing is told under one id, however often."""
    ids: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for notice in files.notices:
        ids[notice.alarm, notice.step, notice.follow].add(notice.id)
    yield from (f"two ids: {key} was told as {sorted(found)}" for key, found in ids.items() if len(found) > 1)
    heard: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one in run.heard:
        if not one.snapshot:
            heard[one.alarm, one.step].add(one.id)
    yield from (
        f"two ids: {key} was heard as {sorted(found)}" for key, found in heard.items() if len(found) > 1
    )
    in_order = sorted(files.alarms, key=lambda alarm: (alarm.sharer, alarm.opened_ms))
    for before, after in pairwise(in_order):
        if before.sharer == after.sharer and not 0 < before.resolved_ms <= after.opened_ms:
            yield f"two alarms: sharer {after.sharer} had {before.id} and {after.id} at once"


def _rung_ms(run: _Run) -> tuple[int, ...]:
    """For each low, how long until the screen said anything of its sharer."""
    heard: dict[int, list[int]] = defaultdict(list)
    for one in run.heard:
        heard[one.sharer].append(one.at_ms)
    took = []
    for low in run.lows:
        sent_ms = run.sent[low].at_ms
        later = [at_ms - sent_ms for at_ms in heard[low[0]] if at_ms >= sent_ms]
        if later:
            took.append(min(later))
    return tuple(sorted(took))


def check(history: Iterable[Line], files: Files) -> Verdict:
    """Everything that was promised, against everything that is there."""
    run = _Run(history)
    violations = [*_readings(run, files), *_graphs(run), *_rings(run, files), *_ids(run, files)]
    if not run.acked:
        violations.append("nothing was acknowledged, so nothing was tried")
    told = Counter(one.id for one in run.heard if not one.snapshot)
    kinds = Counter(one.partition(":")[0] for one in violations)
    return Verdict(
        violations=tuple(_few(violations)),
        acked=len(run.acked),
        lows=len(run.lows),
        lost=sum(kinds[kind] for kind in KINDS["lost"]),
        missed=sum(kinds[kind] for kind in KINDS["missed"]),
        doubled=sum(kinds[kind] for kind in KINDS["doubled"]),
        excused=sum(1 for reading in run.harmed if reading in run.acked and not files.journal[reading]),
        repeated_on_stream=sum(times - 1 for times in told.values()),
        journaled_twice_late=sum(1 for times in files.journal.values() if times > 1),
        rung_ms=_rung_ms(run),
    )


def main(history: Path, data: Path) -> int:
    """Check one run; 0 if all was kept."""
    verdict = check(lines(history), files_of(data))
    sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
