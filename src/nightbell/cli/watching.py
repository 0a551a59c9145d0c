"""`nightbell watch`: become the watcher. Apart from `up`, so that it carries nothing of the platform."""

import argparse
import asyncio

from nightbell.app.channels import mail_channel
from nightbell.app.companion import EXIT_ALREADY, WatcherRunningError
from nightbell.app.logs import catch_the_rest, set_up_logs
from nightbell.app.watcher import run_watcher
from nightbell.cli.config import settings_of
from nightbell.cli.speak import CommandError, Speaker, say


def watch(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Run the watcher until stopped.

    Raises:
        CommandError: The settings cannot be used, or a watcher is running here already.
    """
    settings = settings_of(asked, {"watcher_listen": asked.listen} if asked.listen else {})
    set_up_logs(settings)
    catch_the_rest(settings)
    mail = mail_channel(settings)
    if mail is None:
        speaker.note(say("no_mail"))
    try:
        asyncio.run(run_watcher(asked.data, settings, mail=mail))
    except WatcherRunningError:
        raise CommandError(
            say("watcher_running", folder=str(asked.data)), exit_code=EXIT_ALREADY, code="already_running"
        ) from None
    speaker.note(say("watcher_stopped"))
