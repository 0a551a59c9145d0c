"""The whole watcher in virtual time, with the clocks that people live by."""

import itertools
import random

import pytest

from nightbell.watch.evidence import Why
from nightbell.watch.page import Headline
from tests.simulators.watch_world import (
    AFFECTED,
    HOUR,
    MINUTE,
    SECOND,
    Mode,
    World,
    all_clears,
    family,
    first_words,
    in_virtual_time,
    pass_ms,
)

WARM_UP = 2 * MINUTE
LONG_WARM_UP = 12 * MINUTE
"""Until every canary has gone round once, so that one that does not ring is believed."""


@pytest.mark.parametrize("phase", [0, 13, 28])
def test_after_kill_9_everybody_affected_is_told_once_within_120_s(phase: int) -> None:
    async def scene() -> None:
        async with World(seed=phase) as world:
            await pass_ms(WARM_UP + phase * SECOND)
            world.platform.kill()
            killed_ms = world.now_ms()

            await pass_ms(10 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)
            assert max(at_ms for at_ms, *_ in world.mailbox.mails) - killed_ms <= 120 * SECOND
            told = [at_ms for at_ms, head in world.wall.heads if head == Headline.INCIDENT]
            assert told[0] - killed_ms <= 120 * SECOND
            assert "You are NOT being watched." in world.wall.page

    in_virtual_time(scene)


def test_a_platform_that_hangs_is_found_within_120_s_too() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP + 3 * SECOND)
            world.platform.mode = Mode.HUNG
            hung_ms = world.now_ms()

            await pass_ms(5 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)
            assert max(at_ms for at_ms, *_ in world.mailbox.mails) - hung_ms <= 120 * SECOND

    in_virtual_time(scene)


def test_alarms_that_no_longer_go_out_are_found_while_door_and_stream_are_well() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(LONG_WARM_UP)
            world.platform.rings = False
            broken_ms = world.now_ms()

            await pass_ms(5 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)
            assert max(at_ms for at_ms, *_ in world.mailbox.mails) - broken_ms <= 120 * SECOND
            assert "our test alarm did not ring" in world.mailbox.mails[0][2].text

    in_virtual_time(scene)


def test_answers_that_are_not_taken_are_told_in_their_own_words() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.platform.answers = False

            await pass_ms(5 * MINUTE)

            assert not first_words(world)
            assert sorted(to for _, to, *_ in world.mailbox.mails) == sorted(AFFECTED)
            assert "does not get through" in world.mailbox.mails[0][2].subject
            assert "You are NOT being watched." not in world.wall.page

    in_virtual_time(scene)


def test_answers_that_fail_first_and_then_everything_are_told_as_the_worse_that_it_is() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.platform.answers = False
            await pass_ms(5 * MINUTE)

            world.platform.kill()
            await pass_ms(3 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)

    in_virtual_time(scene)


def test_a_platform_that_evaluates_nothing_any_more_is_found_by_its_own_heartbeats() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.platform.watching = False

            await pass_ms(2 * MINUTE)

            assert sorted(first_words(world)) == sorted(AFFECTED)

    in_virtual_time(scene)


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_of_jittery_but_fine_evidence_says_no_false_word(seed: int) -> None:
    async def scene() -> None:
        chance = random.Random(seed)
        async with World(seed=seed) as world:
            await pass_ms(WARM_UP)
            world.platform.fails = lambda: chance.random() < 0.01
            for _ in range(60):
                await pass_ms(MINUTE)
                if chance.random() < 0.2:
                    world.platform.break_streams(Why.BROKEN)

            assert not world.mailbox.mails
            assert Headline.INCIDENT not in {head for _, head in world.wall.heads}
            assert world.wall.heads[-1][1] in {Headline.QUIET, Headline.SUSPECTED}

    in_virtual_time(scene)


def test_in_a_quiet_hour_every_canary_goes_round_and_is_cleared() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(HOUR)

            assert world.wall.heads[-1][1] == Headline.QUIET
            lows = [canary for canary, level, _ in world.platform.published if level < 70]
            assert len(lows) >= 115
            assert len(set(lows)) == 18
            assert len(world.platform.answered) == len(lows)
            times: dict[str, list[int]] = {}
            for canary, _, at_ms in world.platform.published:
                times.setdefault(canary, []).append(at_ms)
            gaps = [later - earlier for at in times.values() for earlier, later in itertools.pairwise(at)]
            assert min(gaps) >= 170 * SECOND

    in_virtual_time(scene)


@pytest.mark.parametrize("phase", range(0, 30, 6))
def test_a_platform_that_is_replaced_within_20_s_disturbs_nobody(phase: int) -> None:
    async def scene() -> None:
        async with World(seed=phase) as world:
            world.platform.roster_now = family(ana_urgent=True)
            await pass_ms(WARM_UP + phase * SECOND)
            world.platform.kill()
            await pass_ms(20 * SECOND)
            world.platform.mode = Mode.UP

            await pass_ms(15 * MINUTE)

            assert not world.mailbox.mails
            assert world.wall.heads[-1][1] == Headline.QUIET

    in_virtual_time(scene)


def test_followers_of_somebody_who_was_low_are_told_before_the_others() -> None:
    async def scene() -> None:
        async with World() as world:
            world.platform.roster_now = family(ana_urgent=True)
            await pass_ms(WARM_UP)
            world.platform.kill()

            await pass_ms(5 * MINUTE)

            when = {to: at_ms for at_ms, to, *_ in world.mailbox.mails}
            assert set(when) == set(AFFECTED)
            assert (
                max(when["ben@example.org"], when["ana@example.org"]) + 30 * SECOND < when["cleo@example.org"]
            )
            assert len(world.mailbox.mails) == 3

    in_virtual_time(scene)


def test_the_all_clear_comes_once_and_only_after_a_canary_went_the_whole_way() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(LONG_WARM_UP)
            world.platform.kill()
            await pass_ms(5 * MINUTE)
            world.platform.rings = False
            world.platform.mode = Mode.UP

            await pass_ms(10 * MINUTE)
            before = all_clears(world)
            head_before = world.wall.heads[-1][1]
            world.platform.rings = True
            back_ms = world.now_ms()
            await pass_ms(30 * MINUTE)

            assert not before
            assert head_before == Headline.INCIDENT
            assert sorted(all_clears(world)) == sorted(AFFECTED)
            clear_ms = [at for at, _, message, _ in world.mailbox.mails if "again" in message.subject]
            assert max(clear_ms) - back_ms <= 5 * MINUTE
            assert world.wall.heads[-1][1] == Headline.QUIET

    in_virtual_time(scene)


def test_a_relapse_after_the_all_clear_is_told_anew() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            for _ in range(2):
                world.platform.kill()
                await pass_ms(5 * MINUTE)
                world.platform.mode = Mode.UP
                await pass_ms(15 * MINUTE)

            assert sorted(first_words(world)) == sorted(2 * AFFECTED)
            assert sorted(all_clears(world)) == sorted(2 * AFFECTED)

    in_virtual_time(scene)


def test_a_long_outage_is_told_of_again_before_each_promised_time() -> None:
    async def scene() -> None:
        async with World() as world:
            await pass_ms(WARM_UP)
            world.platform.kill()

            await pass_ms(65 * MINUTE)

            times = [at_ms for at_ms, to, *_ in world.mailbox.mails if to == "ben@example.org"]
            assert len(times) >= 4
            assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 20 * MINUTE
            assert world.mailbox.to("ben@example.org")[1].startswith("Still NOT watching Ana")

    in_virtual_time(scene)


@pytest.mark.parametrize("seed", range(6))
def test_a_watcher_killed_at_any_moment_repeats_nothing_and_forgets_no_all_clear(seed: int) -> None:
    async def scene() -> None:
        chance = random.Random(seed)
        async with World(seed=seed) as world:
            await pass_ms(WARM_UP)
            world.platform.kill()
            await pass_ms(chance.uniform(35, 95) * SECOND)
            world.kill_watcher()
            await pass_ms(chance.uniform(1, 20) * SECOND)
            world.start_watcher()
            await pass_ms(5 * MINUTE)
            world.platform.mode = Mode.UP
            await pass_ms(chance.uniform(1, 150) * SECOND)
            world.kill_watcher()
            await pass_ms(3 * SECOND)
            world.start_watcher()

            await pass_ms(20 * MINUTE)

            keys = [key for *_, key in world.mailbox.mails]
            assert sorted(set(first_words(world))) == sorted(AFFECTED)
            assert sorted(set(all_clears(world))) == sorted(AFFECTED)
            # A mail in flight at the kill may go twice, but only under the same identity.
            assert len(set(keys)) == len({(to, m.subject) for _, to, m, _ in world.mailbox.mails})
            assert len(keys) - len(set(keys)) <= len(AFFECTED)

    in_virtual_time(scene)
