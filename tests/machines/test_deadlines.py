"""Goal: no deadline is ever missed or found too early. Method: every change against a look at all of them."""

from typing import Final

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from nightbell.evaluate.deadlines import BLOCK_LOG2, Bounds
from nightbell.words.clock import NEVER_MS

ROWS: Final = 3 << BLOCK_LOG2
SOME_ROWS: Final = st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=40, unique=True)


class Deadlines(RuleBasedStateMachine):
    """Rows get deadlines, earlier and later ones; seconds pass; now and then all is looked at anew."""

    @initialize()
    def begin(self) -> None:
        self.due_ms = np.full(ROWS, NEVER_MS, np.int64)
        self.bounds = Bounds()
        self.now_ms = 0

    @rule(rows=SOME_ROWS, in_ms=st.integers(-5, 2_000))
    def set_some(self, rows: list[int], in_ms: int) -> None:
        these = np.array(rows, np.int32)
        self.due_ms[these] = self.now_ms + in_ms
        self.bounds.lower(these, self.due_ms[these])

    @rule(rows=SOME_ROWS)
    def end_some(self, rows: list[int]) -> None:
        self.due_ms[rows] = NEVER_MS

    @rule(by_ms=st.integers(-200, 1_500))
    def time(self, by_ms: int) -> None:
        self.now_ms += by_ms
        all_of_them = np.flatnonzero(self.due_ms <= self.now_ms)

        found = self.bounds.passed(self.due_ms, self.now_ms)

        assert found.tolist() == all_of_them.tolist()
        self.due_ms[found] = NEVER_MS

    @rule()
    def restart(self) -> None:
        self.bounds = Bounds()
        self.bounds.renew(self.due_ms)


TestDeadlines = Deadlines.TestCase
TestDeadlines.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
