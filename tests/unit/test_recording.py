"""Reading recordings from files: every row is a reading, no reading, or named as unreadable."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.files.recording import (
    Recorded,
    RecordingError,
    parse_recording,
    read_recording,
)
from nightbell.words.clock import to_ms
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW
from tests.tidy.source import ROOT

CLARITY_HEAD = (
    '\ufeff"Index","Timestamp (YYYY-MM-DDThh:mm:ss)","Event Type","Event Subtype","Patient Info",'
    '"Device Info","Source Device ID","Glucose Value (mg/dL)","Insulin Value (u)"\r\n'
)
CLARITY_FILE = ROOT.parent / "shared" / "data" / "exports" / "clarity_g6.csv"


def ms(text: str) -> int:
    """An instant written with its offset."""
    return to_ms(datetime.fromisoformat(text))


def test_plain_csv_is_read_with_every_form_of_time() -> None:
    text = (
        "time,glucose_mgdl\n2026-11-22T10:00:00Z,100\n2026-11-22T11:05:00+01:00,101\n"
        "1795342200,102\n1795342500000,103\n2026-11-22 10:20:00,LOW\n\n"
    )

    recording = parse_recording(text, UTC)

    assert recording.kind == "plain"
    assert recording.unreadable == 0
    assert [reading.level for reading in recording.readings] == [100, 101, 102, 103, CENSORED_LOW]
    assert recording.readings[1].measured_ms == ms("2026-11-22T10:05:00+00:00")


def test_columns_may_stand_in_any_order_and_others_are_left_alone() -> None:
    recording = parse_recording("note;glucose_mgdl;time\nx;99;2026-11-22T10:00:00Z\n", UTC)

    assert recording.readings == [Recorded(ms("2026-11-22T10:00:00+00:00"), 99)]


def test_a_clarity_export_gives_its_readings_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "clarity.csv"
    path.write_text(
        CLARITY_HEAD
        + '"1","","FirstName","","Patient","","","",""\r\n'
        + '"7","","Alert","Low","","","android G6","85",""\r\n'
        + '"11","2024-03-16T02:21:46","EGV","","","","android G6","234",""\r\n'
        + '"12","2024-03-16T02:26:47","EGV","","","","android G6","Low",""\r\n'
        + '"13","2024-03-16T02:31:47","EGV","","","","android G6","High",""\r\n'
        + '"14","2024-03-16T02:36:47","EGV","","","","android G6","39",""\r\n'
        + '"15","2024-03-16T02:41:47","EGV","","","","android G6","401",""\r\n'
        + '"16","2024-03-16T02:46:47","EGV","","","","android G6","25",""\r\n'
        + '"17","2024-03-16T02:50:00","Calibration","","","","android G6","120",""\r\n'
        + '"18","2024-03-16T02:51:00","Insulin","Fast-Acting","","","android G6","","3"\r\n',
        encoding="utf-8",
    )

    recording = read_recording(path, "Europe/Lisbon")

    assert recording.kind == "clarity"
    levels = [reading.level for reading in recording.readings]
    assert levels == [234, CENSORED_LOW, CENSORED_HIGH, CENSORED_LOW, CENSORED_HIGH]
    assert recording.readings[0].measured_ms == ms("2024-03-16T02:21:46+00:00")
    assert (recording.unreadable, recording.named) == (1, [(9, "an error code of the sensor")])


def test_clarity_in_mmol_is_converted() -> None:
    text = (
        CLARITY_HEAD.replace("mg/dL", "mmol/L") + '"1","2024-03-16T02:21:46","EGV","","","","x","6.2",""\r\n'
    )

    (reading,) = parse_recording(text.removeprefix("\ufeff"), UTC).readings

    assert reading.level == 112


@pytest.mark.skipif(not CLARITY_FILE.is_file(), reason="the shared recordings are not on this machine")
def test_a_real_clarity_export_is_read_whole() -> None:
    recording = read_recording(CLARITY_FILE, "UTC")

    rows = CLARITY_FILE.read_text(encoding="utf-8-sig").count('"EGV"')
    assert recording.unreadable == 0
    assert rows - 5 <= len(recording.readings) <= rows
    assert len(recording.readings) > 2_000


@pytest.mark.parametrize("direction", [1, -1])
def test_the_hour_that_comes_twice_stays_in_order(direction: int) -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    times = ["00:50", "01:10", "01:30", "01:50", "01:10", "01:30", "01:50", "02:10"]
    rows = [f"2026-10-25T{time},{100 + at}\n" for at, time in enumerate(times)]
    text = "time,glucose_mgdl\n" + "".join(rows[::direction])

    readings = parse_recording(text, lisbon).readings

    assert [reading.level for reading in readings] == [100 + at for at in range(8)]
    assert {b.measured_ms - a.measured_ms for a, b in pairwise(readings)} == {1_200_000}


def test_a_file_that_runs_backward_is_turned_round() -> None:
    text = "time,glucose_mgdl\n2026-11-22T10:05:00,101\n2026-11-22T10:00:00,100\n"

    assert [reading.level for reading in parse_recording(text, UTC).readings] == [100, 101]


def test_exact_repeats_count_once_and_contradictions_stay() -> None:
    text = "time,glucose_mgdl\n2026-11-22T10:00,100\n2026-11-22T10:00,100\n2026-11-22T10:00,90\n"

    assert [reading.level for reading in parse_recording(text, UTC).readings] == [90, 100]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("yesterday,100", "no time"),
        ("2026-11-22T10:00:00Z,", "no glucose value"),
        ("2026-11-22T10:00:00Z,nan", "no glucose value"),
        ("2026-11-22T10:00:00Z,inf", "no glucose value"),
        ("2026-11-22T10:00:00Z,19", "cannot be"),
        ("2026-11-22T10:00:00Z,0", "cannot be"),
        ("2026-11-22T10:00:00Z,1023", "cannot be"),
        ("2026-11-22T10:00:00Z,-5", "cannot be"),
        ("99999999999999999999,100", "no time"),
    ],
)
def test_an_unreadable_row_is_counted_and_named_and_the_others_are_kept(row: str, why: str) -> None:
    recording = parse_recording(f"time,glucose_mgdl\n{row}\n2026-11-22T10:05:00Z,101\n", UTC)

    assert [reading.level for reading in recording.readings] == [101]
    assert recording.unreadable == 1
    assert recording.named[0][0] == 2
    assert why in recording.named[0][1]


@pytest.mark.parametrize("text", ["", "hello\n", "time,glucose\n1,2\n", "\x00" * 100])
def test_what_is_no_recording_is_refused(text: str) -> None:
    with pytest.raises(RecordingError, match="neither"):
        parse_recording(text, UTC)


def test_a_missing_file_and_a_wrong_zone_are_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        read_recording(tmp_path / "gone.csv", "UTC")
    with pytest.raises(RecordingError, match="not a time zone"):
        read_recording(tmp_path / "gone.csv", "Moon/Crater")
    (tmp_path / "latin.csv").write_bytes(b"time,glucose_mgdl\n\xff\xfe")
    with pytest.raises(RecordingError, match="UTF-8"):
        read_recording(tmp_path / "latin.csv", "UTC")


@given(st.text(max_size=400))
def test_no_text_breaks_the_reader(text: str) -> None:
    for head in ("time,glucose_mgdl\n", CLARITY_HEAD.removeprefix("\ufeff")):
        try:
            recording = parse_recording(head + text, UTC)
        except RecordingError:
            continue
        assert recording.readings == sorted(recording.readings)
