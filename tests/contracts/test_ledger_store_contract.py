"""What every ledger promises, whatever it is made of."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from nightbell.adapters.stores.memory.ledger import MemoryLedger
from nightbell.adapters.stores.sqlite.ledger import SqliteLedger
from nightbell.alarm.effects import AlarmState
from nightbell.deliver.ports import Ledger
from nightbell.deliver.record import APP, EMAIL, Batch, Delivery, DeliveryState, LedgerFault
from nightbell.tell.attempt import Attempt, AttemptResult, Receipt, ReceiptState
from nightbell.words.errors import ErrorCode, PlatformError
from tests.simulators.cast import ALARM, NOW_MS, alarm_view, entry, ring

OpenLedger = Callable[[], Awaitable[Ledger]]


@pytest.fixture(params=["memory", "sqlite"])
async def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenLedger]:
    """Opens the same place again each time, as a restart does."""
    opened: list[Ledger] = []
    memory = MemoryLedger()

    async def open_it() -> Ledger:
        for before in opened:
            await before.close()
        opened.clear()
        ledger: Ledger = memory if request.param == "memory" else SqliteLedger(tmp_path / "ledger.sqlite")
        await ledger.open(NOW_MS)
        opened.append(ledger)
        return ledger

    yield open_it
    for ledger in opened:
        await ledger.close()


def delivery(
    state: DeliveryState = DeliveryState.WAITING,
    *,
    tries: int = 0,
    step: int = 0,
    due_ms: int = NOW_MS,
    channel: str = EMAIL,
) -> Delivery:
    return Delivery(ring(step).id, channel, state, tries, due_ms)


def whole() -> Batch:
    """One of everything."""
    told = ring()
    return Batch(
        upto_seq=7,
        alarms=(alarm_view(),),
        entries=(entry(0), entry(1)),
        notifications=(told,),
        deliveries=(delivery(), delivery(channel=APP)),
        attempts=(Attempt(told.id, EMAIL, 1, NOW_MS, AttemptResult.UNAVAILABLE, "Busy.", ""),),
        receipts=(Receipt(told.id, APP, ReceiptState.SEEN, "ben", NOW_MS + 5),),
    )


async def test_what_was_written_is_there_after_a_restart(open_ledger: OpenLedger) -> None:
    await (await open_ledger()).write(whole())

    timeline = await (await open_ledger()).timeline(ALARM, limit=10)

    assert timeline is not None
    assert timeline.alarm == alarm_view()
    assert timeline.entries == (entry(0), entry(1))
    (told,) = timeline.told
    assert told.notification == ring()
    assert told.deliveries == (delivery(channel=APP), delivery())
    assert told.attempts == whole().attempts
    assert told.receipts == whole().receipts
    assert not timeline.cut


async def test_writing_the_same_again_changes_nothing_and_tells_that_nothing_was_new(
    open_ledger: OpenLedger,
) -> None:
    ledger = await open_ledger()
    first = await ledger.write(whole())
    before = await ledger.timeline(ALARM, limit=10)

    again = await ledger.write(whole())

    assert first == {ring().id}
    assert again == frozenset()
    assert await ledger.timeline(ALARM, limit=10) == before


async def test_the_newest_version_of_an_alarm_wins_in_whatever_order_they_come(
    open_ledger: OpenLedger,
) -> None:
    ledger = await open_ledger()
    await ledger.write(Batch(alarms=(alarm_view(version=3, answered_by="ben"),)))

    await ledger.write(Batch(alarms=(alarm_view(version=2),)))

    alarm = await ledger.alarm(ALARM)
    assert alarm is not None
    assert alarm.version == 3
    assert alarm.answered_by == "ben"


async def test_a_settled_delivery_stays_settled(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.write(Batch(notifications=(ring(),), deliveries=(delivery(DeliveryState.SENT, tries=1),)))

    await ledger.write(Batch(deliveries=(delivery(), delivery(DeliveryState.EXPIRED, tries=1))))
    await ledger.write(Batch(deliveries=(delivery(tries=9),)))

    assert await ledger.waiting(limit=10) == []


async def test_a_replayed_delivery_does_not_forget_its_tries(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.write(Batch(notifications=(ring(),), deliveries=(delivery(tries=4, due_ms=NOW_MS + 9),)))

    await ledger.write(Batch(notifications=(ring(),), deliveries=(delivery(),)))

    (waiting,) = await ledger.waiting(limit=10)
    assert waiting.delivery == delivery(tries=4, due_ms=NOW_MS + 9)
    assert waiting.notification == ring()


async def test_what_waits_comes_earliest_first_and_no_more_than_asked_for(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    steps = (0, 1, 2)
    dues = (NOW_MS + 30, NOW_MS + 10, NOW_MS + 20)
    await ledger.write(
        Batch(
            notifications=tuple(ring(step) for step in steps),
            deliveries=tuple(delivery(step=step, due_ms=due) for step, due in zip(steps, dues, strict=True)),
        )
    )

    waiting = await ledger.waiting(limit=2)

    assert [one.notification.step for one in waiting] == [1, 2]


async def test_the_first_receipt_of_each_kind_counts(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.write(whole())
    late = Receipt(ring().id, APP, ReceiptState.SEEN, "ben", NOW_MS + 99)
    delivered = Receipt(ring().id, APP, ReceiptState.DELIVERED, "ben", NOW_MS + 99)

    await ledger.write(Batch(receipts=(late, delivered)))

    timeline = await ledger.timeline(ALARM, limit=10)
    assert timeline is not None
    assert [(r.state, r.at_ms) for r in timeline.told[0].receipts] == [
        (ReceiptState.SEEN, NOW_MS + 5),
        (ReceiptState.DELIVERED, NOW_MS + 99),
    ]


async def test_opening_again_brings_back_what_is_open_and_how_far_we_were(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    over = alarm_view(id="b" * 32, state=AlarmState.RESOLVED, resolved_ms=NOW_MS)
    rings = (ring(0), ring(1), ring(0, id="f" * 32, follow=11, follower="cleo"), ring(5, alarm=over.id))
    await ledger.write(Batch(upto_seq=9, alarms=(alarm_view(), over), notifications=rings))
    await ledger.write(Batch(upto_seq=4))

    await ledger.close()
    again = ledger if isinstance(ledger, MemoryLedger) else SqliteLedger(tmp_path / "ledger.sqlite")
    opened = await again.open(NOW_MS)
    await again.close()

    assert opened.upto_seq == 9
    assert opened.open_alarms == (alarm_view(),)
    assert {(told.follow, told.step) for told in opened.newest} == {(10, 1), (11, 0)}


async def test_alarms_of_a_sharer_come_newest_first(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    views = [alarm_view(id=f"{n:032x}", opened_ms=NOW_MS + n) for n in range(4)]
    await ledger.write(Batch(alarms=(*views, alarm_view(id="e" * 32, sharer=1))))

    alarms = await ledger.alarms_of(sharer=0, limit=3)

    assert [alarm.opened_ms - NOW_MS for alarm in alarms] == [3, 2, 1]


async def test_a_long_timeline_shows_its_newest_lines_and_says_that_it_is_cut(
    open_ledger: OpenLedger,
) -> None:
    ledger = await open_ledger()
    await ledger.write(
        Batch(
            alarms=(alarm_view(),),
            entries=tuple(entry(number) for number in range(5)),
            notifications=tuple(ring(step, at_ms=NOW_MS + step) for step in range(5)),
        )
    )

    timeline = await ledger.timeline(ALARM, limit=3)

    assert timeline is not None
    assert [line.number for line in timeline.entries] == [2, 3, 4]
    assert [told.notification.step for told in timeline.told] == [2, 3, 4]
    assert timeline.cut


async def test_what_is_long_over_is_forgotten_with_all_about_it_and_open_alarms_never(
    open_ledger: OpenLedger,
) -> None:
    ledger = await open_ledger()
    old = alarm_view(id="b" * 32, state=AlarmState.RESOLVED, resolved_ms=NOW_MS - 10)
    young = alarm_view(id="c" * 32, state=AlarmState.RESOLVED, resolved_ms=NOW_MS + 10)
    told = ring(0, id="d" * 32, alarm=old.id)
    proof = Receipt(told.id, APP, ReceiptState.SEEN, "ben", NOW_MS)
    await ledger.write(whole())
    await ledger.write(
        Batch(
            alarms=(old, young), entries=(entry(0, alarm=old.id),), notifications=(told,), receipts=(proof,)
        )
    )

    forgotten = await ledger.forget(before_ms=NOW_MS, limit=10)

    assert forgotten == 1
    assert await ledger.alarm(old.id) is None
    assert await ledger.notification(told.id) is None
    assert await ledger.alarm(young.id) == young
    assert await ledger.timeline(ALARM, limit=10) is not None
    assert await ledger.forget(before_ms=NOW_MS, limit=10) == 0


async def test_an_unknown_alarm_and_notification_are_none(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()

    assert await ledger.alarm("0" * 32) is None
    assert await ledger.timeline("0" * 32, limit=5) is None
    assert await ledger.notification("0" * 32) is None
    assert await ledger.alarms_of(sharer=5, limit=5) == []


async def test_a_closed_ledger_says_so_instead_of_losing_what_it_is_given(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.close()

    with pytest.raises(PlatformError) as caught:
        await ledger.write(whole())

    assert caught.value.code is ErrorCode.NOT_DURABLE
    assert caught.value.fields["fault"] == LedgerFault.CLOSED


async def test_what_a_provider_took_is_known_after_a_restart_while_the_alarm_is_open(
    open_ledger: OpenLedger,
) -> None:
    took = Attempt(ring().id, EMAIL, 2, NOW_MS, AttemptResult.SENT, "", "provider's own id")
    await (await open_ledger()).write(whole())
    await (await open_ledger()).write(Batch(attempts=(took,)))
    ledger = await open_ledger()

    (found,) = await ledger.handed_over(after_ms=NOW_MS - 1, limit=10)
    later = await ledger.handed_over(after_ms=NOW_MS, limit=10)
    await ledger.write(Batch(receipts=(Receipt(ring().id, EMAIL, ReceiptState.SEEN, "ben", NOW_MS),)))
    (seen,) = await ledger.handed_over(after_ms=NOW_MS - 1, limit=10)
    await ledger.write(Batch(alarms=(alarm_view(state=AlarmState.RESOLVED, version=9),)))

    assert seen.ended
    assert (found.notification, found.channel, found.provider_id) == (ring(), EMAIL, "provider's own id")
    assert not found.ended
    assert later == []
    assert await ledger.handed_over(after_ms=0, limit=10) == []
