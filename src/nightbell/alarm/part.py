"""What an alarm keeps for one follow."""

import msgspec

from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition

NOT_RUNG = -1


def urgency(condition: int, *, unseen: bool) -> int:
    """How urgent a condition is within its family; the same while unseen is more urgent than while seen."""
    return 2 * condition + unseen


class Part(msgspec.Struct):
    """One follow's share in one alarm.

    Attributes:
        held: Each condition that holds for this follow, with when it began.
        unseen: Whether readings have stopped for this follow while a low holds.
        rung: The urgency that last rang, `NOT_RUNG` if none since it last cleared.
        rung_ms: When it last rang.
        told: Whether it was told of what holds and not yet of the end of it.
        step: How many notifications this follow has had in this alarm.
        due_ms: When this follow must be considered again.
        withheld: What was last written down as withheld, so that it is written once: urgency and reason.
    """

    held: dict[Condition, int] = msgspec.field(default_factory=dict)
    unseen: bool = False
    rung: int = NOT_RUNG
    rung_ms: int = 0
    told: bool = False
    step: int = 0
    due_ms: int = NEVER_MS
    withheld: tuple[int, str] = (NOT_RUNG, "")

    def ease(self) -> None:
        """What rang was more urgent than what holds now: if that comes back it rings at once."""
        if not self.held:
            self.rung = NOT_RUNG
        else:
            self.rung = min(self.rung, urgency(max(self.held), unseen=self.unseen))
