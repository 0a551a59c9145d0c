"""The import contracts bite: each is broken once in a copy of the package, and seen to fail."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.tidy.source import PACKAGE, ROOT

LAYERS = "Imports point upstream: the folders are the journey of a reading"
WATCHER = "The watcher shares no fate"
ONLY_APP = "Only app imports adapters"
ONLY_SERVICES = "Only services do I/O"
SETTINGS = "Settings are read in one place"
APPRISE = "Apprise lives in a process of its own"
ADAPTERS = "Adapters do not know each other"


def judged(copy: Path, planted: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Plant these files in a copy of the package and run the contracts: exit code, and the word for each."""
    shutil.copytree(PACKAGE, copy / "nightbell", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in planted.items():
        file = copy / "nightbell" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 our own tool on our own copy
        [
            str(Path(sys.executable).parent / "lint-imports"),
            "--config",
            str(ROOT / "pyproject.toml"),
            "--no-cache",
        ],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )
    found = re.findall(r"^(.+) (KEPT|BROKEN)(?: \(.*\))?$", done.stdout, re.MULTILINE)
    return done.returncode, dict(found)


BREAKS = {
    LAYERS: ("words/planted.py", "from nightbell.publish import reading\n"),
    WATCHER: ("watch/planted.py", "import numpy\n"),
    ONLY_APP: ("cli/planted.py", "import nightbell.adapters.files\n"),
    ONLY_SERVICES: ("evaluate/planted.py", "import asyncio\n"),
    SETTINGS: ("publish/planted.py", "import pydantic_settings\n"),
    APPRISE: ("adapters/channels/planted.py", "import apprise\n"),
    ADAPTERS: ("adapters/channels/planted.py", "import nightbell.adapters.stores.sqlite\n"),
}


def test_the_package_keeps_every_contract(tmp_path: Path) -> None:
    code, words = judged(tmp_path, {})

    assert code == 0
    assert words == dict.fromkeys(BREAKS, "KEPT")


@pytest.mark.parametrize("contract", BREAKS)
def test_a_broken_contract_fails(contract: str, tmp_path: Path) -> None:
    path, text = BREAKS[contract]

    code, words = judged(tmp_path, {path: f'"""Planted."""\n\n{text}'})

    assert code == 1
    assert words.get(contract) == "BROKEN"


def test_a_stray_folder_fails(tmp_path: Path) -> None:
    code, words = judged(tmp_path, {"helpers/__init__.py": '"""Planted."""\n'})

    assert code == 1
    assert words.get(LAYERS) != "KEPT"


def test_the_watcher_starts_without_the_platforms_weight() -> None:
    heavy = ("numpy", "litestar", "nightbell.journal", "nightbell.evaluate", "nightbell.account", "pandas")
    names = sorted(path.stem for path in (PACKAGE / "watch").glob("*.py") if path.stem != "__init__")
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module('nightbell.watch.' + name)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
    )

    done = subprocess.run(  # noqa: S603 our own interpreter
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]"
