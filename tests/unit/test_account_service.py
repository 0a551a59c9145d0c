"""People, sign-in, grants and keys, in services that live in memory."""

import numpy as np
import pytest

from nightbell.account.identity import FOLLOW, PUBLISH
from nightbell.account.person import folded, is_email, tidied_name
from nightbell.account.service import KEYS_OF_ONE_MAX
from nightbell.account.sign_in import SignedIn
from nightbell.adapters.stores.memory.accounts import MemoryAccountStore, MemoryKeyFolder
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.glucose import Unit
from tests.household import (
    ANAS_PASSWORD,
    BENS_PASSWORD,
    DAY_MS,
    NOW_MS,
    Cast,
    FactsKept,
    House,
    memory_stores,
)


async def sign_in(
    cast: Cast, name: str = "Ana", password: str = ANAS_PASSWORD, peer: str = "home"
) -> SignedIn:
    """Sign a phone in."""
    return await cast.accounts.sign_in(name=name, password=password, device="phone", peer=peer, now_ms=NOW_MS)


# People


async def test_a_name_is_one_person_whatever_its_case(cast: Cast) -> None:
    assert cast.accounts.person_named("aNA") == cast.ana
    assert cast.accounts.person(cast.ana.id) == cast.ana
    assert cast.accounts.sharer(0) == cast.ana

    with pytest.raises(CallerError) as refused:
        await cast.accounts.add_person(name=" ANA ", password=None, now_ms=NOW_MS)

    assert refused.value.code is ErrorCode.CONFLICT


async def test_a_sharer_gets_one_number_for_ever(cast: Cast) -> None:
    again = await cast.accounts.make_sharer(cast.ana.id, NOW_MS)
    ben = await cast.accounts.make_sharer(cast.ben.id, NOW_MS)

    assert again.sharer == 0
    assert ben.sharer == 1
    assert cast.house.journal.sharers == [0, 1]
    assert cast.accounts.sharer(2) is None
    assert cast.accounts.sharer(-1) is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "a\u202eb"])
async def test_a_name_that_cannot_be_read_is_refused(house: House, name: str) -> None:
    with pytest.raises(CallerError) as refused:
        await house.accounts.add_person(name=name, password=None, now_ms=NOW_MS)

    assert refused.value.code is ErrorCode.MALFORMED
    assert tidied_name(name) is None


def test_names_are_compared_without_case_width_and_stray_blanks() -> None:
    assert folded(" Ana  Maria ") == folded("ANA maria") == folded("\uff21na maria")


@pytest.mark.parametrize("email", ["no", "a@b@c", "a b@c", "@c", "a@", "a\n@c", "x" * 250 + "@c.org"])
async def test_a_wrong_address_or_zone_is_refused(cast: Cast, email: str) -> None:
    with pytest.raises(CallerError):
        await cast.accounts.set_person(cast.ana.id, email=email, now_ms=NOW_MS)
    with pytest.raises(CallerError):
        await cast.accounts.set_person(cast.ana.id, zone="Mars/Olympus", now_ms=NOW_MS)

    assert not is_email(email)
    assert cast.accounts.person(cast.ana.id) == cast.ana


async def test_what_a_person_changes_survives_a_restart(cast: Cast) -> None:
    changed = await cast.accounts.set_person(
        cast.ana.id, email="ana@example.org", unit=Unit.MMOL, zone="Europe/Lisbon", now_ms=NOW_MS
    )

    again = await cast.house.restarted()

    assert (changed.email, changed.unit, changed.zone) == ("ana@example.org", Unit.MMOL, "Europe/Lisbon")
    assert again.accounts.person(cast.ana.id) == changed


async def test_what_the_store_did_not_take_did_not_happen(cast: Cast) -> None:
    store = cast.house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    store.broken = True

    with pytest.raises(PlatformError):
        await cast.accounts.add_person(name="Eve", password=None, now_ms=NOW_MS)
    with pytest.raises(PlatformError):
        await cast.accounts.make_sharer(cast.ben.id, NOW_MS)

    assert cast.accounts.person_named("Eve") is None
    assert cast.accounts.person(cast.ben.id) == cast.ben


async def test_a_sharer_the_journal_did_not_take_is_told_to_it_later(cast: Cast) -> None:
    cast.house.journal.failing = True
    with pytest.raises(PlatformError):
        await cast.accounts.make_sharer(cast.ben.id, NOW_MS)
    cast.house.journal.failing = False

    await cast.accounts.tend(NOW_MS)

    assert cast.house.journal.sharers == [0, 1]


async def test_of_many_sharers_none_is_forgotten_when_the_journal_fails(cast: Cast) -> None:
    cast.house.journal.full = True
    with pytest.raises(PlatformError):
        await cast.accounts.add_people(["P1", "P2", "P3"], share=True, now_ms=NOW_MS)
    cast.house.journal.full = False

    await cast.accounts.tend(NOW_MS)

    assert cast.house.journal.sharers == [0, 1, 2, 3]


async def test_a_store_that_stays_down_does_not_keep_a_sharer_from_the_journal(cast: Cast) -> None:
    share = await cast.accounts.add_share_credential(name="Ana", password="share", now_ms=NOW_MS)
    await cast.accounts.share.share_session_open(share, NOW_MS)
    store = cast.house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    cast.house.journal.sharers.clear()
    cast.house.journal.full = True
    with pytest.raises(PlatformError):
        await cast.accounts.reconcile(np.empty(0, np.int64), NOW_MS)
    cast.house.journal.full = False
    store.broken = True

    with pytest.raises(PlatformError):
        await cast.accounts.tend(NOW_MS + 2 * DAY_MS)  # the session cannot be dropped

    assert cast.house.journal.sharers == [0]


async def test_a_crash_between_store_and_journal_is_healed_at_the_next_start(cast: Cast) -> None:
    cast.house.journal.sharers.clear()

    again = await cast.house.restarted()

    assert cast.house.journal.sharers == [0]
    assert await again.accounts.reconcile(np.array([0]), NOW_MS) == 0


async def test_many_people_are_added_at_once_or_not_at_all(cast: Cast) -> None:
    many = await cast.accounts.add_people([f"Sharer {at}" for at in range(50)], share=True, now_ms=NOW_MS)

    with pytest.raises(CallerError):
        await cast.accounts.add_people(["New", "Sharer 3"], share=False, now_ms=NOW_MS)

    assert [one.sharer for one in many] == list(range(1, 51))
    assert cast.house.journal.sharers == list(range(51))
    assert cast.accounts.person_named("New") is None
    keys = await cast.accounts.add_publish_keys(many, NOW_MS)
    identity = cast.accounts.identify(keys[7].secret, NOW_MS)
    assert identity is not None
    assert identity.sharer == many[7].sharer


# Signing in


async def test_a_device_signs_in_once_and_is_known_for_thirty_days(cast: Cast) -> None:
    signed_in = await sign_in(cast)

    identity = cast.accounts.identify(signed_in.token, NOW_MS + 30 * DAY_MS - 1)

    assert identity is not None
    assert identity == signed_in.identity
    assert (identity.person, identity.sharer) == (cast.ana.id, 0)
    assert identity.scopes == {PUBLISH, FOLLOW}
    assert cast.accounts.identify(signed_in.token, NOW_MS + 30 * DAY_MS) is None


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(cast: Cast) -> None:
    answers = []
    for name, password in (("Ana", "wrong"), ("Nobody", "wrong"), ("Dan", "wrong"), ("Ana", "")):
        with pytest.raises(CallerError) as refused:
            await sign_in(cast, name, password, peer=f"{name}{password}")
        answers.append((refused.value.code, refused.value.sentence, refused.value.fields))

    assert len({str(answer) for answer in answers}) == 1
    assert answers[0][0] is ErrorCode.WRONG_PASSWORD


async def test_guessing_is_slowed_for_known_and_unknown_names_alike(cast: Cast) -> None:
    seen = []
    for name in ("Ana", "Nobody"):
        codes = []
        for _ in range(5):
            with pytest.raises(CallerError) as refused:
                await sign_in(cast, name, "wrong", peer=f"from {name}")
            codes.append(refused.value.code)
        seen.append(codes)

    assert seen[0] == seen[1]
    assert seen[0][-1] is ErrorCode.TRY_LATER
    assert (await sign_in(cast, peer="elsewhere")).identity.person == cast.ana.id


async def test_somebody_without_a_password_never_signs_in(cast: Cast) -> None:
    for password in ("", "password"):
        with pytest.raises(CallerError):
            await sign_in(cast, "Dan", password)


async def test_a_person_who_begins_to_share_publishes_with_the_grant_they_hold(cast: Cast) -> None:
    signed_in = await sign_in(cast, "Ben", BENS_PASSWORD)
    assert signed_in.identity.scopes == {FOLLOW}

    await cast.accounts.make_sharer(cast.ben.id, NOW_MS)

    identity = cast.accounts.identify(signed_in.token, NOW_MS)
    assert identity is not None
    assert PUBLISH in identity.scopes
    assert identity.sharer == 1


async def test_a_renewed_grant_keeps_its_credential_and_the_old_one_holds_on(cast: Cast) -> None:
    first = await sign_in(cast)

    second = await cast.accounts.renew(first.token, NOW_MS + 20 * DAY_MS)

    assert second.identity.credential == first.identity.credential
    assert second.expires_ms == NOW_MS + 50 * DAY_MS
    assert cast.accounts.identify(first.token, NOW_MS + 21 * DAY_MS) is not None
    with pytest.raises(CallerError):
        await cast.accounts.renew(first.token, NOW_MS + 31 * DAY_MS)


async def test_signing_out_voids_every_grant_of_the_device_at_once_and_for_good(cast: Cast) -> None:
    old = await sign_in(cast)
    new = await cast.accounts.renew(old.token, NOW_MS)
    other = await sign_in(cast)
    assert cast.accounts.identify(old.token, NOW_MS) is not None

    await cast.accounts.sign_out(new.token, NOW_MS)

    for accounts in (cast.accounts, (await cast.house.restarted()).accounts):
        assert accounts.identify(old.token, NOW_MS) is None
        assert accounts.identify(new.token, NOW_MS) is None
        assert accounts.identify(other.token, NOW_MS) is not None


async def test_a_new_password_signs_out_everywhere_and_lets_back_in_at_once(cast: Cast) -> None:
    before = await sign_in(cast)

    await cast.accounts.set_password(cast.ana.id, "another long password", NOW_MS)

    assert cast.accounts.identify(before.token, NOW_MS) is None
    with pytest.raises(CallerError):
        await sign_in(cast)
    after = await sign_in(cast, password="another long password", peer="other")
    assert cast.accounts.identify(after.token, NOW_MS) is not None


async def test_a_list_that_cannot_be_written_still_holds_here_and_is_written_later(cast: Cast) -> None:
    folder = cast.house.stores.keys
    assert isinstance(folder, MemoryKeyFolder)
    signed_in = await sign_in(cast)
    folder.broken = True
    with pytest.raises(PlatformError):
        await cast.accounts.sign_out(signed_in.token, NOW_MS)
    assert cast.accounts.identify(signed_in.token, NOW_MS) is None
    folder.broken = False

    await cast.accounts.tend(NOW_MS)

    again = await cast.house.restarted()
    assert again.accounts.identify(signed_in.token, NOW_MS) is None


async def test_a_damaged_list_is_kept_aside_people_stay_signed_in_and_the_operator_is_told(
    cast: Cast,
) -> None:
    folder = cast.house.stores.keys
    assert isinstance(folder, MemoryKeyFolder)
    signed_in = await sign_in(cast)
    folder.listed = b"damaged"

    again = await cast.house.restarted()

    assert again.accounts.identify(signed_in.token, NOW_MS) is not None
    assert folder.set_aside == [b"damaged"]
    assert "revoked.damaged-1" in again.accounts.failing


async def test_a_clock_set_back_signs_nobody_out(cast: Cast) -> None:
    signed_in = await sign_in(cast)

    assert cast.accounts.identify(signed_in.token, NOW_MS - 365 * DAY_MS) is not None


async def test_grants_of_the_key_before_hold_after_a_rotation(cast: Cast) -> None:
    folder = cast.house.stores.keys
    assert isinstance(folder, MemoryKeyFolder)
    signed_in = await sign_in(cast)
    await folder.rotate()

    once = await cast.house.restarted()
    assert once.accounts.identify(signed_in.token, NOW_MS) is not None
    await folder.rotate()
    twice = await once.restarted()

    assert twice.accounts.identify(signed_in.token, NOW_MS) is None


async def test_verification_does_not_need_the_store(cast: Cast) -> None:
    signed_in = await sign_in(cast)
    store = cast.house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    store.broken = True
    store.people.clear()

    assert cast.accounts.identify(signed_in.token, NOW_MS) is not None
    assert (await cast.accounts.renew(signed_in.token, NOW_MS)).identity.person == cast.ana.id
    assert (await sign_in(cast)).identity.person == cast.ana.id


async def test_accounts_that_are_gone_while_keys_exist_are_not_begun_anew_in_silence() -> None:
    stores = memory_stores()
    first = House(stores, FactsKept())
    await first.start()
    first.accounts.close()
    lost = House(stores._replace(accounts=MemoryAccountStore()), FactsKept())

    for _ in range(2):  # and not at the second try either
        with pytest.raises(PlatformError) as refused:
            await lost.start()
        assert "accounts.sqlite" in refused.value.sentence
    lost.accounts.close()


# Keys


async def test_a_key_opens_its_one_scope_until_it_is_revoked(cast: Cast) -> None:
    publish = await cast.accounts.add_key(person_id=cast.ana.id, scope=PUBLISH, label="pump", now_ms=NOW_MS)
    follow = await cast.accounts.add_key(person_id=cast.ana.id, scope=FOLLOW, label="watch", now_ms=NOW_MS)

    published, followed = (cast.accounts.identify(key.secret, NOW_MS) for key in (publish, follow))

    assert published is not None
    assert followed is not None
    assert (published.scopes, published.sharer) == (frozenset({PUBLISH}), 0)
    assert (followed.scopes, followed.sharer) == (frozenset({FOLLOW}), -1)
    assert published.credential != followed.credential
    await cast.accounts.revoke_key(key_id=publish.id, now_ms=NOW_MS)
    for accounts in (cast.accounts, (await cast.house.restarted()).accounts):
        assert accounts.identify(publish.secret, NOW_MS) is None
        assert accounts.identify(follow.secret, NOW_MS) == followed
    with pytest.raises(CallerError):
        await cast.accounts.revoke_key(key_id=publish.id, now_ms=NOW_MS)


async def test_a_revoked_key_stays_revoked_when_an_old_copy_of_the_accounts_is_put_back(cast: Cast) -> None:
    key = await cast.accounts.add_key(person_id=cast.ana.id, scope=PUBLISH, label="", now_ms=NOW_MS)
    store = cast.house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    copy = dict(store.keys)
    await cast.accounts.revoke_key(key_id=key.id, now_ms=NOW_MS)
    store.keys = copy

    again = await cast.house.restarted()

    assert again.accounts.identify(key.secret, NOW_MS) is None


async def test_a_key_that_could_not_be_unsaved_is_revoked_all_the_same(cast: Cast) -> None:
    key = await cast.accounts.add_key(person_id=cast.ana.id, scope=PUBLISH, label="", now_ms=NOW_MS)
    store = cast.house.stores.accounts
    assert isinstance(store, MemoryAccountStore)
    store.broken = True

    with pytest.raises(PlatformError):
        await cast.accounts.revoke_key(key_id=key.id, now_ms=NOW_MS)

    assert cast.accounts.identify(key.secret, NOW_MS) is None


async def test_the_secret_of_a_key_is_shown_once_and_stored_nowhere(cast: Cast) -> None:
    key = await cast.accounts.add_key(person_id=cast.ana.id, scope=PUBLISH, label="pump", now_ms=NOW_MS)
    store = cast.house.stores.accounts
    assert isinstance(store, MemoryAccountStore)

    assert key.secret.startswith("nbk_")
    assert cast.accounts.keys_of(cast.ana.id)[0].secret == ""
    assert key.secret not in repr(store.keys)


@pytest.mark.parametrize(("scope", "label"), [("share", ""), ("", ""), ("admin", ""), (FOLLOW, "x" * 81)])
async def test_a_key_for_something_else_is_refused(cast: Cast, scope: str, label: str) -> None:
    with pytest.raises(CallerError):
        await cast.accounts.add_key(person_id=cast.ana.id, scope=scope, label=label, now_ms=NOW_MS)


async def test_only_a_sharer_gets_a_publish_key_and_nobody_gets_too_many(cast: Cast) -> None:
    with pytest.raises(CallerError) as refused:
        await cast.accounts.add_key(person_id=cast.ben.id, scope=PUBLISH, label="", now_ms=NOW_MS)
    assert refused.value.code is ErrorCode.CONFLICT

    for _ in range(KEYS_OF_ONE_MAX):
        await cast.accounts.add_key(person_id=cast.ben.id, scope=FOLLOW, label="", now_ms=NOW_MS)
    with pytest.raises(CallerError) as refused:
        await cast.accounts.add_key(person_id=cast.ben.id, scope=FOLLOW, label="", now_ms=NOW_MS)

    assert refused.value.code is ErrorCode.TOO_MANY


@pytest.mark.parametrize(
    "bearer", ["", "nbk_", "nbk_" + "x" * 5000, "nbg1." + "x" * 5000, "nbk_\ud800", "\ud800"]
)
async def test_a_bearer_nobody_gave_out_is_nobody(cast: Cast, bearer: str) -> None:
    assert cast.accounts.identify(bearer, NOW_MS) is None


async def test_no_credential_number_is_given_twice(cast: Cast) -> None:
    numbers = set()
    house = cast.house
    for round_ in range(3):
        for at in range(300):
            signed_in = await house.accounts.sign_in(
                name="Ana", password=ANAS_PASSWORD, device="", peer=f"{round_} {at}", now_ms=NOW_MS
            )
            numbers.add(signed_in.identity.credential)
        house = await house.restarted()

    assert len(numbers) == 900
    assert min(numbers) > 0
