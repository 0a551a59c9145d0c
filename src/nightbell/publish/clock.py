"""The uploader's clock: how wrong it is, learned from its uploads. The same uploads give the same offsets.

Rules:

- An offset is true time minus the uploader's time: negative for a fast clock. There is one for each
  credential; 0 until learned.
- A reading cannot come from the future. If even the newest of an upload does, the clock is fast: corrected
  at once.
- A reading that comes late is either old or from a slow clock. Slow is believed when uploads at least 2 min
  apart are late by the same amount. A backlog is not: sent oldest first its lateness shrinks, sent newest
  first it grows, and one upload in time ends the suspicion.
- An uploader whose earlier readings we hold, and which goes on where it left off, has most likely been cut
  off: there it takes three agreeing uploads over 9 min. One never seen, or whose times went back, needs two.
- An uploader that says what its clock shows (`sent_at`) is believed at once, unless an old request may have
  been sent again: then as above.
- A learned offset stays as it is until the evidence moves by more than a minute, so that a repeated upload
  gets the same corrected times and is known as a duplicate.

Theory of operation: in the usual case (in time, nothing suspected) nothing is stored for an uploader at all.
Only a wrong clock costs an entry in `offsets`, and only a late upload one in the bounded table of suspicions.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from nightbell.account.identity import Uploader
from nightbell.publish.admit import FUTURE_MS_MAX, Judged
from nightbell.publish.reading import LIVE_AGE_MS_MAX

LATE_MS: Final = 6 * 60_000
"""An upload whose newest reading is later than this may come from a slow clock: 5 min and some."""

EXACT_MS: Final = 60_000
"""From here on a clock known from `sent_at` is wrong: less is the network."""

SLOW_MS_MAX: Final = 65 * 60_000
"""The slowest clock believed from readings alone: an hour, as from a wrong daylight saving rule."""

FAST_MS_MAX: Final = 65 * 60_000
"""The fastest clock believed from one upload."""

WRONG_MS_MAX: Final = 24 * 3_600_000
"""The wrongest clock ever corrected: any time zone mistaken for another, and a date one day off."""

AGREE_MS: Final = 90_000
"""Uploads late by the same amount, give or take this, agree."""

AGREE_APART_MS: Final = 120_000
"""Agreeing uploads must lie this far apart, so that a burst never looks like a clock."""

CUT_OFF_UPLOADS: Final = 3
"""How many uploads must agree when a backlog is the likelier explanation."""

CUT_OFF_APART_MS: Final = 540_000
"""How far apart these must lie: three uploads of a sensor that measures every five minutes."""

HOLE_MS: Final = 20 * 60_000
"""A reading ahead of the others of its upload by more than this is itself wrong, not the clock."""

SAMPLES_MAX: Final = 12
SAMPLE_AGE_MS_MAX: Final = 3_600_000
SUSPICIONS_MAX: Final = 50_000
"""Bounds of what is remembered: uploads of one uploader, for how long, and of how many uploaders."""


class ClockChange(NamedTuple):
    """A newly learned offset.

    Attributes:
        sharer: For whom the uploader publishes.
        source: The uploader's credential.
        offset_ms: True time minus its time; 0 when its clock is right again.
        at_ms: When it was learned.
    """

    sharer: int
    source: int
    offset_ms: int
    at_ms: int


class Evidence(NamedTuple):
    """What one upload says about its uploader's clock.

    Attributes:
        newest_ms: Its newest reading, by the uploader's clock.
        sent_ms: What its clock showed when sending; 0 if it did not say.
        received_ms: When our door took it.
        readings: How many readings it has.
        known_ms: The newest reading we hold from this uploader, in true time; 0 if none.
    """

    newest_ms: int
    sent_ms: int
    received_ms: int
    readings: int
    known_ms: int


class _Suspicion:
    """Late uploads of one uploader in a row."""

    __slots__ = ("cut_off", "samples")

    def __init__(self, *, cut_off: bool) -> None:
        self.cut_off = cut_off
        self.samples: list[tuple[int, int]] = []

    def add(self, received_ms: int, late_ms: int) -> int | None:
        """Take one more late upload; the least lateness of those that agree, once enough do."""
        recent = [s for s in self.samples if 0 <= received_ms - s[0] <= SAMPLE_AGE_MS_MAX]
        self.samples = [*recent[-(SAMPLES_MAX - 1) :], (received_ms, late_ms)]
        first = next(n for n, (_, late) in enumerate(self.samples) if abs(late - late_ms) <= AGREE_MS)
        agreeing = [s for s in self.samples[first:] if abs(s[1] - late_ms) <= AGREE_MS]
        least_ms = min(late for _, late in agreeing)
        if any(late < least_ms for _, late in self.samples[first:]):
            return None
        uploads, apart_ms = (CUT_OFF_UPLOADS, CUT_OFF_APART_MS) if self.cut_off else (2, AGREE_APART_MS)
        enough = len(agreeing) >= uploads and received_ms - agreeing[0][0] >= apart_ms
        return least_ms if enough else None


class Clocks:
    """The learned offsets of all uploaders.

    Args:
        learned: Offsets learned before a restart, oldest first: (credential, offset_ms).
    """

    def __init__(self, learned: Iterable[tuple[int, int]] = ()) -> None:
        self.offsets: dict[int, int] = {}
        self._suspicions: dict[int, _Suspicion] = {}
        for credential, offset_ms in learned:
            self.restore(credential, offset_ms)

    def restore(self, credential: int, offset_ms: int) -> None:
        """Take an offset from the journal as it stands."""
        if offset_ms:
            self.offsets[credential] = offset_ms
        else:
            self.offsets.pop(credential, None)

    def plainly_right(self, credential: int, late_ms: int) -> bool:
        """Whether `learn` would find nothing: in time to the minute, no offset known, nothing suspected.

        Args:
            credential: The uploader's.
            late_ms: From when it sent, or if it did not say, from its newest reading, to when we received.
        """
        if not 0 <= late_ms <= EXACT_MS:
            return False
        return credential not in self.offsets and credential not in self._suspicions

    def learn(self, uploader: Uploader, evidence: Evidence) -> ClockChange | None:
        """Weigh one upload; what changed, if anything did.

        Raises nothing: evidence beyond all bounds teaches nothing.
        """
        exact = _credible(evidence)
        credential = uploader.credential
        offset_ms = self.offsets.get(credential, 0)
        late_ms = evidence.received_ms - (evidence.sent_ms if exact else evidence.newest_ms)
        apparent_ms = late_ms - offset_ms
        patience_ms = EXACT_MS if exact else LATE_MS
        if -FUTURE_MS_MAX <= apparent_ms <= patience_ms:
            if self._suspicions:
                self._suspicions.pop(credential, None)
            return None
        if not -WRONG_MS_MAX <= late_ms <= (WRONG_MS_MAX if exact else SLOW_MS_MAX):
            return None
        believed: int | None = late_ms
        if not _plain(evidence, late_ms, offset_ms, exact=exact):
            believed = self._suspect(credential, evidence, late_ms, offset_ms)
        if believed is None:
            return None
        self._suspicions.pop(credential, None)
        new_ms = 0 if -FUTURE_MS_MAX <= believed <= patience_ms else round(believed / 1000) * 1000
        self.restore(credential, new_ms)
        return ClockChange(uploader.sharer, credential, new_ms, evidence.received_ms)

    def _suspect(self, credential: int, evidence: Evidence, late_ms: int, offset_ms: int) -> int | None:
        suspicion = self._suspicions.get(credential)
        if suspicion is None:
            if len(self._suspicions) >= SUSPICIONS_MAX:
                del self._suspicions[next(iter(self._suspicions))]
            goes_on = evidence.known_ms != 0 and not _went_back(evidence, offset_ms)
            suspicion = self._suspicions[credential] = _Suspicion(cut_off=goes_on)
        return suspicion.add(evidence.received_ms, late_ms)


def _credible(evidence: Evidence) -> bool:
    """Whether the upload says what its clock shows, within a day of ours."""
    return evidence.sent_ms != 0 and abs(evidence.received_ms - evidence.sent_ms) <= WRONG_MS_MAX


def _went_back(evidence: Evidence, offset_ms: int) -> bool:
    """Whether the newest reading is older, by the uploader's clock as we knew it, than one we hold."""
    return evidence.known_ms != 0 and evidence.newest_ms + offset_ms < evidence.known_ms


def _plain(evidence: Evidence, late_ms: int, offset_ms: int, *, exact: bool) -> bool:
    """Whether this one upload is proof enough."""
    if late_ms < offset_ms:
        return late_ms >= -FAST_MS_MAX or exact
    if exact:
        fresh_start = evidence.known_ms == 0 or _went_back(evidence, offset_ms)
        return fresh_start and late_ms <= SLOW_MS_MAX
    # A fast clock was set right: one reading, its time went back, in time by its own clock and otherwise
    # late.
    set_right = -FUTURE_MS_MAX <= late_ms <= LIVE_AGE_MS_MAX < late_ms - offset_ms
    return set_right and offset_ms < 0 and evidence.readings == 1 and _went_back(evidence, offset_ms)


def newest_of(judged: Sequence[Judged], *, offset_ms: int, received_ms: int) -> int | None:
    """The newest reading that may speak about the clock, by the uploader's time; None if there is none.

    One reading far ahead of others that are in time is wrong itself: it must not shift the good ones.
    """
    if len(judged) == 1:
        return judged[0].measured_ms
    times = sorted((reading.measured_ms for reading in judged), reverse=True)
    now_ms = received_ms - offset_ms
    times = [at_ms for at_ms in times if at_ms - now_ms <= WRONG_MS_MAX]
    for newer_ms, at_ms in pairwise(times):
        in_time = -FUTURE_MS_MAX <= now_ms - at_ms <= LIVE_AGE_MS_MAX
        if newer_ms > now_ms + FUTURE_MS_MAX and newer_ms - at_ms > HOLE_MS and in_time:
            return at_ms
    return times[0] if times else None
