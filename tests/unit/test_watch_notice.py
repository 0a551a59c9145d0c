"""What people read, and who."""

import msgspec
import pytest
from msgspec.structs import replace

from nightbell.tell.outcome import Refused, Sent, Unavailable
from nightbell.watch.delivery import DeliveryState, after_try, deliveries_of, withdrawn
from nightbell.watch.evidence import Detector
from nightbell.watch.judge import Announce, Audience, Incident, NoticeKind
from nightbell.watch.notice import message_of, names_in_words, span
from nightbell.watch.roster import Affected, Roster, RosterPerson, RosterSharer, affected, read_roster
from nightbell.watch.timings import NOTICE_RULE
from nightbell.words.catalogue import catalogue
from nightbell.words.glucose import Unit
from nightbell.words.zones import zone_or_utc

WORDS = catalogue("en")
NIGHT = 1_795_312_800_000  # 2026-11-22 02:00 UTC
MINUTE = 60_000

ROSTER = Roster(
    made_ms=NIGHT,
    sharers=(RosterSharer("ana", NIGHT, urgent=True), RosterSharer("cleo", NIGHT, urgent=False)),
    people=(
        RosterPerson("ana", "Ana", "ana@example.org", Unit.MGDL, "UTC"),
        RosterPerson("ben", "Ben", "ben@example.org", Unit.MMOL, "Europe/Berlin", ("ana",)),
        RosterPerson("cleo", "Cleo", "", Unit.MGDL, "UTC", ("ana",)),
        RosterPerson("dan", "Dan", "dan@example.org", Unit.MGDL, "UTC"),
    ),
)


def incident(**changes: object) -> Incident:
    plain = Incident(
        f"i{NIGHT}", NIGHT, NIGHT + 35_000, (Detector.DOOR, Detector.STREAM), begun_ms=NIGHT + 35_000
    )
    return replace(plain, **changes)


def announce(
    kind: NoticeKind = NoticeKind.FIRST,
    audience: Audience = Audience.EVERYONE,
    *,
    at_ms: int = NIGHT + 75_000,
    about: Incident | None = None,
) -> Announce:
    next_ms = 0 if kind is NoticeKind.CLEAR else at_ms + 20 * MINUTE
    return Announce(f"i{NIGHT}-{kind}", kind, audience, about or incident(), at_ms, next_ms)


def hit(person: str) -> Affected:
    return next(one for one in affected(ROSTER) if one.person.person == person)


def told(person: str, said: Announce, *, shift_ms: int = 0) -> msgspec.Struct:
    return message_of(said, hit(person), WORDS, page_url="https://w.example.org", shift_ms=shift_ms)


def test_the_first_notice_names_their_sharer_their_time_and_their_unit() -> None:
    message = message_of(announce(), hit("ben"), WORDS, page_url="https://w.example.org", shift_ms=0)

    assert message.subject == "You are NOT being watched. Check Ana."
    assert message.subject[:40].startswith("You are NOT being watched. Check")
    assert "Since 03:00 CET we have not been able to see the sugar of Ana." in message.text
    assert "under 3.9" in message.text
    assert "Next word from us by 03:21 CET" in message.text
    assert "https://w.example.org" in message.text
    assert "our service does not answer at all" in message.text
    assert message.urgent


def test_the_sharer_is_spoken_to_as_the_one_who_wears_the_sensor() -> None:
    message = message_of(announce(), hit("ana"), WORDS, page_url="", shift_ms=0)

    assert message.subject == "You are NOT being watched. Check your sugar."
    assert "your sugar" in message.text
    assert "under 70" in message.text
    assert "Check Ana" not in message.text


def test_somebody_who_shares_and_follows_reads_about_both() -> None:
    message = message_of(announce(), hit("cleo"), WORDS, page_url="", shift_ms=0)

    assert "the sugar of Ana" in message.text
    assert "see your sugar" in message.text


def test_times_are_those_of_the_clock_not_of_our_steady_time() -> None:
    message = message_of(announce(), hit("ana"), WORDS, page_url="", shift_ms=30 * MINUTE)

    assert "Since 02:30 UTC" in message.text
    assert message.made_ms == NIGHT + 75_000 + 30 * MINUTE


def test_an_update_says_since_when_how_long_and_when_the_next_comes() -> None:
    message = message_of(
        announce(NoticeKind.UPDATE, at_ms=NIGHT + 130 * MINUTE), hit("ben"), WORDS, page_url="", shift_ms=0
    )

    assert message.subject == "Still NOT watching Ana. Next word by 05:30 CET."
    assert "since 03:00 CET. That is 2 h 10 min." in message.text


def test_the_all_clear_says_from_when_to_when_nobody_watched() -> None:
    message = message_of(
        announce(NoticeKind.CLEAR, at_ms=NIGHT + 45 * MINUTE), hit("ben"), WORDS, page_url="", shift_ms=0
    )

    assert message.subject == "We are watching Ana again."
    assert "We were not watching from 03:00 CET to 03:45 CET. That was 45 minutes." in message.text
    assert "test alarm all the way. It rang." in message.text


def test_a_day_that_is_not_today_is_named() -> None:
    said = announce(NoticeKind.UPDATE, at_ms=NIGHT + 30 * 60 * MINUTE)

    message = message_of(said, hit("ana"), WORDS, page_url="", shift_ms=0)

    assert "since Sun 02:00 UTC" in message.text


def test_an_unknown_zone_is_said_in_utc() -> None:
    assert str(zone_or_utc("Mars/Olympus")) == "UTC"
    assert str(zone_or_utc("../../etc/passwd")) == "UTC"


def test_a_name_with_line_breaks_stays_on_the_subject_line() -> None:
    assert names_in_words(("Ana\r\nBcc: x@example.org",), WORDS) == "Ana Bcc: x@example.org"
    assert names_in_words(("Ana", "Ben"), WORDS) == "Ana and Ben"
    assert names_in_words(("Ana", "Ben", "Cleo"), WORDS) == "Ana and 2 more"


def test_a_duration_is_at_least_a_minute() -> None:
    assert span(5_000, WORDS) == "1 minute"
    assert span(119 * MINUTE, WORDS) == "119 minutes"
    assert span(120 * MINUTE, WORDS) == "2 h 0 min"


def test_affected_are_those_who_share_or_follow_and_nobody_else() -> None:
    people = {one.person.person: one for one in affected(ROSTER)}

    assert set(people) == {"ana", "ben", "cleo"}
    assert people["ben"].sharers == ("Ana",)
    assert people["ben"].urgent
    assert people["cleo"].shares


def test_only_those_who_cannot_wait_hear_the_first_word_at_once_and_nobody_hears_it_twice() -> None:
    first = deliveries_of(
        announce(audience=Audience.URGENT), affected(ROSTER), [], WORDS, page_url="", shift_ms=0
    )
    rest = deliveries_of(announce(), affected(ROSTER), first, WORDS, page_url="", shift_ms=0)

    assert [one.message.to for one in first] == ["ana", "ben"]
    assert not rest  # Cleo, who may wait, has no address


def test_the_all_clear_reaches_who_was_told_even_if_they_left_the_roster() -> None:
    known = deliveries_of(announce(), affected(ROSTER), [], WORDS, page_url="", shift_ms=0)

    clear = announce(NoticeKind.CLEAR, Audience.TOLD)
    made = deliveries_of(clear, [], known, WORDS, page_url="", shift_ms=0)

    assert [one.message.to for one in made] == ["ana", "ben"]


def test_an_all_clear_withdraws_what_was_not_sent_yet_but_an_update_keeps_the_first_word() -> None:
    known = deliveries_of(announce(), affected(ROSTER), [], WORDS, page_url="", shift_ms=0)
    known[0] = replace(known[0], state=DeliveryState.SENT)

    by_update = withdrawn(announce(NoticeKind.UPDATE, Audience.TOLD), known)
    by_clear = withdrawn(announce(NoticeKind.CLEAR, Audience.TOLD), known)

    assert not by_update
    assert [one.message.to for one in by_clear] == ["ben"]
    assert by_clear[0].state is DeliveryState.WITHDRAWN


def test_a_try_that_fails_is_tried_again_later_and_a_refusal_is_not() -> None:
    delivery = deliveries_of(announce(), affected(ROSTER), [], WORDS, page_url="", shift_ms=0)[0]
    now_ms = NIGHT + 80_000

    later = after_try(delivery, Unavailable("busy"), now_ms=now_ms, rule=NOTICE_RULE)
    refused = after_try(delivery, Refused("no such box"), now_ms=now_ms, rule=NOTICE_RULE)
    sent = after_try(later, Sent(), now_ms=now_ms, rule=NOTICE_RULE)

    assert later.state is DeliveryState.DUE
    assert now_ms < later.next_ms <= now_ms + NOTICE_RULE.first_ms
    assert refused.state is DeliveryState.REFUSED
    assert refused.reason == "no such box"
    assert sent.state is DeliveryState.SENT
    assert sent.tries == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"made_ms":1,"glucose":50}',
        b'{"made_ms":1,"people":[{"person":"a","name":"'
        + b"x" * 81
        + b'","email":"","unit":"mg/dL","zone":"UTC"}]}',
    ],
)
def test_what_is_no_roster_is_not_taken_for_one(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"roster"):
        read_roster(raw)
