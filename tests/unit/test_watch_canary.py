"""The canaries' rounds by themselves."""

from nightbell.watch import canary
from nightbell.watch.canary import CLEAR_MGDL, LOW_MGDL, Canary, Flock, Phase, Step, flock_of, next_step
from nightbell.watch.timings import Timings

TIMINGS = Timings()
NOW = 10_000_000
PERSONS = ("a", "b", "knocker")


def taken(flock: Flock, *, now_ms: int, door_troubled: bool = False) -> Step | None:
    return next_step(flock, door_troubled=door_troubled, now_ms=now_ms, timings=TIMINGS)


def one(flock: Flock, person: str) -> Canary:
    found = canary.canary_of(flock, person)
    assert found is not None
    return found


def test_a_canary_goes_round_low_then_two_clears_each_three_minutes_apart() -> None:
    flock = flock_of(PERSONS, Flock())
    now_ms = NOW

    step = taken(flock, now_ms=now_ms)
    assert step == Step("a", LOW_MGDL)
    flock = canary.rang(canary.begun(flock, step, now_ms), step)
    assert taken(canary.begun(flock, Step("b", LOW_MGDL), now_ms), now_ms=now_ms + TIMINGS.gap_ms - 1) is None
    for _ in range(2):
        now_ms += TIMINGS.gap_ms
        clear = Step("a", CLEAR_MGDL)
        flock = canary.cleared_once(flock, clear, now_ms)

    assert one(flock, "a").phase is Phase.READY
    assert one(flock, "a").proven
    assert one(flock, "a").read_ms == now_ms


def test_a_door_in_trouble_is_knocked_at_and_uses_no_canary_up() -> None:
    flock = flock_of(PERSONS, Flock())

    step = taken(flock, now_ms=NOW, door_troubled=True)

    assert step == Step("knocker", CLEAR_MGDL)
    assert canary.begun(flock, step, NOW) == flock
    assert canary.cleared_once(flock, step, NOW) == flock


def test_a_low_that_was_certainly_not_taken_leaves_the_canary_ready() -> None:
    flock = flock_of(PERSONS, Flock())
    step = Step("a", LOW_MGDL)

    after = canary.refused(canary.begun(flock, step, NOW), step)

    assert one(after, "a").phase is Phase.READY


def test_a_low_in_doubt_is_cleared_and_proves_nothing_until_then() -> None:
    flock = flock_of(PERSONS, Flock())
    step = Step("a", LOW_MGDL)

    after = canary.in_doubt(canary.begun(flock, step, NOW), step)

    assert one(after, "a").phase is Phase.CLEARING
    assert not one(after, "a").proven


def test_after_a_restart_a_low_that_was_out_is_cleared_first() -> None:
    flock = canary.begun(flock_of(PERSONS, Flock()), Step("a", LOW_MGDL), NOW)

    after = canary.resumed(flock, NOW + 1000)

    assert one(after, "a").phase is Phase.CLEARING
    assert one(after, "b").phase is Phase.READY


def test_a_new_pairing_keeps_what_is_known_of_canaries_that_stay() -> None:
    flock = canary.begun(flock_of(PERSONS, Flock()), Step("a", LOW_MGDL), NOW)

    after = flock_of(("a", "c", "other"), flock)

    assert one(after, "a").phase is Phase.PUBLISHED
    assert one(after, "c").phase is Phase.READY
    assert after.knocker == "other"


def test_without_canaries_nothing_is_published() -> None:
    assert taken(flock_of((), Flock()), now_ms=NOW, door_troubled=True) is None
