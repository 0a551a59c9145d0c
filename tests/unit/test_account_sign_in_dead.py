"""Sign-in may be dead for days, and a restart may meet everybody at once: nobody who is in is thrown out."""

from nightbell.adapters.passwords.pool import PasswordPool
from tests.household import DAY_MS, NOW_MS, Cast

DEVICES = 2000
DEAD_DAYS = 4


class DeadPasswords(PasswordPool):
    """Checks no password any more; counts who asks."""

    asked = 0

    async def hashed(self, password: str) -> str:  # noqa: ARG002 dead
        """Never."""
        self.asked += 1
        raise AssertionError("a password was wanted")

    async def matches(self, stored: str | None, password: str) -> bool:  # noqa: ARG002 dead
        """Never."""
        self.asked += 1
        raise AssertionError("a password was wanted")


async def test_four_days_without_sign_in_and_a_restart_throw_nobody_out_and_hash_no_password(
    cast: Cast,
) -> None:
    people = await cast.accounts.add_people([f"P{n}" for n in range(DEVICES)], share=True, now_ms=NOW_MS)
    grants = [granted.token for granted in await cast.accounts.add_grants(people, "phone", NOW_MS)]
    keys = [key.secret for key in await cast.accounts.add_publish_keys(people[:100], NOW_MS)]
    share = await cast.accounts.add_share_credential(name="Ana", password="share", now_ms=NOW_MS)
    session = await cast.accounts.share.share_session_open(share, NOW_MS)

    again = await cast.house.restarted()
    dead = DeadPasswords()
    again.accounts._passwords = dead
    again.accounts.share._passwords = dead
    inside = [
        sum(again.accounts.identify(secret, NOW_MS + day * DAY_MS) is not None for secret in (*grants, *keys))
        for day in range(DEAD_DAYS + 1)
    ]
    renewed = await again.accounts.renew(grants[0], NOW_MS + DEAD_DAYS * DAY_MS)
    shared = again.accounts.share.share_session(session, NOW_MS + 1)
    for day in range(DEAD_DAYS):
        assert again.accounts.share.share_session(session, NOW_MS + day * DAY_MS + DAY_MS // 2) is not None
    again.accounts.close()

    assert inside == [DEVICES + 100] * (DEAD_DAYS + 1)
    assert renewed.token
    assert shared is not None
    assert dead.asked == 0
