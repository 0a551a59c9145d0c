"""A made-up house, furnished through the same services as in life: to measure on, never to live in.

Three in five sharers publish with a device's grant, the others with a key. Each has three follows by somebody
else, with every condition on; one family in a hundred has limits that nobody else has. Nobody has an address
to be told at.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from nightbell.account.person import Person
from nightbell.account.service import Accounts
from nightbell.app.platform import Platform
from nightbell.app.settings import load
from nightbell.follow.defaults import default_limits
from nightbell.follow.limits import Limits, Typed
from nightbell.follow.service import NewFollow
from nightbell.words.glucose import Unit

FOLLOWS_EACH: Final = 3
SHARERS_TO_FOLLOWER: Final = 50
"""Followers are clinics and families: one account follows this many."""

FOLLOWERS_MIN: Final = 3
AT_ONCE: Final = 5_000
TOKENS: Final = "tokens"
"""The file with the sharers' grants and keys, one a line."""

FOLLOWERS: Final = "followers"
"""The file with the followers' grants, one a line."""

_ASIDE: Final = 7919
"""A prime: whom to ask instead when somebody would follow the same sharer twice."""

GRANTS_IN_FIVE: Final = 3
"""Of five sharers so many hold a device's grant, the others a key: apps sign in, scripts have keys."""

UNUSUAL_EVERY: Final = 100
"""One family in so many has limits of its own: interning sets that are the same does not help there."""

FOLLOWER_GRANTS_MAX: Final = 25_000


@cache
def limit_sets() -> tuple[Limits, Limits, Limits]:
    """Three sets with every condition on, as typed in both units."""
    first = default_limits(Unit.MGDL)
    parts = {name: getattr(first, name) for name in first.__struct_fields__}
    everything = {name: msgspec.structs.replace(part, on=True, hours=None) for name, part in parts.items()}
    all_on = Limits(**everything)
    careful = msgspec.structs.replace(
        all_on,
        low=msgspec.structs.replace(all_on.low, limit=Typed("80", Unit.MGDL)),
        high=msgspec.structs.replace(all_on.high, limit=Typed("200", Unit.MGDL)),
    )
    second = default_limits(Unit.MMOL)
    parts = {name: getattr(second, name) for name in second.__struct_fields__}
    metric = Limits(
        **{name: msgspec.structs.replace(part, on=True, hours=None) for name, part in parts.items()}
    )
    return all_on, careful, metric


def unusual_limits(number: int) -> Limits:
    """A set of limits that no other number below 38,880 has, every condition on."""
    usual = limit_sets()[0]
    number, low = divmod(number, 36)
    number, high = divmod(number, 180)
    typed = {"low": 60 + low, "high": 180 + high, "urgent_high": 400 + number % 6}
    changed = {
        name: msgspec.structs.replace(getattr(usual, name), limit=Typed(str(value), Unit.MGDL))
        for name, value in typed.items()
    }
    return msgspec.structs.replace(usual, **changed)


def limits_of(sharer: int) -> tuple[Limits, ...]:
    """The limits of a sharer's three followers."""
    if sharer % UNUSUAL_EVERY:
        return limit_sets()
    first = sharer // UNUSUAL_EVERY * FOLLOWS_EACH
    return tuple(unusual_limits(first + which) for which in range(FOLLOWS_EACH))


def first_follower(sharer: int) -> int:
    """Which follower's key opens a screen that surely shows this sharer."""
    return sharer * FOLLOWS_EACH // SHARERS_TO_FOLLOWER


async def furnish(folder: Path, sharers: int, told: Callable[[int], None] = lambda _: None) -> None:
    """Make the house; write what the sharers publish with to `TOKENS`, the followers' grants to `FOLLOWERS`.

    Args:
        folder: The house's own data directory.
        sharers: How many.
        told: Called with how many there are so far.
    """
    settings = load(folder, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    platform = Platform(folder, settings, tls=None)
    await platform.start()
    accounts, now_ms = platform.accounts, platform.clock.now_ms
    count = max(FOLLOWERS_MIN, -(-sharers * FOLLOWS_EACH // SHARERS_TO_FOLLOWER))
    names = [f"follower {n:07d}" for n in range(count)]
    followers = await accounts.add_people(names, share=False, now_ms=now_ms())
    with (folder / TOKENS).open("w") as tokens:
        for part in _cut(sharers):
            people = await accounts.add_people([f"sharer {n:07d}" for n in part], share=True, now_ms=now_ms())
            tokens.writelines(f"{secret}\n" for secret in await _credentials(accounts, people, now_ms()))
            wanted = _wanted(
                [person.id for person in people], part.start, [person.id for person in followers]
            )
            await platform.follows.add_many(wanted, now_ms())
            told(part.stop)
    with (folder / FOLLOWERS).open("w") as secrets:
        grants = await accounts.add_grants(followers[:FOLLOWER_GRANTS_MAX], "made up", now_ms())
        secrets.writelines(f"{grant.token}\n" for grant in grants)
    await platform.close()


def _cut(count: int) -> Iterator[range]:
    for start in range(0, count, AT_ONCE):
        yield range(start, min(start + AT_ONCE, count))


async def _credentials(accounts: Accounts, people: list[Person], now_ms: int) -> list[str]:
    """What each of these sharers publishes with, in their order."""
    with_grant = [person for at, person in enumerate(people) if at % 5 < GRANTS_IN_FIVE]
    with_key = [person for at, person in enumerate(people) if at % 5 >= GRANTS_IN_FIVE]
    grants = iter(await accounts.add_grants(with_grant, "made up", now_ms))
    keys = iter(await accounts.add_publish_keys(with_key, now_ms))
    return [next(grants).token if at % 5 < GRANTS_IN_FIVE else next(keys).secret for at in range(len(people))]


def _wanted(sharers: list[str], first: int, followers: list[str]) -> list[NewFollow]:
    """Three follows for each sharer, each by somebody else, each with another set of limits."""
    wanted = []
    for number, sharer in enumerate(sharers, first):
        chosen: list[str] = []
        for which, limits in enumerate(limits_of(number)):
            place, step = number * FOLLOWS_EACH + which, 0
            follower = followers[place // SHARERS_TO_FOLLOWER]
            while follower in chosen:
                step += 1
                follower = followers[(place + step * _ASIDE) % len(followers)]
            chosen.append(follower)
            wanted.append(NewFollow(sharer, follower, limits))
    return wanted


def main() -> None:
    """`python -m nightbell.app.furnish DIR N`: make a house of N sharers."""
    asyncio.run(furnish(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
