"""The words people read: each is used, each exists where it is asked for, and each is plain."""

import ast
import json
import re
from functools import cache
from typing import Final

import pytest

from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode
from tests.tidy.source import CATALOGUES, PACKAGE, modules

GRADE_MAX: Final = 5.0
"""Flesch-Kincaid school grade that a tired parent reads at night without effort."""

WORDS_OF_COMPANIES: Final = (
    "degraded", "ingestion", "subset", "inconvenience", "intermittent", "investigate an issue",
    "investigating an issue", "please be patient", "experiencing", "some users", "!",
)  # fmt: skip
"""What companies say and nobody is helped by."""

TOPICS: Final = sorted(path.stem for path in (CATALOGUES / "en").glob("*.json"))


@cache
def topic(name: str) -> dict[str, str]:
    """The sentences of one topic."""
    loaded: dict[str, str] = json.loads((CATALOGUES / "en" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def syllables(word: str) -> int:
    """About how many: groups of vowels, less a silent e at the end."""
    groups = len(re.findall(r"[aeiouy]+", word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    return max(1, groups)


def grade(text: str) -> float:
    """The Flesch-Kincaid grade (Kincaid et al. 1975); a slot counts as a short word."""
    text = re.sub(r"\{[^}]*\}", "Sam", text)
    sentences = [part for part in re.split(r"[.?:;\n]+(?:\s|$)|\n", text) if re.search(r"[A-Za-z]", part)]
    words = re.findall(r"[a-z]+", re.sub(r"['\u2019]", "", text.lower()))
    if not words:
        return 0.0
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def literal_keys() -> tuple[set[str], list[re.Pattern[str]]]:
    """Every text in the product that may be a key, and every f-string as a pattern of keys."""
    texts: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for module in modules("src"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[a-z0-9_.]+"
                    for part in node.values
                ]
                if isinstance(node.values[0], ast.Constant) and "." in str(node.values[0].value):
                    patterns.append(re.compile("".join(parts)))
    for path in PACKAGE.rglob("*"):
        if path.suffix in {".html", ".js", ".xml", ".txt"} and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8")
            texts.update(re.findall(r"[a-z_]+\.[a-z0-9_.]+", text))
            begins = re.findall(r"""["'`]([a-z_]+\.[a-z0-9_.]*)(?:["']\s*[~+]|\$\{)""", text)
            patterns += [re.compile(re.escape(begin) + r"[a-z0-9_.]+") for begin in begins]
    return texts, patterns


def asked_for() -> dict[str, str]:
    """Every literal key handed to `say` or `has`, in Python and in templates, with where."""
    keys: dict[str, str] = {}
    for module in modules("src"):
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            first = node.args[0]
            if node.func.attr == "say" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                keys[first.value] = f"{module.name}:{node.lineno}"
    for path in PACKAGE.rglob("*.html"):
        for key in re.findall(r"""\bsay\(\s*["']([^"'~]+)["']\s*[,)]""", path.read_text(encoding="utf-8")):
            keys[key] = path.name
    return keys


def test_every_sentence_asked_for_exists() -> None:
    english = catalogue("en")

    missing = [f"{where} asks for {key}" for key, where in asked_for().items() if not english.has(key)]

    assert not missing, "\n".join(missing)


def test_every_sentence_is_used() -> None:
    texts, patterns = literal_keys()
    known = {f"errors.{code}" for code in ErrorCode}

    unused = [
        key
        for key in sorted(catalogue("en").keys())
        if key not in texts and key not in known and not any(pattern.fullmatch(key) for pattern in patterns)
    ]

    assert not unused, "\n".join(unused)


def test_every_error_has_its_sentence() -> None:
    english = catalogue("en")

    missing = [code for code in ErrorCode if not english.has(f"errors.{code}")]

    assert not missing


@pytest.mark.parametrize("name", TOPICS)
def test_a_tired_parent_can_read_it(name: str) -> None:
    whole = "\n".join(
        sentence if sentence.endswith((".", "?")) else sentence + "." for sentence in topic(name).values()
    )

    assert grade(whole) <= GRADE_MAX, f"{name}.json reads at grade {grade(whole):.1f}"


@pytest.mark.parametrize("name", TOPICS)
def test_no_long_sentence_hides_in_an_easy_page(name: str) -> None:
    """One sentence alone swings the formula, so a single text of some length may be a grade or two harder."""
    hard = [
        f"{key} reads at grade {grade(sentence):.1f}"
        for key, sentence in topic(name).items()
        if len(sentence.split()) >= 12 and grade(sentence) > GRADE_MAX + 3
    ]

    assert not hard, "\n".join(hard)


@pytest.mark.parametrize("name", TOPICS)
def test_nobody_is_talked_to_as_companies_do(name: str) -> None:
    wrong = [
        f"{key}: {word}"
        for key, sentence in topic(name).items()
        for word in WORDS_OF_COMPANIES
        if word in sentence.lower()
    ]

    assert not wrong, "\n".join(wrong)


def test_the_counter_tells_plain_words_from_a_companys() -> None:
    plain = "You are NOT being watched right now. This is our fault. Check Sam with a finger stick."
    company = (
        "We are currently investigating an issue affecting connectivity for a subset of customers and "
        "apologize for any inconvenience this interruption of functionality may have occasioned."
    )

    assert grade(plain) < 3
    assert grade(company) > 12
