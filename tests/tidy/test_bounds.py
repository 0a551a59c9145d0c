"""Every queue is bounded: what waits in memory has a limit, or a reason here why it cannot grow.

A queue without a bound is how a service dies slowly: it takes what it cannot do, and serves those who have
gone. So every place that makes something in which work can wait is found in the code. It says `maxlen` or
`maxsize`, or stands below with what bounds it and the test that shows it.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.tidy.source import ROOT, Module, modules

BOUND_BY: Final = {"deque": "maxlen", "Queue": "maxsize", "LifoQueue": "maxsize", "PriorityQueue": "maxsize"}
NEVER_BOUNDED: Final = frozenset({"SimpleQueue", "ThreadPoolExecutor", "ProcessPoolExecutor"})
"""They take no bound: who uses one counts what is inside."""

PUTS_IN: Final = frozenset({"append", "appendleft", "extend", "insert", "heappush"})
TAKES_OUT: Final = frozenset({"pop", "popleft", "clear", "heappop"})


class Bounded(NamedTuple):
    """What bounds something that has no bound of its own, and the test that shows it."""

    why: str
    shown_by: str


EFFECTS_OF_ONE_FOLD: Final = Bounded(
    "the effects of one fold, handed on at its end",
    "test_one_reading_low_and_urgent_low_is_one_alarm_with_one_ring",
)

BOUNDED: Final = {
    "journal/lanes.py deque": Bounded(
        "a lane has room for so many readings, and each batch in it holds some",
        "test_the_backlog_lane_is_bounded_while_it_is_paused",
    ),
    "journal/lanes.py readings": Bounded(
        "a batch has at most ten thousand readings, and its lane room for so many",
        "test_the_backlog_lane_is_bounded_while_it_is_paused",
    ),
    "web/doorway.py deque": Bounded(
        "large uploads that wait for their turn: at most 16 MiB, then the oldest is taken at once",
        "test_what_waits_is_bounded_and_nothing_of_it_is_forgotten",
    ),
    "app/metrics/ages.py _groups": Bounded(
        "counted after so many readings or groups, whichever comes first",
        "test_ages_keep_no_more_groups_than_they_may",
    ),
    "journal/writer.py SimpleQueue": Bounded(
        "the journal hands over one batch, and the next when that is done",
        "test_what_comes_while_a_commit_is_written_shares_the_next_one",
    ),
    "alarm/service.py deque": Bounded(
        "groups: while many wait no late readings are committed, and where ticks grow old live ones are "
        "refused; those who wait for an answer: facts in flight have a limit in the journal",
        "test_while_evaluation_is_behind_late_readings_wait_in_their_lane_and_live_ones_do_not",
    ),
    "alarm/book.py _deadlines": Bounded(
        "each ring of an open alarm puts in one, which goes when it is due, minutes later",
        "test_an_urgent_low_rings_again_every_five_minutes_until_answered",
    ),
    "alarm/book.py _views": EFFECTS_OF_ONE_FOLD,
    "alarm/book.py _entries": EFFECTS_OF_ONE_FOLD,
    "alarm/book.py _notifications": EFFECTS_OF_ONE_FOLD,
    "adapters/probe/wire.py _content": Bounded(
        "a line has a longest length, and the watcher's own platform sends events of some lines",
        "test_a_heartbeat_carries_what_the_platform_says_of_itself",
    ),
    "deliver/connection.py deque": Bounded(
        "a slow reader's queue is dropped, and a snapshot takes its place",
        "test_a_slow_reader_gets_a_fresh_snapshot_with_every_ring_instead_of_silence",
    ),
    "deliver/recent.py deque": Bounded(
        "sixteen for each key, for 20,000 keys", "test_an_event_id_that_is_not_ours_leads_to_a_plain_snapshot"
    ),
    "deliver/lane.py _later": Bounded(
        "one notification waits for each alarm and follow",
        "test_an_older_word_that_comes_back_is_overtaken_at_once",
    ),
    "history/service.py _pending": Bounded(
        "absorbed at 8,192 readings", "test_what_was_just_committed_is_read_back_at_once"
    ),
    "history/service.py _beside": Bounded(
        "while the store fails, late readings stay in the journal's lane",
        "test_while_the_store_fails_late_readings_stop_before_memory_fills",
    ),
    "history/service.py ThreadPoolExecutor": Bounded(
        "reads are counted; one write at a time",
        "test_history_that_nobody_waits_for_is_not_read_and_its_line_is_bounded",
    ),
    "adapters/passwords/pool.py ThreadPoolExecutor": Bounded(
        "who waits is counted", "test_a_storm_finds_a_bounded_line_and_is_told_when_to_come_again"
    ),
    "adapters/stores/sqlite/accounts.py ThreadPoolExecutor": Bounded(
        "who waits is counted", "test_a_storm_of_questions_to_a_store_is_refused_beyond_its_line"
    ),
    "adapters/stores/sqlite/ledger.py ThreadPoolExecutor": Bounded(
        "who waits is counted", "test_a_storm_of_questions_to_a_store_is_refused_beyond_its_line"
    ),
    "adapters/stores/sqlite/journal.py _files": Bounded(
        "one file a day, for as many days as are kept", "test_old_days_go_and_the_newest_stays_however_old"
    ),
    "adapters/stores/looks/gathered.py _waiting": Bounded(
        "10,000 looks, what comes then is counted and the count is written",
        "test_a_slow_disk_does_not_keep_a_follower_from_a_number",
    ),
    "adapters/stores/roster/book.py ThreadPoolExecutor": Bounded(
        "the watcher's own loops, each of which waits for what it asked",
        "test_the_roster_is_for_the_watcher_only",
    ),
    "adapters/channels/email/channel.py ThreadPoolExecutor": Bounded(
        "as many letters as there are threads, by a semaphore; before it one channel's sends at once",
        "test_a_channel_that_hangs_is_broken_off",
    ),
    "adapters/channels/email/bounces.py ThreadPoolExecutor": Bounded(
        "one look at the mailbox, and the next when that has ended or was cut; the doctor's own beside it",
        "test_a_mailbox_in_trouble_is_tried_again_and_costs_no_thread",
    ),
    "adapters/channels/apprise/child.py ThreadPoolExecutor": Bounded(
        "the channel hands over as many messages at once as the child has threads, by a semaphore",
        "test_more_than_may_wait_is_told_to_come_again",
    ),
}

TESTS_OWN: Final = ("adapters/stores/memory/",)
"""Stores of tests: nothing that runs uses them."""


def called(node: ast.AST) -> str:
    """The name of what is called; empty if it is no call of a name."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def made_without_bound(tree: ast.AST) -> Iterator[str]:
    """Names of queues and executors that are made without a bound."""
    for node in ast.walk(tree):
        name = called(node)
        if isinstance(node, ast.Call) and (
            name in NEVER_BOUNDED
            or (name in BOUND_BY and not any(word.arg == BOUND_BY[name] for word in node.keywords))
        ):
            yield name


def _attributes(node: ast.Call) -> Iterator[str]:
    """Attributes a call may put something in or take out of: `self.x.append` or `heappush(self.x, ...)`."""
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    for part in (owner, *node.args[:1]):
        if isinstance(part, ast.Attribute):
            yield part.attr


def lists_as_queues(tree: ast.AST) -> set[str]:
    """Attributes that begin as an empty list, are added to, and are taken from or begun anew."""
    empty: dict[str, int] = {}
    put_in: set[str] = set()
    taken_out: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.List | ast.Tuple):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for part in (found for target in targets for found in ast.walk(target)):
                if isinstance(part, ast.Attribute) and any(
                    isinstance(one, ast.List) and not one.elts for one in ast.walk(node.value)
                ):
                    empty[part.attr] = empty.get(part.attr, 0) + 1
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            put_in.add(node.target.attr)
        if isinstance(node, ast.Call) and called(node) in PUTS_IN:
            put_in.update(_attributes(node))
        if isinstance(node, ast.Call) and called(node) in TAKES_OUT:
            taken_out.update(_attributes(node))
    again = {name for name, times in empty.items() if times > 1}
    return {name for name in empty if name in put_in and (name in taken_out or name in again)}


def unbounded(module: Module) -> set[str]:
    """What of a module may grow without end, as the keys of `BOUNDED`."""
    place = module.name.removeprefix("src/nightbell/")
    if place.startswith(TESTS_OWN):
        return set()
    return {f"{place} {name}" for name in {*made_without_bound(module.tree), *lists_as_queues(module.tree)}}


def test_whatever_work_can_wait_in_is_bounded_or_says_by_what() -> None:
    found = {key for module in modules("src") for key in unbounded(module)}

    assert not found - set(BOUNDED), "no bound, and no reason why it needs none"
    assert not set(BOUNDED) - found, "a reason for something that is not there any more"


def test_each_reason_is_shown_by_a_test_that_exists() -> None:
    names = set(
        re.findall(
            r"def (test_\w+)", "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
        )
    )

    missing = [key for key, bounded in BOUNDED.items() if bounded.shown_by not in names]

    assert not missing


def test_a_planted_queue_without_a_bound_is_found() -> None:
    planted = """
class Planted:
    def __init__(self):
        self.a = deque()
        self.b = deque(maxlen=3)
        self.c = asyncio.Queue()
        self.d = asyncio.Queue(maxsize=9)
        self.e = []
        self.f = []
        self.pool = ThreadPoolExecutor(1)

    def put(self, one):
        self.e.append(one)
        self.f.append(one)

    def take(self):
        return self.e.pop()
"""
    tree = ast.parse(planted)

    assert sorted(made_without_bound(tree)) == ["Queue", "ThreadPoolExecutor", "deque"]
    assert lists_as_queues(tree) == {"e"}
