"""What is judged of a storm, and how it is drawn."""

from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks.storm_plot import drawn_storm, drawn_sweep
from benchmarks.storm_series import (
    NEVER,
    Ring,
    Second,
    Step,
    Storm,
    flatness,
    flatness_per_core,
    judged,
    retry_seconds,
)


def second(at: int, *, good: int = 100, p99_ms: float = 10.0, again_s: tuple[int, int] = (0, 0)) -> Second:
    return Second(at, 1_000.0 * at, 100.0, 100, 100, good, 0, 0, 0, 0, 9, 1, *again_s, p99_ms / 2, p99_ms)


def storm(slow_until: int, *, length: int = 100, good_after: int = 100) -> Storm:
    live = [
        second(at, p99_ms=5_000.0 if 40 <= at < slow_until else 10.0, good=100 if at < 60 else good_after)
        for at in range(length)
    ]
    return Storm("flood", [(40.0, 60.0)], live)


def test_a_storm_that_ends_with_its_trigger_has_recovered_at_once() -> None:
    judgement = judged(storm(60))

    assert judgement.recovered_s == 0
    assert judgement.after_share == 1.0
    assert judgement.during_p99_ms == 5_000.0
    assert judgement.faults() == []


def test_the_time_to_recover_counts_from_the_end_of_the_trigger() -> None:
    assert judged(storm(75)).recovered_s == 15
    assert judged(storm(95)).faults() != []


def test_a_storm_that_never_ends_is_called_so() -> None:
    judgement = judged(storm(200))

    assert judgement.recovered_s == -1
    assert len(judgement.faults()) == 2


def test_goodput_that_does_not_come_back_is_a_fault() -> None:
    assert judged(storm(60, good_after=90)).after_share == pytest.approx(0.9)
    assert judged(storm(60, good_after=90)).faults() != []


def test_a_sweep_is_flat_if_what_is_taken_does_not_fall_beyond_capacity() -> None:
    def step(times: float, good: float) -> Step:
        return Step(times, times * 1000, good, 0.0, 0.0, 10.0, 0.9)

    flat = [step(0.5, 500), step(1, 1000), step(5, 950)]

    assert flatness(flat) == pytest.approx(0.95)
    assert flatness([*flat, step(3, 400)]) == pytest.approx(0.4)
    ET.fromstring(drawn_sweep(flat))  # noqa: S314 our own drawing


def test_what_the_herd_leaves_the_platform_is_told_apart_from_what_it_makes_of_it() -> None:
    whole = Step(1, 1000, 1000, 0.0, 0.0, 10.0, 1.0, 0.5)
    squeezed = Step(5, 5000, 700, 0.0, 0.0, 10.0, 0.7, 1.3)

    assert flatness([whole, squeezed]) == pytest.approx(0.7)
    assert flatness_per_core([whole, squeezed]) == pytest.approx(1.0)


def test_lows_among_the_storm_are_told_and_one_that_never_rang_is_a_fault() -> None:
    rings = [Ring(10.0, 90.0), Ring(45.0, 100.0), Ring(46.0, 300.0), Ring(59.0, 200.0)]
    calm = storm(60)

    all_rang = judged(Storm(calm.name, calm.triggers, calm.live, rings=rings))
    one_did_not = judged(Storm(calm.name, calm.triggers, calm.live, rings=[*rings, Ring(80.0, NEVER)]))

    assert all_rang.ring_ms == (200.0, 300.0)
    assert all_rang.faults() == []
    assert one_did_not.faults() == ["1 lows did not ring"]


def test_a_herd_whose_readings_nobody_took_before_the_storm_shows_nothing() -> None:
    calm = storm(60)
    deaf = [msgspec.structs.replace(one, good=60) for one in calm.live]

    assert "before it only 0.60" in judged(Storm(calm.name, calm.triggers, deaf)).faults()[0]


def test_what_clients_were_told_is_summed_up() -> None:
    told = [second(0), second(1, again_s=(7, 30)), second(2, again_s=(5, 12))]

    assert retry_seconds(told) == (5, 30)
    assert retry_seconds(told[:1]) == (0, 0)


def test_a_drawing_is_whole_and_knows_dark_pages() -> None:
    drawing = drawn_storm(storm(75))

    ET.fromstring(drawing)  # noqa: S314 our own drawing
    assert "prefers-color-scheme: dark" in drawing
    assert drawing.count('class="trigger"') == 2
