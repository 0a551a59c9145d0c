"""The Share protocol, byte for byte."""

import json
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.dialects.share import wire
from nightbell.adapters.dialects.share.faults import fault_answer, password_invalid, session_not_found
from nightbell.publish.admit import RawReading, Reason
from nightbell.publish.reading import Reading
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW, is_level
from nightbell.words.trend import Trend

AT = 1_750_022_969_925
NEW_YORK = ZoneInfo("America/New_York")


def reading(level: int, trend: int = Trend.FLAT, at_ms: int = AT) -> Reading:
    return Reading(7, at_ms, at_ms, level, trend, 3)


def test_a_record_is_what_the_service_sends() -> None:
    assert wire.records([reading(175)], NEW_YORK) == (
        b'[{"WT":"Date(1750022969925)","ST":"Date(1750022969925)","DT":"Date(1750022969925-0400)",'
        b'"Value":175,"Trend":"Flat"}]'
    )


def test_nothing_is_an_empty_list() -> None:
    assert wire.records([], NEW_YORK) == b"[]"


def test_records_stand_in_the_order_given_without_blanks() -> None:
    body = wire.records([reading(100), reading(90, at_ms=AT - 300_000)], NEW_YORK)

    assert b" " not in body
    assert [record["Value"] for record in json.loads(body)] == [100, 90]


@pytest.mark.parametrize(
    ("zone", "at_ms", "suffix"),
    [
        ("UTC", AT, "+0000"),
        ("Europe/Lisbon", AT, "+0100"),
        ("Asia/Kolkata", AT, "+0530"),
        ("America/New_York", 1_762_063_199_000, "-0400"),
        ("America/New_York", 1_762_063_200_000, "-0500"),
    ],
)
def test_the_display_time_carries_the_offset_that_held_at_that_instant(
    zone: str, at_ms: int, suffix: str
) -> None:
    record = json.loads(wire.records([reading(100, at_ms=at_ms)], ZoneInfo(zone)))[0]

    assert record["DT"] == f"Date({at_ms}{suffix})"
    assert record["WT"] == record["ST"] == f"Date({at_ms})"


@pytest.mark.parametrize(
    ("level", "value"), [(CENSORED_LOW, 39), (20, 39), (40, 40), (400, 400), (500, 500), (CENSORED_HIGH, 401)]
)
def test_low_and_high_are_the_receiver_s_numbers(level: int, value: int) -> None:
    assert json.loads(wire.records([reading(level)], NEW_YORK))[0]["Value"] == value


@pytest.mark.parametrize("trend", Trend)
def test_the_arrow_is_a_name(trend: Trend) -> None:
    assert json.loads(wire.records([reading(100, trend)], NEW_YORK))[0]["Trend"] == trend.wire_name


def test_the_time_of_day_is_given_as_json_and_as_xml() -> None:
    as_json = wire.utc_time(1_426_767_421_178, as_json=True)

    assert as_json == b'{"DateTime":"\\/Date(1426767421178)\\/","OffsetMinutes":0}'
    assert b"<DateTime>2015-03-19T12:17:01.1780000Z</DateTime>" in wire.utc_time(
        1_426_767_421_178, as_json=False
    )


@pytest.mark.parametrize(
    "text", ["/Date(1426783106000)/", "Date(1426783106000)", "/Date(1426783106000-0700)/"]
)
def test_every_form_of_a_date_is_the_same_instant(text: str) -> None:
    assert wire.date_ms(text) == 1_426_783_106_000


@pytest.mark.parametrize(
    "odd", ["", "Date()", "Date(x)", "1426783106000", None, 5, [], "Date(" + "9" * 40 + ")"]
)
def test_what_is_no_date_is_no_time(odd: object) -> None:
    assert wire.date_ms(odd) is Reason.NOT_A_TIME


@pytest.mark.parametrize(
    ("value", "glucose"),
    [
        (97, 97),
        (97.0, 97.0),
        (40, 40),
        (400, 400),
        (39, "LOW"),
        (38, "LOW"),
        (401, "HIGH"),
        (500, "HIGH"),
        (0, Reason.SENSOR_ERROR),
        (12, Reason.SENSOR_ERROR),
        (37, Reason.SENSOR_ERROR),
        (True, Reason.NOT_A_NUMBER),
        ("97", Reason.NOT_A_NUMBER),
        (None, Reason.NOT_A_NUMBER),
    ],
)
def test_an_uploaded_value_is_a_level_low_high_or_an_error_code(value: object, glucose: object) -> None:
    raw = wire.uploaded({"Egvs": [{"Trend": 4, "Value": value, "ST": f"/Date({AT})/"}]})

    assert raw == [RawReading(AT, glucose, 4)]


def test_an_upload_is_taken_newest_first_and_by_its_system_time() -> None:
    upload = {
        "SN": "SM00000000",
        "Egvs": [
            {"Trend": 4, "Value": 90, "ST": "x", "DT": "x"},
            {"Trend": "Flat", "Value": 97, "ST": f"/Date({AT - 1})/", "DT": f"/Date({AT + 7})/"},
            {"direction": "Flat", "Value": 98, "DT": f"Date({AT}-0400)"},
        ],
        "TA": -5,
    }

    assert wire.uploaded(upload) == [
        RawReading(AT, 98, "Flat"),
        RawReading(AT - 1, 97, "Flat"),
        RawReading(Reason.NOT_A_TIME, 90, 4),
    ]


@pytest.mark.parametrize("body", [None, "", [], {}, {"Egvs": None}, {"Egvs": {}}, 5, {"Egvs": [0] * 2881}])
def test_what_is_no_upload_is_none(body: object) -> None:
    assert wire.uploaded(body) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10", 10),
        ("0", 0),
        ("-5", 0),
        ("2880", 1440),
        ("1440.0", 1440),
        ("9" * 5000, 1440),
        ("x", 77),
        ("", 77),
        (None, 77),
        (True, 77),
        (5, 5),
        (5.5, 5),
        (1e300, 1440),
        ([], 77),
        ("²", 77),
    ],
)
def test_a_number_is_clamped_never_refused(text: object, number: int) -> None:
    assert wire.whole(text, least=0, most=1440, missing=77) == number


def test_a_fault_is_four_strings_that_tell_the_recorded_story() -> None:
    answer = fault_answer(password_invalid(), AT)

    body = json.loads(answer.body)
    assert answer.status == 500
    assert list(body) == ["Code", "Message", "SubCode", "TypeName"]
    assert all(isinstance(value, str) for value in body.values())
    assert body["Code"] == "AccountPasswordInvalid"
    assert body["Message"] == "Publisher account password failed"
    assert body["TypeName"] == "FaultException"
    assert 'DateThrown="2025-06-15T21:29:29.92Z"' in body["SubCode"]
    assert 'Type="13" Category="4" Severity="1" TypeString="InvalidPassword"' in body["SubCode"]


def test_a_fault_says_back_little_and_quotes_it() -> None:
    body = json.loads(fault_answer(session_not_found('"><x ' + "a" * 500), AT).body)

    assert len(body["Message"]) < 130
    assert "<x" not in body["SubCode"]


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
egvs = st.one_of(
    anything,
    st.fixed_dictionaries(
        {}, optional={"ST": anything, "DT": anything, "Value": anything, "Trend": anything}
    ),
)


@given(upload=st.one_of(anything, st.fixed_dictionaries({"Egvs": st.lists(egvs, max_size=5)})))
def test_whatever_is_uploaded_is_taken_apart_without_harm(upload: object) -> None:
    raw = wire.uploaded(upload)

    assert raw is None or isinstance(raw, list)


@given(body=st.binary(max_size=100))
def test_whatever_the_bytes_they_are_json_or_nothing(body: bytes) -> None:
    wire.loads(body)


@given(level=st.integers(0, 1023).filter(is_level), trend=st.sampled_from(Trend), at_ms=st.integers(0, 2**42))
def test_every_record_is_what_pydexcom_and_the_bridge_can_read(level: int, trend: Trend, at_ms: int) -> None:
    record = json.loads(wire.records([reading(level, trend, at_ms)], NEW_YORK))[0]

    assert int("".join(filter(str.isdigit, record["WT"]))) == at_ms
    assert isinstance(record["Value"], int)
    assert 39 <= record["Value"] <= 600
    assert record["DT"].startswith(f"Date({at_ms}")
