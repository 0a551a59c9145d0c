"""The platform's side of the watch: it makes the pairing with its hidden canaries, and serves the roster."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from nightbell.account.identity import Identity
from nightbell.account.person import Person
from nightbell.account.service import Accounts
from nightbell.adapters.stores.roster.pairings import FilePairings
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.follow.follow import FollowState
from nightbell.follow.service import Follows, NewFollow
from nightbell.publish.door import DoorAnswer, DoorHandler, DoorRequest
from nightbell.watch.pairing import CANARIES, PairedCanary, Pairing
from nightbell.watch.roster import Roster, RosterPerson, RosterSharer
from nightbell.words.conditions import Family
from nightbell.words.errors import ErrorCode, PlatformError
from nightbell.words.identity import new_secret

ROSTER_PATH: Final = "/v1/watch/roster"
ROSTER_KEY_PREFIX: Final = "nbw_"
CANARY_NAME: Final = "nightbell canary {number:02d}"
FOLLOWER_NAME: Final = "nightbell canary follower"
LABEL: Final = "watcher"
PUBLISH: Final = "publish"
FOLLOW: Final = "follow"

ROSTER_PEOPLE_MAX: Final = 250_000
"""More would not fit what a watcher takes (`watch.roster.ROSTER_BYTES_MAX`), and would take seconds."""

ROSTER_AT_ONCE: Final = 200

_JSON: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_BEARER: Final = b"bearer "


async def make_pairing(
    *,
    accounts: Accounts,
    follows: Follows,
    folder: Path,
    base_url: str,
    now_ms: int,
    canaries: bool = True,
    tls_ca_file: str = "",
    tls_name: str = "",
) -> Pairing:
    """Write `pairing.json` for the watcher, making or finding the hidden canaries.

    A pairing that still holds is kept with its keys, and only where the platform answers is written anew.
    Where a key no longer opens anything, all keys are made anew and the old ones revoked.

    Args:
        accounts: Started.
        follows: Started.
        folder: The watcher's own folder, `DIR/watcher`.
        base_url: Where this platform answers, seen from the watcher.
        now_ms: Processing time.
        canaries: Whether the operator wants test readings.
        tls_ca_file: Certificates that the watcher should trust instead of the system's.
        tls_name: The name in the certificate where it is not that of `base_url`.

    Raises:
        PlatformError: The canaries could not be saved.
        OSError: The file could not be written.
    """
    file = FilePairings(folder)
    known = await file.read()
    if known is not None and _holds(known, accounts, canaries=canaries, now_ms=now_ms):
        pairing = replace(known, base_url=base_url, tls_ca_file=tls_ca_file, tls_name=tls_name)
    else:
        follower = await _hidden(accounts, FOLLOWER_NAME, now_ms)
        number = CANARIES if canaries else 0
        sharers = [await _canary(accounts, at, now_ms) for at in range(1, number + 1)]
        await _follow_all(follows, sharers, follower, now_ms)
        paired = [
            PairedCanary(one.id, one.sharer, await _new_key(accounts, one, PUBLISH, now_ms))
            for one in sharers
        ]
        pairing = Pairing(
            base_url=base_url,
            follower=follower.id,
            follower_key=await _new_key(accounts, follower, FOLLOW, now_ms),
            roster_key=new_secret(ROSTER_KEY_PREFIX),
            canaries=tuple(paired),
            tls_ca_file=tls_ca_file,
            tls_name=tls_name,
        )
    if pairing != known:
        file.write(pairing)
    return pairing


def _holds(pairing: Pairing, accounts: Accounts, *, canaries: bool, now_ms: int) -> bool:
    """Whether every key in it still opens what it should."""
    if len(pairing.canaries) != (CANARIES if canaries else 0):
        return False

    def opens(key: str, person: str, scope: str) -> Identity | None:
        identity = accounts.identify(key, now_ms)
        return identity if identity and identity.person == person and scope in identity.scopes else None

    if opens(pairing.follower_key, pairing.follower, FOLLOW) is None:
        return False
    for one in pairing.canaries:
        identity = opens(one.key, one.person, PUBLISH)
        if identity is None or identity.sharer != one.sharer:
            return False
    return True


def canary_sharers(accounts: Accounts) -> frozenset[int]:
    """Sharer numbers of the canaries, those of an earlier pairing included: their rows stay for ever."""
    names = (CANARY_NAME.format(number=at) for at in range(1, CANARIES + 1))
    found = (accounts.person_named(name) for name in names)
    return frozenset(one.sharer for one in found if one is not None and one.sharer >= 0)


async def _hidden(accounts: Accounts, name: str, now_ms: int) -> Person:
    known = accounts.person_named(name)
    if known is not None:
        return known
    return await accounts.add_person(name=name, password=None, hidden=True, now_ms=now_ms)


async def _canary(accounts: Accounts, number: int, now_ms: int) -> Person:
    person = await _hidden(accounts, CANARY_NAME.format(number=number), now_ms)
    return person if person.sharer >= 0 else await accounts.make_sharer(person.id, now_ms)


async def _new_key(accounts: Accounts, person: Person, scope: str, now_ms: int) -> str:
    """A new key; those before it open nothing any more."""
    old = accounts.keys_of(person.id)
    key = await accounts.add_key(person_id=person.id, scope=scope, label=LABEL, now_ms=now_ms)
    for before in old:
        await accounts.revoke_key(key_id=before.id, now_ms=now_ms)
    return key.secret


async def _follow_all(follows: Follows, sharers: list[Person], follower: Person, now_ms: int) -> None:
    followed = {
        follow.sharer for follow in follows.of_follower(follower.id) if follow.state is FollowState.ACTIVE
    }
    wanted = [NewFollow(one.id, follower.id) for one in sharers if one.id not in followed]
    if wanted:
        await follows.add_many(wanted, now_ms)


def urgent(alarms: Iterable[AlarmView]) -> bool:
    """Whether a sharer's followers cannot wait if we fail now: low, or in an alarm nobody has answered."""
    return any(
        alarm.state is AlarmState.RINGING
        or (alarm.family == Family.LOW and alarm.state is not AlarmState.RESOLVED)
        for alarm in alarms
    )


async def roster_of(
    *,
    accounts: Accounts,
    follows: Follows,
    last_reading_ms: Callable[[int], int],
    open_alarms: Callable[[int], Iterable[AlarmView]],
    now_ms: int,
) -> Roster:
    """Whom to tell, as it is now: no canaries, no ended or paused follows, no glucose.

    Args:
        accounts: Who there is.
        follows: Who follows whom.
        last_reading_ms: When a sharer's newest reading was measured, by the sharer's number; 0 if never.
        open_alarms: A sharer's open alarms, by the sharer's number.
        now_ms: Processing time.

    Raises:
        PlatformError: There are more people than one roster takes.
    """
    if accounts.count > ROSTER_PEOPLE_MAX:
        raise PlatformError(ErrorCode.INTERNAL, "too many people for one roster")
    sharers, people = [], []
    for at, one in enumerate(accounts.people(), 1):
        if at % ROSTER_AT_ONCE == 0:
            await asyncio.sleep(0)  # a hundred thousand people take a second: readings come in between
        if one.hidden:
            continue
        if one.sharer >= 0:
            waits_not = urgent(open_alarms(one.sharer))
            sharers.append(RosterSharer(one.id, last_reading_ms(one.sharer), waits_not))
        followed = tuple(
            follow.sharer for follow in follows.of_follower(one.id) if follow.state is FollowState.ACTIVE
        )
        if followed or one.sharer >= 0:
            people.append(RosterPerson(one.id, one.name, one.email, one.unit, one.zone, followed))
    return Roster(made_ms=now_ms, sharers=tuple(sharers), people=tuple(people))


async def roster_answer(
    request: DoorRequest, *, key: str, roster: Callable[[int], Awaitable[Roster]]
) -> DoorAnswer:
    """Answer `GET /v1/watch/roster` for whoever holds the pairing's key.

    Args:
        request: The request.
        key: The pairing's `roster_key`.
        roster: Makes the roster, given the time.
    """
    if request.method != "GET":
        return DoorAnswer(405, (*_JSON, (b"allow", b"GET")), b'{"title":"malformed","status":405}')
    authorization = request.headers.get(b"authorization", b"")
    given = authorization[len(_BEARER) :] if authorization[: len(_BEARER)].lower() == _BEARER else b""
    if not hmac.compare_digest(given.strip(), key.encode()):
        challenge = (b"www-authenticate", b"Bearer")
        return DoorAnswer(401, (*_JSON, challenge), b'{"title":"not_signed_in","status":401}')
    try:
        made = await roster(request.received_ms)
    except PlatformError:
        # The watcher goes on with what it has, shows how old that is, and says that it gets nothing new.
        return DoorAnswer(500, _JSON, b'{"title":"too many people for one roster","status":500}')
    return DoorAnswer(200, _JSON, msgspec.json.encode(made))


def roster_handler(*, key: str, roster: Callable[[int], Awaitable[Roster]]) -> DoorHandler:
    """`roster_answer` as the server takes it."""

    async def handle(request: DoorRequest) -> DoorAnswer:
        return await roster_answer(request, key=key, roster=roster)

    handler: Callable[[DoorRequest], Awaitable[DoorAnswer]] = handle
    return handler
