"""The evaluator on real recordings: how well it foresees lows, and whether it does what its page says."""

from typing import Final

from benchmarks.figures import Bar, Figure, figure
from benchmarks.processes import BUILD, ROOT, BenchError
from benchmarks.size import SMALL, Measured, Say, Size

RECORDINGS: Final = ROOT.parent / "shared" / "data" / "cgm"
SENSITIVITY_MIN: Final = 0.88
FALSE_PER_DAY_MAX: Final = 0.5
PEOPLE_SMALL: Final = 12


def low_soon(_size: Size, say: Say) -> Measured:
    """The shipped "urgent low soon", and the plain level that it must clearly beat."""
    if not RECORDINGS.is_dir():
        say("low_soon: left out, the recordings of ../shared/data/cgm are not here")
        return Measured([], [])
    from benchmarks.low_soon import measure  # noqa: PLC0415 pandas is needed for this one only

    BUILD.mkdir(exist_ok=True)
    rows = measure(BUILD)
    ours, plain = rows["low_soon"], rows["plain_level"]
    say(f"low_soon: {ours}; plain level: {plain}")
    note = (
        f"{ours['events']:,.0f} lows in {ours['days']:,.0f} days, median lead {ours['lead_min_median']:g} min"
    )
    found = [
        figure(
            "low_soon.sensitivity",
            [ours["sensitivity"]],
            "",
            bar=Bar(at_least=SENSITIVITY_MIN),
            note=note,
        ),
        figure(
            "low_soon.false_per_day",
            [ours["false_per_day"]],
            "1/day",
            bar=Bar(at_most=FALSE_PER_DAY_MAX),
            note="pooled over four sets of recordings",
        ),
        figure("plain_level.sensitivity", [plain["sensitivity"]], "", note="the rival: glucose below 64"),
        figure("plain_level.false_per_day", [plain["false_per_day"]], "1/day", note="the rival"),
    ]
    return Measured(found, [])


def oracle(size: Size, say: Say) -> Measured:
    """The shipped evaluator beside the oracle, transition by transition."""
    if not RECORDINGS.is_dir():
        say("oracle: left out, the recordings of ../shared/data/cgm are not here")
        return Measured([], [])
    from tests.oracle.compare import run_all  # noqa: PLC0415 the oracle is part of the tests

    people_max = PEOPLE_SMALL if size == SMALL else None
    said = run_all(people_max=people_max)
    say(f"oracle: {said}")
    if not said["transitions"]:
        raise BenchError("the oracle was held against nothing")
    share = said["agreeing"] / said["transitions"]
    note = f"{said['people']} people, {said['readings']:,} readings, {said['transitions']:,} transitions"
    found: list[Figure] = [figure("oracle.agreeing", [share], "", bar=Bar(at_least=1.0), note=note)]
    return Measured(found, [])
