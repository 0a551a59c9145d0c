"""What the watcher says of itself to programs: `/health`, and the same in a file. The platform reads it."""

import msgspec

from nightbell.watch.page import Headline, PageFacts, headline, own_troubles
from nightbell.words.catalogue import Catalogue


class Health(msgspec.Struct, frozen=True):
    """The watcher's heartbeat. Instants are times of day, epoch ms; 0 is never.

    Attributes:
        state: The page's headline: `quiet` is the only good one.
        written_ms: When this was made; older than 30 s means that the watcher is gone or stuck.
        looked_ms: When the platform was last looked at.
        rang_ms: When a test alarm last rang.
        roster_ms: From when the list of whom to tell is.
        incident: Identity of the open incident, empty if none.
        mail_ready: Whether people can be told by mail.
        troubles: What is wrong with the watcher itself, in words.
        pid: Its process.
        port: Where its page answers.
    """

    state: Headline
    written_ms: int
    looked_ms: int
    rang_ms: int
    roster_ms: int
    incident: str
    mail_ready: bool
    troubles: tuple[str, ...]
    pid: int = 0
    port: int = 0


def health_of(facts: PageFacts, words: Catalogue, *, pid: int, port: int) -> Health:
    """The health from the same facts as the page."""
    incident = facts.judged.incident
    return Health(
        state=headline(facts),
        written_ms=facts.now_ms,
        looked_ms=facts.looked_ms,
        rang_ms=facts.rang_ms,
        roster_ms=facts.roster_ms,
        incident="" if incident is None else incident.id,
        mail_ready=facts.mail.ready,
        troubles=tuple(own_troubles(facts, words)),
        pid=pid,
        port=port,
    )
