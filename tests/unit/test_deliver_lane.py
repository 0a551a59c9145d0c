"""What waits for a channel: in whose order, one word a person and alarm, nobody pushed back for ever."""

import msgspec

from nightbell.deliver.lane import Item, Lane
from nightbell.deliver.record import EMAIL, Delivery, DeliveryState
from nightbell.words.clock import NEVER_MS
from nightbell.words.conditions import Condition
from tests.simulators.cast import NOW_MS, ring


def item(step: int = 0, *, due_ms: int = NOW_MS, **changes: object) -> Item:
    told = ring(step, **changes)
    return Item(Delivery(told.id, EMAIL, DeliveryState.WAITING, 0, due_ms), told)


def of(
    follow: int, condition: Condition = Condition.URGENT_LOW, *, due_ms: int = NOW_MS, urgent: bool = True
) -> Item:
    return item(id=f"{follow:032x}", follow=follow, condition=condition, due_ms=due_ms, urgent=urgent)


def drained(lane: Lane, now_ms: int = NOW_MS) -> list[Item]:
    found = []
    while (one := lane.take(now_ms)) is not None:
        found.append(one)
    return found


def test_nothing_leaves_before_it_is_due() -> None:
    lane = Lane()
    lane.put(item(due_ms=NOW_MS + 1))

    assert lane.take(NOW_MS) is None
    assert lane.next_due_ms() == NOW_MS + 1
    assert lane.take(NOW_MS + 1) == item(due_ms=NOW_MS + 1)
    assert lane.next_due_ms() == NEVER_MS


def test_what_harms_soonest_goes_first_and_news_that_wakes_nobody_last() -> None:
    lane = Lane()
    items = [
        of(1, Condition.HIGH), of(2, urgent=False), of(3, Condition.NO_READINGS), of(4, Condition.LOW),
        of(5, Condition.URGENT_LOW),
    ]  # fmt: skip
    for one in items:
        lane.put(one)

    assert [one.notification.follow for one in drained(lane)] == [5, 4, 3, 1, 2]


def test_of_equal_urgency_who_waited_longest_goes_first() -> None:
    lane = Lane()
    for follow, due_ms in ((1, NOW_MS - 1), (2, NOW_MS - 3), (3, NOW_MS - 2)):
        lane.put(of(follow, due_ms=due_ms))

    assert [one.notification.follow for one in drained(lane)] == [2, 3, 1]


def test_a_newer_word_takes_the_older_ones_place_and_keeps_its_turn() -> None:
    lane = Lane()
    lane.put(of(1, due_ms=NOW_MS - 9))
    lane.put(of(2, due_ms=NOW_MS - 5))
    lane.put(item(0, due_ms=NOW_MS - 8))
    first = lane.take(NOW_MS)

    overtaken = lane.put(item(1))

    assert first is not None
    assert overtaken == item(0, due_ms=NOW_MS - 8)
    assert [(one.notification.follow, one.notification.step) for one in drained(lane)] == [(10, 1), (2, 0)]


def test_a_newer_word_does_not_wait_for_the_older_ones_next_try() -> None:
    lane = Lane()
    lane.put(item(0, due_ms=NOW_MS + 60_000))

    lane.put(item(1, due_ms=NOW_MS))

    assert lane.take(NOW_MS) == item(1)
    assert lane.take(NOW_MS + 60_000) is None


def test_an_older_word_that_comes_back_is_overtaken_at_once() -> None:
    lane = Lane()
    lane.put(item(1))

    assert lane.put(item(0)) == item(0)
    assert drained(lane) == [item(1)]


def test_the_same_delivery_waits_once() -> None:
    lane = Lane()
    lane.put(item())

    assert lane.put(item()) is None
    assert len(lane) == 1
    assert drained(lane) == [item()]


def test_what_was_taken_may_come_back_later() -> None:
    lane = Lane()
    lane.put(item())
    taken = lane.take(NOW_MS)
    assert taken is not None

    again = Item(msgspec.structs.replace(taken.delivery, tries=1, due_ms=NOW_MS + 5), taken.notification)
    lane.put(again)

    assert lane.take(NOW_MS + 4) is None
    assert lane.take(NOW_MS + 5) == again
