"""The sentences a person reads: whole in forty characters, in their unit and time, honest about age."""

import itertools

import msgspec
import pytest

from nightbell.alarm.decide import Reason
from nightbell.alarm.effects import EntryKind, Notification, NotificationKind
from nightbell.deliver.compose import ago, clock_time, compose, short_name
from nightbell.deliver.outbox import is_ring
from nightbell.deliver.ports import Contact
from nightbell.tell.message import Message
from nightbell.words.catalogue import catalogue
from nightbell.words.conditions import Condition
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW, Unit
from tests.simulators.cast import NOW_MS, ring

BEN = Contact("ben", "Ben", zone="Europe/Lisbon")
LOCK_SCREEN = 40
MINUTE_MS = 60_000


def composed(
    told: Notification, contact: Contact = BEN, *, name: str = "Ana", now_ms: int = NOW_MS
) -> Message:
    return compose(
        told,
        contact=contact,
        sharer_name=name,
        name_of=lambda person: {"cleo": "Cleo"}.get(person, ""),
        now_ms=now_ms,
        words=catalogue(),
    )


@pytest.mark.parametrize("kind", list(NotificationKind))
@pytest.mark.parametrize("condition", list(Condition))
def test_the_meaning_fits_a_lock_screen_whatever_happens(
    kind: NotificationKind, condition: Condition
) -> None:
    contacts = [BEN, msgspec.structs.replace(BEN, unit=Unit.MMOL)]
    names = ["Ana", "Anastasia-Maximiliana of the Long Name"]
    levels = [-1, CENSORED_LOW, CENSORED_HIGH, 52, 333]
    for contact, name, level, unseen in itertools.product(contacts, names, levels, [True, False]):
        measured_ms = NOW_MS - 700 * MINUTE_MS if level >= 0 else 0
        told = ring(kind=kind, condition=condition, level=level, unseen=unseen, measured_ms=measured_ms)

        message = composed(told, contact, name=name)

        assert len(message.subject) <= LOCK_SCREEN, message.subject
        assert short_name(name) in message.subject
        assert "{" not in message.subject + message.text
        assert "!" not in message.subject + message.text


def test_a_number_is_in_the_readers_unit_with_its_age() -> None:
    cleo = Contact("cleo", "Cleo", unit=Unit.MMOL, zone="America/New_York")

    message = composed(ring(measured_ms=NOW_MS - 3 * MINUTE_MS), cleo)

    assert message.subject == "Ana is VERY LOW: 2.9"
    assert "2.9 mmol/L, from 8:57 pm (3 min ago)" in message.text


def test_a_reader_may_keep_the_number_off_the_lock_screen() -> None:
    message = composed(ring(), msgspec.structs.replace(BEN, number_in_subject=False))

    assert message.subject == "Ana is VERY LOW"
    assert "52 mg/dL" in message.text


def test_low_without_a_number_is_said_in_words() -> None:
    message = composed(ring(level=CENSORED_LOW))

    assert "The sensor says LOW." in message.text
    assert "level_mgdl" not in message.fields
    assert message.fields["shown"] == "LOW"


def test_a_low_that_went_silent_shows_no_old_number_as_current() -> None:
    message = composed(ring(unseen=True, measured_ms=NOW_MS - 20 * MINUTE_MS))

    assert message.subject == "Ana was VERY LOW, now unseen"
    assert "(20 min ago)" in message.text
    assert "may be lower now" in message.text


def test_silence_names_how_long_and_what_to_look_at() -> None:
    message = composed(ring(condition=Condition.NO_READINGS, measured_ms=NOW_MS - 25 * MINUTE_MS))
    never = composed(ring(condition=Condition.NO_READINGS, level=-1, measured_ms=0))

    assert message.subject == "No numbers from Ana: 25 min"
    assert "Is it on?" in message.text
    assert never.subject == "No numbers yet from Ana"


def test_a_repeat_says_that_nobody_has_it_and_a_ring_says_who_has() -> None:
    repeat = composed(ring(1))
    grown = composed(ring(answered_by="cleo"))
    unknown = composed(ring(answered_by="someone-gone"))

    assert "Nobody has said" in repeat.text
    assert "Cleo said" in grown.text
    assert "Somebody said" in unknown.text


def test_what_comes_late_says_so() -> None:
    now_ms = NOW_MS + 20 * MINUTE_MS

    late, prompt = composed(ring(), now_ms=now_ms), composed(ring())

    assert "We told you late. This alarm is from 2:00 am (20 min ago)." in late.text
    assert "late" not in prompt.text


def test_a_closed_alarm_says_who_closed_it() -> None:
    message = composed(ring(kind=NotificationKind.CLOSED, urgent=False, by="cleo"))

    assert "Cleo changed a limit or ended a follow." in message.text


def test_very_low_says_what_to_do_when_they_will_not_wake() -> None:
    assert "will not wake up" in composed(ring()).text
    assert "call for help" in composed(ring()).text


def test_a_machine_is_told_until_when_the_number_may_be_relied_on() -> None:
    told = ring(measured_ms=NOW_MS - MINUTE_MS)

    assert composed(told).fields["rely_until_ms"] == NOW_MS + 10 * MINUTE_MS
    assert "rely_until_ms" not in composed(ring(level=-1, measured_ms=0)).fields


@pytest.mark.parametrize(
    ("span_ms", "words"),
    [(0, "less than a minute"), (60_000, "1 min"), (119 * 60_000, "119 min"), (120 * 60_000, "2 h"),
     (48 * 3_600_000, "2 days"), (-5_000, "less than a minute")],
)  # fmt: skip
def test_a_span_is_said_in_the_coarsest_unit_that_says_enough(span_ms: int, words: str) -> None:
    assert ago(span_ms, catalogue()) == words


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("UTC", "2:00 am"),
        ("Asia/Kolkata", "7:30 am"),
        ("America/New_York", "9:00 pm"),
        ("No/Where", "2:00 am"),
    ],
)
def test_the_clock_on_the_readers_wall(zone: str, said: str) -> None:
    assert clock_time(NOW_MS, zone, NOW_MS, catalogue()) == said


def test_another_day_is_named() -> None:
    assert clock_time(NOW_MS, "UTC", NOW_MS + 86_400_000, catalogue()) == "2:00 am on 22 November"


def test_every_reason_of_the_timeline_has_its_sentence() -> None:
    words = catalogue()

    assert [reason for reason in Reason if not words.has(f"reason.{reason}")] == []
    assert len(EntryKind) > 10


def test_only_rings_and_repeats_ask_for_somebody() -> None:
    asking = {kind for kind in NotificationKind if is_ring(ring(kind=kind))}

    assert asking == {NotificationKind.RING, NotificationKind.REPEAT}
