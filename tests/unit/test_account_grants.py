"""Grants: true without asking anybody, until they run out or are withdrawn."""

from base64 import urlsafe_b64encode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from nightbell.account import grants, revocations
from nightbell.account.grants import Grant, renew_ms
from nightbell.account.remembered import Remembered
from nightbell.account.revocations import Revocations
from tests.household import DAY_MS, NOW_MS

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
PUBLIC = [KEY.public_key()]
TAG_KEY = grants.tag_key_of(KEY)


def a_grant(identity: str = "g", credential: int = 7, issued_ms: int = NOW_MS) -> Grant:
    """A grant of thirty days."""
    return Grant(identity, "ana", ("follow",), "phone", issued_ms, issued_ms + 30 * DAY_MS, credential)


def test_a_sealed_grant_opens_with_the_key_that_signed_it() -> None:
    grant = a_grant()

    assert grants.opened(grants.sealed(grant, KEY), PUBLIC) == grant


def test_a_grant_of_the_key_before_still_opens() -> None:
    token = grants.sealed(a_grant(), OTHER)

    assert grants.opened(token, [KEY.public_key(), OTHER.public_key()]) == a_grant()
    assert grants.opened(token, PUBLIC) is None


def test_a_changed_payload_opens_nothing() -> None:
    token = grants.sealed(a_grant(), KEY)
    prefix, _, signature, tag = token.split(".")
    forged = msgspec.json.encode(msgspec.structs.replace(a_grant(), person="dan"))
    changed = f"{prefix}.{urlsafe_b64encode(forged).decode().rstrip('=')}.{signature}"

    assert grants.opened(changed, PUBLIC) is None
    assert grants.tagged(f"{changed}.{tag}", TAG_KEY) is None
    assert grants.tagged(f"{changed}.", TAG_KEY) is None
    assert grants.opened(f"{changed}.{tag}", PUBLIC) is None


def test_our_own_tag_is_as_good_as_the_signature_and_a_grant_without_one_still_opens() -> None:
    token = grants.sealed(a_grant(), KEY)
    untagged = token.rpartition(".")[0]

    assert grants.tagged(token, TAG_KEY) == a_grant()
    assert grants.tagged(untagged, TAG_KEY) is None
    assert grants.opened(untagged, PUBLIC) == a_grant()


def test_a_tag_of_another_key_says_nothing() -> None:
    token = grants.sealed(a_grant(), OTHER)

    assert grants.tagged(token, TAG_KEY) is None
    assert grants.opened(token, [OTHER.public_key()]) == a_grant()


def test_a_signature_made_for_another_purpose_opens_nothing() -> None:
    listed = revocations.sealed(Revocations(), KEY)
    signature, content = listed[:64], listed[64:]
    token = f"nbg1.{urlsafe_b64encode(content).decode()}.{urlsafe_b64encode(signature).decode()}"

    assert grants.opened(token.replace("=", ""), PUBLIC) is None


@pytest.mark.parametrize(
    "token", ["", "nbg1", "nbg1..", "nbg1.a.b", "nbg2.e30.e30", "nbg1.\u00e9.\u00e9", "." * 3000]
)
def test_rubbish_opens_nothing(token: str) -> None:
    assert grants.opened(token, PUBLIC) is None


@given(st.text(max_size=300))
def test_no_text_at_all_opens_or_breaks_anything(text: str) -> None:
    assert grants.opened(f"nbg1.{text}", PUBLIC) is None


def test_devices_renew_at_different_moments_of_the_last_twenty_days() -> None:
    drawn = [renew_ms(a_grant(f"grant {at}")) - NOW_MS for at in range(2000)]

    assert min(drawn) >= 10 * DAY_MS
    assert max(drawn) < 28 * DAY_MS
    by_day = [sum(day * DAY_MS <= one < (day + 1) * DAY_MS for one in drawn) for day in range(10, 28)]
    assert min(by_day) > 60  # 111 expected a day
    assert renew_ms(a_grant("same")) == renew_ms(a_grant("same"))


def test_a_list_of_revocations_covers_devices_and_people() -> None:
    listed = Revocations().with_credential(7, NOW_MS + DAY_MS, NOW_MS).with_person("ben", NOW_MS)

    assert listed.covers(a_grant(credential=7))
    assert not listed.covers(a_grant(credential=8))
    before = msgspec.structs.replace(a_grant(credential=9), person="ben")
    after = msgspec.structs.replace(before, issued_ms=NOW_MS + 1)
    assert listed.covers(before)
    assert not listed.covers(after)


def test_the_list_stays_small_because_what_has_run_out_leaves_it() -> None:
    listed = Revocations().with_credential(1, NOW_MS + DAY_MS, NOW_MS).with_person("ben", NOW_MS)

    later = listed.with_credential(2, NOW_MS + 40 * DAY_MS, NOW_MS + 31 * DAY_MS)

    assert later == Revocations({2: NOW_MS + 40 * DAY_MS}, {})


def test_a_list_that_was_tampered_with_is_not_believed() -> None:
    stored = bytearray(revocations.sealed(Revocations({1: NOW_MS}), KEY))
    assert revocations.opened(bytes(stored), PUBLIC) == Revocations({1: NOW_MS})

    stored[-1] ^= 1

    assert revocations.opened(bytes(stored), PUBLIC) is None
    assert revocations.opened(b"", PUBLIC) is None


def test_what_was_used_lately_is_remembered_and_the_memory_is_bounded() -> None:
    remembered = Remembered(10)
    remembered.add(b"mine")

    for at in range(100):
        remembered.add(str(at).encode())
        assert b"mine" in remembered
        assert len(remembered) <= 11

    assert b"0" not in remembered


def test_a_token_that_was_not_verified_is_never_taken_for_one_that_was() -> None:
    remembered = Remembered()
    remembered.add(b"a")

    assert b"b" not in remembered
    remembered.clear()
    assert b"a" not in remembered
