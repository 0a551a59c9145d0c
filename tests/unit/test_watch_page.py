"""The status page, for people and for programs."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from nightbell.watch.evidence import Detector, Why
from nightbell.watch.feed import SummaryDocument, files_of
from nightbell.watch.health import health_of
from nightbell.watch.judge import Incident, Judged, Stage
from nightbell.watch.page import POLICY, STYLE, Headline, MailFacts, PageFacts, headline
from nightbell.watch.serve import served
from nightbell.watch.sight import Sight, Standing
from nightbell.words.catalogue import catalogue

WORDS = catalogue("en")
NIGHT = 1_795_312_800_000  # 2026-11-22 02:00 UTC
GOOD = Sight(standing=Standing.GOOD, good_ms=NIGHT - 5_000)
BAD = Sight(standing=Standing.BAD, good_ms=NIGHT - 300_000, since_ms=NIGHT - 290_000, why=Why.REFUSED)
ATOM = {"a": "http://www.w3.org/2005/Atom"}

WELL = PageFacts(
    judged=Judged(door=GOOD, stream=GOOD, alarm=GOOD, answer=GOOD),
    shift_ms=0,
    now_ms=NIGHT,
    paired=True,
    reached=True,
    looked_ms=NIGHT - 1_000,
    rang_ms=NIGHT - 20_000,
    roster_ms=NIGHT - 20_000,
    roster_old=False,
    mail=MailFacts(ready=True),
    url="https://watch.example.org",
)

OPEN = Incident(
    "i7", NIGHT - 290_000, NIGHT - 250_000, (Detector.DOOR, Detector.STREAM), begun_ms=NIGHT - 250_000
)


def in_incident(incident: Incident = OPEN) -> PageFacts:
    judged = Judged(
        door=BAD, stream=BAD, alarm=GOOD, answer=GOOD, stage=Stage.INCIDENT,
        incident=replace(incident, update_ms=NIGHT + 600_000),
    )  # fmt: skip
    return replace(WELL, judged=judged)


class Checker(HTMLParser):
    """Collects what a strict page may not have, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.wrong += [name for name in names if name == "style" or name.startswith("on")]
        if tag in {"script", "img", "iframe"}:
            self.wrong.append(tag)
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


def page(facts: PageFacts) -> str:
    return files_of(facts, WORDS)["index.html"].decode()


def test_a_quiet_page_says_that_we_watch_when_it_was_written_and_when_we_looked() -> None:
    html = page(WELL)

    assert "<h1>We are watching.</h1>" in html
    assert "Written at 2026-11-22 02:00:00 UTC." in html
    assert "Last checked at 2026-11-22 01:59:59 UTC." in html
    assert "The last test alarm rang at 2026-11-22 01:59:40 UTC." in html


def test_a_page_in_an_incident_says_so_first_and_what_to_do() -> None:
    html = page(in_incident())

    assert "<h1>You are NOT being watched.</h1>" in html
    assert "Check by finger stick now." in html
    assert "Next word by 2026-11-22 02:11:00 UTC." in html
    assert html.index("NOT being watched") < html.index("What we check")


def test_an_update_that_is_late_is_called_late() -> None:
    facts = replace(in_incident(), now_ms=NIGHT + 700_000)

    assert "It is late." in page(facts)


@pytest.mark.parametrize("facts", [WELL, in_incident(), replace(WELL, mail=MailFacts())])
def test_the_page_is_whole_without_script_or_other_files(facts: PageFacts) -> None:
    checker = Checker()

    checker.feed(page(facts))

    assert not checker.open
    assert not checker.wrong
    assert "$" not in page(facts)


def test_the_policy_allows_our_style_and_nothing_else() -> None:
    html = page(WELL)

    assert "default-src 'none'" in POLICY
    assert f"<style>{STYLE}</style>" in html
    assert "unsafe" not in POLICY
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_a_page_that_is_not_loaded_again_calls_itself_old_after_two_minutes() -> None:
    assert 'http-equiv="refresh" content="30"' in page(WELL)
    assert re.search(r"animation:old 0s 120s forwards", STYLE)
    assert "This page is old." in page(WELL)


def test_nothing_on_the_page_can_break_out_of_it() -> None:
    html = page(replace(WELL, url='https://x.example/"><script>alert(1)</script>'))

    assert "<script>" not in html
    assert "<script>" not in files_of(replace(WELL, url='"><script>'), WORDS)["history.atom"].decode()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (WELL, Headline.QUIET),
        (replace(WELL, judged=Judged()), Headline.STARTING),
        (replace(WELL, judged=replace(WELL.judged, alarm=Sight())), Headline.STARTING),
        (replace(WELL, paired=False), Headline.WAITING),
        (replace(WELL, judged=replace(WELL.judged, door=BAD, stage=Stage.SUSPECTED)), Headline.SUSPECTED),
        (replace(WELL, reached=False, judged=Judged(door=BAD, stage=Stage.SUSPECTED)), Headline.WAITING),
        (in_incident(), Headline.INCIDENT),
        (in_incident(replace(OPEN, failing=(Detector.ANSWER,))), Headline.ANSWERS),
        (
            replace(WELL, judged=replace(WELL.judged, door=replace(BAD, why=Why.UNREACHABLE))),
            Headline.BLIND,
        ),
    ],
)
def test_the_first_line_never_claims_more_than_is_proven(facts: PageFacts, expected: Headline) -> None:
    assert headline(facts) is expected


def test_what_was_good_a_while_ago_is_not_shown_as_good_now() -> None:
    old = replace(GOOD, good_ms=NIGHT - 121_000)
    facts = replace(WELL, judged=replace(WELL.judged, alarm=old))

    summary = msgspec.json.decode(files_of(facts, WORDS)["summary.json"], type=SummaryDocument)

    assert headline(facts) is Headline.STARTING
    assert "not checked since 2026-11-22 01:57:59 UTC" in page(facts)
    assert {one.id: one.status for one in summary.components}["alarm"] == "degraded_performance"


def test_the_summary_speaks_statuspage_version_2() -> None:
    files = files_of(in_incident(), WORDS)

    summary = msgspec.json.decode(files["summary.json"], type=SummaryDocument)

    assert files["summary.json"] == files["api/v2/summary.json"]
    assert summary.status.indicator == "critical"
    assert {one.id: one.status for one in summary.components}["door"] == "major_outage"
    assert {one.id: one.status for one in summary.components}["alarm"] == "operational"
    assert summary.incidents[0].status == "investigating"
    assert summary.incidents[0].impact == "critical"
    assert summary.scheduled_maintenances == []


def test_unknown_is_never_shown_as_operational() -> None:
    files = files_of(replace(WELL, judged=Judged()), WORDS)

    summary = msgspec.json.decode(files["summary.json"], type=SummaryDocument)

    assert summary.status.indicator != "none"
    assert "operational" not in {one.status for one in summary.components if one.id != "mail"}


def test_the_feed_keeps_an_incident_under_one_id_with_the_newest_state_first() -> None:
    over = replace(OPEN, over_ms=NIGHT - 60_000)
    ids, content = [], ""
    for judged in (in_incident().judged, replace(WELL.judged, past=(over,))):
        feed = ET.fromstring(files_of(replace(WELL, judged=judged), WORDS)["history.atom"])  # noqa: S314 ours
        ids += [entry.findtext("a:id", namespaces=ATOM) for entry in feed.findall("a:entry", ATOM)]
        content = feed.findtext("a:entry/a:content", namespaces=ATOM) or ""
    states = re.findall(r"<strong>(.*?)</strong>", content)

    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert states == ["We are watching.", "You are NOT being watched."]


def test_health_says_plainly_that_no_mail_is_set_up() -> None:
    health = health_of(replace(WELL, mail=MailFacts()), WORDS, pid=7, port=8)

    assert not health.mail_ready
    assert "No e-mail is set up: nobody can be told by mail." in health.troubles
    assert (health.state, health.pid, health.port) == (Headline.QUIET, 7, 8)


def test_only_names_of_files_are_served() -> None:
    files = files_of(WELL, WORDS)

    assert served("GET", "/", files, b"{}").body == files["index.html"]
    assert served("HEAD", "/", files, b"{}").body == b""
    assert served("GET", "/health", files, b'{"a":1}').body == b'{"a":1}'
    assert served("GET", "/../key", files, b"{}").status == 404
    assert served("POST", "/", files, b"{}").status == 405
    assert served("GET", "/", {}, b"").status == 503
    for path in ("/", "/history.atom", "/nothing"):
        headers = dict(served("GET", path, files, b"{}").headers)
        assert headers[b"content-security-policy"] == POLICY.encode()
        assert headers[b"x-content-type-options"] == b"nosniff"
