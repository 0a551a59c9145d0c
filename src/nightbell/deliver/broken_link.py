"""Which link between the sensor and us is likely broken, as far as we can know. Pure.

The chain: sensor, the sharer's phone, its way to us, us, the follower's screen. Us and the screen are known
to work when this is read. The rest is told apart by when the phone last spoke to us, number or not.
"""

from enum import StrEnum
from typing import Final

SPOKE_LATELY_MS: Final = 10 * 60_000
"""Two uploads of five minutes: a phone that spoke within this has a way to us."""


class Link(StrEnum):
    """The link we think is broken; the key of its sentence is `alarm.link_<value>`."""

    SENSOR = "sensor"  # the phone speaks to us, but has no new number
    PHONE = "phone"  # the phone has fallen silent: battery, off, away, or its net
    NEVER = "never"  # nothing has ever come: not set up yet


def likely_broken(*, measured_ms: int, heard_ms: int, now_ms: int) -> Link:
    """The likely link.

    Args:
        measured_ms: When the newest reading was measured, 0 if there was never one.
        heard_ms: When the sharer's uploader last spoke to us, 0 if not since our start.
        now_ms: Processing time.
    """
    if heard_ms and now_ms - heard_ms <= SPOKE_LATELY_MS:
        return Link.SENSOR
    return Link.PHONE if measured_ms > 0 or heard_ms else Link.NEVER
