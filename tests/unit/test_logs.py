"""What went wrong is logged; what was in the variables is not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from nightbell.app.logs import set_up_logs
from nightbell.app.settings import load


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_never_prints_variables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    set_up_logs(load(tmp_path, {}, chosen={"log_format": log_format}))
    secret = f"nbk_{log_format}_secret"

    try:
        int(secret[:0] + "x")
    except ValueError:
        structlog.get_logger().exception("door.failed")

    said = capsys.readouterr().err
    assert "door.failed" in said
    assert "ValueError" in said
    assert secret not in said


def test_where_nobody_looks_each_line_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(load(tmp_path, {}))

    structlog.get_logger().info("door.opened", port=8377)

    assert json.loads(capsys.readouterr().err)["event"] == "door.opened"
