"""The bench's own arithmetic: medians, bars, the voiding rule, the counts, the table."""

import pytest

from benchmarks.figures import Bar, Counts, Standing, beyond_ceiling, figure, ratios, row, shown


def test_a_figure_is_the_median_of_its_rounds_and_keeps_them_all() -> None:
    one = figure("live.p99_ms", [9.0, 5.0, 7.0], "ms")

    assert one.value == 7.0
    assert one.rounds == (9.0, 5.0, 7.0)
    assert one.standing is Standing.MEASURED


@pytest.mark.parametrize(
    ("bar", "value", "standing"),
    [
        (Bar(at_least=0.4), 0.4, Standing.MET),
        (Bar(at_least=0.4), 0.39, Standing.MISSED),
        (Bar(at_most=8.0), 8.0, Standing.MET),
        (Bar(at_most=8.0), 8.1, Standing.MISSED),
    ],
)
def test_a_figure_says_whether_it_meets_its_bar(bar: Bar, value: float, standing: Standing) -> None:
    assert figure("some.figure", [value], "", bar=bar).standing is standing


def test_a_void_figure_meets_nothing_and_says_why() -> None:
    one = figure(
        "saturation.asgi_ratio", [0.9], "", bar=Bar(at_least=0.4), void="the generator was the limit"
    )

    assert one.standing is Standing.VOID
    assert "the generator was the limit" in row(one)[-1]


def test_a_rate_above_four_fifths_of_the_generators_ceiling_is_void() -> None:
    assert beyond_ceiling([80.0, 81.0, 82.0], [100.0, 100.0, 100.0]) == (
        "81% of the generator's own ceiling of 100/s"
    )
    assert beyond_ceiling([80.0], [100.0]) == ""


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([1.0, 4.0], [2.0, 5.0]) == [0.5, 0.8]


def test_counts_that_differ_by_one_are_a_mismatch() -> None:
    found = Counts("live", {"readings in the journal": (999, 1_000), "alarms in the ledger": (5, 5)})

    assert found.mismatches() == ["live: readings in the journal is 999, should be 1,000"]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12_345.6, "12,346"), (34.56, "34.6"), (0.4123, "0.412")]
)
def test_a_number_shows_no_more_digits_than_mean_something(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_row_shows_median_bar_and_rounds() -> None:
    one = figure("live.refused", [0.0, 2.0, 0.0], "", bar=Bar(at_most=0), note="at the live rate")

    assert row(one) == ("live.refused", "0", "", "<= 0", "met", "0 2 0; at the live rate")
