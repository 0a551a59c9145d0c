"""Publishing: what is promised is durable, what is refused counts as nothing."""

import asyncio

import pytest

from nightbell.account.identity import Uploader
from nightbell.adapters.stores.memory.reading_log import MemoryLog
from nightbell.journal.facts import ClockLearned
from nightbell.publish.admit import RawReading, Reason, Refused
from nightbell.publish.clock import ClockChange
from nightbell.publish.service import Publish, Published, clock_sentence
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import CallerError, ErrorCode, PlatformError

NOW = 1_790_000_000_000
MIN = 60_000
ANA = Uploader(sharer=7, credential=3)


def publish_into(log: MemoryLog) -> Publish:
    def clock_learned(change: ClockChange) -> asyncio.Future[int]:
        fact = ClockLearned(
            at_ms=change.at_ms, sharer=change.sharer, source=change.source, offset_ms=change.offset_ms
        )
        return log.append_fact(fact)

    publish = Publish(log, clock_learned=clock_learned)
    log.subscribe(publish.consume)
    return publish


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def publish(log: MemoryLog) -> Publish:
    return publish_into(log)


async def send(publish: Publish, *raw: RawReading, at_ms: int = NOW, sent_ms: int = 0) -> Published:
    return await publish.publish(uploader=ANA, raw=raw, sent_ms=sent_ms, received_ms=at_ms)


async def test_nothing_is_answered_before_it_is_durable(log: MemoryLog, publish: Publish) -> None:
    log.held = True
    answer = asyncio.create_task(send(publish, RawReading(NOW, 100)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not answer.done()

    log.commit()

    assert await answer == Published(1, 0, [], 0)


async def test_a_repeated_upload_is_accepted_and_not_written_twice(log: MemoryLog, publish: Publish) -> None:
    await send(publish, RawReading(NOW, 100))

    again = await send(publish, RawReading(NOW, 100), at_ms=NOW + 1000)

    assert again == Published(1, 1, [], 0)
    assert len(log.readings()) == 1


async def test_an_answer_to_a_duplicate_waits_for_what_is_in_flight(log: MemoryLog, publish: Publish) -> None:
    await send(publish, RawReading(NOW, 100))
    log.held = True

    answer = asyncio.create_task(send(publish, RawReading(NOW, 100)))
    for _ in range(10):
        await asyncio.sleep(0)

    assert not answer.done()
    log.commit()
    await answer


async def test_a_repeated_upload_whose_commit_failed_is_written(log: MemoryLog, publish: Publish) -> None:
    log.broken = True
    with pytest.raises(PlatformError) as failed:
        await send(publish, RawReading(NOW, 100))
    assert failed.value.code is ErrorCode.NOT_DURABLE
    log.broken = False

    again = await send(publish, RawReading(NOW, 100))

    assert again == Published(1, 0, [], 0)
    assert len(log.readings()) == 1


async def test_a_full_backfill_lane_never_costs_a_live_reading(log: MemoryLog, publish: Publish) -> None:
    log.backfill_max = 0

    with pytest.raises(PlatformError) as failed:
        await send(publish, RawReading(NOW - 60 * MIN, 90), RawReading(NOW, 50))

    assert failed.value.code is ErrorCode.OVERLOADED
    assert [reading.level for reading in log.readings()] == [50]


async def test_a_full_live_lane_is_said_and_nothing_is_kept(log: MemoryLog, publish: Publish) -> None:
    log.live_max = 0

    with pytest.raises(PlatformError) as failed:
        await send(publish, RawReading(NOW, 50))

    assert failed.value.code is ErrorCode.OVERLOADED
    assert log.readings() == []


async def test_a_failed_commit_of_both_lanes_is_said_once(log: MemoryLog, publish: Publish) -> None:
    log.broken = True

    with pytest.raises(PlatformError):
        await send(publish, RawReading(NOW - 60 * MIN, 90), RawReading(NOW, 50))

    assert log.readings() == []


async def test_refused_readings_write_nothing_and_teach_nothing(log: MemoryLog, publish: Publish) -> None:
    published = await send(publish, RawReading(NOW + 30 * MIN, 12), RawReading(NOW, "x"))

    refused = [Refused(0, Reason.OUT_OF_RANGE), Refused(1, Reason.NOT_A_NUMBER)]
    assert published == Published(0, 0, refused, 0)
    assert log.groups == []


async def test_more_than_512_readings_are_refused_as_a_whole(log: MemoryLog, publish: Publish) -> None:
    with pytest.raises(CallerError) as refused:
        await send(publish, *[RawReading(NOW - n * 1000, 100) for n in range(513)])

    assert refused.value.code is ErrorCode.TOO_MANY
    assert log.groups == []


async def test_512_readings_are_taken(log: MemoryLog, publish: Publish) -> None:
    published = await send(publish, *[RawReading(NOW - n * 5000, 100) for n in range(512)])

    assert published.accepted == 512
    assert len(log.readings()) == 512


async def test_a_phone_eleven_minutes_slow_gives_a_live_reading_at_once(
    log: MemoryLog, publish: Publish
) -> None:
    await send(publish, RawReading(NOW - 11 * MIN, 50))
    second = await send(publish, RawReading(NOW - 6 * MIN, 49), at_ms=NOW + 5 * MIN)

    first_ms, second_ms = (reading.measured_ms for reading in log.readings())
    assert NOW - first_ms <= 15 * MIN
    assert second_ms == NOW + 5 * MIN
    assert second.offset_ms == 11 * MIN


@pytest.mark.parametrize("minutes", range(2, 61))
async def test_a_fast_phone_loses_nothing(log: MemoryLog, publish: Publish, minutes: int) -> None:
    answers = [
        await send(publish, RawReading(at_ms + minutes * MIN, 100 + n), at_ms=at_ms)
        for n, at_ms in enumerate(range(NOW, NOW + 30 * MIN, 5 * MIN))
    ]

    assert [answer.accepted for answer in answers] == [1] * 6
    assert all(answer.offset_ms == -minutes * MIN for answer in answers)
    assert [r.measured_ms for r in log.readings()] == list(range(NOW, NOW + 30 * MIN, 5 * MIN))


async def test_a_learned_clock_is_written_before_the_reading_it_corrects(
    log: MemoryLog, publish: Publish
) -> None:
    await send(publish, RawReading(NOW + 30 * MIN, 100))

    fact = ClockLearned(at_ms=NOW, sharer=7, source=3, offset_ms=-30 * MIN)
    assert log.facts() == [fact]
    assert log.groups[0].facts == (fact,)


async def test_a_repeated_upload_of_a_wrong_clock_is_still_a_duplicate(
    log: MemoryLog, publish: Publish
) -> None:
    sent_before = [RawReading(NOW + n * 5 * MIN - 40 * MIN, 100 + n) for n in range(3)]
    for n, raw in enumerate(sent_before):
        await send(publish, raw, at_ms=NOW + n * 5 * MIN)

    again = await send(publish, *sent_before[1:], at_ms=NOW + 10 * MIN + 20_000)

    assert again.duplicates == 2
    assert len(log.readings()) == 3


async def test_a_restored_clock_corrects_the_first_upload(log: MemoryLog, publish: Publish) -> None:
    publish.restore_clock(3, 40 * MIN)

    published = await send(publish, RawReading(NOW - 40 * MIN, 50))

    assert published.offset_ms == publish.offset_ms(3) == 40 * MIN
    assert log.readings()[0].measured_ms == NOW


async def test_counts_tell_what_went_which_way(publish: Publish) -> None:
    await send(publish, RawReading(NOW, 100), RawReading(NOW - 60 * MIN, 90), RawReading(NOW, 700))
    await send(publish, RawReading(NOW, 100))

    counts = publish.counts
    assert (counts.live, counts.backfill, counts.duplicates, counts.refused) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("offset_ms", "words"), [(11 * MIN, "11 min slow"), (-59 * MIN, "59 min fast"), (61_000, "1 min slow")]
)
def test_a_wrong_clock_is_said_in_words(offset_ms: int, words: str) -> None:
    sentence = clock_sentence(catalogue(), offset_ms)

    assert sentence.startswith("Phone clock wrong")
    assert words in sentence


def test_a_right_clock_says_nothing() -> None:
    assert clock_sentence(catalogue(), 0) == ""
