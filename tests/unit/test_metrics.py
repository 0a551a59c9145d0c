"""The numbers: read from a real house, bounded whatever happens in it, and never in anybody's way."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nightbell.alarm.effects import AlarmState, AlarmView
from nightbell.app.metrics import disk, server
from nightbell.app.metrics.ages import COUNT_AT, ReadingAges
from nightbell.app.metrics.definitions import METRICS, PARTS, PREFIX, series_max
from nightbell.app.metrics.disk import Disk
from nightbell.app.metrics.exposition import exposed
from nightbell.app.metrics.first_page import LINES, first_page
from nightbell.app.metrics.page import Numbers
from nightbell.app.metrics.read import COUNTED_AT_ONCE, Rooms, Sample, count_open
from nightbell.app.metrics.server import MetricsServer
from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.load.gate import SHED_LOWER, Level, Work
from nightbell.load.service import Admission, open_to_all
from nightbell.publish.reading import READING_DTYPE, Reading
from nightbell.words.clock import ManualClock
from tests.acceptance.web_house import PASSWORD, WebHouse, open_web_house

NOW_MS = 1_795_345_200_000
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def numbers_of(
    house: WebHouse, folder: Path, canaries: frozenset[int] = frozenset(), admission: Admission | None = None
) -> Numbers:
    """The numbers of a house in memory."""
    rooms = Rooms(
        admission=admission or open_to_all(),
        journal=house.journal,
        publish=house.publish,
        history=house.history,
        evaluation=house.evaluation,
        deliver=house.deliver,
        hub=house.hub,
        accounts=house.accounts,
        follows=house.follows,
        canaries=lambda: canaries,
        failing=lambda: dict.fromkeys(PARTS, ""),
        build="9.9",
    )
    return Numbers(rooms, folder, house.clock)


async def series_of(numbers: Numbers) -> Series:
    """Every number of the page as Prometheus' own reader reads it, without the process's."""
    text, content_type = await numbers.page("")
    assert content_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.startswith(PREFIX)
    }


def number(series: Series, name: str, **labels: str) -> float:
    return series[PREFIX + name, frozenset(labels.items())]


def pass_ms(house: WebHouse, by_ms: int) -> None:
    assert isinstance(house.clock, ManualClock)
    house.clock.advance_ms(by_ms)


async def send(house: WebHouse, sharer: int, level: int, *, age_ms: int = 1_000) -> None:
    """One reading through the door's service, and all that follows from it."""
    now_ms = house.clock.now_ms()
    await house.journal.append(live=[Reading(sharer, now_ms - age_ms, now_ms, level, 0, 1)], backfill=[])
    await settle(house)


async def settle(house: WebHouse) -> None:
    house.journal.tick()
    await house.journal.settled()
    await house.evaluation.caught_up()
    async with asyncio.timeout(30):
        await asyncio.sleep(0)
        while house.deliver.health().unwritten:
            await asyncio.sleep(0.01)


@pytest.fixture
async def house() -> AsyncIterator[WebHouse]:
    async with open_web_house(ManualClock(NOW_MS)) as opened:
        yield opened


async def test_the_newest_reading_is_anybodys_but_a_canarys(house: WebHouse, tmp_path: Path) -> None:
    ana = await house.add("Ana", shares=True)
    canary = await house.add("canary", shares=True)
    numbers = numbers_of(house, tmp_path, frozenset({canary.sharer}))
    await settle(house)

    before = await series_of(numbers)
    await send(house, canary.sharer, 120)
    with_canary = await series_of(numbers)
    await send(house, ana.sharer, 120, age_ms=61_000)
    after = await series_of(numbers)

    assert number(before, "newest_reading_age_seconds") == float("inf")
    assert number(with_canary, "newest_reading_age_seconds") == float("inf")
    assert number(with_canary, "sharers", newest="never") == 1
    assert number(after, "newest_reading_age_seconds") == 61
    assert number(after, "sharers", newest="fresh") == 1


async def test_with_nobody_who_shares_there_is_no_age_at_all(house: WebHouse, tmp_path: Path) -> None:
    series = await series_of(numbers_of(house, tmp_path))

    assert (PREFIX + "newest_reading_age_seconds", frozenset()) not in series
    assert number(series, "sharers", newest="never") == 0


async def test_who_is_turned_away_is_a_number(house: WebHouse, tmp_path: Path) -> None:
    admission = open_to_all()
    numbers = numbers_of(house, tmp_path, admission=admission)

    before = await series_of(numbers)
    admission.take(Level(SHED_LOWER - 40, "live_wait_ms"))
    admission.refuses(Work.EXPORT, "Ben")
    after = await series_of(numbers)

    for work in Work:
        assert number(before, "let_in_percent", work=work.name.lower()) == 100
    assert number(after, "let_in_percent", work="renewal") == 40
    assert number(after, "let_in_percent", work="history") == 0
    assert number(after, "turned_away_total", work="export") == 1


async def test_a_low_is_counted_from_the_sensor_to_the_answer(house: WebHouse, tmp_path: Path) -> None:
    people = await house.cast()
    numbers = numbers_of(house, tmp_path)
    identity = (
        await house.accounts.sign_in(
            name="Ben", password=PASSWORD, device="phone", peer="1", now_ms=house.clock.now_ms()
        )
    ).identity
    screen = house.hub.open(identity, still=lambda _: True, last_event_id="")

    await send(house, people.ana.sharer, 50, age_ms=4_000)
    ringing = await series_of(numbers)
    [alarm] = house.evaluation.open_alarms(people.ana.sharer)
    pass_ms(house, 90_000)
    await house.answers.take(alarm=alarm.id, identity=identity, now_ms=house.clock.now_ms())
    await settle(house)
    answered = await series_of(numbers)
    house.hub.close(screen)

    told = "measured_to_told_seconds"
    assert number(ringing, told + "_count", channel="app", who="people") == 1
    assert number(ringing, told + "_bucket", channel="app", who="people", le="5.0") == 1
    assert number(ringing, told + "_bucket", channel="app", who="people", le="2.5") == 0
    assert number(ringing, "unanswered_alarms") == 1
    assert number(ringing, "open_alarms", family="low", state="ringing") == 1
    assert number(ringing, "notifications_total", channel="app", state="sent") == 1
    assert number(answered, "unanswered_alarms") == 0
    assert number(answered, "open_alarms", family="low", state="answered") == 1
    assert number(answered, "told_to_answered_seconds_count") == 1
    assert number(answered, "told_to_answered_seconds_sum") == pytest.approx(90, abs=2)


async def test_no_life_makes_a_series_more_and_no_label_says_who(house: WebHouse, tmp_path: Path) -> None:
    numbers = numbers_of(house, tmp_path)
    people = await house.cast()
    await settle(house)
    before = await series_of(numbers)
    secrets = ["Ana", "Ben", "Cleo", "Dan", "example.org", people.ana.id, people.ben.id, "@"]

    for level in (50, 300, 62, 400):
        await send(house, people.ana.sharer, level)
        pass_ms(house, 300_000)
    for name in ("Ben", "nobody at all", "another nobody"):
        with pytest.raises(Exception, match="wrong_password"):
            await house.accounts.sign_in(
                name=name, password="wrong", device="d", peer=name, now_ms=house.clock.now_ms()
            )
    for index in range(30):
        await house.add(f"More {index}", shares=True)
    await settle(house)
    after = await series_of(numbers)

    grown = {key for key in after if key not in before}
    assert {name for name, _ in grown} <= {PREFIX + "newest_reading_age_seconds"}
    assert number(after, "sign_ins_total", way="app", result="refused") == 3
    text = (await numbers.page(""))[0].decode()
    assert not [secret for secret in secrets if secret in text]
    plain = [key for key in after if not key[0].endswith(("_bucket", "_count", "_sum"))]
    assert len(plain) <= series_max()


async def test_everything_on_the_page_is_defined_and_everything_defined_is_named_well(
    house: WebHouse, tmp_path: Path
) -> None:
    text, _ = await numbers_of(house, tmp_path).page("")
    families = [
        family for family in text_string_to_metric_families(text.decode()) if family.name.startswith(PREFIX)
    ]

    by_name = {PREFIX + metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert {family.name for family in families} <= set(by_name)
    order = list(by_name)
    assert [order.index(family.name) for family in families] == sorted(
        order.index(family.name) for family in families
    )
    for family in families:
        metric = by_name[family.name]
        assert (family.type, family.documentation) == (metric.kind.value, metric.meaning)
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind.value == "counter")
    assert series_max() < 250


def test_a_label_with_a_value_that_is_not_listed_never_leaves_the_house() -> None:
    with pytest.raises(AssertionError, match="readings_total has no Ana"):
        exposed([Sample("readings_total", ("Ana",), 1)], "")


async def test_openmetrics_is_spoken_where_it_is_asked_for(house: WebHouse, tmp_path: Path) -> None:
    text, content_type = await numbers_of(house, tmp_path).page("application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def group(count: int, *, seq: int = 1, measured_ago_ms: int = 2_000, took_ms: int = 3) -> Group:
    readings = np.zeros(count, READING_DTYPE)
    readings["received_ms"] = NOW_MS
    readings["measured_ms"] = NOW_MS - measured_ago_ms
    return Group(seq, NOW_MS + took_ms, (), readings, 0)


def test_ages_are_counted_for_live_readings_that_are_durable() -> None:
    ages = ReadingAges()

    ages.consume(group(3))
    ages.consume(group(2, measured_ago_ms=3_600_000))
    ages.consume(group(5, seq=VOLATILE_SEQ))
    ages.consume(group(0))

    assert ages.measured_to_received().count == 3
    assert ages.measured_to_received().within_s(1.0) == 2.5
    assert ages.received_to_recorded().sum_s == pytest.approx(0.009)


def test_ages_keep_no_more_groups_than_they_may() -> None:
    ages = ReadingAges()

    for _ in range(COUNT_AT):
        ages.consume(group(1))

    assert len(ages._groups) < COUNT_AT
    assert ages.measured_to_received().count == COUNT_AT


async def test_a_disk_that_hangs_costs_the_sizes_and_nothing_else(
    house: WebHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = disk.disk_facts

    def hang(folder: Path) -> disk.DiskFacts:
        asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result(60)
        return real(folder)

    monkeypatch.setattr(disk, "disk_facts", hang)
    monkeypatch.setattr(disk, "PATIENCE_S", 0.1)
    numbers = numbers_of(house, tmp_path)

    hanging = await series_of(numbers)
    goes_on.set()
    monkeypatch.setattr(disk, "PATIENCE_S", 30.0)
    well = await series_of(numbers)

    assert number(hanging, "disk_unread") == 1
    assert (PREFIX + "disk_free_bytes", frozenset()) not in hanging
    assert number(hanging, "well") == 1
    assert number(well, "disk_unread") == 0
    assert number(well, "disk_free_bytes") > 0


async def test_a_folder_that_is_gone_is_a_disk_that_does_not_answer(tmp_path: Path) -> None:
    assert await Disk(tmp_path / "gone").look() is None


async def test_a_watchers_health_that_cannot_be_read_is_infinitely_old(
    house: WebHouse, tmp_path: Path
) -> None:
    (tmp_path / "watcher").mkdir()
    (tmp_path / "watcher" / "health.json").write_text("no json")

    series = await series_of(numbers_of(house, tmp_path))

    assert number(series, "watcher_heartbeat_age_seconds") == float("inf")


async def test_the_first_page_always_has_all_its_lines(house: WebHouse, tmp_path: Path) -> None:
    names = {metric.name for metric in METRICS}

    lines = first_page(await numbers_of(house, tmp_path).read())

    assert [line.key for line in lines] == [line[0] for line in LINES]
    assert {name for _, name, _, _ in LINES} <= names
    assert [line.value for line in first_page([])] == [-1.0] * len(LINES)


async def page(_accept: str) -> tuple[bytes, str]:
    return b"nightbell_well 1\n", "text/plain"


async def until_open(metrics: MetricsServer) -> None:
    async with asyncio.timeout(30):
        while not metrics.port:
            await asyncio.sleep(0.01)


@pytest.mark.network
@pytest.mark.enable_socket
async def test_it_answers_metrics_and_nothing_else() -> None:
    metrics = MetricsServer(("127.0.0.1", 0), page)
    running = asyncio.create_task(metrics.run())
    await until_open(metrics)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{metrics.port}", trust_env=False) as client:
        found = await client.get("/metrics")
        others = [await client.get("/"), await client.get("/v1/me"), await client.post("/metrics")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (found.status_code, found.text) == (200, "nightbell_well 1\n")
    assert {other.status_code for other in others} == {404}


@pytest.mark.network
@pytest.mark.enable_socket
async def test_an_address_that_is_taken_is_said_and_had_once_it_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "BIND_AGAIN_S", 0.05)
    taken = socket.create_server(("127.0.0.1", 0))
    metrics = MetricsServer(taken.getsockname()[:2], page)
    running = asyncio.create_task(metrics.run())

    async with asyncio.timeout(30):
        while not metrics.failing:
            await asyncio.sleep(0.01)
    said = metrics.failing
    taken.close()
    await until_open(metrics)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert "metrics_listen" in said
    assert "All else goes on" in said
    assert not metrics.failing


def alarm_of(sharer: int, state: AlarmState, raised_ms: int) -> AlarmView:
    """An open alarm, as far as it is counted."""
    fields = dict.fromkeys(AlarmView.__struct_fields__, 0)
    return AlarmView(**fields | {"sharer": sharer, "family": "low", "state": state, "raised_ms": raised_ms})  # type: ignore[arg-type]


async def test_open_alarms_are_counted_without_canaries_and_without_keeping_the_loop() -> None:
    alarms = [alarm_of(n, AlarmState.RINGING, NOW_MS - n) for n in range(3 * COUNTED_AT_ONCE)]
    answered = [alarm_of(0, AlarmState.ANSWERED, NOW_MS - 10**6)] * 5
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(turn())
    counted = await count_open([*alarms, *answered], frozenset({1, len(alarms) - 1}))
    others.cancel()

    assert counted.counts == {("low", "ringing"): len(alarms) - 2, ("low", "answered"): 5}
    assert counted.ringing == len(alarms) - 2
    assert counted.oldest_ms == NOW_MS - (len(alarms) - 2)
    assert turns >= 3
    assert (await count_open([], frozenset())).oldest_ms == 0
