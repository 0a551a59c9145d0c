"""The words people read: each is used, each exists where it is asked for, and each is plain."""

import ast
import json
import re
from functools import cache
from typing import Final, NamedTuple

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


class Literals(NamedTuple):
    """Every text in the product that may be a key.

    Attributes:
        texts: Literals.
        patterns: f-strings, as patterns of what they can make.
        wrapped: Topics that a function of its own says: `say("x")` there is `topic.x`.
    """

    texts: set[str]
    patterns: list[re.Pattern[str]]
    wrapped: set[str]

    def has(self, key: str) -> bool:
        """Whether this key can come from one of them."""
        topic_name, _, name = key.partition(".")
        keys = (key, name) if topic_name in self.wrapped else (key,)
        return any(
            one in self.texts or any(pattern.fullmatch(one) for pattern in self.patterns) for one in keys
        )


@cache
def literals() -> Literals:
    """Read them from Python, templates and scripts."""
    found = Literals(set(), [], set())
    for module in modules("src"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.texts.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begin = str(node.values[0].value)
                if begin.endswith(".") and len(node.values) == 2 and begin[:-1] in TOPICS:
                    found.wrapped.add(begin[:-1])
                elif re.fullmatch(r"[a-z_]+[._][a-z_.]*", begin):
                    parts = [
                        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[a-z0-9_.]+"
                        for part in node.values
                    ]
                    found.patterns.append(re.compile("".join(parts)))
    for path in PACKAGE.rglob("*"):
        if path.suffix in {".html", ".js", ".xml", ".txt"} and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8")
            found.texts.update(re.findall(r"[a-z_]+\.[a-z0-9_.]+", text))
            begins = re.findall(r"""["'`]([a-z_]+\.[a-z0-9_.]*)(?:["']\s*[~+]|\$\{)""", text)
            found.patterns.extend(re.compile(re.escape(begin) + r"[a-z0-9_.]+") for begin in begins)
    return found


def asked_for() -> dict[str, str]:
    """Every literal key handed to `say` or `has`, in Python and in templates, with where."""
    keys: dict[str, str] = {}
    for module in modules("src"):
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            key = str(node.args[0].value)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                keys[key] = f"{module.name}:{node.lineno}"
            elif isinstance(node.func, ast.Name) and node.func.id == "say" and module.step == "cli":
                keys[f"cli.{key}"] = f"{module.name}:{node.lineno}"
    for path in PACKAGE.rglob("*.html"):
        for key in re.findall(r"""\bsay\(\s*["']([^"'~]+)["']\s*[,)]""", path.read_text(encoding="utf-8")):
            keys[key] = path.name
    return keys


def test_every_sentence_asked_for_exists() -> None:
    english = catalogue("en")

    missing = [f"{where} asks for {key}" for key, where in asked_for().items() if not english.has(key)]

    assert not missing, "\n".join(missing)


def test_every_sentence_is_used() -> None:
    known = {f"errors.{code}" for code in ErrorCode}

    unused = [key for key in sorted(catalogue("en").keys()) if key not in known and not literals().has(key)]

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
