"""What the doctor makes of measured values: every branch, each with what was found and what to do."""

from collections.abc import Sequence

import msgspec
import pytest

from nightbell.adapters.machine.disk import Disk
from nightbell.adapters.machine.system import Limits, Moment
from nightbell.app.control_words import Health
from nightbell.app.doctor import checks
from nightbell.app.doctor.checks import Certificate, SecretFile
from nightbell.app.doctor.finding import Finding, Verdict, report_of
from nightbell.app.doctor.shadow import lasting_s, need_bytes
from nightbell.app.leftovers import Swept
from nightbell.app.settings import Settings
from nightbell.watch.health import Health as WatcherHealth
from nightbell.watch.page import Headline
from nightbell.words.catalogue import catalogue

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
WORDS = catalogue()
MB = 1_000_000
NOW_MS = 1_795_342_200_000
DISK = Disk(10_000 * MB, "ext4", "", (1.0,) * 100)
LIMITS = Limits(20_000, 20_000, 4_096, 2, 8_000.0)
WELL = Health(True, "http://127.0.0.1:8377", 7, 0, 0, NOW_MS, "")
WATCHER = WatcherHealth(Headline.QUIET, NOW_MS, NOW_MS, NOW_MS, NOW_MS, "", True, ())
NONE_LEFT = Disk(100 * MB, "ext4", "", ())


def check(finding: Finding | None, verdict: Verdict, *words: str) -> None:
    """One finding: its verdict, some words of it, and something to do unless it is well."""
    assert finding is not None
    assert finding.verdict is verdict
    assert all(word in f"{finding.found} {finding.todo}" for word in words), finding
    assert bool(finding.todo) is (verdict is not OK)
    assert "{" not in finding.found + finding.todo


def test_settings() -> None:
    check(checks.settings(WORDS, "/srv/settings.toml", []), OK)
    check(
        checks.settings(WORDS, "/srv/settings.toml", ["jurnal_days is not a setting."]),
        FAIL,
        "jurnal_days",
        "/srv/settings.toml",
    )


def test_secrets() -> None:
    good, read_by_all = SecretFile("/srv/key", True, True), SecretFile("/srv/mail", True, False)
    gone = SecretFile("/srv/gone", False, True)
    check(checks.secrets(WORDS, [good]), OK)
    check(checks.secrets(WORDS, [good, read_by_all]), WARN, "chmod go-rwx /srv/mail")
    check(checks.secrets(WORDS, [good, read_by_all, gone]), FAIL, "/srv/gone")


@pytest.mark.parametrize(
    ("free", "used", "need", "verdict"),
    [(10_000, 0, 5_000, OK), (5_100, 0, 5_000, WARN), (5_100, 1_000, 5_000, OK), (100, 0, 0, FAIL)],
)
def test_room(free: int, used: int, need: int, verdict: Verdict) -> None:
    disk = DISK._replace(free_bytes=free * MB)

    check(
        checks.room(WORDS, disk, used_bytes=used * MB, need_bytes=need * MB, sharers=5), verdict, f"{free} MB"
    )


def test_what_the_retention_needs_grows_with_sharers_and_days() -> None:
    day = checks.needed_bytes(sharers=1, journal_days=0, history_days=1)

    assert day - checks.PERSON_BYTES == 288 * 5
    assert checks.needed_bytes(sharers=1_000_000, journal_days=7, history_days=90) > 200_000 * MB


def test_writing_and_file_system() -> None:
    check(checks.writing(WORDS, DISK), OK)
    check(checks.writing(WORDS, DISK._replace(why_not="Read-only file system")), FAIL, "Read-only")
    check(checks.file_system(WORDS, DISK), OK, "ext4")
    check(checks.file_system(WORDS, DISK._replace(kind="nfs4")), FAIL, "nfs4")
    check(checks.file_system(WORDS, DISK._replace(kind="tmpfs")), WARN, "tmpfs")
    check(checks.file_system(WORDS, DISK._replace(kind="")), WARN)


@pytest.mark.parametrize(
    ("syncs_ms", "verdict"),
    [((1.0,) * 100, OK), ((1.0,) * 95 + (80.0,) * 5, WARN), ((1.0,) * 95 + (900.0,) * 5, FAIL), ((3.0,), OK)],
)
def test_fsync(syncs_ms: Sequence[float], verdict: Verdict) -> None:
    check(checks.fsync(WORDS, DISK._replace(syncs_ms=tuple(syncs_ms))), verdict, "ms")


def test_without_a_write_nothing_is_said_of_fsync() -> None:
    assert checks.fsync(WORDS, NONE_LEFT) is None


def test_clock() -> None:
    check(checks.clock_kept(WORDS, synced=True), OK)
    check(checks.clock_kept(WORDS, synced=False), WARN, "set-ntp")
    check(checks.clock_kept(WORDS, synced=None), WARN)
    for drift_ms, verdict in ((10, OK), (-10, OK), (200, WARN), (-200, WARN), (5_000, FAIL), (-5_000, FAIL)):
        last = Moment(NOW_MS + 1_000 + drift_ms, 2_000)
        check(checks.clock_steady(WORDS, Moment(NOW_MS, 1_000), last), verdict)
    check(checks.clock_year(WORDS, Moment(NOW_MS, 0)), OK, "2026")
    check(checks.clock_year(WORDS, Moment(0, 0)), FAIL, "1970")
    check(checks.clock_year(WORDS, Moment(5e12, 0)), FAIL, "2128")


def test_limits_of_the_system() -> None:
    check(checks.files(WORDS, LIMITS, sharers=10_000, streams=2_000), OK, "12200")
    check(checks.files(WORDS, LIMITS, sharers=100_000, streams=2_000), WARN, "LimitNOFILE=102200")
    check(checks.files(WORDS, LIMITS._replace(files=100), sharers=1, streams=1), FAIL)
    check(checks.backlog(WORDS, LIMITS), OK)
    check(checks.backlog(WORDS, LIMITS._replace(backlog=128)), WARN, "somaxconn=1024")
    check(checks.backlog(WORDS, LIMITS._replace(backlog=0)), WARN)
    check(checks.cores(WORDS, LIMITS), OK)
    check(checks.cores(WORDS, LIMITS._replace(cores=1)), WARN)


@pytest.mark.parametrize(("free_mb", "verdict"), [(8_000, OK), (500, WARN), (300, FAIL), (0, WARN)])
def test_memory(free_mb: float, verdict: Verdict) -> None:
    check(checks.memory(WORDS, LIMITS._replace(memory_mb=free_mb), sharers=100_000), verdict)


def test_certificate() -> None:
    check(checks.certificate(WORDS, Certificate("", 60), local=False, proxied=False), OK, "60 days")
    check(checks.certificate(WORDS, Certificate("", 3), local=False, proxied=False), WARN, "3 days")
    check(checks.certificate(WORDS, Certificate("It ended.", 0), local=True, proxied=True), FAIL, "It ended.")
    check(checks.certificate(WORDS, None, local=True, proxied=False), OK)
    check(checks.certificate(WORDS, None, local=True, proxied=True), OK)
    check(checks.certificate(WORDS, None, local=False, proxied=False), WARN)


def test_ports() -> None:
    check(checks.port(WORDS, "port", "127.0.0.1:8377", "free"), OK, "127.0.0.1:8377")
    check(checks.port(WORDS, "port", "127.0.0.1:8377", "ours"), OK)
    check(checks.port(WORDS, "port", "127.0.0.1:8377", "taken"), FAIL)
    check(checks.port(WORDS, "port", "192.0.2.1:80", "unhad"), FAIL)
    check(checks.port(WORDS, "watcher_port", "127.0.0.1:8378", "free"), OK)
    check(checks.port(WORDS, "watcher_port", "127.0.0.1:8378", "ours"), OK)
    check(checks.port(WORDS, "watcher_port", "127.0.0.1:8378", "taken"), FAIL, "watcher_listen")
    check(checks.port(WORDS, "watcher_port", "192.0.2.1:80", "unhad"), FAIL)


def test_platform_watcher_and_switches() -> None:
    ill = Health(False, "http://127.0.0.1:8377", 7, 0, 0, NOW_MS, "The disk is full.")
    check(checks.platform(WORDS, WELL), OK)
    check(checks.platform(WORDS, ill), FAIL, "The disk is full.")
    check(checks.platform(WORDS, None), WARN, "nightbell up")
    check(checks.switches(WORDS, []), OK)
    check(checks.switches(WORDS, ["history"]), WARN, "history")
    troubled = WatcherHealth(Headline.QUIET, NOW_MS, NOW_MS, NOW_MS, NOW_MS, "", True, ("No mail.",))
    check(checks.watcher(WORDS, WATCHER, now_ms=NOW_MS + 5_000), OK)
    check(checks.watcher(WORDS, WATCHER, now_ms=NOW_MS + 180_000), FAIL, "3 min")
    check(checks.watcher(WORDS, troubled, now_ms=NOW_MS), WARN, "No mail.")
    check(checks.watcher(WORDS, None, now_ms=NOW_MS), WARN)


def test_the_worst_finding_is_the_verdict() -> None:
    ok, warn, fail = (Finding("x", verdict, "found") for verdict in Verdict)

    assert report_of([ok]).verdict is OK
    assert report_of([warn, ok]).verdict is WARN
    assert report_of([ok, fail, warn]).verdict is FAIL


def test_a_load_without_the_tls_of_the_bell_is_said() -> None:
    secure = msgspec.structs.replace(WELL, url="https://bell.example.org:8377")
    named = Settings.model_validate({"tls": {"certificate": "/c.pem", "key": "/k.pem"}})
    proxied = Settings(public_url="https://bell.example.org")

    (found,) = checks.load_tls(WORDS, Settings(), secure)

    check(found, WARN, "https", "--tls")
    for settings, health in ((named, secure), (proxied, secure), (Settings(), WELL), (Settings(), None)):
        assert checks.load_tls(WORDS, settings, health) == []


def test_leftovers() -> None:
    assert checks.leftovers(WORDS, Swept((), ())) == []
    check(checks.leftovers(WORDS, Swept(("/srv/shadow-1",), ()))[0], OK, "/srv/shadow-1")
    check(checks.leftovers(WORDS, Swept(("/a",), ("/srv/shadow-2",)))[0], WARN, "rm -r /srv/shadow-2")


def test_a_million_is_said_to_take_a_quarter_of_an_hour_and_twelve_gigabytes() -> None:
    furnish_s, first_s, *rest_s = lasting_s(1_000_000, 60)

    assert 600 <= furnish_s <= 900
    assert (first_s, rest_s) == (60, [10] * 4)
    assert 8_000 * MB <= need_bytes(1_000_000) <= 15_000 * MB
