"""`nightbell backup` and `nightbell restore`: a copy of everything in one file, and the way back."""

import argparse
import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import UTC
from importlib.metadata import version
from typing import Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from nightbell.app.backup import BackupError, alone, make_backup, total_bytes
from nightbell.app.backup_commands import Held, LetGo
from nightbell.app.control_words import Done, Nothing
from nightbell.app.restore import Restoring
from nightbell.cli.asking import Platform
from nightbell.cli.passwords import read_passphrase
from nightbell.cli.speak import EXIT_NOT_RUNNING, CommandError, Speaker, say
from nightbell.words.clock import SystemClock, from_ms

COURTESY: Final = 10
"""How much less of the processor a backup takes than the platform: `nice`, of 19."""


def backup(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Make a backup, whether a platform runs or not.

    Raises:
        CommandError: It could not be made; nothing is left of it.
    """
    passphrase = "" if asked.without_keys else read_passphrase(asked.passphrase_file, anew=True)
    os.nice(COURTESY)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleaned up as after Ctrl-C
    try:
        with _beside_platform(asked) as running, _bar(speaker) as progress:
            bar = progress.add_task(say("backing_up"), total=total_bytes(asked.data))
            made = make_backup(
                asked.data,
                asked.target,
                passphrase=passphrase,
                still=(lambda: _accounts_held(asked)) if running else None,
                nightbell=version("nightbell"),
                clock=SystemClock(),
                advance=lambda count: progress.advance(bar, count),
            )
    except BackupError as error:
        raise CommandError(error.sentence, code=error.code) from None
    sentences = [say("backed_up", file=made.file, at=_time(made.began_ms))]
    sentences.append(say("backed_up_keys" if made.keys else "backed_up_no_keys"))
    if made.removed:
        sentences.append(say("backed_up_removed", files=" ".join(made.removed)))
    if made.left:
        sentences.append(say("backed_up_left", files=" ".join(made.left)))
    speaker.result(made, *sentences)


def restore(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Put a backup back into a new folder.

    Raises:
        CommandError: Nothing was put in place.
    """
    try:
        with contextlib.closing(Restoring(asked.file)) as restoring:
            manifest = restoring.manifest
            if not manifest.has_secrets and not asked.without_keys:
                raise CommandError(say("restore_no_keys"), code="no_keys")
            passphrase = "" if asked.without_keys else read_passphrase(asked.passphrase_file, anew=False)
            with _bar(speaker) as progress:
                bar = progress.add_task(say("restoring"), total=2 * manifest.size_bytes)
                restored = restoring.put_back(
                    asked.data, passphrase=passphrase, advance=lambda count: progress.advance(bar, count)
                )
    except BackupError as error:
        raise CommandError(error.sentence, code=error.code) from None
    sentences = [
        say("restored", folder=restored.folder, at=_time(restored.began_ms)),
        say("restored_lost", at=_time(restored.began_ms)),
        say("restored_keys" if restored.keys else "restored_no_keys"),
        say("restored_next", folder=restored.folder),
    ]
    speaker.result(restored, *sentences)


def _time(at_ms: int) -> str:
    return from_ms(at_ms).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@contextlib.contextmanager
def _beside_platform(asked: argparse.Namespace) -> Iterator[bool]:
    """Whether a platform runs; where none does, none can start until the block ends."""
    try:
        with Platform(asked.data) as platform:
            platform.ask("backup.begin", Nothing(), Done)
    except CommandError as error:
        if error.exit_code != EXIT_NOT_RUNNING or error.code != "not_running":
            raise
        with alone(asked.data):
            yield False
        return
    yield True


@contextlib.contextmanager
def _accounts_held(asked: argparse.Namespace) -> Iterator[None]:
    """Let the platform hold the accounts' file still, and see afterwards that it did all the time."""
    with Platform(asked.data) as platform:
        held = platform.ask("backup.hold", Nothing(), Held)
    try:
        yield
    except BaseException:
        with contextlib.suppress(CommandError), Platform(asked.data) as platform:
            platform.ask("backup.let_go", LetGo(held.hold), Done)
        raise
    with Platform(asked.data) as platform:
        platform.ask("backup.let_go", LetGo(held.hold), Done)


@contextlib.contextmanager
def _bar(speaker: Speaker) -> Iterator[Progress]:
    """A progress bar on standard error; nothing for programs and where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    shown = speaker.aside.is_terminal and not speaker.as_json
    with Progress(*columns, console=speaker.aside, disable=not shown) as progress:
        yield progress
