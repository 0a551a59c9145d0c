"""Who goes next, who is refused, and when to come back."""

from nightbell.journal.lanes import (
    GROUP_READINGS_MAX,
    Batch,
    Lane,
    LaneLimit,
    Turn,
    next_turn,
)
from nightbell.journal.writer import packed_readings
from nightbell.publish.reading import Reading
from nightbell.words.errors import PlatformError


def reading(sharer: int = 1) -> Reading:
    return Reading(sharer, 1_795_346_300_000, 1_795_346_306_000, 100, 4, 1)


def nobody(seq: int, error: PlatformError | None) -> None:
    """Who waits for nothing."""


def waiting_batch(since: float) -> Batch:
    batch = Batch()
    batch.since = since
    return batch


def turns(count: int) -> list[Turn]:
    """Both lanes are always due: who goes, `count` times."""
    taken: list[Turn] = []
    streak = 0
    for _ in range(count):
        turn = next_turn(live=waiting_batch(1.0), backfill=waiting_batch(1.0), streak=streak, due_before=2.0)
        streak = streak + 1 if turn is Turn.LIVE else 0
        taken.append(turn)
    return taken


def test_while_live_is_busy_backfill_gets_every_tenth_commit() -> None:
    taken = turns(100)

    assert taken.count(Turn.BACKFILL) == 10
    assert taken[:9] == [Turn.LIVE] * 9


def test_backfill_goes_at_once_while_live_is_idle() -> None:
    assert next_turn(live=None, backfill=waiting_batch(1.0), streak=0, due_before=2.0) is Turn.BACKFILL


def test_a_batch_waits_for_company_unless_it_is_full() -> None:
    early, full = waiting_batch(3.0), waiting_batch(3.0)
    full.full = True

    assert next_turn(live=early, backfill=None, streak=0, due_before=2.0) is Turn.LATER
    assert next_turn(live=full, backfill=None, streak=0, due_before=2.0) is Turn.LIVE


def test_backfill_never_goes_before_live_that_is_due() -> None:
    assert (
        next_turn(live=waiting_batch(1.0), backfill=waiting_batch(0.5), streak=0, due_before=2.0) is Turn.LIVE
    )


async def test_a_lane_is_bounded_by_items_and_by_bytes() -> None:
    by_items, by_bytes = Lane(LaneLimit(10, 1 << 20)), Lane(LaneLimit(10_000, 270))

    assert by_items.has_room(10)
    assert not by_items.has_room(11)
    assert by_bytes.has_room(10)
    assert not by_bytes.has_room(11)


async def test_what_is_being_committed_still_counts_as_waiting() -> None:
    lane = Lane(LaneLimit(10, 1 << 20))
    lane.put([reading()] * 10, nobody, 1.0)

    batch = lane.take()
    full_while_committing = not lane.has_room(1)
    lane.done(batch)

    assert full_while_committing
    assert lane.has_room(10)


async def test_a_commit_holds_at_most_ten_thousand_readings_and_nothing_is_lost_between_two() -> None:
    lane = Lane(LaneLimit(100_000, 1 << 30))
    for _ in range(100):
        lane.put([reading()] * 288, nobody, 1.0)

    sizes = []
    while (batch := lane.oldest()) is not None:
        assert lane.take() is batch
        sizes.append(batch.count)

    assert sum(sizes) == 28_800
    assert max(sizes) <= GROUP_READINGS_MAX
    assert len(sizes) == 3


async def test_one_unpackable_reading_takes_no_other_request_with_it() -> None:
    lane = Lane(LaneLimit(100, 1 << 20))
    lane.put([reading(1)], nobody, 1.0)
    lane.put([reading(2), reading(2**40)], nobody, 1.0)
    lane.put([reading(3)], nobody, 1.0)

    packed, unpackable = packed_readings(lane.take())

    assert packed["sharer"].tolist() == [1, 3]
    assert unpackable == (1,)
