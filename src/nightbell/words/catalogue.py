"""The words people read, one catalogue for each language, kept apart from the code that decides."""

import json
from functools import cache
from importlib import resources
from typing import Final

DEFAULT_LANGUAGE: Final = "en"


class Catalogue:
    """All sentences of one language.

    A key is `topic.name`: the sentence `name` in `catalogues/<language>/topic.json`.
    """

    def __init__(self, language: str, sentences: dict[str, str]) -> None:
        self.language = language
        self._sentences = sentences

    def say(self, key: str, **slots: str | int) -> str:
        """The sentence with its slots filled.

        Raises:
            KeyError: There is no such sentence, or a slot is missing: a programmer's error.
        """
        return self._sentences[key].format(**slots)

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        return key in self._sentences

    def keys(self) -> frozenset[str]:
        """All keys, for tests that compare languages."""
        return frozenset(self._sentences)


@cache
def catalogue(language: str = DEFAULT_LANGUAGE) -> Catalogue:
    """Load the catalogue of a language shipped with the package.

    Raises:
        FileNotFoundError: The language is not shipped.
    """
    folder = resources.files("nightbell.words").joinpath("catalogues", language)
    sentences: dict[str, str] = {}
    for file in folder.iterdir():
        if file.name.endswith(".json"):
            topic = file.name.removesuffix(".json")
            loaded: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
            sentences.update({f"{topic}.{name}": sentence for name, sentence in loaded.items()})
    return Catalogue(language, sentences)
