"""How loud a step is chooses the ways it takes, and nobody is left out for want of one."""

from typing import Final

import pytest

from nightbell.alarm.effects import NO_LADDER
from nightbell.deliver.ports import ContactWay
from nightbell.deliver.tiers import of_tier
from nightbell.tell.channel import Checklist, Proof
from nightbell.words.tier import Tier


def good_for(tier: Tier, *, may_wake: bool) -> Checklist:
    return Checklist(Proof.NOTHING, False, may_wake, 0, "deliver.promise_email", tier=tier)


CHANNELS: Final = {
    "web_push": good_for(Tier.NUDGE, may_wake=False),
    "email": good_for(Tier.NUDGE, may_wake=False),
    "pushover": good_for(Tier.INSIST, may_wake=True),
    "sms": good_for(Tier.CALL, may_wake=False),
    "voice": good_for(Tier.CALL, may_wake=True),
}


def taken(names: str, tier: int) -> str:
    ways = [ContactWay(name, 1, "there") for name in names.split()]
    return " ".join(way.channel for way in of_tier(ways, CHANNELS, tier))


@pytest.mark.parametrize(
    ("tier", "ways"),
    [(Tier.NUDGE, "web_push email"), (Tier.INSIST, "pushover"), (Tier.CALL, "sms voice")],
)
def test_each_step_takes_the_ways_that_are_as_loud_as_it(tier: Tier, ways: str) -> None:
    assert taken("web_push email pushover sms voice", tier) == ways


@pytest.mark.parametrize(
    ("has", "tier", "ways"),
    [
        ("web_push pushover", Tier.CALL, "pushover"),
        ("web_push", Tier.CALL, "web_push"),
        ("web_push voice", Tier.INSIST, "web_push"),
        ("pushover voice", Tier.NUDGE, "pushover"),
    ],
)
def test_where_there_is_none_the_next_quieter_one_is_taken_or_else_the_next_louder(
    has: str, tier: Tier, ways: str
) -> None:
    assert taken(has, tier) == ways


def test_nobody_is_called_at_the_first_ring_and_whoever_has_nothing_else_gets_a_text() -> None:
    assert taken("sms voice", Tier.NUDGE) == "sms"
    assert taken("sms voice", Tier.INSIST) == "sms"
    assert taken("voice", Tier.NUDGE) == ""


def test_what_climbs_no_ladder_takes_all_but_the_loudest() -> None:
    assert taken("web_push email pushover sms voice", NO_LADDER) == "web_push email pushover"


def test_what_climbs_no_ladder_is_texted_to_whoever_has_nothing_else_and_never_calls() -> None:
    assert taken("sms voice", NO_LADDER) == "sms"


def test_whoever_has_no_way_at_all_is_told_on_open_screens_only() -> None:
    assert taken("", Tier.CALL) == ""
