"""What the watcher sees of the platform, as values."""

from enum import StrEnum
from typing import NamedTuple


class Detector(StrEnum):
    """One thing that is watched by itself."""

    DOOR = "door"  # a reading is taken, with a 2xx
    STREAM = "stream"  # heartbeats come, and say that evaluation is awake
    ALARM = "alarm"  # a canary's low rings on its follower's stream
    ANSWER = "answer"  # "I've got it" is taken


class Why(StrEnum):
    """Why a detector fails."""

    REFUSED = "refused"  # nobody listens there
    LATE = "late"  # no answer in time
    BROKEN = "broken"  # the connection ended in the middle, or spoke nonsense
    STATUS = "status"  # an answer that is not a 2xx
    CERTIFICATE = "certificate"  # TLS failed
    SILENT = "silent"  # connected, but no heartbeat
    NOT_WATCHING = "not_watching"  # the platform itself says that it does not watch
    STUCK = "stuck"  # heartbeats come, but nothing has been evaluated for a while
    NO_RING = "no_ring"  # the low was taken, the alarm did not come
    UNREACHABLE = "unreachable"  # no way there: may be our own network


class Good(NamedTuple):
    """A detector saw that its thing works."""

    detector: Detector


class Bad(NamedTuple):
    """A detector saw that its thing fails.

    Attributes:
        detector: Which.
        why: As far as it is known.
        since_ms: When that began: for a request, when it was sent.
    """

    detector: Detector
    why: Why
    since_ms: int


class Opened(NamedTuple):
    """The stream is connected; nothing is proven until its first heartbeat."""


class Pulse(NamedTuple):
    """One heartbeat of the stream.

    Attributes:
        watching: Whether the platform itself says that it watches.
        tick_age_ms: Age of the last evaluated tick, as the platform states it.
    """

    watching: bool
    tick_age_ms: int


class Lost(NamedTuple):
    """The stream ended or could not be opened."""

    why: Why


class WentRound(NamedTuple):
    """A canary's low has gone the whole way: published, rung, answered.

    Attributes:
        published_ms: When the low was published. Only a low published after the last failure proves anything.
    """

    published_ms: int


class Excused(NamedTuple):
    """We ourselves slept or stalled: what did not arrive meanwhile is nobody's fault but ours."""


class Tick(NamedTuple):
    """Time has passed."""


Evidence = Good | Bad | Opened | Pulse | Lost | WentRound | Excused | Tick
"""Everything the judge is told."""
