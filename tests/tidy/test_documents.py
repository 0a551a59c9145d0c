"""The documents name only files that exist, and link only to what is there."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.tidy.source import ROOT
from tools.reference import pages

ROOTS: Final = ("src/", "tests/", "docs/", "tools/", "benchmarks/", "changes/", ".ci/")
"""A path written like code that begins so, or that names a file of the root, must exist."""

PLACEHOLDER: Final = re.compile(r"[<>*{}…]|NAME|NNNN|\.\.\.")
"""A path with one of these is a pattern: only the folder before it must exist."""

DOCUMENTS: Final = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if path.is_file()
)


def names(text: str) -> set[str]:
    """Every repository path written as code."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return {span for span in spans if span.startswith(ROOTS) and " " not in span}


def links(text: str) -> set[str]:
    """Every link to a file of ours."""
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return {link for link in found if "://" not in link and not link.startswith("mailto:")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_names_only_files_that_exist(document: Path) -> None:
    missing = []
    for name in names(document.read_text(encoding="utf-8")):
        solid = PLACEHOLDER.split(name, maxsplit=1)[0]
        path = ROOT / (name if solid == name else solid.rpartition("/")[0])
        if not path.exists():
            missing.append(name)

    assert not missing, f"{document.name} names {missing}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_links_only_to_what_is_there(document: Path) -> None:
    missing = [
        link for link in links(document.read_text(encoding="utf-8")) if not (document.parent / link).exists()
    ]

    assert not missing, f"{document.name} links to {missing}"


def test_the_paths_a_document_names_are_really_found() -> None:
    text = "Read `src/nightbell/words/clock.py` and [the words](docs/glossary.md), not `make test`."

    assert names(text) == {"src/nightbell/words/clock.py"}
    assert links(text) == {"docs/glossary.md"}


@pytest.mark.parametrize(("name", "text"), pages().items(), ids=list(pages()))
def test_a_page_made_from_the_code_is_current(name: str, text: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert written == text, "run: .venv/bin/python tools/reference.py"
