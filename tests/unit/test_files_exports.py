"""Exports of real people, as other systems write them: no reading is lost without a word."""

import csv
from datetime import UTC

import pytest

from nightbell.adapters.files.recording import parse_recording, read_recording
from nightbell.publish.admit import RawReading, judge
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW
from tests.tidy.source import ROOT

EXPORTS = ROOT.parent / "shared" / "data" / "exports"

needs_exports = pytest.mark.skipif(not EXPORTS.is_dir(), reason="the exports lie in ../shared, absent here")


@needs_exports
@pytest.mark.parametrize(("name", "delimiter"), [("clarity_g6.csv", ","), ("clarity_older_tab.txt", "\t")])
def test_every_reading_row_of_a_clarity_export_is_a_reading_or_is_counted(name: str, delimiter: str) -> None:
    with (EXPORTS / name).open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter=delimiter) if row[2] == "EGV"]
    distinct = {(row[1], row[7]) for row in rows}

    recording = read_recording(EXPORTS / name, "Europe/Lisbon")

    unreadable_rows = [row for row in rows if row[7].isdigit() and int(row[7]) < 39]
    assert recording.unreadable == len(unreadable_rows)
    assert len(recording.readings) == len(distinct - {(row[1], row[7]) for row in unreadable_rows})


@needs_exports
@pytest.mark.parametrize("name", ["clarity_g6.csv", "clarity_older_tab.txt"])
def test_what_a_file_gives_is_what_publishing_takes(name: str) -> None:
    words = {int(CENSORED_LOW): "LOW", int(CENSORED_HIGH): "HIGH"}
    readings = read_recording(EXPORTS / name, "UTC").readings

    judged, refused = judge([RawReading(r.measured_ms, words.get(r.level, r.level)) for r in readings])

    assert refused == []
    assert [one.level for one in judged] == [r.level for r in readings]


def test_the_older_clarity_with_tabs_is_read() -> None:
    text = (
        "Index\tTimestamp (YYYY-MM-DDThh:mm:ss)\tEvent Type\tEvent Subtype\tGlucose Value (mg/dL)\r\n"
        "1\t\tFirstName\t\t\r\n"
        "2\t2018-11-01T00:02:05\tEGV\t\t115\r\n"
        "3\t2018-11-01T00:03:00\tCalibration\t\t120\r\n"
        "4\t2018-11-01T00:07:06\tEGV\t\tLow\r\n"
        "5\t2018-11-01T00:12:06\tEGV\t\t401\r\n"
        "6\t2018-11-01T00:17:06\tEGV\t\t12\r\n"
    )

    recording = parse_recording(text, UTC)

    assert [reading.level for reading in recording.readings] == [115, CENSORED_LOW, CENSORED_HIGH]
    assert [line for line, _ in recording.named] == [7]
