"""Which of a person's ways are as loud as a step of the ladder asks for. Pure.

Nobody is left out for want of a way: where there is none of a tier, the next quieter one is taken; where
there is none at all, the next louder one, and at last a text. A call is made by a step that calls only.
"""

from collections.abc import Mapping, Sequence

from nightbell.alarm.effects import NO_LADDER
from nightbell.deliver.ports import ContactWay
from nightbell.tell.channel import Checklist
from nightbell.words.tier import Tier


def of_tier(ways: Sequence[ContactWay], channels: Mapping[str, Checklist], tier: int) -> list[ContactWay]:
    """The ways that a notification of this tier takes, in their order.

    Args:
        ways: All that are worth a try.
        channels: What each channel is good for.
        tier: A `Tier` number, or `NO_LADDER`.
    """

    def tier_of(way: ContactWay) -> Tier:
        return channels[way.channel].tier

    if tier == NO_LADDER:
        quiet = [way for way in ways if tier_of(way) < Tier.CALL]
        return quiet or [way for way in ways if not channels[way.channel].may_wake]
    quieter_first = [*range(tier, -1, -1), *range(tier + 1, Tier.CALL)]
    for wanted in quieter_first:
        found = [way for way in ways if tier_of(way) == wanted]
        if found:
            return found
    return [way for way in ways if not channels[way.channel].may_wake]
