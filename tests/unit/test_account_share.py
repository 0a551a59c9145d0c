"""Share credentials: an old client's own sign-in, and sessions that outlive a restart."""

import asyncio

import pytest

from nightbell.account.share import SESSION_LASTS_MS, SESSIONS_OF_ONE_MAX, ShareCredential, Verified
from nightbell.adapters.stores.memory.accounts import MemoryAccountStore
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from tests.household import HOUR_MS, MINUTE_MS, NOW_MS, House

PASSWORD = "share only"


async def credential(house: House, name: str = "Ana") -> ShareCredential:
    """A Share credential, and with it a sharer."""
    return await house.accounts.add_share_credential(name=name, password=PASSWORD, now_ms=NOW_MS)


async def is_right(house: House, share: ShareCredential | None, password: str, now_ms: int = NOW_MS) -> bool:
    """Whether this password is taken."""
    return await house.accounts.share.share_verify_password(share, password, peer="p", now_ms=now_ms)


async def test_a_share_credential_makes_its_person_a_sharer(house: House) -> None:
    share = await credential(house)

    person = house.accounts.person_named("ana")
    assert person is not None
    assert (person.sharer, share.person) == (0, person.id)
    assert house.accounts.share.share_account_by_name("ANA") == share
    assert house.accounts.share.share_account_by_id(share.account.upper()) == share
    assert house.accounts.share.share_account_by_name("Ben") is None


async def test_a_person_who_is_there_already_keeps_their_own_sign_in(house: House) -> None:
    ana = await house.accounts.add_person(name="Ana", password="her own", now_ms=NOW_MS)

    share = await credential(house)

    assert share.person == ana.id
    signed_in = await house.accounts.sign_in(
        name="Ana", password="her own", device="", peer="p", now_ms=NOW_MS
    )
    assert signed_in.identity.person == ana.id
    assert not await is_right(house, share, "her own")


async def test_a_share_password_never_signs_in_to_the_app(house: House) -> None:
    await credential(house)

    with pytest.raises(CallerError) as refused:
        await house.accounts.sign_in(name="Ana", password=PASSWORD, device="", peer="p", now_ms=NOW_MS)

    assert refused.value.code is ErrorCode.WRONG_PASSWORD


async def test_a_name_without_a_share_credential_is_unknown_there(house: House) -> None:
    await house.accounts.add_person(name="Ben", password="his own", now_ms=NOW_MS)

    assert house.accounts.share.share_account_by_name("Ben") is None
    assert not await is_right(house, None, "his own")


async def test_a_second_credential_of_one_name_is_refused_and_adds_nobody(house: House) -> None:
    await credential(house)

    for name in ("ana", "\x00"):
        with pytest.raises(CallerError):
            await credential(house, name)

    assert len(list(house.accounts.people())) == 1


async def test_the_right_password_is_right_and_stays_so_without_another_slow_hash(house: House) -> None:
    share = await credential(house)
    assert await is_right(house, share, PASSWORD)
    house.accounts.close()  # no slow hash can be made any more

    assert await is_right(house, share, PASSWORD, NOW_MS + 9 * MINUTE_MS)
    with pytest.raises(RuntimeError):
        await is_right(house, share, "wrong")
    with pytest.raises(RuntimeError):
        await is_right(house, share, PASSWORD, NOW_MS + 10 * MINUTE_MS)


async def test_a_changed_password_ends_what_the_old_one_opened(house: House) -> None:
    share = await credential(house)
    assert await is_right(house, share, PASSWORD)
    session = await house.accounts.share.share_session_open(share, NOW_MS)

    await house.accounts.share.set_password(share.account, "another")

    assert not await is_right(house, share, PASSWORD)
    assert await is_right(house, share, "another")
    assert house.accounts.share.share_session(session, NOW_MS) is None
    again = await house.restarted()
    assert again.accounts.share.share_session(session, NOW_MS) is None


async def test_guessing_is_slowed(house: House) -> None:
    share = await credential(house)
    for _ in range(3):
        assert not await is_right(house, share, "wrong")

    with pytest.raises(CallerError) as refused:
        await is_right(house, share, "wrong")

    assert refused.value.code is ErrorCode.TRY_LATER
    assert refused.value.fields["retry_after_s"] == 1


async def test_a_household_that_comes_back_all_at_once_is_let_in(house: House) -> None:
    share = await credential(house)

    answers = await asyncio.gather(*(is_right(house, share, PASSWORD) for _ in range(30)))

    assert all(answers)


async def test_a_session_is_durable_and_knows_whose_it_is(house: House) -> None:
    share = await credential(house)
    session = await house.accounts.share.share_session_open(share, NOW_MS)
    other = await house.accounts.share.share_session_open(share, NOW_MS)

    again = await house.restarted()

    for one in (session, other, session.upper()):
        identity = again.accounts.share.share_session(one, NOW_MS)
        assert identity is not None
        assert (identity.person, identity.sharer) == (share.person, 0)
        assert identity.scopes == {"share"}
        assert identity.credential == share.credential
    assert len(session) == 36


async def test_the_id_of_a_session_is_stored_nowhere(house: House) -> None:
    share = await credential(house)

    session = await house.accounts.share.share_session_open(share, NOW_MS)

    store = house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    assert session not in repr(store.sessions)


async def test_a_session_lasts_a_day_from_its_last_use_even_through_a_restart(house: House) -> None:
    share = await credential(house)
    session = await house.accounts.share.share_session_open(share, NOW_MS)
    assert house.accounts.share.share_session(session, NOW_MS + 20 * HOUR_MS) is not None
    await house.accounts.tend(NOW_MS + 20 * HOUR_MS)

    again = await house.restarted()

    assert again.accounts.share.share_session(session, NOW_MS + 44 * HOUR_MS) is not None
    assert again.accounts.share.share_session(session, NOW_MS + 68 * HOUR_MS + 1) is None


async def test_sessions_that_have_run_out_leave_the_store(house: House) -> None:
    share = await credential(house)
    await house.accounts.share.share_session_open(share, NOW_MS)

    await house.accounts.tend(NOW_MS + SESSION_LASTS_MS + 1)

    store = house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    assert store.sessions == {}


async def test_a_client_that_signs_in_for_ever_pushes_out_only_its_oldest_sessions(house: House) -> None:
    share = await credential(house)
    used = await house.accounts.share.share_session_open(share, NOW_MS)
    opened = []
    for at in range(SESSIONS_OF_ONE_MAX + 10):
        assert house.accounts.share.share_session(used, NOW_MS + at + 1) is not None
        opened.append(await house.accounts.share.share_session_open(share, NOW_MS + at + 1))

    alive = [one for one in opened if house.accounts.share.share_session(one, NOW_MS + 99) is not None]
    assert alive == opened[-SESSIONS_OF_ONE_MAX + 1 :]
    store = house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    assert len(store.sessions) == SESSIONS_OF_ONE_MAX


async def test_a_session_that_was_not_saved_is_none(house: House) -> None:
    share = await credential(house)
    store = house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    store.broken = True

    with pytest.raises(PlatformError) as failed:
        await house.accounts.share.share_session_open(share, NOW_MS)

    assert failed.value.code is ErrorCode.NOT_DURABLE
    assert store.sessions == {}


async def test_sessions_go_on_while_the_store_is_down(house: House) -> None:
    share = await credential(house)
    session = await house.accounts.share.share_session_open(share, NOW_MS)
    store = house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    store.broken = True

    assert house.accounts.share.share_session(session, NOW_MS + HOUR_MS) is not None
    assert await is_right(house, share, PASSWORD)


@pytest.mark.parametrize("session", ["", "x" * 36, "00000000-0000-0000-0000-000000000000", "\ud800" * 36])
async def test_a_session_nobody_opened_is_nobody(house: House, session: str) -> None:
    assert house.accounts.share.share_session(session, NOW_MS) is None


def test_what_is_remembered_of_a_password_belongs_to_one_account_and_one_process() -> None:
    verified, elsewhere = Verified("one key"), Verified("another key")
    digest = verified.digest("a", "password")
    verified.put("a", digest, NOW_MS)

    assert verified.remembers("a", digest, NOW_MS)
    assert digest not in (verified.digest("b", "password"), elsewhere.digest("a", "password"))
    assert not verified.remembers("a", verified.digest("a", "passwore"), NOW_MS)
    assert b"password" not in digest
