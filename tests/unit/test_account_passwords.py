"""Passwords: the slow hash, its line, and that unknown names look like known ones."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Final, Literal

import pytest
from argon2 import PasswordHasher
from argon2.profiles import RFC_9106_LOW_MEMORY

from nightbell.account.person import PASSWORD_CHARS_MAX
from nightbell.adapters.passwords.pool import AT_ONCE, PasswordPool
from nightbell.words.errors import CallerError, ErrorCode, PlatformError

QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class HeldHasher(PasswordHasher):
    """Works only once it is let go, and counts."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 argon2's name
        """Wait, then verify."""
        assert self.go.wait(30)
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture
async def pool() -> PasswordPool:
    """A started pool."""
    made = PasswordPool(QUICK)
    await made.start()
    return made


@pytest.fixture
def held() -> Iterator[HeldHasher]:
    """A hasher that is let go at the end at the latest."""
    hasher = HeldHasher()
    yield hasher
    hasher.go.set()


async def test_the_right_password_matches_and_a_wrong_one_does_not(pool: PasswordPool) -> None:
    stored = await pool.hashed("a long password")

    assert await pool.matches(stored, "a long password")
    assert not await pool.matches(stored, "a long passwore")
    assert "a long password" not in stored


async def test_one_password_in_two_spellings_of_a_keyboard_is_one(pool: PasswordPool) -> None:
    stored = await pool.hashed("Zo\u00eb sleeps")

    assert await pool.matches(stored, "Zoe\u0308 sleeps")


def test_what_is_shipped_is_argon2id_as_rfc_9106_recommends_for_little_memory() -> None:
    shipped = PasswordPool()._hasher

    assert shipped.type is RFC_9106_LOW_MEMORY.type
    assert shipped.memory_cost >= RFC_9106_LOW_MEMORY.memory_cost
    assert shipped.time_cost >= RFC_9106_LOW_MEMORY.time_cost


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
async def test_a_name_nobody_has_never_matches(pool: PasswordPool, stored: str | None) -> None:
    assert not await pool.matches(stored, "")
    assert not await pool.matches(stored, "a long password")


async def test_an_unknown_name_costs_the_same_hash_as_a_known_one(held: HeldHasher) -> None:
    pool = PasswordPool(held)
    await pool.start()
    stored = await pool.hashed("a long password")
    held.go.set()

    for against in (stored, None, ""):
        before = held.verified
        assert not await pool.matches(against, "another password")
        assert held.verified == before + 1


@pytest.mark.parametrize("password", ["", "x" * (PASSWORD_CHARS_MAX + 1)])
async def test_a_password_that_cannot_be_one_is_refused_and_never_right(
    pool: PasswordPool, password: str
) -> None:
    with pytest.raises(CallerError) as refused:
        await pool.hashed(password)

    assert refused.value.code is ErrorCode.MALFORMED
    assert not await pool.matches(await pool.hashed("x"), password)


async def test_half_a_character_is_a_password_like_another(pool: PasswordPool) -> None:
    stored = await pool.hashed("half \ud800 a sign")

    assert await pool.matches(stored, "half \ud800 a sign")


async def test_a_storm_finds_a_bounded_line_and_is_told_when_to_come_again(held: HeldHasher) -> None:
    pool = PasswordPool(held, waiting_max=3)
    await pool.start()
    stored = await pool.hashed("a long password")
    inside = [asyncio.ensure_future(pool.matches(stored, f"guess {at}")) for at in range(AT_ONCE + 3)]
    await asyncio.sleep(0)

    with pytest.raises(PlatformError) as refused:
        await pool.matches(stored, "a long password")

    assert refused.value.code is ErrorCode.OVERLOADED
    assert refused.value.retry_after_s is not None
    held.go.set()
    assert not any(await asyncio.gather(*inside))
    assert await pool.matches(stored, "a long password")


async def test_those_who_ask_the_same_at_once_share_one_answer(pool: PasswordPool) -> None:
    asked = 0

    async def work() -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return True

    answers = await asyncio.gather(*(pool.together(("a", b"x"), work) for _ in range(10)))
    again = await pool.together(("a", b"x"), work)

    assert all(answers)
    assert again
    assert asked == 2


async def test_one_who_leaves_does_not_take_the_answer_from_the_others(pool: PasswordPool) -> None:
    gate = asyncio.Event()

    async def work() -> bool:
        await gate.wait()
        return True

    leaving = asyncio.ensure_future(pool.together(("a", b"x"), work))
    staying = asyncio.ensure_future(pool.together(("a", b"x"), work))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()

    assert await staying
