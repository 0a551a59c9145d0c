"""A process with a real journal that acknowledges on standard output, to be traced, starved and killed.

    python -m tests.acceptance.journal_child FOLDER FIRST COUNT TASKS [FILE_BYTES_MAX]

Appends COUNT readings, of sharers FIRST and up, TASKS at a time, every fifth as backfill. It writes lines,
each in one system call: `ack SHARER` when the promise is given, `no SHARER` when it is refused, `seen SHARER
SEQ` when a consumer gets it, `failing TEXT` when the journal says what to do, `open SEQ` and `done`.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

import structlog

from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.journal.group import Group
from nightbell.journal.service import Journal
from nightbell.publish.reading import Reading
from nightbell.words.clock import SystemClock
from nightbell.words.errors import PlatformError

STARTS_MAX = 50


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def heard(group: Group) -> None:
    for sharer in group.readings["sharer"].tolist():
        say(f"seen {sharer} {group.seq}")


async def started(folder: Path) -> Journal:
    """As whoever supervises the platform would: try until it starts."""
    for _ in range(STARTS_MAX):
        journal = Journal(SqliteJournalStore(folder), SystemClock())
        try:
            found = await journal.start()
        except PlatformError as error:
            say(f"failing {error.sentence}")
            continue
        say(f"open {found.last_seq}")
        return journal
    raise SystemExit(3)


async def publish(journal: Journal, sharers: range) -> None:
    clock = SystemClock()
    for sharer in sharers:
        now_ms = clock.now_ms()
        reading = (Reading(sharer, now_ms, now_ms, 100, 4, 1),)
        future = journal.append(
            live=() if sharer % 5 == 0 else reading, backfill=reading if sharer % 5 == 0 else ()
        )
        try:
            await future
        except PlatformError:
            failing = journal.health().failing
            say(f"no {sharer}")
            say(f"failing {failing}")
        else:
            say(f"ack {sharer}")


async def main() -> None:
    folder, first, count, tasks = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    if len(sys.argv) > 5:
        limit = int(sys.argv[5])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    journal = await started(folder)
    journal.subscribe(heard)
    share = count // tasks
    await asyncio.gather(
        *(publish(journal, range(first + task * share, first + (task + 1) * share)) for task in range(tasks))
    )
    await journal.close()
    say("done")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main())
