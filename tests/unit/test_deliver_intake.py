"""The intake hands everything over once, the mark of the journal too."""

from nightbell.deliver.intake import Intake
from nightbell.deliver.record import Batch


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
