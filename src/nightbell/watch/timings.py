"""How soon: every clock of the watch, in one place. The defaults fit a family: one watcher, one platform."""

from typing import Final

import msgspec

from nightbell.tell.retry import RetryRule

NOTICE_RULE: Final = RetryRule(
    first_ms=5_000, longest_ms=60_000, tries_max=2_000, give_up_after_ms=24 * 60 * 60_000
)
"""For notices: as long as it is true it is worth saying, so a mail server that is down for hours is tried on
and on. What is no longer true is withdrawn before it is sent, not given up."""


class Timings(msgspec.Struct, frozen=True):
    """The watch's clocks, in milliseconds unless the name says otherwise.

    Source: blueprint section 8 (60 s, 2 min, 20 min); `how-soon` (two detectors, or one for longer).
    Alertmanager waits 30 s before its first word, Gatus three failures, PagerDuty's guide asks for updates
    every 20 min.

    Attributes:
        tick_ms: How often the judge looks at the clock.
        round_every_ms: How often a canary publishes a low.
        gap_ms: Least time between two readings of one canary: longer than the 2.5 min in which two count as
            one.
        ring_within_ms: By when a canary's low must have rung.
        retry_every_ms: How often a door or stream that failed is tried again.
        request_within_ms: By when a request must be answered.
        heartbeat_every_ms: How often the stream promises a heartbeat.
        heartbeat_overdue_ms: How long after the last heartbeat the stream is taken for dead: two, and a
            little.
        tick_age_ms_max: Age of the last evaluated tick above which evaluation is taken for stuck.
        two_after_ms: An incident when two detectors fail and one of them has for this long. A platform that
            is replaced within 20 s stays below it, with a retry to spare.
        one_after_ms: An incident when one detector has failed for this long.
        everyone_after_ms: After this long everybody affected is told; before it only where it cannot wait.
        update_every_ms: How often an open incident is told of again.
        update_promise_ms: By when we say the next word comes; a minute more than we take.
        heartbeats_needed: Fresh heartbeats before the all-clear.
        roster_every_ms: How often the list of whom to tell is fetched.
        roster_stale_ms: Age of that list above which we say so.
        stall_ms: A gap in our own time above this means that we slept: what we did not see meanwhile is no
            evidence.
        network_patience_ms: How long "we cannot see out" is taken for our own network's fault.
        page_every_ms: How often the status page is written.
        needs_round: Whether an all-clear needs a canary that has gone round; false only without canaries.
        retry: How patiently a mail is tried again.
    """

    tick_ms: int = 1_000
    round_every_ms: int = 30_000
    gap_ms: int = 180_000
    ring_within_ms: int = 10_000
    retry_every_ms: int = 5_000
    request_within_ms: int = 10_000
    heartbeat_every_ms: int = 15_000
    heartbeat_overdue_ms: int = 35_000
    tick_age_ms_max: int = 30_000
    two_after_ms: int = 35_000
    one_after_ms: int = 60_000
    everyone_after_ms: int = 75_000
    update_every_ms: int = 19 * 60_000
    update_promise_ms: int = 20 * 60_000
    heartbeats_needed: int = 3
    roster_every_ms: int = 30_000
    roster_stale_ms: int = 5 * 60_000
    stall_ms: int = 5_000
    network_patience_ms: int = 10 * 60_000
    page_every_ms: int = 5_000
    needs_round: bool = True
    retry: RetryRule = NOTICE_RULE
