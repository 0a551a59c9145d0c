"""The platform's side of the watch: hidden canaries, keys that hold, and a roster that says little."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from nightbell.adapters.stores.roster.pairings import FilePairings
from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.app.pairing import make_pairing, roster_answer, roster_of, urgent
from nightbell.publish.door import DoorRequest
from nightbell.watch.pairing import CANARIES, Pairing
from nightbell.watch.roster import Roster, affected, read_roster
from nightbell.words.conditions import Condition, Family
from tests.household import NOW_MS, Cast, House

URL = "http://127.0.0.1:8377"


async def paired(house: House, folder: Path, *, base_url: str = URL, canaries: bool = True) -> Pairing:
    return await make_pairing(
        accounts=house.accounts,
        follows=house.follows,
        folder=folder,
        base_url=base_url,
        now_ms=NOW_MS,
        canaries=canaries,
    )


def alarm(family: Family, state: AlarmState, *, sharer: int = 0) -> AlarmView:
    condition = int(Condition.LOW if family is Family.LOW else Condition.HIGH)
    return AlarmView("a", sharer, family, state, condition, False, 0, 1, 1, 0, "", 0, 0, 60, 1)


async def test_each_key_opens_what_it_is_for_and_all_canaries_are_followed(
    cast: Cast, tmp_path: Path
) -> None:
    pairing = await paired(cast.house, tmp_path)

    assert len(pairing.canaries) == CANARIES
    follower = cast.accounts.identify(pairing.follower_key, NOW_MS)
    assert follower is not None
    assert "publish" not in follower.scopes
    followed = {follow.sharer for follow in cast.follows.of_follower(pairing.follower) if follow.told}
    for canary in pairing.canaries:
        identity = cast.accounts.identify(canary.key, NOW_MS)
        assert identity is not None
        assert (identity.person, identity.sharer) == (canary.person, canary.sharer)
        assert canary.person in followed
        person = cast.accounts.person(canary.person)
        assert person is not None
        assert person.hidden


async def test_a_restart_keeps_the_pairing_and_takes_over_a_new_address(cast: Cast, tmp_path: Path) -> None:
    first = await paired(cast.house, tmp_path)
    people = len(list(cast.accounts.people()))

    again = await paired(cast.house, tmp_path, base_url="http://127.0.0.1:9")

    assert again == replace(first, base_url="http://127.0.0.1:9")
    assert await FilePairings(tmp_path).read() == again
    assert len(list(cast.accounts.people())) == people


async def test_a_lost_pairing_is_made_anew_with_new_keys_for_the_same_canaries(
    cast: Cast, tmp_path: Path
) -> None:
    first = await paired(cast.house, tmp_path)
    (tmp_path / "pairing.json").unlink()

    again = await paired(cast.house, tmp_path)

    assert [one.person for one in again.canaries] == [one.person for one in first.canaries]
    assert cast.accounts.identify(first.canaries[0].key, NOW_MS) is None
    assert cast.accounts.identify(first.follower_key, NOW_MS) is None
    assert cast.accounts.identify(again.canaries[0].key, NOW_MS) is not None


async def test_a_revoked_key_makes_the_pairing_anew(cast: Cast, tmp_path: Path) -> None:
    first = await paired(cast.house, tmp_path)
    key = cast.accounts.keys_of(first.canaries[3].person)[0]
    await cast.accounts.revoke_key(key_id=key.id, now_ms=NOW_MS)

    again = await paired(cast.house, tmp_path)

    assert again.canaries[3].key != first.canaries[3].key
    assert cast.accounts.identify(again.canaries[3].key, NOW_MS) is not None


async def test_without_canaries_the_pairing_has_none(cast: Cast, tmp_path: Path) -> None:
    pairing = await paired(cast.house, tmp_path, canaries=False)

    assert pairing.canaries == ()
    assert cast.accounts.identify(pairing.follower_key, NOW_MS) is not None


async def test_the_roster_names_who_is_affected_and_nobody_hidden(cast: Cast, tmp_path: Path) -> None:
    await paired(cast.house, tmp_path)
    ana = cast.ana.sharer

    roster = await roster_of(
        accounts=cast.accounts,
        follows=cast.follows,
        last_reading_ms=lambda sharer: NOW_MS - 1 if sharer == ana else 0,
        open_alarms=lambda sharer: [alarm(Family.LOW, AlarmState.ANSWERED)] if sharer == ana else [],
        now_ms=NOW_MS,
    )

    hit = {one.person.name: one for one in affected(roster)}
    assert set(hit) == {"Ana", "Ben", "Cleo"}
    assert hit["Ben"].sharers == ("Ana",)
    assert hit["Ben"].urgent
    assert [one.person for one in roster.sharers] == [cast.ana.id]
    assert roster.sharers[0].last_reading_ms == NOW_MS - 1


async def test_a_paused_or_ended_follow_is_not_in_the_roster(cast: Cast) -> None:
    await cast.follows.pause(follow_id=cast.bens.id, by=cast.ana.id, now_ms=NOW_MS)
    await cast.follows.end(follow_id=cast.cleos.id, by=cast.cleo.id, now_ms=NOW_MS)

    roster = await roster_of(
        accounts=cast.accounts,
        follows=cast.follows,
        last_reading_ms=lambda _: 0,
        open_alarms=lambda _: [],
        now_ms=NOW_MS,
    )

    assert {one.person.name for one in affected(roster)} == {"Ana"}


@pytest.mark.parametrize(
    ("family", "state", "expected"),
    [
        (Family.LOW, AlarmState.PENDING, True),
        (Family.LOW, AlarmState.RINGING, True),
        (Family.LOW, AlarmState.ANSWERED, True),
        (Family.LOW, AlarmState.RESOLVED, False),
        (Family.HIGH, AlarmState.RINGING, True),
        (Family.HIGH, AlarmState.ANSWERED, False),
        (Family.SILENCE, AlarmState.RINGING, True),
    ],
)
def test_who_is_low_or_unanswered_cannot_wait(family: Family, state: AlarmState, expected: bool) -> None:  # noqa: FBT001 a table
    assert urgent([alarm(family, state)]) is expected


def asked(bearer: str, *, method: str = "GET") -> DoorRequest:
    headers = {b"authorization": f"Bearer {bearer}".encode()} if bearer else {}
    return DoorRequest(method, "/v1/watch/roster", b"", headers, b"", "127.0.0.1", NOW_MS)


async def test_the_roster_is_for_the_watcher_only(cast: Cast, tmp_path: Path) -> None:
    pairing = await paired(cast.house, tmp_path)

    async def answer(request: DoorRequest) -> int:
        said = await roster_answer(
            request,
            key=pairing.roster_key,
            roster=lambda now_ms: roster_of(
                accounts=cast.accounts,
                follows=cast.follows,
                last_reading_ms=lambda _: 0,
                open_alarms=lambda _: [],
                now_ms=now_ms,
            ),
        )
        return said.status

    assert await answer(asked(pairing.roster_key)) == 200
    for wrong in ("", "x", pairing.follower_key, pairing.roster_key[:-1], pairing.roster_key + "x", "ü"):
        assert await answer(asked(wrong)) == 401
    assert await answer(asked(pairing.roster_key, method="POST")) == 405


async def test_a_roster_that_no_watcher_could_take_is_not_begun(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairing = await paired(cast.house, tmp_path)
    monkeypatch.setattr("nightbell.app.pairing.ROSTER_PEOPLE_MAX", cast.accounts.count - 1)

    said = await roster_answer(
        asked(pairing.roster_key),
        key=pairing.roster_key,
        roster=lambda now_ms: roster_of(
            accounts=cast.accounts,
            follows=cast.follows,
            last_reading_ms=lambda _: 0,
            open_alarms=lambda _: [],
            now_ms=now_ms,
        ),
    )

    assert said.status == 500


async def test_what_is_served_is_what_the_watcher_reads(cast: Cast, tmp_path: Path) -> None:
    pairing = await paired(cast.house, tmp_path)
    made = await roster_of(
        accounts=cast.accounts,
        follows=cast.follows,
        last_reading_ms=lambda _: 5,
        open_alarms=lambda _: [],
        now_ms=NOW_MS,
    )

    async def roster(_now_ms: int) -> Roster:
        return made

    answer = await roster_answer(asked(pairing.roster_key), key=pairing.roster_key, roster=roster)

    assert read_roster(answer.body) == made
    assert dict(answer.headers)[b"cache-control"] == b"no-store"
