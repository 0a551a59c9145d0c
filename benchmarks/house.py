"""A loaded house for benchmarks: sharers with publish keys, three follows each with three sets of limits."""

import asyncio
import sys
from collections.abc import Iterator
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
"""Followers are clinics and families: one account follows this many, so that the house is not all passwords."""

AT_ONCE: Final = 5_000


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
    metric = Limits(**{name: msgspec.structs.replace(part, on=True, hours=None) for name, part in parts.items()})
    return all_on, careful, metric


def _cut(count: int) -> Iterator[range]:
    for start in range(0, count, AT_ONCE):
        yield range(start, min(start + AT_ONCE, count))


async def furnish(folder: Path, sharers: int) -> None:
    """Make the house and write the sharers' keys to `folder/tokens`, a follower's key to `folder/followers`."""
    settings = load(folder, {}, chosen={"listen": "127.0.0.1:0", "canary": False})
    platform = Platform(folder, settings, tls=None)
    await platform.start()
    accounts, follows, now_ms = platform.accounts, platform.follows, platform.clock.now_ms
    followers = await accounts.add_people(
        [f"follower {n:07d}" for n in range(-(-sharers * FOLLOWS_EACH // SHARERS_TO_FOLLOWER))],
        share=False,
        now_ms=now_ms(),
    )
    chosen = limit_sets()
    with (folder / "tokens").open("w") as tokens:
        for part in _cut(sharers):
            people = await accounts.add_people([f"sharer {n:07d}" for n in part], share=True, now_ms=now_ms())
            keys = await accounts.add_publish_keys(people, now_ms())
            tokens.writelines(f"{key.secret}\n" for key in keys)
            wanted = [
                NewFollow(person.id, followers[(n * FOLLOWS_EACH + which) // SHARERS_TO_FOLLOWER].id, chosen[which])
                for n, person in zip(part, people, strict=True)
                for which in range(FOLLOWS_EACH)
            ]
            # one follower must not follow the same sharer twice
            seen: set[tuple[str, str]] = set()
            for place, follow in enumerate(wanted):
                follower = follow.follower
                step = 0
                while (follow.sharer, follower) in seen:
                    step += 1
                    follower = followers[(place + step * 7919) % len(followers)].id
                seen.add((follow.sharer, follower))
                wanted[place] = follow._replace(follower=follower)
            await follows.add_many(wanted, now_ms())
            print(f"{part.stop} sharers", file=sys.stderr, flush=True)  # noqa: T201
    with (folder / "followers").open("w") as secrets:
        for follower_person in followers[:10_000]:
            key = await accounts.add_key(person_id=follower_person.id, scope="follow", label="bench", now_ms=now_ms())
            secrets.write(f"{key.secret}\n")
    await platform.close()


if __name__ == "__main__":
    asyncio.run(furnish(Path(sys.argv[1]), int(sys.argv[2])))
