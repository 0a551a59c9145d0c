"""`nightbell`: the commands, their options and their exit codes.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no platform is running there.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

from nightbell.cli.speak import EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, CommandError, Speaker, say
from nightbell.words.glucose import Unit

DATA_VARIABLE: Final = "NIGHTBELL_DATA"
DATA_DEFAULT: Final = "nightbell-data"
EXIT_INTERRUPTED: Final = 130
"""What shells expect of a program ended by Ctrl-C: 128 + SIGINT."""

Handler = Callable[[argparse.Namespace, Speaker], None]
Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 it has no public name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    if not __debug__:
        # Assertions are part of the product: without them a broken invariant would go on in silence.
        sys.stderr.write(say("no_assertions") + "\n")
        return EXIT_USAGE
    asked = parser().parse_args(arguments)
    speaker = Speaker(as_json=asked.json)
    try:
        handler_of(asked.handler)(asked, speaker)
    except CommandError as error:
        speaker.failed(error)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; nothing more can be said, and Python must not try at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_REFUSED
    return EXIT_DONE


def handler_of(place: str) -> Handler:
    """The function at `module:function`. Loaded only now: the watcher carries nothing of the platform."""
    module, _, name = place.partition(":")
    handler: Handler = getattr(import_module(f"nightbell.cli.{module}"), name)
    return handler


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    root = argparse.ArgumentParser(
        prog="nightbell", description=say("about"), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root.add_argument("--version", action="version", version=f"nightbell {version('nightbell')}")
    commands = root.add_subparsers(title=say("commands"), metavar=say("command"), required=True)
    _run_commands(commands)
    _people_commands(commands)
    _follow_commands(commands)
    _key_commands(commands)
    _publish_command(commands)
    _config_commands(commands)
    _keeping_commands(commands)
    _add(commands, "health", "people:health")
    _add(commands, "status", "status:status")
    look = _add(commands, "doctor", "doctor:doctor")
    look.add_argument("--load", type=int, metavar="N", help=say("help_load"))
    look.add_argument("--tls", nargs=2, type=Path, metavar=("CERT", "KEY"), help=say("help_tls"))
    look.add_argument("--seconds", type=int, default=60, metavar="S", help=say("help_seconds"))
    measure = _add(commands, "bench", "bench:bench")
    measure.add_argument("rest", nargs="*", help=say("help_bench_rest"))
    return root


def _add(commands: Parsers, name: str, handler: str, key: str = "") -> argparse.ArgumentParser:
    """One command with the options that all have; its help and example lie in the catalogue."""
    key = key or name
    made = commands.add_parser(
        name,
        help=say(f"help_{key}"),
        description=say(f"help_{key}"),
        epilog=say("example", example=say(f"example_{key}")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get(DATA_VARIABLE) or DATA_DEFAULT),
        help=say("help_data", default=DATA_DEFAULT),
    )
    made.add_argument("--json", action="store_true", help=say("help_json"))
    made.set_defaults(handler=handler)
    return made


def _group(commands: Parsers, name: str) -> Parsers:
    """A command that has commands."""
    made = commands.add_parser(name, help=say(f"help_{name}"), description=say(f"help_{name}"))
    return made.add_subparsers(title=say("commands"), metavar=say("command"), required=True)


def _run_commands(commands: Parsers) -> None:
    up = _add(commands, "up", "run:up")
    up.add_argument("--listen", metavar="ADDR", default="", help=say("help_listen"))
    up.add_argument("--tls", nargs=2, type=Path, metavar=("CERT", "KEY"), help=say("help_tls"))
    up.add_argument("--demo", action="store_true", help=say("help_demo"))
    up.add_argument("--watcher-listen", metavar="ADDR", default="", help=say("help_watcher_listen"))
    up.add_argument("--no-watcher", action="store_true", help=say("help_no_watcher"))
    up.add_argument("--last-good", action="store_true", help=say("help_last_good"))
    watch = _add(commands, "watch", "watching:watch")
    watch.add_argument("--listen", metavar="ADDR", default="", help=say("help_listen"))


def _people_commands(commands: Parsers) -> None:
    group = _group(commands, "person")
    add = _add(group, "add", "people:person_add", "person_add")
    add.add_argument("name", metavar="NAME", help=say("help_name"))
    add.add_argument("--email", default="", help=say("help_email"))
    add.add_argument(
        "--unit", default=Unit.MGDL.value, choices=[unit.value for unit in Unit], help=say("help_unit")
    )
    add.add_argument("--zone", default="UTC", help=say("help_zone"))
    add.add_argument("--share", action="store_true", help=say("help_share"))
    _add(group, "list", "people:person_list", "person_list")


def _follow_commands(commands: Parsers) -> None:
    group = _group(commands, "follow")
    invite = _add(group, "invite", "people:follow_invite", "follow_invite")
    invite.add_argument("sharer", metavar="SHARER", help=say("help_sharer"))
    invite.add_argument("--no-graph", action="store_true", help=say("help_no_graph"))
    invite.add_argument("--no-alarms", action="store_true", help=say("help_no_alarms"))
    accept = _add(group, "accept", "people:follow_accept", "follow_accept")
    accept.add_argument("link", metavar="LINK", help=say("help_link"))
    accept.add_argument("--as", dest="follower", metavar="NAME", required=True, help=say("help_follower"))
    confirm = _add(group, "confirm", "people:follow_confirm", "follow_confirm")
    confirm.add_argument("follow", metavar="FOLLOW", help=say("help_follow_id"))
    listing = _add(group, "list", "people:follow_list", "follow_list")
    listing.add_argument("person", metavar="NAME", nargs="?", default="", help=say("help_follow_person"))


def _key_commands(commands: Parsers) -> None:
    group = _group(commands, "key")
    add = _add(group, "add", "people:key_add", "key_add")
    add.add_argument("person", metavar="NAME", help=say("help_key_person"))
    add.add_argument("--scope", default="publish", choices=["publish", "follow"], help=say("help_scope"))
    add.add_argument("--label", default="nightbell key add", help=say("help_label"))
    revoke = _add(group, "revoke", "people:key_revoke", "key_revoke")
    revoke.add_argument("key", metavar="KEY", help=say("help_key_id"))


def _publish_command(commands: Parsers) -> None:
    send = _add(commands, "publish", "publish:publish")
    send.add_argument("file", metavar="FILE", type=Path, help=say("help_file"))
    send.add_argument("--as", dest="sharer", metavar="SHARER", required=True, help=say("help_publish_as"))
    send.add_argument("--speed", type=float, default=1.0, metavar="N", help=say("help_speed"))
    send.add_argument("--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help=say("help_day"))
    send.add_argument("--zone", default="", help=say("help_publish_zone"))
    send.add_argument("--import", dest="file_it", action="store_true", help=say("help_import"))
    send.add_argument("--key", default="", help=say("help_publish_key"))
    send.add_argument("--url", default="", help=say("help_url"))
    send.add_argument("--ca", type=Path, metavar="FILE", help=say("help_ca"))


def _keeping_commands(commands: Parsers) -> None:
    backup = _add(commands, "backup", "keeping:backup")
    backup.add_argument("target", metavar="FILE", type=Path, help=say("help_backup_target"))
    restore = _add(commands, "restore", "keeping:restore")
    restore.add_argument("file", metavar="FILE", type=Path, help=say("help_restore_file"))
    for made in (backup, restore):
        made.add_argument("--passphrase-file", metavar="FILE", type=Path, help=say("help_passphrase_file"))
        made.add_argument("--without-keys", action="store_true", help=say("help_without_keys"))


def _config_commands(commands: Parsers) -> None:
    group = _group(commands, "config")
    _add(group, "check", "config:config_check", "config_check")
    show = _add(group, "show", "config:config_show", "config_show")
    show.add_argument("--defaults", action="store_true", help=say("help_defaults"))


if __name__ == "__main__":
    sys.exit(main())
