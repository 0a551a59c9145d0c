"""What a load says about settings: that they hold, by how much, or that nobody can say."""

import pytest

from nightbell.app.doctor.finding import Verdict
from nightbell.app.doctor.headroom import Step, judge, rate_per_s
from nightbell.app.doctor.load import Sent
from nightbell.words.catalogue import catalogue

GOOD = {"p99": 20.0, "answer": 20.0, "refused": 0, "failed": 0, "own": 0.2, "cpu": 0.5}
SLOW = GOOD | {"p99": 1_500.0, "answer": 1_400.0}
FULL = GOOD | {"p99": 1_500.0, "answer": 60.0, "cpu": 0.95}
CONNECTIONS_WAIT = GOOD | {"p99": 1_500.0, "answer": 60.0}
REFUSING = GOOD | {"refused": 3}
FAILING = GOOD | {"failed": 1}
LOAD_SLOW = SLOW | {"own": 0.95}
LOAD_BUSY_AND_REFUSED = REFUSING | {"own": 0.95}


def step(times: float, figures: dict[str, float]) -> Step:
    """A step with these figures."""
    sent = Sent(
        sent=100, kept=97, refused=int(figures["refused"]), failed=int(figures["failed"]), p50_ms=5.0,
        p99_ms=figures["p99"], max_ms=2_000.0, answer_p99_ms=figures["answer"], seconds=10.0,
        own_share=figures["own"],
    )  # fmt: skip
    return Step(times, 10 * times, figures["cpu"], 200.0, sent)


@pytest.mark.parametrize(
    ("figures", "verdict", "words"),
    [
        ([GOOD, GOOD, GOOD, GOOD, GOOD], Verdict.OK, "and 3 times as much. We tried no more"),
        ([GOOD, GOOD, GOOD, SLOW], Verdict.OK, "and 2 times as much. At 2.5 times they do not"),
        ([GOOD, GOOD, REFUSING], Verdict.OK, "and 1.5 times as much"),
        ([GOOD, SLOW], Verdict.WARN, "but not 1.5 times as much"),
        ([GOOD, FAILING], Verdict.WARN, "but not 1.5 times as much"),
        ([GOOD, GOOD, LOAD_SLOW], Verdict.OK, "at least 1.5 times as much"),
        ([GOOD, LOAD_SLOW], Verdict.WARN, "our own load was too slow"),
        ([GOOD, LOAD_BUSY_AND_REFUSED], Verdict.WARN, "but not 1.5 times as much"),
        ([LOAD_SLOW], Verdict.WARN, "We can not say"),
        ([CONNECTIONS_WAIT], Verdict.WARN, "We can not say"),
        ([GOOD, FULL], Verdict.WARN, "but not 1.5 times as much"),
        ([FULL], Verdict.FAIL, "do not hold"),
        ([SLOW], Verdict.FAIL, "do not hold 3000 sharers: 10 readings a second"),
        ([REFUSING], Verdict.FAIL, "do not hold"),
    ],
)
def test_the_verdict(figures: list[dict[str, float]], verdict: Verdict, words: str) -> None:
    steps = [step(times, one) for times, one in zip((1.0, 1.5, 2.0, 2.5, 3.0), figures, strict=False)]

    found = judge(catalogue(), 3_000, steps)

    assert found.verdict is verdict
    assert words in found.found
    assert bool(found.todo) is (verdict is not Verdict.OK)


def test_a_million_sharers_send_as_the_issue_says_and_few_send_once_a_second() -> None:
    assert round(rate_per_s(1_000_000)) == 3_333
    assert rate_per_s(5) == 1.0
