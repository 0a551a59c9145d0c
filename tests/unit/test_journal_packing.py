"""A group comes back from its record exactly, and no damaged byte goes unseen."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.follow.limits import Bounds, Hours, Telling
from nightbell.journal.facts import (
    Answered,
    AnswerUndone,
    AnyFact,
    ClockLearned,
    DoorOpened,
    FollowEnded,
    FollowSet,
    SensorStarted,
    SharerAdded,
    Snoozed,
)
from nightbell.journal.group import Group
from nightbell.journal.packing import Damaged, decode, encode
from nightbell.publish.reading import READING_DTYPE, Reading

INSTANTS = st.integers(0, 2**53)
NUMBERS = st.integers(0, 2**31 - 1)
IDS = st.text(max_size=40)
TELLINGS = st.builds(
    Telling, INSTANTS, INSTANTS, st.none() | st.builds(Hours, NUMBERS, NUMBERS, st.integers(0, 127))
)
FACTS: st.SearchStrategy[AnyFact] = st.one_of(
    st.builds(
        FollowSet,
        at_ms=INSTANTS, follow=NUMBERS, sharer=NUMBERS, follower=IDS, told=st.booleans(),
        bounds=st.builds(Bounds, *[st.integers(-2000, 2000)] * 12),
        telling=st.tuples(*[TELLINGS] * 9), zone=IDS, by=IDS,
    ),
    st.builds(FollowEnded, INSTANTS, NUMBERS, IDS),
    st.builds(Answered, INSTANTS, IDS, IDS, st.booleans()),
    st.builds(AnswerUndone, INSTANTS, IDS, IDS),
    st.builds(Snoozed, INSTANTS, NUMBERS, IDS, INSTANTS, IDS),
    st.builds(SensorStarted, INSTANTS, NUMBERS, INSTANTS, IDS),
    st.builds(ClockLearned, INSTANTS, NUMBERS, NUMBERS, st.integers(-(2**40), 2**40)),
    st.builds(SharerAdded, INSTANTS, NUMBERS),
    st.builds(DoorOpened, INSTANTS),
)  # fmt: skip
READINGS = st.builds(Reading, NUMBERS, INSTANTS, INSTANTS, st.integers(0, 1023), st.integers(0, 9), NUMBERS)


def packed(*readings: Reading) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.array(list(readings), READING_DTYPE)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    return Group(
        seq=draw(st.integers(1, 2**62)),
        recorded_ms=draw(INSTANTS),
        facts=tuple(draw(st.lists(FACTS, max_size=4))),
        readings=packed(*draw(st.lists(READINGS, max_size=20))),
        tick_ms=draw(INSTANTS),
    )


SMALL = Group(
    seq=7,
    recorded_ms=1_795_346_306_974,
    facts=(SharerAdded(1_795_346_306_000, 3), DoorOpened(1_795_346_306_001)),
    readings=packed(Reading(3, 1_795_346_300_000, 1_795_346_306_000, 54, 7, 2)),
    tick_ms=1_795_346_307_000,
)


@given(groups())
def test_a_group_comes_back_exactly(group: Group) -> None:
    back = decode(encode(group))

    assert isinstance(back, Group)
    assert (back.seq, back.recorded_ms, back.facts, back.tick_ms) == (
        group.seq, group.recorded_ms, group.facts, group.tick_ms,
    )  # fmt: skip
    assert back.readings.dtype == READING_DTYPE
    assert back.readings.tobytes() == group.readings.tobytes()


def test_every_damaged_byte_is_found_whatever_it_becomes() -> None:
    record = encode(SMALL)

    for place in range(len(record)):
        for change in (0x01, 0x80, 0xFF, record[place] or 0x55):
            damaged = bytearray(record)
            damaged[place] ^= change
            assert isinstance(decode(bytes(damaged)), Damaged), f"byte {place} changed by {change:#x}"


@pytest.mark.parametrize("length", range(len(encode(SMALL))))
def test_a_record_cut_short_anywhere_is_found(length: int) -> None:
    record = encode(SMALL)

    assert isinstance(decode(record[:length]), Damaged)


def test_a_record_with_bytes_behind_it_is_found() -> None:
    assert isinstance(decode(encode(SMALL) + b"\0"), Damaged)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_decode_raise(noise: bytes) -> None:
    assert isinstance(decode(noise), Damaged)


def test_each_fact_is_known_by_its_name_on_disk() -> None:
    names = {kind.__struct_config__.tag for kind in get_args(AnyFact)}

    assert names == {
        "follow_set", "follow_ended", "answered", "answer_undone", "passed_on", "watch_set", "snoozed",
        "sensor_started", "clock_learned", "sharer_added", "door_opened",
    }  # fmt: skip
