"""The watcher in trouble of its own, in virtual time: it accuses nobody, and says what it cannot do."""

import asyncio

import pytest

from nightbell.watch.evidence import Why
from nightbell.watch.page import Headline
from tests.simulators.watch_world import (
    AFFECTED,
    HOUR,
    MINUTE,
    SECOND,
    JumpingLoop,
    Mode,
    World,
    family,
    first_words,
    in_virtual_time,
    pass_ms,
)

WARM_UP = 2 * MINUTE
LONG_WARM_UP = 12 * MINUTE
"""Until every canary has gone round once, so that one that does not ring is believed."""


def test_a_watcher_that_stood_still_accuses_nobody() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        async with World() as world:
            await pass_ms(WARM_UP)
            for stall_s in (20, 45, 90, 600):
                loop.jump(stall_s)
                await pass_ms(4 * MINUTE)

            assert not world.mailbox.mails
            assert Headline.INCIDENT not in {head for _, head in world.wall.heads}
            assert "This watcher stood still until" in world.wall.page

    in_virtual_time(scene)


@pytest.mark.parametrize("by_ms", [-HOUR, HOUR, 24 * HOUR])
def test_a_clock_that_was_set_accuses_nobody(by_ms: int) -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.clock.ahead_ms = by_ms
            await pass_ms(MINUTE)
            assert "This watcher stood still until" in world.wall.page

            await pass_ms(9 * MINUTE)

            assert not world.mailbox.mails
            assert world.wall.heads[-1][1] == Headline.QUIET

    in_virtual_time(scene)


def test_while_our_own_network_is_gone_the_page_says_so_and_nobody_is_accused() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.platform.mode = Mode.UNREACHABLE
            world.platform.break_streams(Why.UNREACHABLE)

            await pass_ms(8 * MINUTE)

            assert not world.mailbox.mails
            assert world.wall.heads[-1][1] == Headline.BLIND
            await pass_ms(5 * MINUTE)
            assert sorted(first_words(world)) == sorted(AFFECTED)

    in_virtual_time(scene)


def test_alarms_left_open_from_before_are_not_taken_for_a_broken_bell() -> None:
    async def scene() -> None:
        async with World() as world:
            for number in range(18):
                world.platform.leave_open(f"canary{number}")

            await pass_ms(25 * MINUTE)

            assert not world.mailbox.mails
            assert world.wall.heads[-1][1] == Headline.QUIET

    in_virtual_time(scene)


def test_a_mail_server_that_is_down_is_tried_again_and_no_outdated_word_goes_out() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.mailbox.up = False
            world.platform.kill()
            await pass_ms(6 * MINUTE)
            assert "Mails that wait to go out: 3." in world.wall.page
            world.mailbox.up = True
            await pass_ms(2 * MINUTE)
            assert sorted(first_words(world)) == sorted(AFFECTED)
            world.mailbox.up = False
            await pass_ms(30 * MINUTE)
            world.platform.mode = Mode.UP
            await pass_ms(10 * MINUTE)
            world.mailbox.up = True

            await pass_ms(5 * MINUTE)

            assert world.mailbox.to("ben@example.org") == [
                "You are NOT being watched. Check Ana.",
                "We are watching Ana again.",
            ]

    in_virtual_time(scene)


def test_without_a_mail_server_the_page_says_that_nobody_can_be_told_by_mail() -> None:
    async def scene() -> None:
        async with World(mail=False) as world:
            await pass_ms(WARM_UP)
            world.platform.kill()

            await pass_ms(3 * MINUTE)

            assert "No e-mail is set up: nobody can be told by mail." in world.wall.page
            assert "You are NOT being watched." in world.wall.page
            assert world.wall.health is not None
            assert not world.wall.health.mail_ready

    in_virtual_time(scene)


def test_a_disk_that_is_full_stops_no_mail() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.book.full = True
            world.platform.kill()

            await pass_ms(3 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)
            assert "can not write its own file" in world.wall.page

    in_virtual_time(scene)


def test_a_platform_never_reached_is_said_on_the_page() -> None:
    async def scene() -> None:
        world = World()
        world.platform.mode = Mode.DOWN
        async with world:
            await pass_ms(30 * SECOND)

            assert "We have not reached it yet." in world.wall.page
            assert "We have no list of whom to tell yet." in world.wall.page

    in_virtual_time(scene)


def test_a_watcher_without_a_pairing_waits_and_says_so() -> None:
    async def scene() -> None:
        world = World()
        paired, world.pairings.pairing = world.pairings.pairing, None
        async with world:
            await pass_ms(5 * MINUTE)
            assert world.wall.heads[-1][1] == Headline.WAITING

            world.pairings.pairing = paired
            await pass_ms(WARM_UP)

            assert world.wall.heads[-1][1] == Headline.QUIET

    in_virtual_time(scene)


def test_a_pairing_that_cannot_be_used_yet_is_tried_again() -> None:
    async def scene() -> None:
        world = World()
        world.unusable = True
        async with world:
            await pass_ms(MINUTE)
            assert world.wall.heads[-1][1] == Headline.WAITING
            assert "This watcher had a fault of its own" in world.wall.page

            world.unusable = False
            await pass_ms(WARM_UP)

            assert world.wall.heads[-1][1] == Headline.QUIET

    in_virtual_time(scene)


def test_a_platform_that_has_lost_everybody_does_not_empty_our_list() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.platform.roster_now = type(family())(0)
            await pass_ms(10 * MINUTE)
            assert "Our list of whom to tell is from" in world.wall.page
            world.platform.kill()

            await pass_ms(3 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)

    in_virtual_time(scene)


def test_a_mail_server_set_up_in_the_middle_of_an_incident_still_tells_everybody() -> None:
    async def scene() -> None:
        async with World(mail=False) as world:
            await pass_ms(WARM_UP)
            world.platform.kill()
            await pass_ms(5 * MINUTE)
            world.kill_watcher()
            world.with_mail = True
            world.start_watcher()

            await pass_ms(2 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)

    in_virtual_time(scene)


def test_who_joins_in_the_middle_of_an_incident_is_told_too_and_the_others_not_again() -> None:
    async def scene() -> None:
        async with World() as world:
            roster = family()
            world.platform.roster_now = type(roster)(0, roster.sharers, roster.people[:1])
            await pass_ms(LONG_WARM_UP)
            world.platform.rings = False
            await pass_ms(3 * MINUTE)
            assert first_words(world) == ["ana@example.org"]

            world.platform.roster_now = roster
            await pass_ms(2 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)

    in_virtual_time(scene)


def test_an_ended_follow_leaves_within_five_minutes_and_is_not_told() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            roster = family()
            without_ben = tuple(person for person in roster.people if person.person != "ben")
            world.platform.roster_now = type(roster)(roster.made_ms, roster.sharers, without_ben)
            await pass_ms(5 * MINUTE)
            world.platform.kill()

            await pass_ms(3 * MINUTE)

            assert sorted(first_words(world)) == ["ana@example.org", "cleo@example.org"]

    in_virtual_time(scene)
