"""What the doctor makes of what was measured: pure functions of values, one for each finding.

Every bound is here, with its reason. `ok` carries load, `warn` works and wants a look, `fail` will not do.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Final, Literal, NamedTuple

from nightbell.adapters.machine.disk import Disk
from nightbell.adapters.machine.system import Limits, Moment
from nightbell.app.control_words import Health
from nightbell.app.doctor.finding import Finding, Says
from nightbell.app.leftovers import Swept
from nightbell.app.settings import Settings
from nightbell.watch.health import Health as WatcherHealth
from nightbell.words.catalogue import Catalogue

MB: Final = 1_000_000
READINGS_A_DAY: Final = 288
HISTORY_BYTES: Final = 5
"""Of a reading in history (docs/performance.md: 4.81)."""

JOURNAL_BYTES: Final = 40
"""Of a reading in the journal: 27 packed, and its share of the record around it."""

PERSON_BYTES: Final = 4_000
"""Of a sharer with three follows, in accounts, journal and checkpoint (3,720 measured with 5,000)."""

FREE_BYTES_MIN: Final = 200 * MB
"""Below this a day of a busy journal, or one rebuilt file, may not fit."""

SYNC_MS_GOOD: Final = 50.0
"""A live reading waits for one or two fsyncs; at this it is acknowledged within a fifth of a second."""

SYNC_MS_MAX: Final = 500.0
"""Phones give up after some seconds, and two or three commits may stand before theirs."""

DRIFT_MS_GOOD: Final = 50.0
DRIFT_MS_MAX: Final = 1_000.0
"""Readings are compared by the second: a clock that jumps by one while we look is being set."""

YEAR_MIN: Final = 2026
YEAR_MAX: Final = 2100
FILES_SPARE: Final = 200
"""Files of our own: stores, sockets, the journal's days."""

FILES_MIN: Final = 256
BACKLOG_MIN: Final = 1_024
"""Phones that come back together after a break wait here; our server asks for 4,096 (`app/server.py`)."""

MEMORY_MB_BASE: Final = 150
MEMORY_KB_SHARER: Final = 6
"""Of a sharer with three follows: 3.4 measured with 100,000 by `doctor --load`, and room for screens."""

CERTIFICATE_DAYS_GOOD: Final = 14
WATCHER_GONE_MS: Final = 60_000

REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "afs"})
"""File systems over a network: SQLite's locks and fsync are not to be relied on (sqlite.org/useovernet)."""

PASSING: Final = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})
"""What is gone after a restart of the machine or of its container."""

PortState = Literal["free", "ours", "taken", "unhad"]


class SecretFile(NamedTuple):
    """A file that holds a secret: whether we can read it, and whether others may."""

    path: str
    readable: bool
    private: bool


class Certificate(NamedTuple):
    """The certificate in use: why it cannot be used, or the days it has left."""

    why_not: str
    days: int


def needed_bytes(*, sharers: int, journal_days: int, history_days: int) -> int:
    """What the retention needs on the disk for so many sharers."""
    readings = sharers * READINGS_A_DAY
    return readings * (journal_days * JOURNAL_BYTES + history_days * HISTORY_BYTES) + sharers * PERSON_BYTES


def settings(words: Catalogue, path: str, faults: Sequence[str]) -> Finding:
    """Whether the settings can be used."""
    says = Says(words, "settings")
    if faults:
        return says.fail("wrong", path=path, why=" ".join(faults))
    return says.ok("good", path=path)


def secrets(words: Catalogue, files: Sequence[SecretFile]) -> Finding:
    """Whether every secret can be read by us and by nobody else."""
    says = Says(words, "secrets")
    unreadable = [file.path for file in files if not file.readable]
    if unreadable:
        return says.fail("unreadable", files=", ".join(unreadable))
    open_ = [file.path for file in files if not file.private]
    if open_:
        return says.warn("open", files=", ".join(open_))
    return says.ok("good", n=len(files))


def room(words: Catalogue, disk: Disk, *, used_bytes: int, need_bytes: int, sharers: int) -> Finding:
    """Whether the disk has room for what the retention will keep, less what is kept already."""
    says = Says(words, "room")
    left = max(0, need_bytes - used_bytes)
    slots = {"free": disk.free_bytes // MB, "need": -(-left // MB), "n": sharers}
    if disk.free_bytes < FREE_BYTES_MIN:
        return says.fail("none", **slots)
    if disk.free_bytes < left + FREE_BYTES_MIN:
        return says.warn("little", **slots)
    return says.ok("good", **slots)


def writing(words: Catalogue, disk: Disk) -> Finding:
    """Whether anything can be written at all."""
    says = Says(words, "writing")
    return says.fail("none", why=disk.why_not) if disk.why_not else says.ok("good")


def file_system(words: Catalogue, disk: Disk) -> Finding:
    """Whether the file system is one that keeps what it was given."""
    says = Says(words, "file_system")
    if disk.kind in REMOTE:
        return says.fail("remote", kind=disk.kind)
    if disk.kind in PASSING:
        return says.warn("passing", kind=disk.kind)
    if not disk.kind:
        return says.warn("unknown")
    return says.ok("good", kind=disk.kind)


def fsync(words: Catalogue, disk: Disk) -> Finding | None:
    """How long it takes until a reading is written down for good; None if nothing can be written."""
    if not disk.syncs_ms:
        return None
    says = Says(words, "fsync")
    middle_ms = median(disk.syncs_ms)
    slow_ms = quantiles(disk.syncs_ms, n=100)[-1] if len(disk.syncs_ms) > 1 else middle_ms
    slots: dict[str, str | int] = {
        "median": f"{middle_ms:.1f}",
        "p99": f"{slow_ms:.1f}",
        "commits": max(1, round(1_000 / max(middle_ms, 0.1))),
    }
    if slow_ms > SYNC_MS_MAX:
        return says.fail("slow", **slots)
    if slow_ms > SYNC_MS_GOOD:
        return says.warn("uneven", **slots)
    return says.ok("good", **slots)


def clock_kept(words: Catalogue, *, synced: bool | None) -> Finding:
    """Whether something keeps the clock right."""
    says = Says(words, "clock_kept")
    if synced is None:
        return says.warn("unknown")
    return says.ok("good") if synced else says.warn("alone")


def clock_steady(words: Catalogue, first: Moment, last: Moment) -> Finding:
    """Whether the time of day went as fast as time while we looked."""
    says = Says(words, "clock_steady")
    drift_ms = (last.wall_ms - first.wall_ms) - (last.steady_ms - first.steady_ms)
    if abs(drift_ms) > DRIFT_MS_MAX:
        return says.fail("jumped", ms=round(drift_ms))
    if abs(drift_ms) > DRIFT_MS_GOOD:
        return says.warn("drifted", ms=round(drift_ms))
    return says.ok("good")


def clock_year(words: Catalogue, now: Moment) -> Finding:
    """Whether the year can be right at all."""
    says = Says(words, "clock_year")
    year = datetime.fromtimestamp(now.wall_ms / 1_000, UTC).year
    if not YEAR_MIN <= year <= YEAR_MAX:
        return says.fail("wrong", year=str(year))
    return says.ok("good", year=str(year))


def files(words: Catalogue, limits: Limits, *, sharers: int, streams: int) -> Finding:
    """Whether every phone and every open screen can have its connection."""
    says = Says(words, "files")
    need = sharers + streams + FILES_SPARE
    slots = {"files": limits.files, "need": need}
    if limits.files < FILES_MIN:
        return says.fail("none", **slots)
    if limits.files < need:
        return says.warn("few", **slots)
    return says.ok("good", **slots)


def memory(words: Catalogue, limits: Limits, *, sharers: int) -> Finding:
    """Whether everybody fits into memory."""
    says = Says(words, "memory")
    need_mb = MEMORY_MB_BASE + sharers * MEMORY_KB_SHARER // 1_000
    slots = {"free": round(limits.memory_mb), "need": need_mb}
    if not limits.memory_mb:
        return says.warn("unknown", **slots)
    if limits.memory_mb < need_mb / 2:
        return says.fail("none", **slots)
    if limits.memory_mb < need_mb:
        return says.warn("little", **slots)
    return says.ok("good", **slots)


def backlog(words: Catalogue, limits: Limits) -> Finding:
    """Whether phones that all come back at once can wait at the door."""
    says = Says(words, "backlog")
    if not limits.backlog:
        return says.warn("unknown")
    if limits.backlog < BACKLOG_MIN:
        return says.warn("short", n=limits.backlog, need=BACKLOG_MIN)
    return says.ok("good", n=limits.backlog)


def cores(words: Catalogue, limits: Limits) -> Finding:
    """Whether the watcher has a core to look from when the platform is busy."""
    says = Says(words, "cores")
    return says.ok("good", n=limits.cores) if limits.cores > 1 else says.warn("one")


def certificate(words: Catalogue, found: Certificate | None, *, local: bool, proxied: bool) -> Finding:
    """Whether the way to us is closed to others, and for how long. None: there is no certificate of ours."""
    says = Says(words, "certificate")
    if found is None:
        if local and not proxied:
            return says.ok("local")
        return says.ok("proxied") if proxied else says.warn("none")
    if found.why_not:
        return says.fail("wrong", why=found.why_not)
    if found.days < CERTIFICATE_DAYS_GOOD:
        return says.warn("soon", n=found.days)
    return says.ok("good", n=found.days)


def port(words: Catalogue, name: Literal["port", "watcher_port"], address: str, state: PortState) -> Finding:
    """Whether an address can be had, or is ours already."""
    says = Says(words, name)
    match state:
        case "free":
            return says.ok("free", address=address)
        case "ours":
            return says.ok("ours", address=address)
        case "taken":
            return says.fail("taken", address=address)
        case "unhad":
            return says.fail("unhad", address=address)


def platform(words: Catalogue, health: Health | None) -> Finding:
    """Whether the bell runs, and how it is."""
    says = Says(words, "platform")
    if health is None:
        return says.warn("away")
    return says.ok("well", url=health.url) if health.well else says.fail("ill", why=health.failing)


def leftovers(words: Catalogue, swept: Swept) -> list[Finding]:
    """What a doctor that was killed had left behind; nothing is said of nothing."""
    says = Says(words, "leftovers")
    if swept.left:
        return [says.warn("left", files=" ".join(swept.left))]
    return [says.ok("removed", files=" ".join(swept.removed))] if swept.removed else []


def load_tls(words: Catalogue, settings: Settings, health: Health | None) -> list[Finding]:
    """Whether a load leaves out TLS that the bell itself speaks, which its settings then do not name."""
    by_us = health is not None and health.url.startswith("https:")
    elsewhere = settings.public_url.startswith("https:")
    if settings.tls.certificate is not None or not by_us or elsewhere:
        return []
    return [Says(words, "load_tls").warn("without")]


def switches(words: Catalogue, off: Sequence[str]) -> Finding:
    """Whether something was switched off and forgotten."""
    says = Says(words, "switches")
    return says.warn("off", what=", ".join(off)) if off else says.ok("on")


def watcher(words: Catalogue, health: WatcherHealth | None, *, now_ms: int) -> Finding:
    """Whether somebody looks after the bell. None: no word of a watcher."""
    says = Says(words, "watcher")
    if health is None:
        return says.warn("none")
    if now_ms - health.written_ms > WATCHER_GONE_MS:
        return says.fail("gone", minutes=(now_ms - health.written_ms) // 60_000)
    if health.troubles:
        return says.warn("troubled", why=" ".join(health.troubles))
    return says.ok("well")
