"""What the live stream says: the wire of `GET /v1/stream`, one struct for each event.

Every event carries `stream_until_ms`: a client that has heard nothing by then is not being watched and says
so. Every reading carries `rely_until_ms`: from then on its number is not to be shown as current, nor used to
dose. Ages are computed where they are shown, from `measured_ms` and the server's time, never sent.
"""

from typing import Final, NamedTuple

import msgspec

from nightbell.alarm.effects import AlarmView
from nightbell.words.glucose import Unit

STREAM_FOR_MS: Final = 90_000
"""How long an event vouches for the stream: blueprint, section 8, 60 to 90 s of silence is "not watched"."""


class ReadingOut(msgspec.Struct, frozen=True):
    """One reading as a viewer sees it.

    Attributes:
        sharer: The sharer's number.
        shown: The words for it in the viewer's unit: `112`, `6.2`, `LOW` or `HIGH`.
        unit: The viewer's unit.
        level_mgdl: Whole mg/dL; null where the sensor said LOW or HIGH.
        trend: The arrow as sent: a name as `forty_five_down`, `none` if there was none.
        arrow: The word for it, as `falling`.
        measured_ms: When it was measured.
        received_ms: When our door took it.
        rely_until_ms: Until when it may be relied on.
        kept: Whether it is durable; false while the journal can not be written.
        stream_until_ms: Until when silence of the stream is normal.
    """

    sharer: int
    shown: str
    unit: str
    level_mgdl: int | None
    trend: str
    arrow: str
    measured_ms: int
    received_ms: int
    rely_until_ms: int
    kept: bool
    stream_until_ms: int


class AlarmOut(msgspec.Struct, frozen=True):
    """One alarm as a viewer sees it; the newest version replaces the one before.

    Attributes:
        id: Alarm id.
        sharer: The sharer's number.
        family: `low`, `high` or `silence`.
        condition: As `urgent_low`.
        headline: What to show, in the viewer's language.
        state: `ringing`, `answered` or `resolved`.
        unseen: Whether readings have stopped while it is open.
        version: Counts changes; a smaller one never replaces a greater one.
        answered_by: The name of who has it, empty if nobody.
        answered_person: Their person id.
        stream_until_ms: Until when silence of the stream is normal.
    """

    id: str
    sharer: int
    family: str
    condition: str
    headline: str
    state: str
    unseen: bool
    version: int
    opened_ms: int
    raised_ms: int
    resolved_ms: int
    answered_by: str
    answered_person: str
    answered_ms: int
    answered_until_ms: int
    stream_until_ms: int


class NotificationOut(msgspec.Struct, frozen=True):
    """This viewer is told something: what makes the bell sound. A client drops an `id` it has rung already.

    Attributes:
        id: Notification id; receipts name it.
        kind: `ring`, `repeat`, `recovered`, `closed` or `clock`.
        urgent: Whether it should sound.
        subject: The meaning in its first 40 characters.
        text: The whole, in the viewer's language and unit.
        at_ms: When it was decided.
        rely_until_ms: Until when the number in it may be relied on; 0 if there is none.
        stream_until_ms: Until when silence of the stream is normal.
    """

    id: str
    alarm: str
    step: int
    sharer: int
    kind: str
    condition: str
    unseen: bool
    urgent: bool
    subject: str
    text: str
    at_ms: int
    rely_until_ms: int
    stream_until_ms: int


class AnswerOut(msgspec.Struct, frozen=True):
    """Somebody took an alarm, gave it back, or their time was over (`by` is empty then)."""

    alarm: str
    sharer: int
    by: str
    person: str
    at_ms: int
    until_ms: int
    stream_until_ms: int


class SystemOut(msgspec.Struct, frozen=True):
    """About the stream itself.

    Attributes:
        kind: `replaced` (more than five streams of one person: the oldest closes), `signed_out`, `closing`.
        text: What to show.
        stream_until_ms: 0: nothing more comes on this stream, and it vouches for nothing.
    """

    kind: str
    text: str
    stream_until_ms: int


class HeartbeatOut(msgspec.Struct, frozen=True):
    """The alarm path is alive, not just the socket.

    Attributes:
        server_ms: The server's time of day.
        build: Which build speaks.
        evaluated_tick_ms: The newest second that was evaluated; 0 if none yet.
        tick_age_ms: How old that is; -1 if there was none yet.
        watching: Whether alarms are being evaluated now. False is as bad as silence.
        stream_until_ms: Until when silence of the stream is normal.
    """

    server_ms: int
    build: str
    evaluated_tick_ms: int
    tick_age_ms: int
    watching: bool
    stream_until_ms: int


class PersonOut(msgspec.Struct, frozen=True):
    """One followed person in a snapshot.

    Attributes:
        sharer: The sharer's number.
        name: Their name.
        sight: `number` or `graph`: what the viewer may see.
        reading: The newest reading, null if there was never one.
        alarms: Open alarms of which somebody was told.
        told: The newest word to this viewer about each of these alarms.
    """

    sharer: int
    name: str
    sight: str
    reading: ReadingOut | None
    alarms: tuple[AlarmOut, ...]
    told: tuple[NotificationOut, ...]


class SnapshotOut(msgspec.Struct, frozen=True):
    """The whole state: what is not in it is not so. Comes first on every connection, and after a gap.

    Attributes:
        server_ms: The server's time of day.
        build: Which build speaks.
        watching: Whether alarms are being evaluated now.
        resumed: Whether every event since `Last-Event-ID` was sent before this snapshot.
        why: `connected`, `slow` (you read too slowly, events were dropped) or `changed` (whom you follow
            changed).
        people: Everybody the viewer may see.
        stream_until_ms: Until when silence of the stream is normal.
    """

    server_ms: int
    build: str
    watching: bool
    resumed: bool
    why: str
    people: tuple[PersonOut, ...]
    stream_until_ms: int


class View(msgspec.Struct, frozen=True):
    """In which form a viewer reads: events are encoded once for each."""

    unit: Unit
    language: str


class AnswerChange(NamedTuple):
    """Who has an alarm has changed: not an alarm's whole state, only that."""

    alarm: AlarmView

    @property
    def sharer(self) -> int:
        """The sharer's number."""
        return self.alarm.sharer


_encoder: Final = msgspec.json.Encoder()


def encoded(name: str, value: msgspec.Struct, event_id: str) -> bytes:
    """One event on the wire (WHATWG HTML, "Server-sent events"); JSON has no line breaks in it."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), event_id.encode(), _encoder.encode(value))
