"""`nightbell up` and `nightbell watch`: become the platform, or the watcher beside it."""

import argparse
import asyncio
import contextlib
import errno
import sys
from pathlib import Path
from typing import Final

import uvloop

from nightbell.app.companion import Companion, watch_command
from nightbell.app.control import AlreadyRunningError
from nightbell.app.last_good import keep_last_good, last_good
from nightbell.app.logs import catch_the_rest, set_up_logs
from nightbell.app.running import has_no_room, run_platform
from nightbell.app.settings import LAST_GOOD_NAME, Loaded, load
from nightbell.app.tls import TlsFiles
from nightbell.cli.config import loaded_of, tls_of
from nightbell.cli.speak import CommandError, Speaker, say
from nightbell.words.errors import NightbellError

WATCHER_FOLDER: Final = "watcher"

_DISK_ERRNOS: Final = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""What a start meets that is the disk's fault; else it is most likely the address."""


def up(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Run the platform, and the watcher beside it, until stopped.

    Raises:
        CommandError: The settings cannot be used, or a platform is running here already.
    """
    chosen: dict[str, object] = {}
    if asked.listen:
        chosen["listen"] = asked.listen
    if asked.watcher_listen:
        chosen["watcher_listen"] = asked.watcher_listen
    if asked.tls:
        chosen["tls.certificate"], chosen["tls.key"] = map(str, asked.tls)
    found, tls = _usable(asked, chosen)
    settings = found.settings
    set_up_logs(settings)
    catch_the_rest(settings)
    if tls is None:
        speaker.note(say("no_tls"))
    elif tls.warning:
        speaker.note(tls.warning)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_up(asked, found, chosen, tls, speaker))


def _usable(asked: argparse.Namespace, chosen: dict[str, object]) -> tuple[Loaded, TlsFiles | None]:
    """The settings to run with, and their certificate.

    Raises:
        CommandError: They cannot be used; it says where the last good ones are, if there are any.
    """
    path = str(asked.data / LAST_GOOD_NAME)
    if asked.last_good:
        kept = last_good(asked.data, chosen=chosen)
        if kept is None:
            raise CommandError(say("last_good_none", path=path), code="settings")
        return kept, tls_of(kept.settings)
    try:
        found = loaded_of(asked, chosen)
        return found, tls_of(found.settings)
    except CommandError as error:
        if last_good(asked.data, chosen=chosen) is None:
            raise
        there = say("last_good_there", path=path, folder=str(asked.data))
        raise CommandError(f"{error.sentence}\n{there}", code=error.code) from None


async def _up(
    asked: argparse.Namespace,
    found: Loaded,
    chosen: dict[str, object],
    tls: TlsFiles | None,
    speaker: Speaker,
) -> None:
    folder: Path = asked.data
    settings = found.settings
    companion = Companion(
        watch_command(folder, settings.watcher_listen),
        folder / WATCHER_FOLDER,
        lambda log: speaker.note(say("watcher_ended", log=log)),
    )
    watching: asyncio.Task[None] | None = None
    try:
        if not asked.no_watcher:
            watching = asyncio.create_task(companion.run())
        await run_platform(
            folder,
            settings,
            tls=tls,
            demo=asked.demo,
            announce=_announce,
            read=lambda: load(folder, chosen=chosen),
            started=lambda: keep_last_good(folder, found.raw),
        )
    except AlreadyRunningError:
        raise CommandError(say("already_running", folder=str(folder)), code="already_running") from None
    except NightbellError as error:
        if has_no_room(folder):
            raise CommandError(say("disk_full", folder=str(folder)), code="disk_full") from None
        raise CommandError.from_platform(error) from None
    except OSError as error:
        if has_no_room(folder):
            raise CommandError(say("disk_full", folder=str(folder)), code="disk_full") from None
        why = error.strerror or str(error)
        if error.errno in _DISK_ERRNOS:
            sentence = say("cannot_write", folder=str(folder), why=why)
            raise CommandError(sentence, code="cannot_write") from None
        raise CommandError(say("cannot_open", listen=settings.listen, why=why), code="cannot_open") from None
    finally:
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await companion.close()


def _announce(sentence: str) -> None:
    """Something for whoever started us, at once, also where output goes to a file."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
