"""Goal: what others wrote lies here as it came. Method: the hashes that THIRD_PARTY.md names."""

import hashlib
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
ROW: Final = re.compile(r"\| `([^`]+)` \|.*`([0-9a-f]{64})` \|")


def test_every_vendored_file_is_in_the_table_with_its_hash() -> None:
    table = dict(ROW.findall((ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")))
    vendored = {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("src/nightbell/web/static/vendor", "tests/browser/vendor")
        for path in (ROOT / folder).iterdir()
        if path.suffix in {".js", ".css"}
    }

    assert table == vendored
