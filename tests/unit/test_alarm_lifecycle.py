from itertools import product
from pathlib import Path

import pytest

from nightbell.alarm.effects import AlarmState
from nightbell.alarm.lifecycle import TABLE, AlarmEvent, after, diagram

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "alarm.md"


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    assert diagram() in PAGE.read_text(encoding="utf-8")


def test_nothing_happens_to_a_resolved_alarm() -> None:
    for event in AlarmEvent:
        with pytest.raises(KeyError):
            after(AlarmState.RESOLVED, event)


def test_every_open_state_can_end() -> None:
    for state in set(AlarmState) - {AlarmState.RESOLVED}:
        assert after(state, AlarmEvent.CLEARED) is AlarmState.RESOLVED


def test_only_an_answer_leads_to_answered() -> None:
    leading = {
        event
        for state, event in product(AlarmState, AlarmEvent)
        if TABLE.get((state, event)) is AlarmState.ANSWERED
    }
    assert leading == {AlarmEvent.ANSWERED}
