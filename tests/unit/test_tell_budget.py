"""A failure is not made worse by those who try again: at most a tenth more, and a floor."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.adapters.probe.http import HttpProbe
from nightbell.deliver.ports import Unheard
from nightbell.deliver.record import Delivery, DeliveryState
from nightbell.deliver.sending import Sending
from nightbell.deliver.settings import DeliverSettings
from nightbell.tell.budget import FLOOR_PER_S, KEPT_S, RATIO, RetryBudget
from nightbell.tell.outcome import Sent, Unavailable
from nightbell.tell.retry import RetryRule
from nightbell.watch.pairing import PairedCanary, Pairing
from nightbell.watch.ports import Failed
from nightbell.watch.timings import Timings
from tests.simulators.cast import NOW_MS, Family, alarm_view, effects, ring
from tests.unit.test_deliver_service import Stage, until


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["first", "again"]), st.integers(0, 500)), max_size=400))
def test_later_tries_are_a_tenth_of_the_first_ones_and_the_floor(acts: list[tuple[str, int]]) -> None:
    budget, now_ms = RetryBudget(), NOW_MS
    firsts = later = 0
    for act, passed_ms in acts:
        now_ms += passed_ms
        if act == "first":
            budget.first()
            firsts += 1
        elif budget.allows(now_ms):
            budget.spend()
            later += 1

    floor = (now_ms - NOW_MS) / 1000 * FLOOR_PER_S
    assert later <= firsts * RATIO + floor + 1e-6


def test_at_the_rate_of_a_million_sharers_a_dead_provider_hears_at_most_a_tenth_more() -> None:
    budget, firsts, later = RetryBudget(), 0, 0
    for now_ms in range(NOW_MS, NOW_MS + 900_000, 10):  # a quarter of an hour at 105 a second
        if (now_ms - NOW_MS) * 105 // 1000 > firsts:
            budget.first()
            firsts += 1
        if budget.allows(now_ms):  # something always waits to be tried again
            budget.spend()
            later += 1

    assert (firsts + later) / firsts <= 1.10
    assert later > 8_900


def test_where_something_answers_whoever_waits_may_ask_again() -> None:
    budget = RetryBudget(floor_per_s=0)
    denied = not budget.allows(NOW_MS)
    budget.answered()

    assert denied
    assert budget.allows(NOW_MS)
    budget.spend()
    assert not budget.allows(NOW_MS)


def test_a_clock_that_was_set_back_neither_pays_nor_takes() -> None:
    budget = RetryBudget()
    assert not budget.allows(NOW_MS)

    assert not budget.allows(NOW_MS - 3_600_000)
    assert budget.allows(NOW_MS - 3_600_000 + 2_000)


def test_what_is_free_is_not_saved_up_for_ever() -> None:
    budget = RetryBudget()
    budget.allows(NOW_MS)
    later = 0

    while budget.allows(NOW_MS + 3_600_000):
        budget.spend()
        later += 1

    assert later == int(KEPT_S * FLOOR_PER_S)


class Everybody(Family):
    """Anybody may be told: a thousand followers of one house."""

    def may_be_told(self, follow: int) -> bool:
        return follow >= 0


async def test_while_a_channel_answers_nobody_the_tries_are_at_most_a_tenth_more() -> None:
    stage = Stage()
    stage.postbox.outcome = Unavailable("away")
    rule = RetryRule(first_ms=10, longest_ms=10, tries_max=50, give_up_after_ms=600_000)
    sending = Sending(
        channels=[stage.postbox],
        board=stage.hub.board,
        contacts=Everybody(),
        way_news=Unheard(),
        clock=stage.clock,
        settings=DeliverSettings(rule=rule, look_ms=5),
        record=lambda _: None,
        told=lambda _told, _channel, _at_ms: None,
        sent=lambda _: None,
        on_end=lambda _: None,
    )
    stage.hub.board.take([alarm_view()], [])
    sending.start()
    first_tries = 400
    for number in range(first_tries):
        told = ring(id=f"{number:032x}", follow=number)
        sending.queue(Delivery(told.id, stage.postbox.name, DeliveryState.WAITING, 0, NOW_MS), told, NOW_MS)
    await until(lambda: len({key for _, _, key in stage.postbox.taken}) == first_tries)

    for _ in range(50):  # five seconds in which everything that failed is due again and again
        stage.clock.advance_ms(100)
        sending.wake()
        await asyncio.sleep(0.002)

    assert len(stage.postbox.taken) / first_tries <= 1.10
    assert len(stage.postbox.taken) > first_tries  # some do try, to find out
    assert sending.health()[0].waiting >= first_tries - 20  # nothing was lost: it waits
    stage.postbox.outcome = Sent("p-1")

    def all_sent() -> bool:
        stage.clock.advance_ms(20)
        return sending.health()[0].waiting == 0

    await until(all_sent)
    await sending.close()


async def test_a_small_house_whose_mail_is_down_tries_on_at_its_own_pace() -> None:
    stage = Stage()
    await stage.deliver.start()
    stage.postbox.outcome = Unavailable("away")
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 1)

    for _ in range(2):
        before = len(stage.postbox.taken)
        stage.advance(4_000)
        await until(lambda before=before: len(stage.postbox.taken) > before)

    assert len(stage.postbox.taken) == 3
    await stage.deliver.close()


async def test_the_watchers_probe_asks_once_whatever_comes_of_it() -> None:
    knocks = 0

    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    canary = PairedCanary("canary", 7, "key")
    pairing = Pairing(f"http://127.0.0.1:{port}", "follower", "key", "key", (canary,))
    probe = HttpProbe(pairing, Timings())

    failed = [await probe.publish("canary", level=50, measured_ms=NOW_MS) for _ in range(10)]

    assert all(isinstance(one, Failed) for one in failed)
    assert knocks == len(failed)
    await probe.close()
    server.close()
    await server.wait_closed()
