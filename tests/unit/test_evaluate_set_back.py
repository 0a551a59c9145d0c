"""Goal: a server clock that was set back postpones nothing. Method: oracle and product, side by side."""

import random

import pytest

from nightbell.evaluate.fold import Fold
from nightbell.journal.facts import SensorStarted
from tests.oracle.oracle import Oracle, Transition
from tests.sim.scene import ANA, CLEO, CLEO_FOLLOWS, MINUTE_MS, Scene


def both(scene: Scene) -> list[Transition]:
    """What the oracle says; the product must say the same."""
    oracle = Oracle()
    expected = [one for group in scene.groups for one in oracle.feed(group)]
    found = [Transition(*row) for row in Fold().fold(scene.groups).tolist()]
    assert found == expected
    return found


@pytest.mark.parametrize("seed", range(12))
def test_oracle_and_product_agree_however_the_clock_is_set(seed: int) -> None:
    chance = random.Random(seed)
    scene = Scene()
    scene.follow()
    for _ in range(60):
        match chance.choice(["reading", "reading", "reading", "wait", "back", "ahead", "sensor", "follow"]):
            case "reading":
                scene.reading(chance.choice([45, 55, 62, 69, 74, 80, 120, 250, 260, 310, 1023, 0]))
                scene.pass_minutes(5, every_s=60)
            case "wait":
                scene.pass_minutes(chance.choice([2, 16, 31]), every_s=60)
            case "back":
                scene.now_ms -= chance.choice([30_000, 61_000, 10 * MINUTE_MS, 60 * MINUTE_MS])
                scene.take(tick=True)
            case "ahead":
                scene.now_ms += chance.choice([2, 60]) * MINUTE_MS
                scene.take(tick=True)
            case "sensor":
                scene.fact(SensorStarted(scene.now_ms, 0, scene.now_ms + 120 * MINUTE_MS, ANA))
            case _:
                scene.follow(CLEO_FOLLOWS, CLEO, told=chance.random() < 0.7)

    assert both(scene)
