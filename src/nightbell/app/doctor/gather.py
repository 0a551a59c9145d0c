"""Measures what `checks.py` judges, on one data directory. It changes nothing that it finds there."""

import errno
import os
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from nightbell.adapters.machine.disk import Disk, measure_disk, size_bytes
from nightbell.adapters.machine.system import Limits, clock_synced, measure_limits, moment
from nightbell.app.control_words import Health
from nightbell.app.doctor import checks, ways_out
from nightbell.app.doctor.checks import Certificate, PortState, SecretFile
from nightbell.app.doctor.finding import Finding, Report, report_of
from nightbell.app.settings import (
    FILE_NAME,
    FILE_SUFFIX,
    LAST_GOOD_NAME,
    Settings,
    SettingsError,
    holds_secret,
    known,
    load,
)
from nightbell.app.settings_kinds import split_address
from nightbell.app.tls import TlsError, load_tls
from nightbell.app.watcher_health import FILE_NAME as HEALTH_NAME
from nightbell.watch.health import Health as WatcherHealth
from nightbell.words.catalogue import Catalogue

SYNCS: Final = 200
"""Enough for a p99 that is not one chance alone, and over in two seconds on a disk that is worth having."""

LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DAY_MS: Final = 86_400_000


class House(NamedTuple):
    """How many live here: sharers, and screens that may be open."""

    sharers: int
    streams: int


def examine(folder: Path, health: Health | None, words: Catalogue, *, sharers: int = 0) -> Report:
    """Look at everything.

    Args:
        folder: The data directory; it must be there.
        health: What the running platform says of itself; None if none answers.
        words: The sentences.
        sharers: For how many it shall be enough; 0: for those who are there.
    """
    first = moment()
    faults, settings = _settings(folder)
    disk, limits = measure_disk(folder, syncs=SYNCS), measure_limits()
    house = _house(folder)
    if sharers:
        house = House(sharers, max(house.streams, sharers))
    last = moment()
    findings: list[Finding | None] = [
        checks.settings(words, str(folder / FILE_NAME), faults),
        checks.secrets(words, secret_files(folder, settings, os.environ)),
        *_of_disk(folder, disk, house, settings, words),
        checks.clock_kept(words, synced=clock_synced()),
        checks.clock_steady(words, first, last),
        checks.clock_year(words, last),
        *_of_limits(limits, house, words),
        *_of_doors(settings, health, _watcher(folder), int(last.wall_ms), words),
        ways_out.reach(words, settings.public_url),
        *ways_out.channels(words, folder, settings),
        checks.platform(words, health),
        checks.switches(words, _off(settings, health)),
        checks.watcher(words, _watcher(folder), now_ms=int(last.wall_ms)),
    ]
    return report_of([finding for finding in findings if finding is not None])


def _settings(folder: Path) -> tuple[list[str], Settings]:
    """What is wrong with them, and those to look on with: the usual ones where the file is of no use."""
    try:
        return [], load(folder)
    except SettingsError as error:
        return error.lines, Settings()


def _of_disk(
    folder: Path, disk: Disk, house: House, settings: Settings, words: Catalogue
) -> list[Finding | None]:
    need_bytes = checks.needed_bytes(
        sharers=house.sharers, journal_days=settings.journal_days, history_days=settings.history_days
    )
    return [
        checks.room(words, disk, used_bytes=size_bytes(folder), need_bytes=need_bytes, sharers=house.sharers),
        checks.writing(words, disk),
        checks.file_system(words, disk),
        checks.fsync(words, disk),
    ]


def _of_limits(limits: Limits, house: House, words: Catalogue) -> list[Finding]:
    return [
        checks.files(words, limits, sharers=house.sharers, streams=house.streams),
        checks.memory(words, limits, sharers=house.sharers),
        checks.backlog(words, limits),
        checks.cores(words, limits),
    ]


def _of_doors(
    settings: Settings, health: Health | None, watcher: WatcherHealth | None, now_ms: int, words: Catalogue
) -> list[Finding]:
    host, _ = settings.address
    watched = watcher is not None and now_ms - watcher.written_ms <= checks.WATCHER_GONE_MS
    return [
        checks.certificate(
            words,
            _certificate(settings, now_ms),
            local=host in LOCAL,
            proxied=settings.public_url.startswith("https:"),
        ),
        checks.port(words, "port", settings.listen, port_state(settings.listen, ours=health is not None)),
        checks.port(
            words,
            "watcher_port",
            settings.watcher_listen,
            port_state(settings.watcher_listen, ours=watched),
        ),
    ]


def _certificate(settings: Settings, now_ms: int) -> Certificate | None:
    certificate, key = settings.tls.certificate, settings.tls.key
    if certificate is None or key is None:
        return None
    try:
        found = load_tls(certificate, key, now_ms)
    except TlsError as error:
        return Certificate(str(error), 0)
    return Certificate("", (found.ends_ms - now_ms) // _DAY_MS)


def port_state(address: str, *, ours: bool) -> PortState:
    """Whether an address can be had. `ours`: who should answer there runs, so it may well be taken."""
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
            door.listen(1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return "unhad"
            return "ours" if ours else "taken"
    return "free"


def secret_files(folder: Path, settings: Settings, environ: Mapping[str, str]) -> list[SecretFile]:
    """Every file that holds a secret of ours, as far as it is there."""
    named = [setting.variable + FILE_SUFFIX for setting in known() if setting.secret]
    paths = [Path(environ[name]) for name in named if name in environ]
    paths += [path for path in sorted((folder / "keys").glob("*")) if path.is_file()]
    settings_hold_one = holds_secret(settings)
    paths += [folder / name for name in (FILE_NAME, LAST_GOOD_NAME) if settings_hold_one]
    paths += [path for path in (settings.tls.key,) if path is not None]
    return [
        _secret_file(path) for path in paths if path.exists() or path.name not in {FILE_NAME, LAST_GOOD_NAME}
    ]


def _secret_file(path: Path) -> SecretFile:
    try:
        with path.open("rb"):
            mode = path.stat().st_mode
    except OSError:
        return SecretFile(str(path), readable=False, private=True)
    return SecretFile(str(path), readable=True, private=not mode & 0o077)


def _house(folder: Path) -> House:
    """How many live here, from the accounts; nobody if there are none that can be read."""
    path = folder / "accounts.sqlite"
    if not path.is_file():
        return House(0, 0)
    question = "SELECT count(*) FILTER (WHERE sharer >= 0), count(*) FROM person WHERE NOT hidden"
    try:
        with closing(sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True)) as accounts:
            sharers, people = accounts.execute(question).fetchone()
    except sqlite3.Error:
        return House(0, 0)
    return House(int(sharers), int(people))


def _watcher(folder: Path) -> WatcherHealth | None:
    try:
        return msgspec.json.decode((folder / "watcher" / HEALTH_NAME).read_bytes(), type=WatcherHealth)
    except (OSError, msgspec.DecodeError):
        return None


def _off(settings: Settings, health: Health | None) -> list[str]:
    if health is not None:
        return health.switched_off
    return [name for name, on in settings.switches.model_dump().items() if not on]
