"""`nightbell up` and `nightbell watch`: become the platform, or the watcher beside it."""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

import uvloop

from nightbell.app.companion import Companion, watch_command
from nightbell.app.control import AlreadyRunningError
from nightbell.app.logs import catch_the_rest, set_up_logs
from nightbell.app.platform import run_platform
from nightbell.app.settings import Settings
from nightbell.app.tls import TlsFiles
from nightbell.cli.config import settings_of, tls_of
from nightbell.cli.speak import CommandError, Speaker, say
from nightbell.words.errors import NightbellError

WATCHER_FOLDER: Final = "watcher"


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
    settings = settings_of(asked, chosen)
    set_up_logs(settings)
    catch_the_rest(settings)
    tls = tls_of(settings)
    if tls is None:
        speaker.note(say("no_tls"))
    elif tls.warning:
        speaker.note(tls.warning)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_up(asked, settings, tls, speaker))


async def _up(asked: argparse.Namespace, settings: Settings, tls: TlsFiles | None, speaker: Speaker) -> None:
    folder: Path = asked.data
    companion = Companion(
        watch_command(folder, settings.watcher_listen),
        folder / WATCHER_FOLDER,
        lambda log: speaker.note(say("watcher_ended", log=log)),
    )
    watching: asyncio.Task[None] | None = None
    try:
        if not asked.no_watcher:
            watching = asyncio.create_task(companion.run())
        await run_platform(folder, settings, tls=tls, demo=asked.demo, announce=_announce)
    except AlreadyRunningError:
        raise CommandError(say("already_running", folder=str(folder)), code="already_running") from None
    except NightbellError as error:
        raise CommandError.from_platform(error) from None
    except OSError as error:
        why = error.strerror or str(error)
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
