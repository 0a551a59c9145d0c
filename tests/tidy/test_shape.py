"""The shape of the code: short functions, short files, the glossary's words, one bridge to time."""

import ast
import re
from typing import Final

from tests.tidy.source import PACKAGE, ROOT, functions, imported, modules

FUNCTION_LINES_MAX: Final = 70
FILE_LINES_MAX: Final = 500

NOT_OUR_WORDS: Final = frozenset(
    {"alert", "alerts", "data", "manager", "util", "utils", "helper", "helpers", "misc", "common"}
)
"""Names that say nothing, or say what we call by another word (the glossary)."""

FIELD_WORDS: Final = frozenset({"egv", "sgv", "cbg", "bg"})
"""What other systems call a reading: only adapters speak so."""

CHANCE_AND_TIME: Final = frozenset({"time", "random", "secrets"})
MAY_USE_THEM: Final = frozenset({"words", "adapters"})

TEXT_SUFFIXES: Final = frozenset({".py", ".js", ".css", ".html", ".sql", ".sh"})
NOT_OURS: Final = "vendor"
"""A folder of this name holds files of others, kept as they came."""


def words_of(name: str) -> set[str]:
    """The words in a module's or a class's name: `AlarmView` and `alarm_view` are both alarm, view."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{module.name}:{function.lineno} {function.name} has {lines} lines"
        for module in modules("src", "tests", "tools", "benchmarks")
        for function in functions(module.tree)
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    files = [
        path
        for folder in ("src", "tests", "tools", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in TEXT_SUFFIXES and NOT_OURS not in path.parts
    ]

    long = [
        f"{path.relative_to(ROOT)} has {lines} lines"
        for path in files
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    ]

    assert len(files) > 50
    assert not long, "\n".join(long)


def test_modules_and_classes_use_the_glossarys_words() -> None:
    wrong = []
    for module in modules("src"):
        banned = NOT_OUR_WORDS if module.step == "adapters" else NOT_OUR_WORDS | FIELD_WORDS
        names = [module.path.stem] + [
            node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)
        ]
        wrong += [f"{module.name}: {name}" for name in names if words_of(name) & banned]

    assert not wrong, "\n".join(wrong)


def test_a_package_init_holds_the_story_of_its_step_and_nothing_else() -> None:
    wrong = []
    for module in modules("src"):
        if module.path.name == "__init__.py":
            told = ast.get_docstring(module.tree) is not None
            if not told or len(module.tree.body) != 1:
                wrong.append(module.name)

    assert not wrong, "\n".join(wrong)


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}

    assert not [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file()]


def test_time_and_chance_are_drawn_in_words_and_adapters_only() -> None:
    wrong = [
        f"{module.name}:{line} imports {name}"
        for module in modules("src")
        if module.step not in MAY_USE_THEM
        for name, line in imported(module.tree)
        if name.split(".")[0] in CHANCE_AND_TIME
    ]
    wrong += [
        f"{module.name}:{node.lineno} calls {node.attr}"
        for module in modules("src")
        if module.step not in MAY_USE_THEM
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in {"uuid1", "uuid4"}
    ]

    assert not wrong, "\n".join(wrong)


def test_every_noqa_and_type_ignore_names_its_rule_and_gives_its_reason() -> None:
    bare = re.compile(r"#\s*noqa(?!: [A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)* \S)")
    bare_ignore = re.compile(r"#\s*type: ignore(?!\[[a-z-]+(?:, ?[a-z-]+)*\])")

    wrong = [
        f"{module.name}:{number} {line.strip()}"
        for module in modules("src", "tests", "tools", "benchmarks")
        if not module.name.startswith("tests/tidy/")
        for number, line in enumerate(module.text.splitlines(), 1)
        if bare.search(line) or bare_ignore.search(line)
    ]

    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_to_do_in_the_code() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

    wrong = [
        f"{module.name}:{number}"
        for module in modules("src", "tests", "tools", "benchmarks")
        if not module.name.startswith("tests/tidy/")
        for number, line in enumerate(module.text.splitlines(), 1)
        if marks.search(line)
    ]

    assert not wrong, "\n".join(wrong)
