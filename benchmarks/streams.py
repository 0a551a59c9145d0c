"""How many streams one process holds open, and what each of them costs in memory."""

import resource
import time
from typing import Final

from benchmarks.figures import Bar, figure
from benchmarks.running import checked, running, screens_open
from benchmarks.size import Measured, Say, Size
from nightbell.app.furnish import FOLLOWER_GRANTS_MAX, FOLLOWS_EACH, SHARERS_TO_FOLLOWER
from nightbell.deliver.hub import PERSON_STREAMS_MAX

FOLLOWERS_MIN: Final = 20_000.0
KIB_EACH_MAX: Final = 40.0
OTHER_FILES: Final = 250
"""Files and sockets of the platform that are no streams."""

BEATS_S: Final = 12.0
"""Until each stream has had its first snapshot and a heartbeat."""


def may_be_open(size: Size) -> tuple[int, str]:
    """How many streams there can be, and what forbids more, if anything does."""
    wanted, why = size.streams, ""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files - OTHER_FILES < wanted:
        wanted, why = files - OTHER_FILES, f"this machine lets a process open {files:,} files"
    followers = min(FOLLOWER_GRANTS_MAX, size.sharers * FOLLOWS_EACH // SHARERS_TO_FOLLOWER)
    if followers * PERSON_STREAMS_MAX < wanted:
        wanted = followers * PERSON_STREAMS_MAX
        why = f"there are {followers:,} followers, of whom each may have {PERSON_STREAMS_MAX}"
    return wanted, why


def streams(size: Size, say: Say) -> Measured:
    """Open streams until there are enough; what the platform's memory has grown by."""
    count, void = may_be_open(size)
    each: list[float] = []
    found, counted = [], []
    for number in range(size.rounds):
        with running("streams", size) as run:
            before_mb = run.child.memory_mb()
            began = time.monotonic()
            with screens_open(run, count, BEATS_S + 5):
                took_s = time.monotonic() - began
                time.sleep(BEATS_S)
                each.append((run.child.memory_mb() - before_mb) * 1024 / count)
        counted.append(checked(f"streams {number + 1}", run, size))
        say(f"streams {number + 1}: {count:,} open in {took_s:.0f} s, {each[-1]:.1f} KiB each")
    found = [
        figure(
            "stream.followers", [count], "", bar=Bar(at_least=FOLLOWERS_MIN), void=void, note="in one process"
        ),
        figure(
            "stream.kib_each",
            each,
            "KiB",
            bar=Bar(at_most=KIB_EACH_MAX),
            note=f"growth with {count:,} open, snapshots of some 50 sharers among it",
        ),
    ]
    return Measured(found, counted)
