"""A made-up house, furnished through the same services as in life: to measure on, never to live in.

Sharers with keys to publish, three follows each by somebody else, with three different sets of limits and
every condition on. Nobody in it has an address to be told at.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

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
"""The file with the sharers' keys, one a line."""

FOLLOWERS: Final = "followers"
"""The file with the followers' keys, one a line."""

_ASIDE: Final = 7919
"""A prime: whom to ask instead when somebody would follow the same sharer twice."""

FOLLOWER_KEYS_MAX: Final = 10_000


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


def first_follower(sharer: int) -> int:
    """Which follower's key opens a screen that surely shows this sharer."""
    return sharer * FOLLOWS_EACH // SHARERS_TO_FOLLOWER


async def furnish(folder: Path, sharers: int, told: Callable[[int], None] = lambda _: None) -> None:
    """Make the house; write the sharers' keys to `TOKENS`, the followers' to `FOLLOWERS`.

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
            keys = await accounts.add_publish_keys(people, now_ms())
            tokens.writelines(f"{key.secret}\n" for key in keys)
            wanted = _wanted(
                [person.id for person in people], part.start, [person.id for person in followers]
            )
            await platform.follows.add_many(wanted, now_ms())
            told(part.stop)
    with (folder / FOLLOWERS).open("w") as secrets:
        for person in followers[:FOLLOWER_KEYS_MAX]:
            key = await accounts.add_key(person_id=person.id, scope="follow", label="bench", now_ms=now_ms())
            secrets.write(f"{key.secret}\n")
    await platform.close()


def _cut(count: int) -> Iterator[range]:
    for start in range(0, count, AT_ONCE):
        yield range(start, min(start + AT_ONCE, count))


def _wanted(sharers: list[str], first: int, followers: list[str]) -> list[NewFollow]:
    """Three follows for each sharer, each by somebody else, each with another set of limits."""
    wanted = []
    for number, sharer in enumerate(sharers, first):
        chosen: list[str] = []
        for which, limits in enumerate(limit_sets()):
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
