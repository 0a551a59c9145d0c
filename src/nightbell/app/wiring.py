"""What one room needs of another, put in the words of the room that needs it. No decisions are made here."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from nightbell.account.identity import Identity
from nightbell.account.service import Accounts
from nightbell.account.way_service import Ways
from nightbell.adapters.dialects.share.ports import SharePage
from nightbell.alarm.effects import Effects
from nightbell.alarm.ports import EffectsTaker
from nightbell.alarm.service import Evaluation
from nightbell.app.settings import Settings
from nightbell.app.switches import ReadsHistory
from nightbell.deliver.ports import Contact, ContactWay
from nightbell.follow.access import Access
from nightbell.follow.follow import Sight
from nightbell.follow.service import Follows
from nightbell.follow.standing import Ended, Standing, standing
from nightbell.history.service import History
from nightbell.journal.facts import AnyFact, ClockLearned, FollowEnded, FollowSet, SharerAdded
from nightbell.journal.group import Group
from nightbell.journal.lanes import LaneLimit, LaneLimits
from nightbell.journal.service import Journal
from nightbell.load.gate import Work
from nightbell.publish.clock import ClockChange
from nightbell.publish.reading import READING_DTYPE, Reading, joined
from nightbell.publish.service import Publish
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError
from nightbell.words.zones import zone_or_utc

MINUTE_MS = 60_000

_log = structlog.get_logger(__name__)


@contextlib.contextmanager
def taking_over_accounts() -> Iterator[None]:
    """Where stored accounts do not fit together they are damaged, though SQLite could read them.

    Raises:
        PlatformError: They are; says what to do.
    """
    try:
        yield
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
        _log.error("accounts.unreadable", error=type(error).__name__)
        raise PlatformError(ErrorCode.INTERNAL, catalogue().say("account.store_unreadable")) from error


class AccountFacts:
    """Implements `account.ports.AccountJournal`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def sharer_added(self, sharer: int, at_ms: int) -> Awaitable[object]:
        """Journal that a sharer exists."""
        return self._journal.append_fact(SharerAdded(at_ms, sharer))


class FollowFacts:
    """Implements `follow.ports.FollowJournal`; open screens hear of every change too.

    Args:
        journal: The journal.
        changed: Called with the number of each follow that changes.
    """

    def __init__(self, journal: Journal, changed: Callable[[int], None]) -> None:
        self._journal = journal
        self._changed = changed

    def append_fact(self, fact: Standing | Ended) -> Awaitable[object]:
        """Journal what a follow is now."""
        self._changed(fact.follow)
        if isinstance(fact, Ended):
            return self._journal.append_fact(FollowEnded(fact.at_ms, fact.follow, fact.by))
        return self._journal.append_fact(FollowSet(**msgspec.structs.asdict(fact)))


def known_facts(accounts: Accounts, follows: Follows) -> Iterator[AnyFact]:
    """Sharers and follows as their store has them, as if the journal had just said so."""
    for sharer in accounts.people():
        if sharer.sharer >= 0:
            yield SharerAdded(sharer.created_ms, sharer.sharer)
    for follow in follows.everybody():
        person = accounts.person(follow.follower)
        said = standing(follow, person.zone if person else "UTC", by="", at_ms=follow.since_ms)
        if isinstance(said, Standing):
            yield FollowSet(**msgspec.structs.asdict(said))


REMEMBERED_AT_ONCE: Final = 4_096
"""Readings that publishing takes in at once at a start: group by group it takes longer than to read them."""


def remembered(groups: Iterator[Group], publish: Publish) -> Iterator[Group]:
    """Let publishing remember what the journal holds, on the way to history."""
    some: list[NDArray[np.void]] = []
    count = 0
    for group in groups:
        if len(group.readings):
            some.append(group.readings)
            count += len(group.readings)
        if count >= REMEMBERED_AT_ONCE:
            publish.remember(group._replace(readings=joined(some)))
            some, count = [], 0
        yield group
    if some:
        publish.remember(Group(0, 0, (), joined(some), 0))


def clock_facts(journal: Journal) -> Callable[[ClockChange], asyncio.Future[int]]:
    """What `publish` calls when it has learned an uploader's clock."""

    def learned(change: ClockChange) -> asyncio.Future[int]:
        fact = ClockLearned(change.at_ms, change.sharer, change.source, change.offset_ms)
        return journal.append_fact(fact)

    return learned


class AccountContacts:
    """Implements `deliver.ports.Contacts` with accounts, follows and publishing, from memory."""

    def __init__(self, accounts: Accounts, ways: Ways, follows: Follows, publish: Publish) -> None:
        self._accounts = accounts
        self._ways = ways
        self._follows = follows
        self._publish = publish

    def contact(self, person: str) -> Contact | None:
        """How a person is reached."""
        found = self._accounts.person(person)
        if found is None:
            return None
        return Contact(
            person=found.id,
            name=found.name,
            ways=tuple(
                ContactWay(way.channel, way.number, way.address, way.lost_ms)
                for way in self._ways.of(found)
                if way.address
            ),
            unit=found.unit,
            zone=found.zone,
        )

    def sharer_name(self, sharer: int) -> str:
        """The name of a sharer, empty if unknown."""
        person = self._accounts.sharer(sharer)
        return person.name if person else ""

    def heard_ms(self, sharer: int) -> int:
        """When the uploader of a sharer last spoke to us."""
        return self._publish.heard_ms(sharer)

    def may_be_told(self, follow: int) -> bool:
        """Whether a follow may be told now."""
        found = self._follows.numbered(follow)
        return found is not None and found.told


class WebhookSecrets:
    """What each person's webhook is signed with: derived from one kept secret, so nothing else is stored."""

    def __init__(self, master: bytes) -> None:
        self._master = master

    def of(self, person: str) -> str:
        """The secret of one person, shown to them in their settings."""
        derived = hmac.digest(self._master, person.encode(), hashlib.sha256)
        return "nbs_" + base64.urlsafe_b64encode(derived).decode().rstrip("=")


class CallbackProofs:
    """Implements `tell.callback.Proofs`: from the same kept secret, so a restored bell knows its own."""

    def __init__(self, master: bytes) -> None:
        self._master = master

    def of(self, channel: str, message: str) -> str:
        """What stands in a button or a callback's address of this message."""
        about = f"callback:{channel}:{message}".encode("utf-8", "replace")
        return hmac.digest(self._master, about, hashlib.sha256).hex()[:32]


class WatchedSharers:
    """Implements `deliver.ports.Watched`."""

    def __init__(
        self, accounts: Accounts, follows: Follows, access: Access, history: History, evaluation: Evaluation
    ) -> None:
        self._accounts = accounts
        self._follows = follows
        self._access = access
        self._history = history
        self._evaluation = evaluation

    def followed_by(self, viewer: Identity) -> Iterable[int]:
        """Sharers this viewer may see, themselves included."""
        numbers = [follow.sharer_number for follow in self._follows.of_follower(viewer.person)]
        me = self._accounts.person(viewer.person)
        if me is not None and me.sharer >= 0:
            numbers.append(me.sharer)
        return [
            number
            for number in numbers
            if self._access.may_see(viewer=viewer, sharer=number) is not Sight.NOTHING
        ]

    def newest(self, sharer: int) -> Reading | None:
        """The newest reading."""
        return self._history.newest(sharer)

    def evaluated_tick_ms(self) -> int:
        """The newest tick that was folded."""
        return self._evaluation.evaluated_tick_ms


SHARE_LIVE_COUNT_MAX: Final = 3
"""Readings that an old client asks for to show the newest one and its arrow."""


class ShareHistory:
    """Implements the Share dialect's `ShareReads` with history, through the one door."""

    def __init__(self, accounts: Accounts, access: Access, history: ReadsHistory) -> None:
        self._accounts = accounts
        self._access = access
        self._history = history

    async def readings(self, identity: Identity, *, minutes: int, count: int, now_ms: int) -> SharePage:
        """Newest first. While history is switched off, the newest one alone: these apps ring by it.

        Raises:
            CallerError: NOT_FOUND, this credential may not see them any more.
        """
        sharer, from_ms = identity.sharer, now_ms - minutes * MINUTE_MS
        await self._access.open(viewer=identity, sharer=sharer, what="share", now_ms=now_ms)
        try:
            readings = await self._of_span(sharer, from_ms, now_ms + MINUTE_MS, count)
        except PlatformError as error:
            if error.code is not ErrorCode.SWITCHED_OFF:
                raise
            newest = self._history.newest(sharer)
            readings = [newest] if newest is not None and newest.measured_ms >= from_ms else []
        person = self._accounts.sharer(sharer)
        return SharePage(readings, zone_or_utc(person.zone if person else "UTC"))

    async def _of_span(self, sharer: int, from_ms: int, to_ms: int, count: int) -> list[Reading]:
        # What an old follower's app asks every few minutes is its live view; hours of graph are history.
        work = Work.LIVE if count <= SHARE_LIVE_COUNT_MAX else Work.HISTORY
        rows = await self._history.readings(
            sharer=sharer, from_ms=from_ms, to_ms=to_ms, most=count, work=work
        )
        return [
            Reading(
                sharer,
                int(row["measured_ms"]),
                int(row["received_ms"]),
                int(row["level"]),
                int(row["trend"]),
                int(row["source"]),
            )
            for row in rows[::-1][:count]
        ]


class Later:
    """Hands effects to a room that is built after the one that makes them."""

    def __init__(self, taker: Callable[[], EffectsTaker]) -> None:
        self._taker = taker

    def tell(self, effects: Effects) -> None:
        """Pass on."""
        self._taker().tell(effects)

    @property
    def written_seq(self) -> int:
        """What the ledger holds."""
        return self._taker().written_seq


def lane_limits(settings: Settings) -> LaneLimits:
    """What may wait in each lane, as the operator chose."""
    usual = LaneLimits()
    live, backfill = settings.lanes.live_readings_max, settings.lanes.backfill_readings_max
    return LaneLimits(
        live=LaneLimit(live, live * READING_DTYPE.itemsize),
        backfill=LaneLimit(backfill, backfill * READING_DTYPE.itemsize),
        control=usual.control,
    )
