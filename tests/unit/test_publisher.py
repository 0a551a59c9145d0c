"""Publishing through a door: until it is acknowledged, in step with the clock, over a trusted line only."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import trustme

from nightbell.app.publisher import DoorClosedError, DoorRefusedError, Measured, Publisher, upload_body
from nightbell.app.replay import PLAIN_SPEED_MAX, lasts_s, load_recording, pauses_s, replay
from nightbell.publish.native import Upload
from nightbell.words.clock import ManualClock
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

NOW_MS = 1_795_342_200_000


class ScriptedDoor:
    """Answers each upload with the next of its answers, the last one for ever; keeps what came."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers) or [(200, "")]
        self.uploads: list[Upload] = []
        self.bearers: list[str] = []
        self.open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with as many requests as it likes."""
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        while head := await _head(reader):
            headers = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            self.bearers.append(headers["authorization"])
            status, retry_after = self.answers[0]
            if len(self.answers) > 1:
                self.answers.pop(0)
            answer = b'{"detail":"Not with this key."}'
            if status == 200:
                self.uploads.append(msgspec.json.decode(body, type=Upload))
                answer = b'{"accepted":%d,"duplicates":0,"refused":[]}' % len(self.uploads[-1].readings)
            extra = f"retry-after: {retry_after}\r\n" if retry_after else ""
            writer.write(
                f"HTTP/1.1 {status} x\r\n{extra}content-length: {len(answer)}\r\n\r\n".encode() + answer
            )
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    @property
    def levels(self) -> list[object]:
        """What was acknowledged, in order."""
        return [reading.glucose_mgdl for upload in self.uploads for reading in upload.readings]


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


@asynccontextmanager
async def open_door(door: ScriptedDoor, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve a door on a free port; where it is."""
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*door.open)


class Slept:
    """Sleeps by moving a clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.pauses: list[float] = []

    async def __call__(self, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.clock.advance_ms(round(pause_s * 1000))


@pytest.fixture
def slept() -> Slept:
    return Slept(ManualClock(NOW_MS))


async def test_an_upload_carries_the_key_the_words_of_the_sensor_and_the_senders_clock(slept: Slept) -> None:
    door = ScriptedDoor()
    async with open_door(door) as url, Publisher(url, "nbk_x", clock=slept.clock) as publisher:
        answer = await publisher.publish(
            [Measured(1, 100, 4), Measured(2, CENSORED_LOW), Measured(3, CENSORED_HIGH)]
        )

    assert answer.accepted == 3
    assert door.bearers == ["bearer nbk_x"]
    assert door.levels == [100, "LOW", "HIGH"]
    assert door.uploads[0].sent_at == NOW_MS


async def test_a_busy_door_is_asked_again_after_the_pause_it_names(slept: Slept) -> None:
    door = ScriptedDoor((503, "7"), (500, ""), (200, ""))
    async with open_door(door) as url, Publisher(url, "k", clock=slept.clock, sleep=slept) as publisher:
        await publisher.publish([Measured(1, 100)])

    assert door.levels == [100]
    assert slept.pauses[0] == 7
    assert len(slept.pauses) == 2


async def test_a_refusal_is_said_in_the_doors_own_words_and_not_repeated(slept: Slept) -> None:
    door = ScriptedDoor((401, ""))
    async with open_door(door) as url, Publisher(url, "k", clock=slept.clock, sleep=slept) as publisher:
        with pytest.raises(DoorRefusedError, match=r"Not with this key\."):
            await publisher.publish([Measured(1, 100)])

    assert len(door.bearers) == 1


async def test_a_door_that_stays_closed_is_given_up_after_some_tries(slept: Slept) -> None:
    async with open_door(ScriptedDoor()) as url:
        pass
    async with Publisher(url, "k", clock=slept.clock, sleep=slept) as publisher:
        with pytest.raises(DoorClosedError, match="ConnectError"):
            await publisher.publish([Measured(1, 100)])

    assert len(slept.pauses) == 8
    assert max(slept.pauses) <= 30


async def test_a_door_with_a_certificate_of_our_own_authority_is_trusted_only_if_told_to(
    slept: Slept, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    door = ScriptedDoor()
    async with open_door(door, context) as url:
        async with Publisher(url, "k", clock=slept.clock, trust=tmp_path / "ca.pem") as trusting:
            await trusting.publish([Measured(1, 100)])
        async with Publisher(url, "k", clock=slept.clock, sleep=slept) as wary:
            with pytest.raises(DoorClosedError):
                await wary.publish([Measured(2, 101)])

    assert door.levels == [100]


@pytest.mark.parametrize(("speed", "pause_s"), [(1, 300), (2, 150), (60, 5), (300, 1)])
def test_speed_shortens_the_waits(speed: float, pause_s: float) -> None:
    readings = [Measured(step * 300_000, 100) for step in range(3)]

    assert pauses_s(readings, speed) == [0, pause_s, pause_s]
    assert lasts_s(readings, speed) == 2 * pause_s


def test_a_lost_week_is_not_waited_for() -> None:
    assert pauses_s([Measured(0, 100), Measured(7 * 86_400_000, 100)], 1) == [0, 3_600]


def test_up_to_the_plain_speed_every_reading_counts_for_the_evaluator() -> None:
    assert PLAIN_SPEED_MAX == 2
    assert pauses_s([Measured(0, 100), Measured(300_000, 100)], PLAIN_SPEED_MAX)[1] * 1000 >= 150_000


async def test_a_replay_sends_each_reading_as_measured_now_and_in_step(slept: Slept) -> None:
    door = ScriptedDoor()
    old = [Measured(step * 300_000, level) for step, level in enumerate([100, 69, CENSORED_LOW, 80])]
    heard: list[int] = []
    async with open_door(door) as url, Publisher(url, "k", clock=slept.clock, sleep=slept) as publisher:
        replayed = await replay(
            old,
            publisher,
            speed=60,
            clock=slept.clock,
            advance=lambda reading: heard.append(reading.level),
            sleep=slept,
        )

    sent_at = [upload.readings[0].measured_at for upload in door.uploads]
    assert sent_at == [NOW_MS, NOW_MS + 5_000, NOW_MS + 10_000, NOW_MS + 15_000]
    assert [upload.sent_at for upload in door.uploads] == sent_at
    assert heard == [100, 69, CENSORED_LOW, 80]
    assert replayed == (4, 0, 2)


async def test_a_slow_door_makes_a_replay_late_and_never_a_burst(slept: Slept) -> None:
    door = ScriptedDoor((503, "30"), (200, ""))
    old = [Measured(step * 300_000, 100) for step in range(4)]
    async with open_door(door) as url, Publisher(url, "k", clock=slept.clock, sleep=slept) as publisher:
        await replay(old, publisher, speed=60, clock=slept.clock, advance=lambda _: None, sleep=slept)

    sent_at = [int(upload.sent_at) for upload in door.uploads if isinstance(upload.sent_at, int)]
    assert [after - before for before, after in pairwise(sent_at[1:])] == [5_000, 5_000]


def test_a_recording_is_loaded_with_its_first_fault_named(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("time,glucose_mgdl\n2026-11-22T09:00,100\nnever,1\n")

    loaded = load_recording(tmp_path / "r.csv", "UTC")

    assert ([one.level for one in loaded.readings], loaded.unreadable, loaded.line) == ([100], 1, 3)


def test_a_whole_days_upload_fits_the_doors_limit() -> None:
    body = upload_body([Measured(NOW_MS + step, CENSORED_HIGH, 8) for step in range(512)], NOW_MS)

    assert len(body) < 256 * 1024
