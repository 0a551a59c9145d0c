"""The public status page: static files that need nothing of the platform, no script and no other file.

It names no person. It is made for whoever stands in the kitchen at three: the first line carries the meaning,
then what to do. `summary.json` speaks Statuspage v2, so that existing clients can read it; `history.atom`
keeps the form that feed readers parse: the newest state first, in `strong`.
"""

import base64
import hashlib
from enum import StrEnum
from html import escape
from importlib import resources
from string import Template
from typing import Final

import msgspec

from nightbell.watch.evidence import Detector, Why
from nightbell.watch.judge import Incident, Judged, Stage
from nightbell.watch.sight import Standing
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import from_ms

STYLE: Final = resources.files("nightbell.watch").joinpath("page.css").read_text(encoding="utf-8")
TEMPLATE: Final = Template(
    resources.files("nightbell.watch").joinpath("page.html").read_text(encoding="utf-8")
)
STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

META_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)
"""For the file itself, wherever it is served from."""

POLICY: Final = f"{META_POLICY}; frame-ancestors 'none'"
"""For our own server: framing can be forbidden in a header only."""

GOOD_FOR_MS: Final = 120_000
"""How long "works" may be said after it was last seen: four rounds of the canaries."""

TIME_FORM: Final = "%Y-%m-%d %H:%M:%S UTC"


class MailFacts(msgspec.Struct, frozen=True):
    """How mail stands.

    Attributes:
        ready: Whether a mail server is set up.
        waiting: Mails not sent yet.
        refused: Mails refused or given up in the open incident or the newest.
        no_address: People affected who have no address.
    """

    ready: bool = False
    waiting: int = 0
    refused: int = 0
    no_address: int = 0


class PageFacts(msgspec.Struct, frozen=True):
    """Everything the page says. All instants are times of day, epoch ms; 0 is never.

    Attributes:
        judged: What the judge knows; its instants are steady time, `shift_ms` away.
        shift_ms: What to add to them.
        now_ms: When this is written.
        paired: Whether we know how to reach a platform at all.
        reached: Whether it has answered since we started.
        looked_ms: When it was last looked at.
        rang_ms: When a test alarm last rang.
        roster_ms: From when the roster is.
        roster_old: Whether that is too long ago.
        mail: How mail stands.
        slept_ms: Until when we stood still, if that was lately.
        fault_ms: When we had a fault of our own, if that was lately.
        book_fails: Whether our own file cannot be written.
        book_lost: Whether it was damaged and set aside.
        url: Where this page is; may be empty.
    """

    judged: Judged
    shift_ms: int
    now_ms: int
    paired: bool
    reached: bool
    looked_ms: int
    rang_ms: int
    roster_ms: int
    roster_old: bool
    mail: MailFacts
    slept_ms: int = 0
    fault_ms: int = 0
    book_fails: bool = False
    book_lost: bool = False
    url: str = ""

    @property
    def blind(self) -> bool:
        """Whether we cannot get out of our own machine."""
        return any(
            self.judged.sight(detector).bad and self.judged.sight(detector).why is Why.UNREACHABLE
            for detector in Detector
        )

    def standing(self, detector: Detector) -> Standing:
        """Where a detector stands now. What was good a while ago is not known to be good now."""
        sight = self.judged.sight(detector)
        old = self.now_ms - (sight.good_ms + self.shift_ms) > GOOD_FOR_MS
        return Standing.UNKNOWN if sight.standing is Standing.GOOD and old else sight.standing


class Headline(StrEnum):
    """The first line, by the end of its key in the catalogue."""

    QUIET = "quiet"
    STARTING = "starting"
    WAITING = "waiting"
    SUSPECTED = "suspected"
    INCIDENT = "incident"
    ANSWERS = "answers"
    BLIND = "blind"


TONES: Final = {
    Headline.QUIET: "well",
    Headline.STARTING: "maybe",
    Headline.WAITING: "maybe",
    Headline.SUSPECTED: "maybe",
    Headline.INCIDENT: "fail",
    Headline.ANSWERS: "maybe",
    Headline.BLIND: "maybe",
}


def headline(facts: PageFacts) -> Headline:
    """What the first line says. "We are watching" only where a test alarm has gone the whole way."""
    judged = facts.judged
    if judged.incident is not None:
        return Headline.ANSWERS if judged.incident.only_answers else Headline.INCIDENT
    if facts.blind:
        return Headline.BLIND
    if not facts.paired or not facts.reached:
        return Headline.WAITING
    if judged.stage is Stage.SUSPECTED:
        return Headline.SUSPECTED
    proven = all(facts.standing(detector) is Standing.GOOD for detector in Detector)
    return Headline.QUIET if proven else Headline.STARTING


def _time(at_ms: int) -> str:
    return f"{from_ms(at_ms):{TIME_FORM}}"


def index_html(facts: PageFacts, words: Catalogue) -> bytes:
    """The page for people."""
    say = words.say
    head = headline(facts)
    rang = say("status.rings", time=_time(facts.rang_ms)) if facts.rang_ms else say("status.rings_never")
    looked = (
        say("status.looked", time=_time(facts.looked_ms)) if facts.looked_ms else say("status.never_looked")
    )
    filled = TEMPLATE.substitute(
        lang=words.language,
        csp=escape(META_POLICY),
        title=escape(say("status.title")),
        title_now=escape(say(f"status.head_{head}")),
        style=STYLE,
        old=escape(say("status.old")),
        tone=TONES[head],
        head=escape(say(f"status.head_{head}")),
        now_lines=_paragraphs(_now_lines(facts, head, words)),
        own_lines=_own_lines(facts, words),
        parts_title=escape(say("status.parts")),
        parts="\n".join(_parts(facts, words)),
        rings=escape(rang),
        past_title=escape(say("status.past")),
        past=_past(facts, words),
        written=escape(say("status.written", time=_time(facts.now_ms))),
        looked=escape(looked),
        foot_old=escape(say("status.foot_old")),
        foot_what=escape(say("status.foot_what")),
    )
    return filled.encode()


def _paragraphs(lines: list[str]) -> str:
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)


def _now_lines(facts: PageFacts, head: Headline, words: Catalogue) -> list[str]:
    """Since when, what to do, and when the next word comes."""
    incident = facts.judged.incident
    if incident is None:
        return []
    lines = [words.say("status.since", time=_time(incident.since_ms + facts.shift_ms))]
    if not facts.reached:
        lines.append(words.say("status.not_reached"))
    if head is Headline.INCIDENT:
        lines += [
            words.say("status.do"),
            words.say("status.do_clock"),
            words.say("status.do_low"),
            words.say("status.do_severe"),
        ]
    if incident.begun_ms:
        update_ms = incident.update_ms + facts.shift_ms
        key = "status.next" if facts.now_ms <= update_ms + LATE_MS else "status.next_late"
        lines.append(words.say(key, time=_time(update_ms + LATE_MS)))
    return lines


LATE_MS: Final = 60_000
"""An update is made a minute before the time we promised."""


def own_troubles(facts: PageFacts, words: Catalogue) -> list[str]:
    """What is wrong with us, the watcher, or with whom we can tell: said plainly, never hidden."""
    say = words.say
    mail = facts.mail
    told = (
        (not mail.ready, say("status.mail_none")),
        (mail.waiting > 0, say("status.mail_waiting", n=mail.waiting)),
        (mail.refused > 0, say("status.mail_refused", n=mail.refused)),
        (mail.ready and mail.no_address > 0, say("status.no_address", n=mail.no_address)),
        (not facts.roster_ms, say("status.roster_none")),
        (
            facts.roster_ms > 0 and facts.roster_old,
            say("status.roster_old", time=_time(facts.roster_ms)),
        ),
        (facts.slept_ms > 0, say("status.self_slept", time=_time(facts.slept_ms))),
        (facts.fault_ms > 0, say("status.self_fault", time=_time(facts.fault_ms))),
        (facts.book_fails, say("status.self_book")),
        (facts.book_lost, say("status.self_book_lost")),
    )
    return [sentence for true, sentence in told if true]


def _own_lines(facts: PageFacts, words: Catalogue) -> str:
    lines = own_troubles(facts, words)
    return f'<section class="own">\n{_paragraphs(lines)}\n</section>' if lines else ""


def _parts(facts: PageFacts, words: Catalogue) -> list[str]:
    rows = []
    for detector in Detector:
        name = words.say(f"status.part_{detector}")
        rows.append(_row(name, facts.standing(detector), _standing(detector, facts, words)))
    state = words.say("status.mail_ready") if facts.mail.ready else words.say("status.mail_none")
    rows.append(_row(words.say("status.part_mail"), "good" if facts.mail.ready else "bad", state))
    return rows


def _row(name: str, standing: str, state: str) -> str:
    return f'<div><dt>{escape(name)}</dt><dd class="{standing}">{escape(state)}</dd></div>'


def _standing(detector: Detector, facts: PageFacts, words: Catalogue) -> str:
    sight, standing = facts.judged.sight(detector), facts.standing(detector)
    if standing is Standing.UNKNOWN and sight.good_ms:
        return words.say("status.is_unknown_since", time=_time(sight.good_ms + facts.shift_ms))
    state = words.say(f"status.is_{standing}")
    if not sight.good_ms:
        return state
    return f"{state}, {words.say('status.was_good', time=_time(sight.good_ms + facts.shift_ms))}"


def incident_line(incident: Incident, shift_ms: int, words: Catalogue) -> str:
    """One incident in one sentence."""
    since = _time(incident.since_ms + shift_ms)
    kind = "one_answers" if incident.only_answers else "one"
    if not incident.over_ms:
        return words.say(f"status.open_{kind}", since=since)
    return words.say(f"status.past_{kind}", since=since, until=_time(incident.over_ms + shift_ms))


def _past(facts: PageFacts, words: Catalogue) -> str:
    past = facts.judged.past
    if not past:
        return f"<p>{escape(words.say('status.past_none'))}</p>"
    rows = (f"<li>{escape(incident_line(incident, facts.shift_ms, words))}</li>" for incident in past)
    return "<ul>\n" + "\n".join(rows) + "\n</ul>"
