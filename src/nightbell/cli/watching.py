"""`nightbell watch`: become the watcher. Apart from `up`, so that it carries nothing of the platform."""

import argparse
import asyncio

from nightbell.app.channels import mail_channel
from nightbell.app.companion import EXIT_ALREADY, WatcherRunningError
from nightbell.app.last_good import settings_or_last_good
from nightbell.app.logs import catch_the_rest, set_up_logs
from nightbell.app.settings import LAST_GOOD_NAME, Settings, SettingsError
from nightbell.app.watcher import run_watcher
from nightbell.cli.speak import CommandError, Speaker, say


def watch(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Run the watcher until stopped.

    Raises:
        CommandError: The settings cannot be used, or a watcher is running here already.
    """
    settings, said = _settings(asked)
    set_up_logs(settings)
    catch_the_rest(settings)
    if said:
        speaker.note(said)
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


def _settings(asked: argparse.Namespace) -> tuple[Settings, str]:
    """The settings, and what to say of them.

    A file broken under a running bell must not cost it its watcher: then the last good ones serve.

    Raises:
        CommandError: There are none.
    """
    chosen = {"watcher_listen": asked.listen} if asked.listen else {}
    try:
        found, faults = settings_or_last_good(asked.data, chosen=chosen)
    except SettingsError as error:
        raise CommandError(say("settings_wrong", why="\n".join(error.lines)), code="settings") from None
    if not faults:
        return found.settings, ""
    path = asked.data / LAST_GOOD_NAME
    wrong = say("settings_wrong", why="\n".join(faults))
    return found.settings, f"{wrong}\n{say('last_good_used', path=str(path))}"
