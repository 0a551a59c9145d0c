"""How patiently people are told, and how telling them goes."""

import msgspec

from nightbell.tell.retry import ALARM_RULE, RetryRule


class DeliverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently people are told.

    Attributes:
        link: Where people answer, as `https://bell.example`; empty leaves it out of messages.
        rule: Patience of every channel.
        sends_at_once: How many tries one channel makes at the same time.
        send_ms_max: No try takes longer, whatever the channel does.
        write_ms_max: How long performing waits for the ledger before it goes ahead from memory.
        write_again_ms: How long after a failure the ledger is tried again.
        look_ms: How often the clock is looked at while something is due later.
        keep_days: How long alarms that are over are kept.
        forget_every_ms: How often old ones are deleted.
        close_ms_max: How long closing waits for tries that are under way.
    """

    link: str = ""
    rule: RetryRule = ALARM_RULE
    sends_at_once: int = 16
    send_ms_max: int = 30_000
    write_ms_max: int = 1_000
    write_again_ms: int = 1_000
    look_ms: int = 250
    keep_days: int = 90
    forget_every_ms: int = 60 * 60_000
    close_ms_max: int = 2_000


class LaneHealth(msgspec.Struct, frozen=True):
    """One channel: how many deliveries wait or are under way, and how its last tries went.

    `oldest_ms` is when the oldest that waits was decided, 0 if none waits.
    """

    channel: str
    waiting: int
    oldest_ms: int
    under_way: int
    failures_in_a_row: int
    last_reason: str


class DeliverHealth(msgspec.Struct, frozen=True):
    """How telling people goes.

    Attributes:
        failing: What is wrong with the ledger and what to do; empty while all is well.
        unwritten: Rows that wait to be written.
        unwritten_oldest_ms: When the oldest notification among them was decided; 0 if there is none.
        left_out: Rows that had to be left out of memory; the next start builds them again.
        lanes: Each channel.
        streams: How many screens are open.
    """

    failing: str
    unwritten: int
    unwritten_oldest_ms: int
    left_out: int
    lanes: tuple[LaneHealth, ...]
    streams: int
