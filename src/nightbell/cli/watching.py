"""`nightbell watch`: become the watcher. Apart from `up`, so that it carries nothing of the platform."""

import argparse
import asyncio
import sys
from typing import Final

from nightbell.app.companion import EXIT_ALREADY, WatcherRunningError, watcher_lock
from nightbell.app.watcher import run_watcher
from nightbell.cli.config import settings_of
from nightbell.cli.speak import CommandError, Speaker, say

WATCHER_FOLDER: Final = "watcher"


def watch(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Run the watcher until stopped.

    Raises:
        CommandError: The settings cannot be used, or a watcher is running here already.
    """
    settings = settings_of(asked, {"watcher_listen": asked.listen} if asked.listen else {})
    try:
        with watcher_lock(asked.data / WATCHER_FOLDER):
            asyncio.run(run_watcher(asked.data, settings))
    except WatcherRunningError:
        raise CommandError(
            say("watcher_running", folder=str(asked.data)), exit_code=EXIT_ALREADY, code="already_running"
        ) from None
    finally:
        speaker.note(say("watcher_stopped"))
        sys.stdout.flush()
