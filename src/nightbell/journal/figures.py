"""How the journal is, and what its commits cost: one count for each commit, none for a reading."""

import msgspec

from nightbell.words.histogram import QUICK_S, Histogram


class JournalFigures:
    """How long commits took since the start, by lane.

    Attributes:
        live: Commits of the live lane, from the hand-over to the writer to what became of it.
        backfill: Commits of the backfill lane.
    """

    def __init__(self) -> None:
        self.live = Histogram(QUICK_S)
        self.backfill = Histogram(QUICK_S)


class JournalHealth(msgspec.Struct, frozen=True):
    """How the journal is.

    Attributes:
        last_seq: The newest durable group.
        last_commit_ms: When it was committed, 0 if none since the start.
        live: Readings that wait in the live lane.
        backfill: Readings that wait in the backfill lane.
        control: Facts that wait.
        live_age_s: How long the oldest reading of the live lane has waited; 0 if none waits.
        backfill_age_s: The same of the backfill lane.
        control_age_s: The same of the oldest fact.
        refused: Requests refused because a lane was full, since the start.
        volatile: Groups that could not be made durable, since the start.
        consumer_failures: How often each consumer has raised, by name.
        failing: What is wrong and what to do, for whoever runs this; empty when all is well.
    """

    last_seq: int
    last_commit_ms: int
    live: int
    backfill: int
    control: int
    live_age_s: float
    backfill_age_s: float
    control_age_s: float
    refused: int
    volatile: int
    consumer_failures: dict[str, int]
    failing: str
