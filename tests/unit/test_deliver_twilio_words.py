"""What fits into a text, and what a call says: never too much, never more than was meant."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.channels.twilio.gsm import cut, is_gsm, places, plain, segments
from nightbell.adapters.channels.twilio.sms import body
from nightbell.adapters.channels.twilio.twiml import opening, speech
from nightbell.tell.message import SUBJECT_LENGTH_MAX, TEXT_LENGTH_MAX, Message
from nightbell.words.catalogue import catalogue
from tests.simulators.twilio_server import check_twiml

MESSAGE = Message("n" * 32, "ben", "Ana is LOW: 66", "Check Ana.", urgent=True, fields={"alarm": "a" * 32})
URL = "https://bell.example.test/v1/channels/voice?message=n&part=key"
ONE_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "taken", "parts"),
    [
        ("", 0, 1),
        ("a" * 160, 160, 1),
        ("a" * 161, 161, 2),
        ("a" * 306, 306, 2),
        ("a" * 307, 307, 3),
        ("€" * 80, 160, 1),
        ("[" + "a" * 159, 161, 2),
        ("éèàäöüñÄÖÜßøåÇ", 14, 1),
        ("ж" * 70, 70, 1),
        ("ж" * 71, 71, 2),
        ("ж" * 134, 134, 2),
        ("ж" * 135, 135, 3),
        ("😀", 2, 1),
    ],
)
def test_places_and_segments_are_counted_as_networks_do(text: str, taken: int, parts: int) -> None:
    assert places(text) == taken
    assert segments(text) == parts


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Zoë\u2019s sugar \u2014 “LOW”…", 'Zoe\'s sugar - "LOW"...'),
        ("Łukasz Şahin Ðorđe Ingr\u0131d Š Ž Ő", "Lukasz Sahin Dorde Ingrid S Z O"),
        ("José, André, Günther, Åsa", "José, André, Günther, Åsa"),
        ("no\u00a0break\ttab", "no break tab"),
        ("decomposed e\u0301 e\u0308", "decomposed é e"),
        ("ﬁve", "five"),
        ("Аня is LOW", "Аня is LOW"),
        ("明 is LOW", "明 is LOW"),
    ],
)
def test_letters_that_texts_do_not_have_become_their_nearest_or_stay(text: str, near: str) -> None:
    assert plain(text) == near


@given(st.text(max_size=400), st.integers(1, 3))
def test_what_is_cut_fits_and_is_a_beginning(text: str, parts: int) -> None:
    cut_text = cut(text, parts)

    assert segments(cut_text) <= parts
    assert text.startswith(cut_text)


@given(
    ONE_LINE.map(lambda text: text[:SUBJECT_LENGTH_MAX]),
    st.sampled_from(["", "https://b.test", "https://bell.example.org", "https://" + "b" * 200 + ".test"]),
)
def test_a_text_never_takes_more_than_two_segments_and_keeps_the_subject(subject: str, public: str) -> None:
    text = body(msgspec.structs.replace(MESSAGE, subject=subject), public)

    assert segments(text) <= 2
    assert text.startswith(plain(subject)[:60])


@pytest.mark.parametrize(
    "subject", ["Zoë is VERY LOW: 2.9", "No numbers from Łukasz: 20 min", "Ana is HIGH: 250"]
)
def test_an_ordinary_text_takes_one_segment_and_has_its_link(subject: str) -> None:
    text = body(msgspec.structs.replace(MESSAGE, subject=subject), "https://bell.example.org")

    assert is_gsm(text)
    assert segments(text) == 1
    assert f"https://bell.example.org/alarms/{'a' * 32} " in text
    assert "Do not reply" in text


def test_a_longer_address_of_ours_leads_to_the_first_page_instead() -> None:
    public = "https://a-rather-long-name-of-a-house.example.org"
    text = body(msgspec.structs.replace(MESSAGE, subject="Ana: VERY LOW SOON, now 74" + 10 * "."), public)

    assert segments(text) == 1
    assert f"Open {public} " in text


def test_a_name_in_another_script_stays_as_it_is_written() -> None:
    text = body(msgspec.structs.replace(MESSAGE, subject="Аня is VERY LOW: 52"), "https://bell.example.org")

    assert text.startswith("Аня is VERY LOW: 52. Open https://bell.example.org/alarms/")
    assert segments(text) == 2


def test_a_call_speaks_in_words_and_not_in_signs() -> None:
    message = msgspec.structs.replace(
        MESSAGE,
        subject="Ana is VERY LOW: 2.9",
        text="Ana is VERY LOW.\n\nThe last number is 2.9 mmol/L, from 2:04 am (12 min ago).\n\n"
        'Check Ana now.\n\nYour own plan comes first.\n\nOpen https://b.example/x and press "I\'ve got it".',
    )

    assert speech(message, catalogue()) == [
        "Ana is very low: 2.9.",
        "The last number is 2.9 millimoles per liter, from 2:04 am (12 minutes ago).",
        "Check Ana now.",
    ]


def test_a_name_with_signs_of_xml_is_spoken_and_breaks_nothing() -> None:
    message = msgspec.structs.replace(
        MESSAGE, subject='<Hangup/> & "Ana"\x00\x1b is LOW: 66', text="]]> & <b>"
    )

    root = check_twiml(opening(message, key_url=URL, end_url=URL))

    assert '<Hangup/> & "Ana" is low: 66.' in "".join(root.itertext())
    assert root.find(".//Hangup") is None


@given(ONE_LINE.map(lambda text: text[:SUBJECT_LENGTH_MAX]), st.text(max_size=TEXT_LENGTH_MAX))
def test_whatever_a_message_says_its_call_is_one_that_twilio_takes(subject: str, text: str) -> None:
    message = msgspec.structs.replace(MESSAGE, subject=subject, text=text)

    root = check_twiml(opening(message, key_url=URL, end_url=URL))

    assert "".join(root.itertext()).count("Press 1") >= 2


@pytest.mark.parametrize("letter", ["&", '"', "ж", "a", "a b\n"])
def test_the_longest_message_fits_into_a_call(letter: str) -> None:
    message = msgspec.structs.replace(
        MESSAGE, subject=(letter * 120)[:120].replace("\n", " "), text=(letter * 4_000)[:4_000]
    )

    check_twiml(opening(message, key_url=URL, end_url=URL))
