"""What went wrong is logged; what was in the variables, in the messages and in libraries' words is not."""

import contextlib
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from nightbell.app.logs import BURST_LINES, COUNTS, EVENTS_MAX, LINE_CHARS_MAX, FromLibraries, set_up_logs
from nightbell.app.settings import load
from nightbell.words.clock import ManualClock

NOW_MS = 1_795_345_200_000
SECRET = "nbk_a_secret_of_ana"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Paper(io.StringIO):
    """Where a test's log goes."""

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


def written(folder: Path, clock: ManualClock | None = None, **chosen: str) -> Paper:
    """A log of this form, and where it is written."""
    paper = Paper()
    set_up_logs(load(folder, {}, chosen=chosen), file=paper, clock=clock or ManualClock(NOW_MS))
    return paper


def fail() -> None:
    nobody: dict[str, int] = {}
    try:
        nobody[SECRET] += 1
    except KeyError as error:
        raise ValueError(f"there is no {SECRET}") from error


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_failure_prints_its_types_and_places_and_no_message(tmp_path: Path, log_format: str) -> None:
    paper = written(tmp_path, log_format=log_format)

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("door.failed")

    said = paper.getvalue()
    assert "door.failed" in said
    assert "ValueError" in said
    assert "KeyError" in said
    assert "test_logs.py" in said
    assert SECRET not in said


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_of_the_systems_errors_its_words_are_printed_but_not_the_path(
    tmp_path: Path, log_format: str
) -> None:
    paper = written(tmp_path, log_format=log_format)

    try:
        (tmp_path / SECRET).read_bytes()
    except OSError:
        structlog.get_logger().exception("file.failed")

    assert "No such file or directory" in paper.getvalue()
    assert SECRET not in paper.getvalue()


def test_where_nobody_looks_each_line_is_json(tmp_path: Path) -> None:
    paper = written(tmp_path)

    structlog.get_logger().info("door.opened", port=8377)

    [line] = paper.lines()
    assert (line["event"], line["level"], line["port"]) == ("door.opened", "info", 8377)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(("level", "written_levels"), [("debug", 3), ("info", 2), ("error", 0)])
def test_the_operator_chooses_what_is_written(tmp_path: Path, level: str, written_levels: int) -> None:
    paper = written(tmp_path, log_level=level)

    log = structlog.get_logger()
    log.debug("one.said")
    log.info("two.said")
    log.warning("three.said")

    assert len(paper.lines()) == written_levels


def test_no_line_is_longer_than_its_bound_and_each_is_still_json(tmp_path: Path) -> None:
    paper = written(tmp_path)

    structlog.get_logger().info("one.field", what="é" * 50_000)
    structlog.get_logger().info("many.fields", **{f"field_{number}": "x" * 400 for number in range(100)})
    structlog.get_logger().info("deep.field", what=[["x" * 1000] * 100])

    assert [line["event"] for line in paper.lines()] == ["one.field", "many.fields", "deep.field"]
    assert [bool(line.get("cut")) for line in paper.lines()] == [False, True, True]
    assert max(map(len, paper.getvalue().splitlines())) <= LINE_CHARS_MAX


def test_a_deep_failure_is_printed_by_its_innermost_places(tmp_path: Path) -> None:
    paper = written(tmp_path)

    def dive(deep: int) -> None:
        if deep == 0:
            raise RuntimeError(SECRET)
        dive(deep - 1)

    try:
        dive(500)
    except RuntimeError:
        structlog.get_logger().exception("dive.failed")

    [line] = paper.lines()
    assert len(line["failure"][0]["frames"]) == 20
    assert "dive" in line["failure"][0]["frames"][-1]


def test_a_storm_is_written_once_a_second_and_says_how_much_was_left_out(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    paper = written(tmp_path, clock)
    left_out_before = COUNTS.left_out

    for _ in range(10_000):
        structlog.get_logger().error("journal.commit_failed", detail="disk full")
    structlog.get_logger().info("door.opened")
    during = paper.lines()
    clock.advance_ms(1_000)
    structlog.get_logger().error("journal.commit_failed", detail="disk full")

    assert [line["event"] for line in during] == ["journal.commit_failed"] * BURST_LINES + ["door.opened"]
    assert paper.lines()[-1]["left_out"] == 10_000 - BURST_LINES
    assert COUNTS.left_out - left_out_before == 10_000 - BURST_LINES


def test_a_clock_that_is_set_back_neither_silences_the_log_nor_opens_it(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    paper = written(tmp_path, clock)
    log = structlog.get_logger()

    for _ in range(100):
        log.info("some.event")
    clock.advance_ms(-3_600_000)
    for _ in range(100):
        log.info("some.event")
    set_back = len(paper.lines())
    clock.advance_ms(2_000)
    log.info("some.event")

    assert set_back == BURST_LINES
    assert len(paper.lines()) == BURST_LINES + 1


def test_events_that_are_made_up_on_the_way_share_one_bound(tmp_path: Path) -> None:
    paper = written(tmp_path)

    for number in range(EVENTS_MAX + 500):
        structlog.get_logger().info(f"event.{number}")

    assert len(paper.lines()) <= EVENTS_MAX + BURST_LINES


def test_a_full_disk_under_the_log_stops_nothing_and_is_counted(tmp_path: Path) -> None:
    lost_before = COUNTS.lost
    with contextlib.suppress(OSError), Path("/dev/full").open("w", encoding="utf-8") as full:
        set_up_logs(load(tmp_path, {}), file=full, clock=ManualClock(NOW_MS))

        structlog.get_logger().error("journal.commit_failed")
        structlog.get_logger().error("journal.commit_failed")

    assert COUNTS.lost == lost_before + 2


def test_libraries_are_quoted_without_what_they_put_into_their_words(tmp_path: Path) -> None:
    paper = written(tmp_path, log_level="debug")
    record = logging.LogRecord(
        "httpx", logging.INFO, "client.py", 7, 'Request: %s "%s"', ("POST", f"https://x/{SECRET}"), None
    )
    made_up = logging.LogRecord("asyncio", logging.ERROR, "base.py", 9, f"broken: {SECRET}", (), None)

    FromLibraries().handle(record)
    FromLibraries().handle(made_up)

    assert [line["library"] for line in paper.lines()] == ["httpx", "asyncio"]
    assert [line["words"] for line in paper.lines()] == ['Request: %s "%s"', ""]
    assert [line["level"] for line in paper.lines()] == ["info", "error"]
    assert SECRET not in paper.getvalue()


UNCAUGHT = f"""
import asyncio, gc, sys, threading, warnings, logging
from pathlib import Path
from nightbell.app.logs import catch_the_rest, set_up_logs
from nightbell.app.settings import load
settings = load(Path("/nowhere"), {{}}, chosen={{"log_level": "debug"}})
set_up_logs(settings)
catch_the_rest(settings)
async def fail(): raise ValueError("{SECRET}")
async def main():
    asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
gc.collect()
def bad(): raise KeyError("{SECRET}")
thread = threading.Thread(target=bad); thread.start(); thread.join()
class Bad:
    def __del__(self): raise LookupError("{SECRET}")
Bad()
warnings.warn("{SECRET}", stacklevel=1)
logging.getLogger("lib").warning("about {SECRET}")
raise RuntimeError("{SECRET}")
"""


@pytest.mark.process
def test_what_nobody_caught_is_a_line_of_the_log_and_no_message() -> None:
    done = subprocess.run(  # noqa: S603 our own code
        [sys.executable, "-c", UNCAUGHT], check=False, capture_output=True, text=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    types = [line["failure"][0]["type"] for line in lines if "failure" in line]
    assert set(types) == {"ValueError", "KeyError", "LookupError", "RuntimeError"}
    assert lines[-1]["event"] == "process.failed"
    assert done.returncode == 1
    assert SECRET not in done.stderr + done.stdout
