"""The intake hands everything over once, the mark of the journal too."""

from nightbell.alarm.effects import AlarmState
from nightbell.deliver.intake import Intake
from nightbell.deliver.record import Batch, Delivery, DeliveryState
from tests.simulators.cast import NOW_MS, alarm_view, ring


def test_an_emptied_intake_asks_for_no_write() -> None:
    intake = Intake()
    intake.add(Batch(upto_seq=7))

    taken = intake.take()

    assert taken.upto_seq == 7
    assert intake.take() == Batch()


def test_what_is_put_back_brings_its_mark_back() -> None:
    intake = Intake()
    intake.add(Batch(upto_seq=7))

    intake.put_back([intake.take()])

    assert intake.take().upto_seq == 7


def test_a_ledger_that_is_dead_for_days_fills_no_memory_and_the_newest_words_on_what_is_open_stay() -> None:
    intake = Intake(rows_max=1_000, spills=True)
    for number in range(20_000):  # an alarm opens, rings three times, and ends, all but one in a hundred
        name = f"alarm {number}"
        rings = tuple(ring(step, id=f"{name} {step}", alarm=name) for step in range(3))
        ways = tuple(Delivery(one.id, "email", DeliveryState.SENT, 1, NOW_MS) for one in rings)
        over = number % 100 != 0
        state = AlarmState.RESOLVED if over else AlarmState.RINGING
        intake.add(
            Batch(
                upto_seq=number,
                alarms=(alarm_view(id=name, state=state),),
                notifications=rings,
                deliveries=ways,
            )
        )

    kept = intake.take()

    opened = [alarm.id for alarm in kept.alarms if alarm.state is AlarmState.RINGING]
    assert len(opened) == 200
    assert {f"{name} 2" for name in opened} <= {told.id for told in kept.notifications}
    assert len(kept.alarms) + len(kept.notifications) + len(kept.deliveries) <= 1_700
    assert kept.upto_seq == -1  # the next start builds the rest again
    assert intake.left_out > 100_000


def test_what_was_not_performed_yet_never_gives_way() -> None:
    intake = Intake(rows_max=10)
    for step in range(100):
        intake.add(Batch(notifications=(ring(step, id=f"{step}"),)))

    assert len(intake.take().notifications) == 100
