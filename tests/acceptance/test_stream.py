"""Goal: the promises of the live stream. Method: real sockets, the real callable, uvicorn."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest

from nightbell.alarm.effects import AlarmState, NotificationKind
from nightbell.deliver.connection import QUEUE_MAX
from nightbell.deliver.hub import BEAT_EVERY_MS, WRITE_PATIENCE_MS
from nightbell.follow.follow import Sight
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.clock import ManualClock
from tests.simulators.cast import ANA, NOW_MS, alarm_view, reading, ring
from tests.simulators.screen import Screen, StreamHouse, open_house

MINUTE_MS = 60_000

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
async def house(clock: ManualClock) -> AsyncIterator[StreamHouse]:
    async with open_house(clock) as house:
        yield house


def group(*readings: Reading, seq: int = 1, at_ms: int = NOW_MS) -> Group:
    return Group(seq, at_ms, (), np.array(list(readings), READING_DTYPE), 0)


async def ready(screen: Screen) -> Screen:
    """Past its first snapshot."""
    await screen.next("snapshot")
    return screen


async def gone(screen: Screen) -> None:
    with pytest.raises(EOFError):
        await screen.next("nothing of this name")


async def test_the_first_word_is_the_whole_state(house: StreamHouse) -> None:
    house.family.newest_readings[ANA] = reading(52)
    house.hub.board.take([alarm_view()], [ring()])

    screen = await house.screen("ben")
    snapshot = await screen.event()

    assert screen.status == 200
    assert screen.headers["content-type"].startswith("text/event-stream")
    assert screen.headers["cache-control"] == "no-store"
    assert screen.headers["referrer-policy"] == "no-referrer"
    assert 1_000 <= screen.retry_ms <= 5_000
    assert snapshot.name == "snapshot"
    assert snapshot.data["why"] == "connected"
    assert snapshot.data["watching"] is True
    (ana,) = snapshot.data["people"]
    assert (ana["name"], ana["sight"]) == ("Ana", "graph")
    assert (ana["reading"]["shown"], ana["reading"]["arrow"]) == ("52", "falling")
    assert [alarm["headline"] for alarm in ana["alarms"]] == ["Ana is VERY LOW"]
    assert [told["subject"] for told in ana["told"]] == ["Ana is VERY LOW: 52"]


async def test_every_message_says_until_when_it_may_be_relied_on(house: StreamHouse) -> None:
    screen = await ready(await house.screen("ben"))
    house.hub.consume(group(reading(52, measured_ms=NOW_MS - MINUTE_MS)))
    said = await screen.next("reading")

    assert said.data["rely_until_ms"] == NOW_MS + 10 * MINUTE_MS
    assert said.data["stream_until_ms"] == NOW_MS + 90_000


async def test_a_reading_reaches_those_who_follow_in_their_own_unit(house: StreamHouse) -> None:
    ben, cleo = await ready(await house.screen("ben")), await ready(await house.screen("cleo"))

    house.hub.consume(group(reading(112)))

    seen_by_ben, seen_by_cleo = await ben.next("reading"), await cleo.next("reading")
    assert (seen_by_ben.data["shown"], seen_by_ben.data["unit"]) == ("112", "mg/dL")
    assert (seen_by_cleo.data["shown"], seen_by_cleo.data["unit"]) == ("6.2", "mmol/L")
    assert seen_by_cleo.data["level_mgdl"] == 112


async def test_dan_sees_nothing_whatever_happens(house: StreamHouse) -> None:
    dan = await house.screen("dan")
    snapshot = await dan.event()

    house.hub.consume(group(reading(40)))
    house.hub.tell_changes(house.hub.board.take([alarm_view()], []), NOW_MS)
    house.hub.notify(ring(follower="dan"), NOW_MS)
    house.hub.beat(NOW_MS)
    house.hub.beat(NOW_MS + BEAT_EVERY_MS)
    first = await dan.event()

    assert snapshot.data["people"] == []
    assert first.name == "hb"


async def test_an_older_reading_is_not_shown_as_the_newest(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))
    house.hub.consume(group(reading(100, measured_ms=NOW_MS)))

    house.hub.consume(group(reading(90, measured_ms=NOW_MS - 5 * MINUTE_MS)))
    house.hub.consume(group(reading(80, measured_ms=NOW_MS + 5 * MINUTE_MS)))

    assert [(await ben.next("reading")).data["shown"] for _ in range(2)] == ["100", "80"]


async def test_of_a_batch_only_the_newest_is_shown_and_low_is_a_word(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))

    house.hub.consume(
        group(
            reading(70, measured_ms=NOW_MS),
            reading(0, measured_ms=NOW_MS + 1, trend=0),
            reading(99, sharer=9),
        )
    )

    said = (await ben.next("reading")).data
    assert (said["shown"], said["level_mgdl"], said["arrow"]) == ("LOW", None, "no arrow")


async def test_a_reading_that_is_not_durable_is_shown_and_says_so(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))

    house.hub.consume(group(reading(52), seq=VOLATILE_SEQ))

    assert (await ben.next("reading")).data["kept"] is False


async def test_a_ring_reaches_only_the_one_who_is_told_an_alarm_everybody_who_follows(
    house: StreamHouse,
) -> None:
    ben, cleo = await ready(await house.screen("ben")), await ready(await house.screen("cleo"))

    house.hub.tell_changes(house.hub.board.take([alarm_view()], [ring()]), NOW_MS)
    reached = house.hub.notify(ring(), NOW_MS)
    house.hub.consume(group(reading(52)))

    assert reached == 1
    assert [(await ben.event()).name for _ in range(3)] == ["alarm", "notification", "reading"]
    assert [(await cleo.event()).name for _ in range(2)] == ["alarm", "reading"]


async def test_an_answer_is_shown_to_all_with_its_name_and_its_end(house: StreamHouse) -> None:
    ben, cleo = await ready(await house.screen("ben")), await ready(await house.screen("cleo"))
    house.hub.tell_changes(house.hub.board.take([alarm_view()], []), NOW_MS)
    until_ms = NOW_MS + 15 * MINUTE_MS
    taken = alarm_view(
        version=2,
        state=AlarmState.ANSWERED,
        answered_by="ben",
        answered_ms=NOW_MS,
        answered_until_ms=until_ms,
    )

    house.hub.tell_changes(house.hub.board.take([taken], []), NOW_MS)

    for screen in (ben, cleo):
        answer = await screen.next("answer")
        assert (answer.data["by"], answer.data["until_ms"]) == ("Ben", until_ms)


async def test_a_pending_alarm_is_nobodys_business(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))
    pending = alarm_view(state=AlarmState.PENDING, raised_ms=0)

    house.hub.tell_changes(house.hub.board.take([pending], []), NOW_MS)
    house.hub.consume(group(reading(69)))

    assert (await ben.event()).name == "reading"
    again = await house.screen("ben")
    assert (await again.event()).data["people"][0]["alarms"] == []


async def test_a_heartbeat_comes_in_every_round_and_proves_the_alarm_path(
    house: StreamHouse, clock: ManualClock
) -> None:
    ben = await ready(await house.screen("ben"))
    beats = []
    for _ in range(3):
        for _ in range(100):
            clock.advance_ms(100)
            house.hub.beat(clock.now_ms())
        beats.append(await ben.next("hb"))

    fresh, *_, stale = beats
    gaps = [b.data["server_ms"] - a.data["server_ms"] for a, b in pairwise(beats)]
    assert gaps == [BEAT_EVERY_MS] * 2
    assert fresh.data["build"] == "b-1"
    assert stale.data["tick_age_ms"] == stale.data["server_ms"] - NOW_MS
    assert stale.data["watching"] is False


async def test_a_heartbeat_says_watching_only_while_ticks_are_evaluated(
    house: StreamHouse, clock: ManualClock
) -> None:
    ben = await ready(await house.screen("ben"))
    said = []
    for tick_ms in (NOW_MS + BEAT_EVERY_MS - 5_000, NOW_MS + 2 * BEAT_EVERY_MS - 5_001, 0):
        clock.advance_ms(BEAT_EVERY_MS)
        house.family.tick_ms = tick_ms
        house.hub.beat(clock.now_ms())
        said.append((await ben.next("hb")).data)

    ages = [(beat["tick_age_ms"], beat["watching"]) for beat in said]
    assert ages[0] == (5_000, True)
    assert ages[1] == (5_001, False)
    assert ages[2] == (-1, False)


async def test_a_follow_that_ended_is_silent_at_once(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))

    house.family.sights[("ben", ANA)] = Sight.NOTHING
    house.hub.consume(group(reading(52)))
    event = await ben.event()

    assert event.name == "snapshot"
    assert event.data["people"] == []
    assert house.hub.notify(ring(), NOW_MS) == 0


async def test_a_new_follow_shows_as_soon_as_it_is_said(house: StreamHouse) -> None:
    dan = await ready(await house.screen("dan"))

    house.family.sights[("dan", ANA)] = Sight.NUMBER
    house.hub.refresh("dan")
    snapshot = await dan.event()
    house.hub.consume(group(reading(112)))

    assert (snapshot.data["why"], snapshot.data["people"][0]["name"]) == ("changed", "Ana")
    assert (await dan.event()).data["shown"] == "112"
    assert ("dan", ANA, "stream") in house.family.looks


async def test_who_looks_is_written_down(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))
    house.hub.consume(group(reading(112)))
    await ben.next("reading")

    assert house.family.looks == [("ben", ANA, "stream")]


async def test_a_screen_that_was_away_for_a_moment_misses_no_ring(house: StreamHouse) -> None:
    ben = await house.screen("ben")
    last = (await ben.next("snapshot")).id
    await ben.close()
    house.hub.tell_changes(house.hub.board.take([alarm_view()], [ring()]), NOW_MS)
    house.hub.notify(ring(), NOW_MS)
    over = alarm_view(version=2, state=AlarmState.RESOLVED, resolved_ms=NOW_MS + 1)
    recovered = ring(1, kind=NotificationKind.RECOVERED, urgent=False)
    house.hub.tell_changes(house.hub.board.take([over], [recovered]), NOW_MS)
    house.hub.notify(recovered, NOW_MS)

    again = await house.screen("ben", last_event_id=last)
    events = [await again.event() for _ in range(5)]

    assert [event.name for event in events] == ["alarm", "notification", "alarm", "notification", "snapshot"]
    assert events[-1].data["resumed"] is True
    assert len({event.id for event in events[:4]}) == 4


@pytest.mark.parametrize("last", ["", "nonsense", "ffff-1", "{boot}-999999999999999999", "{boot}-²"])
async def test_an_event_id_that_is_not_ours_leads_to_a_plain_snapshot(house: StreamHouse, last: str) -> None:
    house.hub.notify(ring(), NOW_MS)
    last = last.replace("{boot}", f"{NOW_MS:x}")

    screen = await house.screen("ben", last_event_id=last.encode("utf-8").decode("latin-1"))
    event = await screen.event()

    assert event.name == "snapshot"
    assert event.data["resumed"] is False


async def test_what_was_too_much_to_keep_is_not_passed_off_as_complete(house: StreamHouse) -> None:
    ben = await house.screen("ben")
    last = (await ben.next("snapshot")).id
    for step in range(40):
        house.hub.notify(ring(step), NOW_MS)

    event = await (await house.screen("ben", last_event_id=last)).event()

    assert (event.name, event.data["resumed"]) == ("snapshot", False)


async def test_a_slow_reader_gets_a_fresh_snapshot_with_every_ring_instead_of_silence(
    house: StreamHouse,
) -> None:
    ben = await ready(await house.screen("ben"))
    for n in range(3 * QUEUE_MAX):
        house.hub.consume(group(reading(100 + n % 50, measured_ms=NOW_MS + n)))
    house.hub.board.take([alarm_view()], [ring()])
    house.hub.notify(ring(), NOW_MS)

    events = [await ben.event() for _ in range(2)]

    assert [event.name for event in events] == ["notification", "snapshot"]
    assert events[1].data["why"] == "slow"
    assert events[1].data["people"][0]["reading"]["measured_ms"] == NOW_MS + 3 * QUEUE_MAX - 1


async def test_a_reader_that_takes_nothing_is_given_up_and_holds_nobody_up(
    house: StreamHouse, clock: ManualClock
) -> None:
    await ready(await house.screen("ben"))
    cleo = await ready(await house.screen("cleo"))
    house.family.ana = "A" * 8_000_000
    house.hub.refresh("ben")
    await asyncio.sleep(0)
    house.family.ana = "Ana"

    for _ in range(1 + WRITE_PATIENCE_MS // 100 + 100):
        clock.advance_ms(100)
        house.hub.beat(clock.now_ms())
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        while house.hub.count > 1:
            await asyncio.sleep(0.001)

    assert (await cleo.event()).name == "hb"


async def test_a_sixth_screen_closes_the_oldest_which_says_why(house: StreamHouse) -> None:
    screens = [await ready(await house.screen("ben")) for _ in range(6)]

    said = await screens[0].event()
    await gone(screens[0])
    house.hub.consume(group(reading(112)))

    assert said.data["kind"] == "replaced"
    for screen in screens[1:]:
        assert (await screen.event()).name == "reading"


async def test_signing_out_ends_the_stream(house: StreamHouse, clock: ManualClock) -> None:
    ben = await ready(await house.screen("ben"))

    house.family.signed_in.discard("ben")
    for _ in range(100):
        clock.advance_ms(100)
        house.hub.beat(clock.now_ms())

    assert (await ben.event()).data["kind"] == "signed_out"
    await gone(ben)


async def test_the_platform_says_goodbye(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))

    house.hub.close_all()
    said = await ben.event()

    assert said.data["kind"] == "closing"
    assert "NOT being watched" in said.data["text"]
    await gone(ben)


async def test_a_browser_is_let_in_by_its_cookie_but_not_on_behalf_of_another_site(
    house: StreamHouse,
) -> None:
    cookie = {"Cookie": "theme=dark; nightbell_grant=ben"}

    own = await house.connect({**cookie, "Sec-Fetch-Site": "same-origin"})
    foreign = await house.connect({**cookie, "Sec-Fetch-Site": "cross-site"})

    assert own.status == 200
    assert foreign.status == 403


@pytest.mark.parametrize(
    ("headers", "method", "status", "code"),
    [
        ({}, "GET", 401, "not_signed_in"),
        ({"Authorization": "Bearer nobody"}, "GET", 401, "not_signed_in"),
        ({"Authorization": "Basic ben"}, "GET", 401, "not_signed_in"),
        ({"Cookie": "nightbell_grant"}, "GET", 401, "not_signed_in"),
        ({"Authorization": "Bearer ben"}, "POST", 405, "malformed"),
    ],
)
async def test_who_may_not_listen_is_told_why(
    house: StreamHouse, headers: dict[str, str], method: str, status: int, code: str
) -> None:
    screen = await house.connect(headers, method=method)

    assert screen.status == status
    assert (await screen.body())["code"] == code
    assert house.hub.count == 0


async def test_a_full_house_says_when_to_come_again(clock: ManualClock) -> None:
    async with open_house(clock, streams_max=2) as house:
        kept = [await ready(await house.screen(person)) for person in ("ben", "cleo")]

        refused = await house.screen("ana")

        assert len(kept) == 2
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 5


async def test_a_screen_that_goes_leaves_nothing_behind(house: StreamHouse) -> None:
    ben = await ready(await house.screen("ben"))
    await ben.close()

    await house.until_empty()
    house.hub.consume(group(reading(112)))

    assert house.hub.notify(ring(), NOW_MS) == 0
