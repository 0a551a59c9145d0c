"""What the platform's wires say, as far as a watcher needs it. Unknown fields and events are passed over."""

from typing import Final

import msgspec

from nightbell.watch.evidence import Pulse
from nightbell.watch.ports import Ring

LINE_BYTES_MAX: Final = 1024 * 1024
"""Longest line of the stream that is read: a snapshot of all canaries is some kilobytes."""

NO_TICK_AGE_MS: Final = 10**9
"""The age of an evaluated tick where there was none yet: too old by any measure."""

LOW_CONDITIONS: Final = frozenset({"urgent_low", "urgent_low_soon", "low"})


class _Heartbeat(msgspec.Struct, frozen=True):
    watching: bool
    tick_age_ms: int


class _Notification(msgspec.Struct, frozen=True):
    alarm: str
    sharer: int
    kind: str
    condition: str


class _UploadAnswer(msgspec.Struct, frozen=True):
    accepted: int


_decode_heartbeat: Final = msgspec.json.Decoder(_Heartbeat).decode
_decode_notification: Final = msgspec.json.Decoder(_Notification).decode
_decode_upload_answer: Final = msgspec.json.Decoder(_UploadAnswer).decode


class Upload(msgspec.Struct, frozen=True):
    """What `POST /v1/readings` takes."""

    readings: list[dict[str, int]]
    sent_at: int


def upload_of(level: int, measured_ms: int) -> bytes:
    """One reading, measured and sent now."""
    reading = {"measured_at": measured_ms, "glucose_mgdl": level}
    return msgspec.json.encode(Upload([reading], measured_ms))


def one_accepted(body: bytes) -> bool:
    """Whether the door says that it keeps our one reading."""
    try:
        return _decode_upload_answer(body).accepted == 1
    except msgspec.DecodeError:
        return False


class Said:
    """Puts lines of the stream together to what they say (WHATWG HTML, "Server-sent events").

    Args:
        canaries: Person ids of the canaries by the sharer's number.
    """

    def __init__(self, canaries: dict[int, str]) -> None:
        self._canaries = canaries
        self._kind = ""
        self._content: list[str] = []

    def line(self, line: str) -> Pulse | Ring | None:
        """Take one line without its end; at an empty one, say what the lines before it meant to us.

        Raises:
            ValueError: A heartbeat or a notification that cannot be read.
        """
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._kind = value
            elif name == "data":
                self._content.append(value)
            return None
        kind, content = self._kind, "\n".join(self._content)
        self._kind, self._content = "", []
        try:
            return self._meant(kind, content)
        except msgspec.DecodeError as error:
            raise ValueError(f"an event that cannot be read: {kind}") from error

    def _meant(self, kind: str, content: str) -> Pulse | Ring | None:
        if kind == "hb":
            heartbeat = _decode_heartbeat(content)
            age_ms = heartbeat.tick_age_ms if heartbeat.tick_age_ms >= 0 else NO_TICK_AGE_MS
            return Pulse(heartbeat.watching, age_ms)
        if kind == "notification":
            told = _decode_notification(content)
            canary = self._canaries.get(told.sharer)
            if canary is not None and told.kind == "ring" and told.condition in LOW_CONDITIONS:
                return Ring(canary, told.alarm)
        return None
