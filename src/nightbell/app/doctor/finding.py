"""What the doctor says: one finding for each thing that was looked at."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from nightbell.words.catalogue import Catalogue


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        name: What was looked at, for programs.
        verdict: How it stands.
        found: What was found, in words.
        todo: What to do, in words; empty if nothing.
    """

    name: str
    verdict: Verdict
    found: str
    todo: str = ""


class Report(msgspec.Struct, frozen=True):
    """All findings, and the worst of their verdicts."""

    verdict: Verdict
    findings: list[Finding]


class Says:
    """Makes findings out of the catalogue: `doctor.NAME_CASE`, and `doctor.NAME_CASE_do` for what to do."""

    def __init__(self, words: Catalogue, name: str) -> None:
        self._words = words
        self._name = name

    def ok(self, case: str, **slots: str | int) -> Finding:
        """It is well."""
        return Finding(self._name, Verdict.OK, self._words.say(f"doctor.{self._name}_{case}", **slots))

    def warn(self, case: str, **slots: str | int) -> Finding:
        """It works, and wants a look."""
        return self._wrong(Verdict.WARN, case, **slots)

    def fail(self, case: str, **slots: str | int) -> Finding:
        """It will not do."""
        return self._wrong(Verdict.FAIL, case, **slots)

    def _wrong(self, verdict: Verdict, case: str, **slots: str | int) -> Finding:
        key = f"{self._name}_{case}"
        found = self._words.say(f"doctor.{key}", **slots)
        return Finding(self._name, verdict, found, self._words.say(f"doctor.{key}_do", **slots))


def report_of(findings: Sequence[Finding]) -> Report:
    """The findings as a whole."""
    worst = max((finding.verdict for finding in findings), key=list(Verdict).index, default=Verdict.OK)
    return Report(worst, list(findings))
