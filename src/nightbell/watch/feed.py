"""The status page for programs: Statuspage v2 JSON and an Atom feed, from the same facts as the page.

Source: the public API of Atlassian Statuspage, v2; RFC 4287.
"""

from html import escape
from typing import Final
from urllib.parse import urlsplit

import msgspec

from nightbell.watch.evidence import Detector
from nightbell.watch.judge import Incident
from nightbell.watch.page import Headline, PageFacts, headline, incident_line, index_html
from nightbell.watch.sight import Standing
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import from_ms

PAGE_ID: Final = "nightbell"

INDICATORS: Final = {
    Headline.QUIET: "none",
    Headline.STARTING: "minor",
    Headline.WAITING: "major",
    Headline.SUSPECTED: "minor",
    Headline.INCIDENT: "critical",
    Headline.ANSWERS: "major",
    Headline.BLIND: "major",
}
"""Statuspage knows none, minor, major and critical, and has no word for "we do not know": that is never
"none"."""

COMPONENT_STATES: Final = {
    Standing.GOOD: "operational",
    Standing.BAD: "major_outage",
    Standing.DOUBTFUL: "partial_outage",
    Standing.UNKNOWN: "degraded_performance",
}


class StatuspagePage(msgspec.Struct, frozen=True):
    """The `page` of every document."""

    id: str
    name: str
    url: str
    time_zone: str
    updated_at: str


class StatuspageStatus(msgspec.Struct, frozen=True):
    """The `status`."""

    indicator: str
    description: str


class StatuspageComponent(msgspec.Struct, frozen=True):
    """One entry of `components`."""

    id: str
    name: str
    status: str
    created_at: str
    updated_at: str
    position: int
    page_id: str = PAGE_ID
    description: str | None = None
    showcase: bool = False
    start_date: str | None = None
    group_id: str | None = None
    group: bool = False
    only_show_if_degraded: bool = False


class StatuspageUpdate(msgspec.Struct, frozen=True):
    """One entry of `incident_updates`."""

    id: str
    status: str
    body: str
    incident_id: str
    created_at: str
    updated_at: str
    display_at: str
    deliver_notifications: bool = True
    affected_components: None = None
    custom_tweet: None = None
    tweet_id: None = None


class StatuspageIncident(msgspec.Struct, frozen=True):
    """One entry of `incidents`."""

    id: str
    name: str
    status: str
    created_at: str
    updated_at: str
    monitoring_at: str | None
    resolved_at: str | None
    impact: str
    shortlink: str
    started_at: str
    page_id: str
    incident_updates: list[StatuspageUpdate]
    components: list[StatuspageComponent]


class StatusDocument(msgspec.Struct, frozen=True):
    """`status.json`."""

    page: StatuspagePage
    status: StatuspageStatus


class SummaryDocument(msgspec.Struct, frozen=True):
    """`summary.json`."""

    page: StatuspagePage
    status: StatuspageStatus
    components: list[StatuspageComponent]
    incidents: list[StatuspageIncident]
    scheduled_maintenances: list[StatuspageIncident]


def _iso(at_ms: int) -> str:
    return f"{from_ms(at_ms):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def _page(facts: PageFacts, words: Catalogue) -> StatuspagePage:
    return StatuspagePage(PAGE_ID, words.say("status.title"), facts.url, "Etc/UTC", _iso(facts.now_ms))


def _status(facts: PageFacts, words: Catalogue) -> StatuspageStatus:
    head = headline(facts)
    return StatuspageStatus(INDICATORS[head], words.say(f"status.head_{head}"))


def _components(facts: PageFacts, words: Catalogue) -> list[StatuspageComponent]:
    at = _iso(facts.now_ms)
    components = [
        StatuspageComponent(
            id=detector.value,
            name=words.say(f"status.part_{detector}"),
            status=COMPONENT_STATES[facts.standing(detector)],
            created_at=at,
            updated_at=at,
            position=position,
        )
        for position, detector in enumerate(Detector, 1)
    ]
    mail = StatuspageComponent(
        id="mail",
        name=words.say("status.part_mail"),
        status="operational" if facts.mail.ready else "major_outage",
        created_at=at,
        updated_at=at,
        position=len(components) + 1,
    )
    return [*components, mail]


def _incident(incident: Incident, facts: PageFacts, words: Catalogue) -> StatuspageIncident:
    shift_ms = facts.shift_ms
    opened = _iso(incident.opened_ms + shift_ms)
    updated = _iso(facts.now_ms if not incident.over_ms else incident.over_ms + shift_ms)
    line = incident_line(incident, shift_ms, words)
    update = StatuspageUpdate(
        id=f"{incident.id}-{incident.updates}",
        status="resolved" if incident.over_ms else "investigating",
        body=line,
        incident_id=incident.id,
        created_at=opened,
        updated_at=updated,
        display_at=opened,
    )
    return StatuspageIncident(
        id=incident.id,
        name=line,
        status=update.status,
        created_at=opened,
        updated_at=updated,
        monitoring_at=None,
        resolved_at=updated if incident.over_ms else None,
        impact="major" if incident.only_answers else "critical",
        shortlink=facts.url,
        started_at=_iso(incident.since_ms + shift_ms),
        page_id=PAGE_ID,
        incident_updates=[update],
        components=[
            component
            for component in _components(facts, words)
            if component.id in {detector.value for detector in incident.failing}
        ],
    )


def status_json(facts: PageFacts, words: Catalogue) -> bytes:
    """`/api/v2/status.json`."""
    return msgspec.json.encode(StatusDocument(_page(facts, words), _status(facts, words)))


def summary_json(facts: PageFacts, words: Catalogue) -> bytes:
    """`/api/v2/summary.json`: the incidents in it are those that are open."""
    incident = facts.judged.incident
    return msgspec.json.encode(
        SummaryDocument(
            page=_page(facts, words),
            status=_status(facts, words),
            components=_components(facts, words),
            incidents=[] if incident is None else [_incident(incident, facts, words)],
            scheduled_maintenances=[],
        )
    )


def history_atom(facts: PageFacts, words: Catalogue) -> bytes:
    """The feed of all incidents that we know of, newest first."""
    host = urlsplit(facts.url).hostname or PAGE_ID
    open_one = () if facts.judged.incident is None else (facts.judged.incident,)
    incidents = (*open_one, *facts.judged.past)
    newest_ms = max((_changed_ms(incident, facts) for incident in incidents), default=0)
    entries = "".join(_entry(incident, facts, words, host) for incident in incidents)
    link = f'<link rel="alternate" type="text/html" href="{escape(facts.url)}"/>' if facts.url else ""
    title = escape(words.say("status.title"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<feed xml:lang="{words.language}" xmlns="http://www.w3.org/2005/Atom">'
        f"<id>tag:{escape(host)},2026:/history</id>{link}<title>{title}</title>"
        f"<author><name>{title}</name></author>"
        f"<updated>{_iso(newest_ms)}</updated>{entries}</feed>\n"
    ).encode()


def _changed_ms(incident: Incident, facts: PageFacts) -> int:
    """When the incident last said something new, as a time of day."""
    return max(incident.opened_ms, incident.begun_ms, incident.told_ms, incident.over_ms) + facts.shift_ms


def _entry(incident: Incident, facts: PageFacts, words: Catalogue, host: str) -> str:
    line = incident_line(incident, facts.shift_ms, words)
    opened_ms = incident.opened_ms + facts.shift_ms
    head = Headline.ANSWERS if incident.only_answers else Headline.INCIDENT
    paragraphs = [(opened_ms, words.say(f"status.head_{head}"), line)]
    if incident.over_ms:
        cleared = words.say("status.clear_one")
        paragraphs.insert(0, (incident.over_ms + facts.shift_ms, words.say("status.head_quiet"), cleared))
    content = "".join(_paragraph(at_ms, state, text) for at_ms, state, text in paragraphs)
    link = f'<link rel="alternate" type="text/html" href="{escape(facts.url)}"/>' if facts.url else ""
    return (
        f"<entry><id>tag:{escape(host)},2026:Incident/{escape(incident.id)}</id>"
        f"<published>{_iso(opened_ms)}</published>"
        f"<updated>{_iso(_changed_ms(incident, facts))}</updated>{link}"
        f"<title>{escape(line)}</title>"
        f'<content type="html">{escape(content)}</content></entry>'
    )


def _paragraph(at_ms: int, state: str, text: str) -> str:
    """One update as feed readers of Statuspage parse it: the time, then the state in `strong`."""
    at = from_ms(at_ms)
    return (
        f"<p><small>{at:%b} <var data-var='date'>{at:%d}</var>, "
        f"<var data-var='time'>{at:%H:%M}</var> UTC</small>"
        f"<br><strong>{escape(state)}</strong> - {escape(text)}</p>"
    )


def files_of(facts: PageFacts, words: Catalogue) -> dict[str, bytes]:
    """Every file of the status page by its path, as our own server and any other serves it."""
    summary = summary_json(facts, words)
    return {
        "index.html": index_html(facts, words),
        "summary.json": summary,
        "api/v2/summary.json": summary,
        "api/v2/status.json": status_json(facts, words),
        "history.atom": history_atom(facts, words),
    }
