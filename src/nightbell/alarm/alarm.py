"""One alarm: the parts of its follows, who has it, and how it is written down."""

import hashlib
from typing import Final

import msgspec

from nightbell.alarm.climb import Climb
from nightbell.alarm.effects import AlarmState, AlarmView, Entry, EntryKind
from nightbell.alarm.lifecycle import AlarmEvent, after
from nightbell.alarm.part import NOT_RUNG, Part
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Family

ANSWER_MS: Final = 15 * 60_000
"""How long "I've got it" holds (blueprint, section 7)."""

SHARER_ANSWER_MS: Final = 5 * 60_000
"""How long the sharer's own answer may delay (blueprint, section 7)."""

UNDO_MS: Final = 5_000
"""How long an answer can be taken back."""

NEVER_MEASURED: Final = (-1, 0)
"""Level and time of the newest reading of a sharer who was never seen."""


def identity_hash(*parts: str | int) -> str:
    """32 hex digits that anybody computes alike from the same parts."""
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=16).hexdigest()


class Alarm(msgspec.Struct):
    """One open alarm.

    Attributes:
        id: A hash of sharer, family, the opening reading and the time.
        sharer: The sharer's number.
        family: What it is about.
        opened_ms: When the first condition began.
        state: Where it stands in `lifecycle.TABLE`.
        parts: What it keeps for each follow.
        raised_ms: When somebody was first told, 0 if nobody yet.
        condition: The most urgent condition that holds or last held.
        version: Counts views.
        entries: Counts timeline lines.
        answered_by: Who has it, empty if nobody.
        answered_ms: When they said so.
        answered_until_ms: When that ends.
        covered: The urgency the answer covers.
        sharer_until_ms: Until when the sharer's own answers may delay what they cover; 0 if they gave none.
        sharer_covered: The urgency the sharer's first answer covered.
        climb: Where it stands on its ladder; None if it does not climb.
        exhausted: Whether it went all the way up and nobody answered.
    """

    id: str
    sharer: int
    family: Family
    opened_ms: int
    state: AlarmState = AlarmState.PENDING
    parts: dict[int, Part] = msgspec.field(default_factory=dict)
    raised_ms: int = 0
    condition: int = -1
    version: int = 0
    entries: int = 0
    answered_by: str = ""
    answered_ms: int = 0
    answered_until_ms: int = 0
    covered: int = NOT_RUNG
    sharer_until_ms: int = 0
    sharer_covered: int = NOT_RUNG
    climb: Climb | None = None
    exhausted: bool = False

    def move(self, event: AlarmEvent) -> None:
        """Go where the table says."""
        self.state = after(self.state, event)

    @property
    def holds(self) -> bool:
        """Whether any condition holds for any follow."""
        return any(part.held for part in self.parts.values())

    @property
    def unseen(self) -> bool:
        """Whether readings have stopped for somebody for whom it holds."""
        return any(part.unseen and part.held for part in self.parts.values())

    @property
    def rung_most(self) -> int:
        """The greatest urgency that rang for anybody."""
        return max((part.rung for part in self.parts.values()), default=NOT_RUNG)

    def forget_answer(self) -> None:
        """Nobody has it any more."""
        self.answered_by, self.answered_ms, self.answered_until_ms, self.covered = "", 0, 0, NOT_RUNG

    def view(self, newest: tuple[int, int], resolved_ms: int) -> AlarmView:
        """How it stands, as its next version."""
        level, measured_ms = newest
        view = AlarmView(
            id=self.id,
            sharer=self.sharer,
            family=self.family.value,
            state=self.state,
            condition=self.condition,
            unseen=self.unseen,
            version=self.version,
            opened_ms=self.opened_ms,
            raised_ms=self.raised_ms,
            resolved_ms=resolved_ms,
            answered_by=self.answered_by,
            answered_ms=self.answered_ms,
            answered_until_ms=self.answered_until_ms,
            level=level,
            measured_ms=measured_ms,
            exhausted=self.exhausted,
            climbs_ms=self.climb.due_ms if self.climb and self.climb.due_ms < NEVER_MS else 0,
        )
        self.version += 1
        return view

    def entry(
        self,
        kind: EntryKind,
        at_ms: int,
        reason: str,
        *,
        condition: int = -1,
        follow: int = -1,
        person: str = "",
        until_ms: int = 0,
    ) -> Entry:
        """The next line of its timeline."""
        line = Entry(self.id, self.entries, at_ms, kind, reason, condition, follow, person, until_ms)
        self.entries += 1
        return line
