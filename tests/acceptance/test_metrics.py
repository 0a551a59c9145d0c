"""The numbers of the running platform: there for whoever runs it, never for the public, in nobody's way."""

import asyncio
import re
import socket
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nightbell.app.control_words import Health, Nothing, Status
from nightbell.words.clock import SystemClock
from tests.acceptance.real_platform import RealPlatform

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket, pytest.mark.timeout(180)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def send(platform: RealPlatform, key: str, level: int) -> int:
    """One reading measured two seconds ago; the answer's status."""
    reading = {"measured_at": SystemClock().now_ms() - 2_000, "glucose_mgdl": level}
    async with platform.client(key) as client:
        return (await client.post("/v1/readings", json={"readings": [reading]})).status_code


AGE = re.compile(r"^nightbell_newest_reading_age_seconds \d", re.MULTILINE)


async def test_prometheus_reads_it_on_its_own_address_and_the_public_nowhere(tmp_path: Path) -> None:
    port = free_port()
    async with RealPlatform(tmp_path, NIGHTBELL_METRICS_LISTEN=f"127.0.0.1:{port}") as platform:
        platform.add_person("Ana")
        key = platform.add_key("Ana", "publish")
        assert await send(platform, key, 112) == 200

        async with platform.client(key) as client, asyncio.timeout(60):
            page = await client.get(f"http://127.0.0.1:{port}/metrics")
            while not AGE.search(page.text):  # she and her reading are evaluated a moment later
                page = await client.get(f"http://127.0.0.1:{port}/metrics")
            public = [await client.get(path) for path in ("/metrics", "/v1/metrics", "/metrics/")]

    numbers = {
        sample.name: sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
        if not sample.labels
    }
    assert 2 <= numbers["nightbell_newest_reading_age_seconds"] < 120
    assert numbers["nightbell_received_to_recorded_seconds_count"] == 1
    assert numbers["nightbell_well"] == 1
    assert numbers["process_resident_memory_bytes"] > 10_000_000
    assert {answer.status_code for answer in public} == {404}
    assert "Ana" not in page.text


async def test_without_the_setting_nothing_listens_and_status_says_the_numbers_all_the_same(
    tmp_path: Path,
) -> None:
    async with RealPlatform(tmp_path) as platform:
        platform.add_person("Ana")
        assert await send(platform, platform.add_key("Ana", "publish"), 112) == 200

        status = await asyncio.to_thread(platform.ask, "status", Nothing(), Status)
        async with asyncio.timeout(60):
            while _lines(status)["newest_age"] < 0:  # it is evaluated a moment later
                status = await asyncio.to_thread(platform.ask, "status", Nothing(), Status)

    lines = _lines(status)
    assert status.health.well
    assert 2 <= lines["newest_age"] < 120
    assert lines["disk_free"] > 0
    assert b"metrics.opened" not in b"".join(platform.said)


def _lines(status: Status) -> dict[str, float]:
    return {line.key: line.value for line in status.lines}


async def test_an_address_that_is_taken_stops_nothing_and_health_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with RealPlatform(tmp_path, NIGHTBELL_METRICS_LISTEN=address) as platform:
            platform.add_person("Ana")
            status = await send(platform, platform.add_key("Ana", "publish"), 112)
            health = platform.ask("health", Nothing(), Health)

    assert status == 200
    assert not health.well
    assert address in health.failing
    assert "All else goes on" in health.failing
