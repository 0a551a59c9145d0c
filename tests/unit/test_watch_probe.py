"""What the probe makes of what the platform says, and of what goes wrong on the way."""

import asyncio
import errno
import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from msgspec.structs import replace

from nightbell.adapters.probe.http import HttpProbe, why_of
from nightbell.adapters.probe.steady import SteadyClock
from nightbell.adapters.probe.wire import NO_TICK_AGE_MS, Said, one_accepted, upload_of
from nightbell.publish.native import read_upload
from nightbell.watch.evidence import Lost, Opened, Pulse, Why
from nightbell.watch.ports import Done, Failed, Ring
from nightbell.watch.timings import Timings
from nightbell.words.clock import ManualClock
from tests.simulators.watch_world import PAIRED

CANARIES = {7: "canary7"}


def said(text: str) -> list[Pulse | Ring]:
    reader = Said(CANARIES)
    words = [reader.line(line) for line in text.split("\n")]
    return [word for word in words if word is not None]


def notification(**changes: object) -> str:
    fields = {"alarm": "a1", "sharer": 7, "kind": "ring", "condition": "urgent_low", "text": "x"} | changes
    return "event: notification\nid: 1\ndata: " + str(fields).replace("'", '"') + "\n\n"


def test_a_heartbeat_carries_what_the_platform_says_of_itself() -> None:
    text = 'event: hb\nid: 1-1\ndata: {"watching":true,"tick_age_ms":900,"build":"x"}\n\n'

    assert said(text) == [Pulse(watching=True, tick_age_ms=900)]


def test_a_heartbeat_without_any_tick_is_too_old_by_any_measure() -> None:
    text = 'event: hb\ndata: {"watching":false,"tick_age_ms":-1}\n\n'

    assert said(text) == [Pulse(watching=False, tick_age_ms=NO_TICK_AGE_MS)]


def test_a_ring_of_a_canarys_low_is_heard_and_nothing_else_is() -> None:
    assert said(notification()) == [Ring("canary7", "a1")]
    assert said(notification(kind="repeat")) == []
    assert said(notification(condition="no_readings")) == []
    assert said(notification(condition="rising_fast")) == []
    assert said(notification(sharer=8)) == []
    assert said('event: reading\ndata: {"sharer":7}\n\n: comment\n\n') == []


def test_a_heartbeat_that_cannot_be_read_breaks_the_stream() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        said('event: hb\ndata: {"watching":"yes"}\n\n')


def test_what_we_upload_is_what_the_real_door_takes() -> None:
    raw, sent_ms = read_upload(upload_of(50, 1_795_312_800_000))

    assert isinstance(raw, list)
    assert [(one.measured_ms, one.glucose) for one in raw] == [(1_795_312_800_000, 50)]
    assert sent_ms == 1_795_312_800_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"accepted":1,"duplicates":0,"refused":[]}', True),
        (b'{"accepted":0,"duplicates":0,"refused":[{"index":0}]}', False),
        (b"<html>welcome</html>", False),
        (b"", False),
    ],
)
def test_only_one_reading_accepted_is_taken_for_a_door_that_works(body: bytes, expected: bool) -> None:  # noqa: FBT001 a table
    assert one_accepted(body) is expected


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (caused(httpx.ConnectError("x"), ConnectionRefusedError()), Why.REFUSED),
        (caused(httpx.ConnectError("x"), socket.gaierror()), Why.UNREACHABLE),
        (caused(httpx.ConnectError("x"), OSError(errno.ENETUNREACH, "x")), Why.UNREACHABLE),
        (caused(httpx.ConnectError("x"), OSError(errno.EHOSTUNREACH, "x")), Why.REFUSED),
        (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError()), Why.CERTIFICATE),
        (httpx.ReadTimeout("x"), Why.LATE),
        (TimeoutError(), Why.LATE),
        (httpx.RemoteProtocolError("x"), Why.BROKEN),
        (ConnectionResetError(), Why.BROKEN),
    ],
)
def test_only_our_own_network_is_taken_for_our_own_network(error: Exception, why: Why) -> None:
    assert why_of(error) is why


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_door_that_is_shut_is_refused_and_certainly_took_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    pairing = type(PAIRED)(f"http://127.0.0.1:{port}", "f", "fk", "rk", PAIRED.canaries)
    probe = HttpProbe(pairing, Timings())

    outcome = await probe.publish("canary1", level=120, measured_ms=0)
    await probe.close()

    assert outcome == Failed(Why.REFUSED, untaken=True)


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_stream_whose_probe_is_closed_ends_as_lost() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        writer.write(b'event: hb\ndata: {"watching":true,"tick_age_ms":1}\n\n')
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    probe = HttpProbe(type(PAIRED)(f"http://127.0.0.1:{port}", "f", "fk", "rk", PAIRED.canaries), Timings())
    words = []

    async for word in probe.listen():
        words.append(word)
        if isinstance(word, Pulse):
            await probe.close()
    server.close()

    assert words[:2] == [Opened(), Pulse(watching=True, tick_age_ms=1)]
    assert isinstance(words[2], Lost)
    assert len(words) == 3


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("trusted", "name", "outcome"),
    [
        ("authority", "bell.example.org", Done()),
        ("leaf", "bell.example.org", Done()),
        ("leaf", "*.example.org", Failed(Why.CERTIFICATE, untaken=True)),
        ("leaf", "", Failed(Why.CERTIFICATE, untaken=True)),
        ("other", "bell.example.org", Failed(Why.CERTIFICATE, untaken=True)),
        ("system", "bell.example.org", Failed(Why.CERTIFICATE, untaken=True)),
    ],
)
async def test_a_certificate_is_believed_only_where_it_is_the_one_we_were_given(
    tmp_path: Path, trusted: str, name: str, outcome: Done | Failed
) -> None:
    authority, other = trustme.CA(), trustme.CA()
    leaf = authority.issue_cert("bell.example.org")
    authority.cert_pem.write_to_path(tmp_path / "authority")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "leaf")
    other.cert_pem.write_to_path(tmp_path / "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}]")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{"accepted":1}')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    pairing = replace(
        PAIRED,
        base_url=f"https://127.0.0.1:{port}",
        tls_ca_file="" if trusted == "system" else str(tmp_path / trusted),
        tls_name=name,
    )
    probe = HttpProbe(pairing, Timings())

    found = await probe.publish("canary1", level=120, measured_ms=0)
    await probe.close()
    server.close()

    assert found == outcome


def test_steady_time_goes_on_when_the_clock_is_set() -> None:
    clock = ManualClock(1_000_000)
    steady = SteadyClock(clock)

    clock.advance_ms(-500_000)

    assert 1_000_000 <= steady.now_ms() < 1_060_000
