"""`nightbell doctor`: look at settings and machine; with `--load N`, try them on N made-up sharers."""

import argparse
from typing import Final

import msgspec

from nightbell.app.control_words import Health, Nothing
from nightbell.app.doctor.checks import leftovers, load_tls
from nightbell.app.doctor.finding import Finding, Report, Verdict, report_of
from nightbell.app.doctor.gather import examine
from nightbell.app.doctor.headroom import Step, judge
from nightbell.app.doctor.shadow import ShadowError, try_load
from nightbell.app.leftovers import SHADOWS, sweep
from nightbell.app.settings import Settings
from nightbell.cli.asking import Platform
from nightbell.cli.config import loaded_of, tls_of
from nightbell.cli.speak import EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, CommandError, Speaker, say
from nightbell.words.catalogue import catalogue

SHARERS_MAX: Final = 1_000_000
SECONDS_MAX: Final = 3_600

EXIT: Final = {Verdict.OK: EXIT_DONE, Verdict.WARN: EXIT_REFUSED, Verdict.FAIL: EXIT_USAGE}
"""0 all is well, 1 something wants a look, 2 something will not do."""


class Loaded(msgspec.Struct, frozen=True):
    """What `doctor --load` says to a program."""

    verdict: Verdict
    findings: list[Finding]
    steps: list[Step]


def doctor(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Say how settings and machine are.

    Raises:
        CommandError: Something wants a look, or will not do.
    """
    if not asked.data.is_dir():
        missing = say("doctor_no_folder", folder=str(asked.data))
        raise CommandError(missing, exit_code=EXIT[Verdict.FAIL], code="no_folder")
    if asked.load is not None and not (1 <= asked.load <= SHARERS_MAX and 1 <= asked.seconds <= SECONDS_MAX):
        wrong = say("doctor_load_wrong", sharers=SHARERS_MAX, seconds=SECONDS_MAX)
        raise CommandError(wrong, exit_code=EXIT_USAGE, code="usage")
    health = _health(asked)
    found_left = leftovers(catalogue(), sweep(asked.data, SHADOWS))
    report = examine(asked.data, health, catalogue(), sharers=asked.load or 0)
    report = report_of([*report.findings, *found_left])
    if asked.load is None:
        speaker.result(report, *_lines(report))
        _end(report.verdict)
        return
    settings = _to_try(asked)
    report = report_of([*report.findings, *load_tls(catalogue(), settings, health)])
    if not speaker.as_json:
        speaker.result(report, *_lines(report))
    steps = _steps(asked, settings, speaker)
    found = judge(catalogue(), asked.load, steps)
    whole = report_of([*report.findings, found])
    lines = [*map(_step_line, steps), *_lines(report_of([found]))]
    speaker.result(Loaded(whole.verdict, whole.findings, steps), *lines)
    _end(whole.verdict)


def _to_try(asked: argparse.Namespace) -> Settings:
    """The deployed settings, with the certificate that was named for them.

    Raises:
        CommandError: They cannot be used.
    """
    chosen: dict[str, object] = {}
    if asked.tls:
        chosen["tls.certificate"], chosen["tls.key"] = (str(path.resolve()) for path in asked.tls)
    settings = loaded_of(asked, chosen).settings
    tls_of(settings)
    return settings


def _steps(asked: argparse.Namespace, settings: Settings, speaker: Speaker) -> list[Step]:
    words = catalogue()
    try:
        return try_load(
            asked.data,
            settings,
            asked.load,
            seconds=asked.seconds,
            told=lambda key, **slots: speaker.note(words.say(f"doctor.{key}", **slots)),
        )
    except ShadowError as error:
        sentence = words.say(f"doctor.{error.key}", **error.slots)
        raise CommandError(sentence, exit_code=EXIT[Verdict.FAIL], code=error.key) from None


def _step_line(step: Step) -> str:
    sent = step.sent
    return catalogue().say(
        "doctor.load_step",
        times=f"{step.times:g}",
        per_s=f"{step.per_s:.1f}",
        p50=f"{sent.p50_ms:.1f}",
        p99=f"{sent.p99_ms:.1f}",
        refused=sent.refused,
        failed=sent.failed,
        cpu=f"{step.cpu_share:.2f}",
        memory=round(step.memory_mb),
        own=f"{sent.own_share:.2f}",
    )


def _lines(report: Report) -> list[str]:
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.verdict:<5}{finding.name}: {finding.found}")
        if finding.todo:
            lines.append(f"     {finding.todo}")
    return lines


def _end(verdict: Verdict) -> None:
    if verdict is not Verdict.OK:
        raise CommandError(say(f"doctor_{verdict}"), exit_code=EXIT[verdict], code=verdict)


def _health(asked: argparse.Namespace) -> Health | None:
    """What the running platform says of itself; None if none answers."""
    try:
        with Platform(asked.data) as platform:
            return platform.ask("health", Nothing(), Health)
    except CommandError:
        return None
