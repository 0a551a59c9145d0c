"""What is measured, as values: rounds, medians, bars, what voids a figure, and the counts that must agree.

Rules:

- A figure is the median of its rounds; all rounds are kept beside it.
- A figure above 80 % of what the load generator itself can do says something about the generator. It is void:
  it is shown, but it meets and misses nothing.
- Counts must be equal. There is no tolerance: a reading that was acknowledged is in the journal, or it is
  lost.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import Final

import msgspec

CEILING_SHARE_MAX: Final = 0.8
"""A result above this share of the generator's own ceiling is void (issue 2, part 8)."""

ROUNDS_MIN: Final = 3


class Bar(msgspec.Struct, frozen=True):
    """What a figure must reach: at least, or at most."""

    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, value: float) -> bool:
        """Whether a value reaches it."""
        enough = self.at_least is None or value >= self.at_least
        return enough and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        """As the table shows it."""
        parts = [] if self.at_least is None else [f">= {self.at_least:g}"]
        return ", ".join(parts + ([] if self.at_most is None else [f"<= {self.at_most:g}"]))


class Standing(StrEnum):
    """How a figure stands to its bar."""

    MEASURED = "measured"  # there is no bar for it
    MET = "met"
    MISSED = "missed"
    VOID = "void"


class Figure(msgspec.Struct, frozen=True):
    """One figure.

    Attributes:
        key: Its name, as `live.p99_ms`.
        value: The median of its rounds.
        unit: What it is counted in.
        rounds: Each round, in order.
        bar: What it must reach, as text; empty if nothing.
        standing: How it stands to that.
        note: Under which conditions, or why it is void.
    """

    key: str
    value: float
    unit: str
    rounds: tuple[float, ...]
    bar: str
    standing: Standing
    note: str = ""


def figure(
    key: str, rounds: Sequence[float], unit: str, *, bar: Bar | None = None, void: str = "", note: str = ""
) -> Figure:
    """The figure of some rounds; `void` says why it is void, if it is."""
    rounds = [float(value) for value in rounds]  # NumPy's numbers are no JSON
    value = median(rounds)
    standing = Standing.MEASURED
    if bar is not None:
        standing = Standing.MET if bar.met_by(value) else Standing.MISSED
    if void:
        standing = Standing.VOID
    return Figure(key, value, unit, tuple(rounds), str(bar or ""), standing, void or note)


def beyond_ceiling(rates: Sequence[float], ceilings: Sequence[float]) -> str:
    """Why a rate is void beside the generator's own ceiling; empty if it is not."""
    share = median(rates) / median(ceilings)
    if share <= CEILING_SHARE_MAX:
        return ""
    return f"{share:.0%} of the generator's own ceiling of {median(ceilings):,.0f}/s"


def ratios(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Ours over the other's, round by round: both of one round were measured side by side."""
    return [one / other for one, other in zip(ours, others, strict=True)]


class Counts(msgspec.Struct, frozen=True):
    """What must agree after one run, as pairs of what was and what should be.

    Attributes:
        where: Which run.
        pairs: For each name: found, expected.
    """

    where: str
    pairs: Mapping[str, tuple[int, int]]

    def mismatches(self) -> list[str]:
        """What does not agree, in words."""
        return [
            f"{self.where}: {name} is {found:,}, should be {expected:,}"
            for name, (found, expected) in self.pairs.items()
            if found != expected
        ]


def shown(value: float) -> str:
    """A number as the table shows it: no more digits than mean something."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def row(one: Figure) -> tuple[str, str, str, str, str, str]:
    """A figure as a row of the table: key, value, unit, bar, standing, rounds and note."""
    rounds = " ".join(shown(value) for value in one.rounds) if len(one.rounds) > 1 else ""
    told = "; ".join(part for part in (rounds, one.note) if part)
    return one.key, shown(one.value), one.unit, one.bar, one.standing.value, told
