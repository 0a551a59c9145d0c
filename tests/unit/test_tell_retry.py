"""When to try again: doubling, left to chance, bounded, and never past its time."""

from hypothesis import given
from hypothesis import strategies as st

from nightbell.tell.attempt import AttemptResult, attempt_of
from nightbell.tell.outcome import REASON_LENGTH_MAX, Outcome, Refused, Sent, Unavailable, one_line
from nightbell.tell.retry import RetryRule, jitter_of, next_try_ms

RULE = RetryRule(first_ms=2_000, longest_ms=60_000, tries_max=12, give_up_after_ms=900_000)


def waits(jitter: float) -> list[int]:
    now_ms, found = 0, []
    for tries in range(1, RULE.tries_max):
        at_ms = next_try_ms(RULE, tries=tries, made_ms=0, now_ms=now_ms, jitter=jitter)
        assert at_ms is not None
        found.append(at_ms - now_ms)
        now_ms = at_ms
    return found


def test_waits_double_up_to_the_longest() -> None:
    assert waits(0.0) == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000]


@given(jitter=st.floats(0, 1, exclude_max=True), tries=st.integers(1, 11))
def test_chance_never_makes_a_wait_shorter_than_half_or_longer_than_whole(jitter: float, tries: int) -> None:
    whole_ms = min(60_000, 2_000 * 2 ** (tries - 1))

    at_ms = next_try_ms(RULE, tries=tries, made_ms=0, now_ms=0, jitter=jitter)

    assert at_ms is not None
    assert whole_ms // 2 <= at_ms <= whole_ms


def test_the_budget_of_tries_ends() -> None:
    assert next_try_ms(RULE, tries=12, made_ms=0, now_ms=0, jitter=0.5) is None


def test_no_try_begins_after_the_time_to_give_up() -> None:
    last_ms = next_try_ms(RULE, tries=1, made_ms=0, now_ms=899_000, jitter=0.0)

    assert last_ms == 900_000
    assert next_try_ms(RULE, tries=1, made_ms=0, now_ms=899_001, jitter=0.0) is None


def test_a_provider_that_asks_for_patience_gets_it() -> None:
    assert next_try_ms(RULE, tries=1, made_ms=0, now_ms=0, jitter=0.9, retry_after_ms=77_000) == 77_000


def test_what_failed_together_does_not_come_back_together() -> None:
    times = {
        next_try_ms(RULE, tries=6, made_ms=0, now_ms=0, jitter=jitter_of(f"n{n}", 6)) for n in range(1_000)
    }

    assert len(times) > 900
    assert jitter_of("n1", 2) == jitter_of("n1", 2)


@given(st.text())
def test_a_reason_is_one_short_printable_line(text: str) -> None:
    line = one_line(text)

    assert len(line) <= REASON_LENGTH_MAX
    assert line.isprintable()


def test_a_long_reason_is_cut() -> None:
    assert one_line("away " * 1_000) == ("away " * 1_000)[:REASON_LENGTH_MAX]


def test_an_attempt_keeps_what_came_of_it() -> None:
    outcomes: list[Outcome] = [Sent("q1"), Unavailable("busy", 5), Refused("no")]

    attempts = [attempt_of(o, message="m", channel="email", number=2, at_ms=9) for o in outcomes]

    assert [(a.result, a.reason, a.provider_id) for a in attempts] == [
        (AttemptResult.SENT, "", "q1"),
        (AttemptResult.UNAVAILABLE, "busy", ""),
        (AttemptResult.REFUSED, "no", ""),
    ]
