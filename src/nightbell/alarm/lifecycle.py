"""The states of an alarm and what moves it between them: a table. The diagram in the docs is drawn from it.

Two rules. Whatever changes an alarm's state goes through `after`. An event that has no row is a programmer's
error and changes nothing.
"""

from enum import StrEnum
from typing import Final

from nightbell.alarm.effects import AlarmState


class AlarmEvent(StrEnum):
    """What can happen to an alarm."""

    TOLD = "somebody is told"
    ANSWERED = "I've got it"
    UNDONE = "answer undone"
    ANSWER_ENDED = "answer's time is over"
    CLEARED = "no condition holds"


TABLE: Final = {
    (AlarmState.PENDING, AlarmEvent.TOLD): AlarmState.RINGING,
    (AlarmState.PENDING, AlarmEvent.CLEARED): AlarmState.RESOLVED,
    (AlarmState.RINGING, AlarmEvent.TOLD): AlarmState.RINGING,
    (AlarmState.RINGING, AlarmEvent.ANSWERED): AlarmState.ANSWERED,
    (AlarmState.RINGING, AlarmEvent.UNDONE): AlarmState.RINGING,
    (AlarmState.RINGING, AlarmEvent.ANSWER_ENDED): AlarmState.RINGING,
    (AlarmState.RINGING, AlarmEvent.CLEARED): AlarmState.RESOLVED,
    (AlarmState.ANSWERED, AlarmEvent.TOLD): AlarmState.RINGING,  # it grew beyond what the answer covers
    (AlarmState.ANSWERED, AlarmEvent.ANSWERED): AlarmState.ANSWERED,
    (AlarmState.ANSWERED, AlarmEvent.UNDONE): AlarmState.RINGING,
    (AlarmState.ANSWERED, AlarmEvent.ANSWER_ENDED): AlarmState.RINGING,
    (AlarmState.ANSWERED, AlarmEvent.CLEARED): AlarmState.RESOLVED,
}


def after(state: AlarmState, event: AlarmEvent) -> AlarmState:
    """The state after an event."""
    return TABLE[state, event]


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {AlarmState.PENDING}: a condition begins"]
    lines += [f"    {state} --> {to}: {event}" for (state, event), to in TABLE.items()]
    return "\n".join([*lines, f"    {AlarmState.RESOLVED} --> [*]"])
