"""How the product starts: with its assertions on, and with nothing in the house that nobody accounts for."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution

import pytest

from tests.tidy.source import ROOT

DEPENDENCIES = ROOT / "docs" / "decisions" / "0003-dependencies.md"


@pytest.mark.process
def test_it_refuses_to_run_without_its_assertions() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-m", "nightbell.cli.main", "config", "check"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "without -O" in done.stderr


def dependencies() -> list[str]:
    """The names of everything the product and its tests are declared to need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    declared = [*project["project"]["dependencies"], *(one for group in groups.values() for one in group)]
    return sorted({re.split(r"[<>=!; \[]", one)[0] for one in declared if isinstance(one, str)})


def noted() -> dict[str, str]:
    """The licence noted for each dependency."""
    rows = re.findall(
        r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|", DEPENDENCIES.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: licence.strip() for name, licence in rows}


def test_every_dependency_has_its_reason_and_its_licence_noted() -> None:
    assert sorted(noted()) == dependencies()


@pytest.mark.parametrize("name", dependencies())
def test_the_noted_licence_is_the_one_that_is_installed(name: str) -> None:
    metadata = distribution(name).metadata
    fields = [*(metadata.get_all("License-Expression") or []), *(metadata.get_all("License") or [])]
    fields += [line for line in metadata.get_all("Classifier") or [] if line.startswith("License")]
    said = " ".join(field[:200] for field in fields)

    first = re.split(r"[- ]", noted()[name])[0]
    assert first.lower() in said.lower().replace("the mit", "mit"), f"{name} says: {said}"


def test_no_dependency_passes_its_licence_on_to_the_whole() -> None:
    assert not [name for name, licence in noted().items() if re.search(r"\b(A?GPL)", licence)]


def test_what_is_locked_is_locked_by_its_hash() -> None:
    for lock in sorted(path.name for path in ROOT.glob("requirements*.lock")):
        text = (ROOT / lock).read_text(encoding="utf-8")
        packages = re.findall(r"^[a-zA-Z0-9._-]+==", text, re.MULTILINE)
        hashed = re.findall(r"^[a-zA-Z0-9._-]+==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert packages
        assert len(packages) == len(hashed)


def test_everything_declared_is_locked() -> None:
    locked = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").lower()

    assert not [name for name in dependencies() if f"\n{name.lower()}==" not in locked]
