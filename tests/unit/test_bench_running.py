"""What the bench makes of what its clients report."""

from benchmarks.figures import figure
from benchmarks.processes import Load, Shape
from benchmarks.running import joined
from nightbell.app.furnish import FOLLOWS_EACH, SHARERS_TO_FOLLOWER, first_follower, limit_sets


def test_a_duplicate_is_acknowledged_but_not_kept_twice() -> None:
    load = Load(
        offered_per_s=0,
        sent=12,
        good=10,
        refused=2,
        bad=0,
        duplicates=3,
        seconds=1,
        requests_per_s=10,
        readings_per_s=10,
        p50_ms=1,
        p99_ms=1,
        p999_ms=1,
        max_ms=1,
    )

    assert load.kept() == 7
    assert load.kept(Shape(readings=288)) == 2_877


def test_starts_of_several_runs_are_rounds_of_one_figure() -> None:
    figures = [figure("start.s", [4.0], "s"), figure("rss_mb", [300.0], "MB"), figure("start.s", [2.0], "s")]

    one, other = joined(figures)

    assert (one.key, one.value, one.rounds) == ("start.s", 3.0, (4.0, 2.0))
    assert other.key == "rss_mb"


def test_three_sets_of_limits_have_every_condition_on() -> None:
    sets = limit_sets()

    assert len(set(sets)) == FOLLOWS_EACH
    for limits in sets:
        assert all(getattr(limits, name).on for name in limits.__struct_fields__)


def test_a_followers_key_opens_a_screen_of_a_sharer_whom_they_follow() -> None:
    assert first_follower(0) == 0
    assert first_follower(SHARERS_TO_FOLLOWER) == FOLLOWS_EACH
