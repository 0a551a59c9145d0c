"""The hub: all open streams of this process, and who gets what.

It never awaits and starts no task: whoever has something to say queues bytes, and the one task of each stream
writes them. A reading goes only to those who follow its sharer and have a screen open, encoded once for each
unit and language. What a viewer may see is asked anew for each event, so a follow that ended is silent at
once.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nightbell.account.identity import Identity
from nightbell.alarm.effects import AlarmState, AlarmView, Notification
from nightbell.deliver.board import Board, Change
from nightbell.deliver.connection import Connection
from nightbell.deliver.events import (
    STREAM_FOR_MS,
    AnswerChange,
    HeartbeatOut,
    PersonOut,
    SnapshotOut,
    SystemOut,
    View,
    encoded,
)
from nightbell.deliver.forms import Forms
from nightbell.deliver.ports import Access, Contacts, Watched
from nightbell.deliver.recent import Key, Recent, Said
from nightbell.follow.follow import Sight
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.publish.reading import Reading
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError

BEAT_EVERY_MS: Final = 10_000
"""How often each stream gets a heartbeat; the blueprint allows 15 s at most."""

BEAT_SLOTS: Final = 100
"""The round of heartbeats is spread over so many slots, so that no instant carries them all."""

TICK_STALE_MS: Final = 5_000
"""When the newest evaluated second is older than this, nobody is being watched: five ticks are missing."""

PERSON_STREAMS_MAX: Final = 5
"""Open screens of one person; one more closes the oldest."""

WRITE_PATIENCE_MS: Final = 30_000
"""A write that makes no progress for this long is given up: three heartbeats."""

RETRY_MS_MIN: Final = 1_000
RETRY_MS_STEP: Final = 40
"""A client comes back after 1 to 5 s, by its slot, so that all do not come back at once."""

EVENT_ID_LENGTH_MAX: Final = 40

_SLOT_MS: Final = BEAT_EVERY_MS // BEAT_SLOTS


class Hub:
    """Open streams; bounded; heartbeat; resume by `Last-Event-ID`."""

    def __init__(
        self,
        *,
        access: Access,
        watched: Watched,
        contacts: Contacts,
        build: str,
        boot_ms: int,
        streams_max: int = 50_000,
        link: str = "",
    ) -> None:
        self.board = Board()
        self._access = access
        self._watched = watched
        self._contacts = contacts
        self._forms = Forms(contacts, link=link)
        self._build = build
        self._boot = f"{boot_ms:x}"
        self._streams_max = streams_max
        self._number = 0
        self._opened = 0
        self._count = 0
        self._last_slot = -1
        self._slots: list[dict[Connection, None]] = [{} for _ in range(BEAT_SLOTS)]
        self._of_person: dict[str, dict[Connection, None]] = {}
        self._viewers: dict[int, dict[Connection, None]] = {}
        self._sharers: dict[Connection, frozenset[int]] = {}
        self._viewed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._newest: dict[int, Reading] = {}
        self._recent = Recent()

    # ---- streams come and go -------------------------------------------------------------------------------

    def open(self, identity: Identity, *, still: Callable[[int], bool], last_event_id: str) -> Connection:
        """Add a stream; its first piece will be what it missed, if that is known, and a snapshot.

        Raises:
            PlatformError: `OVERLOADED`: this process carries as many streams as it may.
        """
        if self._count >= self._streams_max:
            sentence = catalogue().say("deliver.stream_full")
            raise PlatformError(ErrorCode.OVERLOADED, sentence, retry_after_s=5 + self._opened % 25)
        self._opened += 1
        connection = Connection(
            identity,
            still=still,
            view=self._forms.view(identity.person),
            slot=self._opened % BEAT_SLOTS,
            upto=self._resume_from(last_event_id),
        )
        theirs = self._of_person.setdefault(identity.person, {})
        living = [known for known in theirs if not known.ended]
        for oldest in living[: max(0, len(living) + 1 - PERSON_STREAMS_MAX)]:
            self._end(oldest, "replaced")
        theirs[connection] = None
        self._slots[connection.slot][connection] = None
        self._count += 1
        self._look_again(connection)
        return connection

    def close(self, connection: Connection) -> None:
        """Remove a stream; nothing happens if it is gone already."""
        slot = self._slots[connection.slot]
        if connection not in slot:
            return
        del slot[connection]
        self._count -= 1
        connection.end("gone")
        theirs = self._of_person.get(connection.identity.person, {})
        theirs.pop(connection, None)
        if not theirs:
            self._of_person.pop(connection.identity.person, None)
        self._unview(connection, self._sharers.pop(connection, frozenset()))

    def close_all(self) -> None:
        """Say goodbye to all: the platform stops."""
        for slot in self._slots:
            for connection in slot:
                self._end(connection, "closing")

    @property
    def count(self) -> int:
        """How many streams are open."""
        return self._count

    def sharers_of(self, connection: Connection) -> frozenset[int]:
        """Whom this stream shows now."""
        return self._sharers.get(connection, frozenset())

    def refresh(self, person: str) -> None:
        """Whom this person follows, or how they read, has changed: their streams get a new snapshot."""
        for connection in self._of_person.get(person, ()):
            connection.view = self._forms.view(person)
            connection.ask_snapshot("changed")

    def _end(self, connection: Connection, why: str) -> None:
        words = catalogue(connection.view.language)
        system = SystemOut(why, words.say(f"deliver.stream_{why}"), 0)
        connection.end(why, encoded("system", system, self._event_id()))

    # ---- what there is to say ------------------------------------------------------------------------------

    def consume(self, group: Group) -> None:
        """A group of the journal: newer readings go to whoever has a screen open for their sharer."""
        if not self._viewers or not len(group.readings):
            return
        sharers = group.readings["sharer"]
        within = np.flatnonzero(sharers < len(self._viewed))
        rows = within[self._viewed[sharers[within]]]
        kept = group.seq != VOLATILE_SEQ
        changed: dict[int, Reading] = {}
        for row in rows:
            reading = Reading(*group.readings[row].item())
            known = self._newest.get(reading.sharer)
            if known is None or reading.measured_ms > known.measured_ms:
                self._newest[reading.sharer] = changed[reading.sharer] = reading
        for reading in changed.values():
            self._send_reading(reading, kept=kept, now_ms=group.recorded_ms)

    def tell_changes(self, changes: Iterable[Change], now_ms: int) -> None:
        """New versions of alarms, to all who may see the sharer. Pending ones are nobody's business yet."""
        for change in changes:
            if change.after.state is AlarmState.PENDING:
                continue
            before = change.before
            if before is None and change.after.state is AlarmState.RESOLVED and not change.after.raised_ms:
                continue
            self._send_about(change.after, now_ms)
            answer_before = (before.answered_by, before.answered_until_ms) if before is not None else ("", 0)
            answer = (change.after.answered_by, change.after.answered_until_ms)
            if answer != answer_before:
                self._send_about(AnswerChange(change.after), now_ms)

    def notify(self, told: Notification, now_ms: int) -> int:
        """Tell one follower on all their open screens; return how many that were."""
        self._number += 1
        said = Said(self._number, told)
        self._recent.add(("person", told.follower), said)
        reached = 0
        event = b""
        for connection in tuple(self._of_person.get(told.follower, ())):
            if self._sight(connection, told.sharer) is not Sight.NOTHING:
                event = event or self._encode(said, connection.view, now_ms)
                reached += connection.push(event) or connection.need == "slow"
        return reached

    def beat(self, now_ms: int) -> None:
        """Serve the heartbeat slots that have come due; call it about every 100 ms."""
        slot = now_ms // _SLOT_MS
        begin = max(self._last_slot + 1, slot - BEAT_SLOTS + 1) if slot >= self._last_slot else slot
        self._last_slot = slot
        event = b""
        for number in range(begin, slot + 1):
            for connection in tuple(self._slots[number % BEAT_SLOTS]):
                event = event or encoded("hb", self._heartbeat(now_ms), self._event_id())
                self._beat_one(connection, event, now_ms)

    def _beat_one(self, connection: Connection, event: bytes, now_ms: int) -> None:
        since_ms = connection.writing_since_ms
        if since_ms and now_ms - since_ms > WRITE_PATIENCE_MS:
            if connection.give_up is not None:
                connection.give_up()
            return
        if not connection.still(now_ms):
            self._end(connection, "signed_out")
            return
        connection.push(event)

    def _heartbeat(self, now_ms: int) -> HeartbeatOut:
        tick_ms = self._watched.evaluated_tick_ms()
        return HeartbeatOut(
            server_ms=now_ms,
            build=self._build,
            evaluated_tick_ms=tick_ms,
            tick_age_ms=max(0, now_ms - tick_ms) if tick_ms else -1,
            watching=self._watching(now_ms),
            stream_until_ms=now_ms + STREAM_FOR_MS,
        )

    def _watching(self, now_ms: int) -> bool:
        tick_ms = self._watched.evaluated_tick_ms()
        return bool(tick_ms) and now_ms - tick_ms <= TICK_STALE_MS

    def _send_reading(self, reading: Reading, *, kept: bool, now_ms: int) -> None:
        encodings: dict[View, bytes] = {}
        for connection in tuple(self._viewers.get(reading.sharer, ())):
            if self._sight(connection, reading.sharer) is Sight.NOTHING:
                continue
            view = connection.view
            event = encodings.get(view)
            if event is None:
                out = self._forms.reading(reading, view, kept=kept, now_ms=now_ms)
                event = encodings[view] = encoded("reading", out, self._event_id())
            connection.push(event)

    def _send_about(self, about: AlarmView | AnswerChange, now_ms: int) -> None:
        self._number += 1
        said = Said(self._number, about)
        self._recent.add(("sharer", about.sharer), said)
        encodings: dict[View, bytes] = {}
        for connection in tuple(self._viewers.get(about.sharer, ())):
            if self._sight(connection, about.sharer) is Sight.NOTHING:
                continue
            event = encodings.get(connection.view)
            if event is None:
                event = encodings[connection.view] = self._encode(said, connection.view, now_ms)
            connection.push(event)

    def _sight(self, connection: Connection, sharer: int) -> Sight:
        """What this stream may show of a sharer now; where that is nothing any more, it shows so at once."""
        sight = self._access.may_see(viewer=connection.identity, sharer=sharer)
        if sight is Sight.NOTHING and sharer in self.sharers_of(connection):
            connection.ask_snapshot("changed")
        return sight

    # ---- one stream's next piece ---------------------------------------------------------------------------

    def next_piece(self, connection: Connection, now_ms: int) -> bytes:
        """The bytes to write next; empty if there is nothing."""
        if connection.need and not connection.ended:
            piece = self._with_snapshot(connection, now_ms)
        else:
            piece = connection.drain()
        if piece:
            connection.upto = self._number
        return piece

    def _with_snapshot(self, connection: Connection, now_ms: int) -> bytes:
        why, connection.need = connection.need, ""
        queued = connection.drain()
        if why != "connected":
            self._look_again(connection)
        missed: list[Said] | None = []
        if why != "changed":
            missed = self._missed(connection)
            queued = queued if missed is None else b""
        resumed = missed is not None
        snapshot = SnapshotOut(
            server_ms=now_ms,
            build=self._build,
            watching=self._watching(now_ms),
            resumed=resumed,
            why=why,
            people=tuple(self._person(connection, sharer, now_ms) for sharer in self._shown(connection)),
            stream_until_ms=now_ms + STREAM_FOR_MS,
        )
        pieces = [self._encode(said, connection.view, now_ms) for said in missed or ()]
        if why == "connected":
            pieces.insert(0, b"retry: %d\n\n" % (RETRY_MS_MIN + RETRY_MS_STEP * connection.slot))
        return b"".join((*pieces, queued, encoded("snapshot", snapshot, self._event_id())))

    def _look_again(self, connection: Connection) -> None:
        """Ask whom this stream may show, and listen to exactly those."""
        before = self._sharers.get(connection, frozenset())
        now = frozenset(
            sharer
            for sharer in self._watched.followed_by(connection.identity)
            if self._access.may_see(viewer=connection.identity, sharer=sharer) is not Sight.NOTHING
        )
        self._sharers[connection] = now
        self._unview(connection, before - now)
        for sharer in now - before:
            self._viewers.setdefault(sharer, {})[connection] = None
            if sharer >= len(self._viewed):
                grown = np.zeros(max(sharer + 1, 2 * len(self._viewed)), np.bool_)
                grown[: len(self._viewed)] = self._viewed
                self._viewed = grown
            self._viewed[sharer] = True

    def _unview(self, connection: Connection, sharers: Iterable[int]) -> None:
        for sharer in sharers:
            viewers = self._viewers.get(sharer, {})
            viewers.pop(connection, None)
            if not viewers:
                self._viewers.pop(sharer, None)
                self._newest.pop(sharer, None)
                self._viewed[sharer] = False

    def _shown(self, connection: Connection) -> list[int]:
        return sorted(self.sharers_of(connection))

    def _missed(self, connection: Connection) -> list[Said] | None:
        """Everything said to this stream since its newest event, in order; None if that is not known."""
        if connection.upto < 0:
            return None
        keys: list[Key] = [("person", connection.identity.person)]
        keys += [("sharer", sharer) for sharer in self.sharers_of(connection)]
        missed: list[Said] = []
        for key in keys:
            some = self._recent.since(key, connection.upto)
            if some is None:
                return None
            missed += some
        visible = (said for said in missed if self._may_hear(connection, said))
        return sorted(visible, key=lambda said: said.number)

    def _may_hear(self, connection: Connection, said: Said) -> bool:
        sight = self._access.may_see(viewer=connection.identity, sharer=said.about.sharer)
        return sight is not Sight.NOTHING

    def _person(self, connection: Connection, sharer: int, now_ms: int) -> PersonOut:
        reading = self._newest_reading(sharer)
        alarms = self.board.open_alarms(sharer)
        told = (self.board.newest_told(alarm.id, connection.identity.person) for alarm in alarms)
        view = connection.view
        return PersonOut(
            sharer=sharer,
            name=self._contacts.sharer_name(sharer),
            sight=self._access.may_see(viewer=connection.identity, sharer=sharer).name.lower(),
            reading=self._forms.reading(reading, view, kept=True, now_ms=now_ms) if reading else None,
            alarms=tuple(self._forms.alarm(alarm, view, now_ms=now_ms) for alarm in alarms),
            told=tuple(self._forms.notification(one, now_ms=now_ms) for one in told if one is not None),
        )

    def _encode(self, said: Said, view: View, now_ms: int) -> bytes:
        name, out = self._forms.out(said.about, view, now_ms=now_ms)
        return encoded(name, out, self._event_id(said.number))

    def _newest_reading(self, sharer: int) -> Reading | None:
        stored, heard = self._watched.newest(sharer), self._newest.get(sharer)
        if stored is not None and (heard is None or stored.measured_ms > heard.measured_ms):
            self._newest[sharer] = stored
            return stored
        return heard

    # ---- numbers -------------------------------------------------------------------------------------------

    def _event_id(self, number: int | None = None) -> str:
        return f"{self._boot}-{self._number if number is None else number}"

    def _resume_from(self, last_event_id: str) -> int:
        """The number in a `Last-Event-ID` of ours; -1 if it is not one."""
        boot, _, number = last_event_id[:EVENT_ID_LENGTH_MAX].partition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit()):
            return -1
        return int(number) if int(number) <= self._number else -1
