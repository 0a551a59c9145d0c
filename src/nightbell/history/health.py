"""How history is, and in words what is wrong with it, where its readings lie, and what to do. Pure."""

from typing import Final

import msgspec

from nightbell.history.ports import HistoryFailedError
from nightbell.history.reading import BLOCK_MS
from nightbell.journal.ports import StoreFailedError
from nightbell.words.catalogue import catalogue

_HOUR_MS: Final = 3_600_000


class HistoryHealth(msgspec.Struct, frozen=True):
    """How history is.

    Attributes:
        flushed_seq: The store holds everything up to this group of the journal.
        closed_ms: The store holds everything measured before this instant, all but what came late; 0 if
            nothing was closed yet.
        open_readings: Readings in memory that are not in the store yet.
        journal_only: Closed blocks that are in the journal only, because the store failed for so long.
        dropped: Readings above what one sharer can send; they are in the journal only.
        failing: What is wrong and what to do; empty when all is well.
    """

    flushed_seq: int
    closed_ms: int
    open_readings: int
    journal_only: int
    dropped: int
    failing: str


def failing(
    damage: HistoryFailedError | None,
    failure: HistoryFailedError | None,
    unread: StoreFailedError | None,
    journal_only: int,
    set_aside: str,
) -> str:
    """What is wrong; empty when all is well.

    Args:
        damage: What is damaged in the file; that does not heal by itself.
        failure: Why the file could not be written.
        unread: Why the journal could not be read for what left memory.
        journal_only: Blocks that are in the journal only.
        set_aside: Where a damaged file was moved.
    """
    say, hours = catalogue().say, journal_only * BLOCK_MS // _HOUR_MS
    if (worst := damage or failure) is not None:
        key = "history.damaged" if damage else "history.failing"
        sentence = say(key, place=worst.place, detail=worst.detail)
        return f"{sentence} {say('history.journal_only', hours=hours)}" if hours else sentence
    if unread is not None:
        return say("history.unread", hours=hours, place=unread.place, detail=unread.detail)
    if hours:
        return say("history.reading_again", hours=hours)
    return say("history.set_aside", moved_to=set_aside) if set_aside else ""
