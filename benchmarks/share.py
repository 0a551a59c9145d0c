"""Old clients at size: what a Share account and a session take in memory, and how long their start is.

By hand, for it needs a folder of its own and, with a million, some minutes:

    python -m benchmarks.share make FOLDER 1000000
    python -m benchmarks.share load FOLDER

`make` writes the secrets that let people in beside the accounts and then waits to be killed;
`tests/acceptance/test_nobody_signs_in_again.py` does just that.
"""

import asyncio
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Final

from nightbell.account.packed import halves
from nightbell.account.person import Person
from nightbell.account.ports import AccountChange, Passwords, StoredSession, StoredShare
from nightbell.account.service import Accounts
from nightbell.account.share import ShareCredential
from nightbell.account.share_book import Sessions, Shares
from nightbell.adapters.passwords.pool import PasswordPool
from nightbell.adapters.stores.files.keys import FileKeyFolder
from nightbell.adapters.stores.sqlite.accounts import AccountsFile, SqliteAccountStore
from nightbell.words.clock import SystemClock
from nightbell.words.identity import new_uuid, secret_hash

AT_ONCE: Final = 5_000
FIRST_CREDENTIAL: Final = 1_000_000_000
"""Above every number that the grants get."""

PHC: Final = "$argon2id$v=19$m=65536,t=3,p=4$" + "c2FsdHNhbHRzYWx0c2FsdA" + "$" + "h" * 43
"""As long as a real one, and nobody's: a slow hash for each of a million would take half a day."""

GRANTS: Final = "grants.txt"
SESSIONS: Final = "sessions.txt"


class Unjournaled:
    """The journal is another figure's business."""

    async def sharer_added(self, sharer: int, at_ms: int) -> None:
        """Nothing to do."""


async def opened(folder: Path, passwords: Passwords) -> tuple[AccountsFile, Accounts]:
    """The accounts of this folder, started."""
    file = AccountsFile(folder / "accounts.sqlite")
    await file.start()
    store = SqliteAccountStore(file)
    accounts = Accounts(store, FileKeyFolder(folder / "keys"), Unjournaled(), passwords)
    await accounts.start()
    return file, accounts


async def make(folder: Path, count: int) -> None:
    """So many sharers, each with a device's grant, a Share account and a session of it."""
    file, accounts = await opened(folder, PasswordPool())
    store, now_ms = SqliteAccountStore(file), SystemClock().now_ms()
    with (folder / GRANTS).open("w") as grants, (folder / SESSIONS).open("w") as sessions:
        for first in range(0, count, AT_ONCE):
            names = [f"sharer {n:07d}" for n in range(first, min(count, first + AT_ONCE))]
            people = await accounts.add_people(names, share=True, now_ms=now_ms)
            granted = await accounts.add_grants(people, "phone", now_ms)
            grants.writelines(f"{one.token}\n" for one in granted)
            sessions.writelines(f"{one}\n" for one in await _share(store, people, now_ms))


async def _share(store: SqliteAccountStore, people: list[Person], now_ms: int) -> list[str]:
    """Share accounts and sessions of these; the ids of the sessions."""
    shares = [
        ShareCredential(new_uuid(), person.name, person.id, FIRST_CREDENTIAL + person.sharer, now_ms)
        for person in people
    ]
    ids = [new_uuid() for _ in people]
    await store.commit(
        AccountChange(
            shares=tuple(StoredShare(share, PHC) for share in shares),
            sessions=tuple(
                StoredSession(secret_hash(one), share.account, now_ms, now_ms)
                for one, share in zip(ids, shares, strict=True)
            ),
        )
    )
    return ids


async def load(folder: Path) -> None:
    """Say what it takes, apart from people and keys."""
    began_s = time.perf_counter()
    file = AccountsFile(folder / "accounts.sqlite")
    await file.start()
    loaded = await SqliteAccountStore(file).load()
    read_s = time.perf_counter() - began_s
    tracemalloc.start()
    began_s, before = time.perf_counter(), tracemalloc.get_traced_memory()[0]
    shares, sessions = Shares(), Sessions()
    shares.load(loaded.shares)
    of_shares = tracemalloc.get_traced_memory()[0] - before
    sessions.load(loaded.sessions, shares.rows(halves(loaded.sessions.accounts)))
    of_sessions = tracemalloc.get_traced_memory()[0] - before - of_shares
    took_s = time.perf_counter() - began_s
    print(
        f"{len(shares)} accounts of {of_shares / len(shares):.0f} bytes,"
        f" {len(sessions)} sessions of {of_sessions / len(sessions):.0f} bytes;"
        f" read with people in {read_s:.1f} s, taken over in {took_s:.1f} s"
    )
    await file.close()


def main() -> None:
    """One of the two."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "load":
        asyncio.run(load(folder))
        return
    asyncio.run(make(folder, int(sys.argv[3])))
    print("made", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
