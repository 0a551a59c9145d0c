"""Wrong passwords bring a growing wait, never a lock."""

from itertools import pairwise

from nightbell.account.patience import (
    FORGOTTEN_AFTER_MS,
    PAIR_FREE,
    PEER_FREE,
    WAIT_MS_MAX,
    Patience,
)
from tests.household import NOW_MS


def wrong_tries(patience: Patience, name: str, peer: str, count: int, now_ms: int = NOW_MS) -> list[int]:
    """The wait after each of several wrong tries, each made as soon as it is heard."""
    waits = []
    for _ in range(count):
        now_ms += patience.wait_ms(name, peer, now_ms)
        patience.begin(name, peer, now_ms)
        waits.append(patience.wait_ms(name, peer, now_ms))
    return waits


def test_the_wait_grows_after_the_first_slips_and_has_an_end() -> None:
    waits = wrong_tries(Patience(), "ana", "p", 20)

    assert waits[: PAIR_FREE - 1] == [0] * (PAIR_FREE - 1)
    assert waits[PAIR_FREE - 1] == 1000
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert waits[-1] == WAIT_MS_MAX


def test_the_owner_comes_in_from_another_address_while_somebody_guesses() -> None:
    patience = Patience()
    wrong_tries(patience, "ana", "stranger", 50)

    assert patience.wait_ms("ana", "home", NOW_MS) == 0


def test_one_address_that_tries_many_names_waits_too() -> None:
    patience = Patience()
    for at in range(PEER_FREE + 10):
        patience.begin(f"name {at}", "stranger", NOW_MS)

    assert patience.wait_ms("another", "stranger", NOW_MS) > 0


def test_the_right_password_ends_the_wait() -> None:
    patience = Patience()
    wrong_tries(patience, "ana", "p", 5)
    patience.begin("ana", "p", NOW_MS)

    patience.forgive("ana", "p")

    assert patience.wait_ms("ana", "p", NOW_MS) == 0


def test_many_right_ones_behind_one_address_never_wait() -> None:
    patience = Patience()

    for at in range(200):
        assert patience.wait_ms(f"pupil {at}", "school", NOW_MS) == 0
        patience.begin(f"pupil {at}", "school", NOW_MS)
        patience.forgive(f"pupil {at}", "school")


def test_tries_are_forgotten_after_a_quarter_of_an_hour() -> None:
    patience = Patience()
    wrong_tries(patience, "ana", "p", 3)

    assert patience.wait_ms("ana", "p", NOW_MS + FORGOTTEN_AFTER_MS + 1) == 0
    patience.begin("ana", "p", NOW_MS + FORGOTTEN_AFTER_MS + 1)
    assert patience.wait_ms("ana", "p", NOW_MS + FORGOTTEN_AFTER_MS + 1) == 0


def test_a_clock_set_back_does_not_make_the_wait_longer() -> None:
    patience = Patience()
    wrong_tries(patience, "ana", "p", 3)

    assert patience.wait_ms("ana", "p", NOW_MS - 10**9) <= 1000


def test_what_is_kept_is_bounded() -> None:
    patience = Patience(kept_max=100)

    for at in range(1000):
        patience.begin(f"name {at}", f"peer {at}", NOW_MS)

    assert len(patience._tries) <= 100
