"""Everybody at once after a kill: 50,000 devices and 50,000 old clients on real files, and no password asked.

At 50 to 100 ms a slow hash, a forced sign-in of a million people takes half a day. `benchmarks/share.py`
makes the same house as large as you like.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import pytest

from benchmarks.share import GRANTS, SESSIONS, opened
from nightbell.adapters.passwords.pool import PasswordPool
from nightbell.words.clock import SystemClock

DEVICES: Final = 50_000
ONE_MS: Final = 1

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


class CountedPasswords(PasswordPool):
    """The real one; counts every slow hash that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def hashed(self, password: str) -> str:
        """Count and hash."""
        self.asked += 1
        return await super().hashed(password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Count and compare."""
        self.asked += 1
        return await super().matches(stored, password)


async def test_after_a_kill_every_device_and_every_old_client_is_in_without_one_slow_hash(
    tmp_path: Path,
) -> None:
    maker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.share", "make", str(tmp_path), str(DEVICES),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert maker.stdout is not None
    assert await maker.stdout.readline() == b"made\n"
    maker.kill()
    await maker.wait()
    assert (tmp_path / "accounts.sqlite-wal").stat().st_size > 0, "it was not closed in peace"

    passwords, now_ms = CountedPasswords(), SystemClock().now_ms()
    file, accounts = await opened(tmp_path, passwords)
    at_start = passwords.asked
    grants = (tmp_path / GRANTS).read_text().split()
    sessions = (tmp_path / SESSIONS).read_text().split()
    devices = {who.person for one in grants if (who := accounts.identify(one, now_ms)) is not None}
    clients = {
        who.person for one in sessions if (who := accounts.share.share_session(one, now_ms)) is not None
    }
    share = accounts.share.share_account_by_name("SHARER 0000007")
    stranger = accounts.share.share_session(sessions[0][::-1], now_ms)
    asked = passwords.asked
    seen = share is not None and await accounts.share.share_verify_password(
        share, "wrong", peer="p", now_ms=now_ms + ONE_MS
    )
    accounts.close()
    await file.close()

    assert len(devices) == len(clients) == DEVICES
    assert devices == clients
    assert stranger is None
    assert at_start <= 1, "what unknown names are compared with"
    assert asked == at_start
    assert not seen
    assert passwords.asked == asked + 1, "the count counts"
