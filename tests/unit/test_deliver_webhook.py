"""The signed webhook, and where the client of HTTP goes and does not go."""

import hashlib
import hmac
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping

import msgspec
import pytest
import trustme

from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.channels.webhook.signature import secret_of, signature
from nightbell.adapters.http_client import ANSWER_BYTES_MAX, HttpLimits, HttpxClient, all_allowed, is_allowed
from nightbell.tell.http import HttpAnswer, HttpFailure
from nightbell.tell.message import Message
from nightbell.tell.outcome import Refused, Sent, Unavailable
from nightbell.words.clock import ManualClock
from tests.simulators.cast import NOW_MS
from tests.simulators.hook_server import HookServer

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

MESSAGE = Message(
    "n1", "ben", "Ana is LOW: 66", "Check Ana.", urgent=True, made_ms=NOW_MS, fields={"step": 3}
)
MASTER = b"m" * 32
ANYWHERE = "0.0.0.0"  # noqa: S104 nothing is bound here
HOME = HttpLimits(private_allowed=True, plain_allowed=True, whole_ms=3_000)


@pytest.fixture
async def server() -> AsyncIterator[HookServer]:
    server = HookServer()
    await server.start()
    yield server
    await server.stop()


class Answering:
    """A client of HTTP that answers as told."""

    def __init__(self, answer: HttpAnswer | HttpFailure) -> None:
        self.answer = answer

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> HttpAnswer | HttpFailure:
        assert url
        assert headers
        assert body
        return self.answer


async def posted(url: str, limits: HttpLimits = HOME, tls: ssl.SSLContext | None = None) -> object:
    client = HttpxClient(limits, tls=tls)
    channel = WebhookChannel(client, secret_of=lambda p: secret_of(MASTER, p), clock=ManualClock(NOW_MS))
    outcome = await channel.send(MESSAGE, url, idempotency_key="key-1")
    await client.close()
    return outcome


async def test_whoever_has_the_secret_can_check_who_sent_it_and_when(server: HookServer) -> None:
    await posted(f"http://127.0.0.1:{server.port}/hook?x=1")

    (call,) = server.calls
    secret = hmac.new(MASTER, b"webhook:ben", hashlib.sha256).hexdigest()
    seconds, _, mac = call.headers["nightbell-signature"].removeprefix("t=").partition(",v1=")
    wanted = hmac.new(secret.encode(), f"{seconds}.".encode() + call.body, hashlib.sha256).hexdigest()
    assert mac == wanted
    assert int(seconds) == NOW_MS // 1000
    assert call.target == "/hook?x=1"
    assert msgspec.json.decode(call.body) == {
        "id": "key-1",
        "subject": "Ana is LOW: 66",
        "text": "Check Ana.",
        "urgent": True,
        "made_ms": NOW_MS,
        "fields": {"step": 3},
    }


def test_a_changed_body_time_or_secret_changes_the_signature() -> None:
    signatures = {
        signature(secret, body, at_s=at_s)
        for secret, body, at_s in (("a", b"x", 1), ("b", b"x", 1), ("a", b"y", 1), ("a", b"x", 2))
    }

    assert len(signatures) == 4
    assert secret_of(MASTER, "ben") != secret_of(MASTER, "cleo")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, Sent), (204, Sent), (302, Refused), (308, Refused), (400, Refused), (404, Refused),
     (408, Unavailable), (425, Unavailable), (429, Unavailable), (500, Unavailable), (503, Unavailable)],
)  # fmt: skip
async def test_what_each_answer_means(status: int, kind: type) -> None:
    http = Answering(HttpAnswer(status, {}, b""))
    channel = WebhookChannel(http, secret_of=lambda _: "s", clock=ManualClock(NOW_MS))

    assert isinstance(await channel.send(MESSAGE, "https://x", idempotency_key="k"), kind)


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [("7", 7_000), ("999999999999", 3_600_000), ("-5", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("²", 0)],
)
async def test_a_machine_that_asks_for_patience_is_heard_within_reason(value: str, wait_ms: int) -> None:
    http = Answering(HttpAnswer(503, {"retry-after": value}, b""))
    channel = WebhookChannel(http, secret_of=lambda _: "s", clock=ManualClock(NOW_MS))

    outcome = await channel.send(MESSAGE, "https://x", idempotency_key="k")

    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after_ms == wait_ms


async def test_a_redirect_is_not_followed(server: HookServer) -> None:
    server.status, server.extra = "307 Temporary Redirect", f"Location: http://127.0.0.1:{server.port}/b\r\n"

    outcome = await posted(f"http://127.0.0.1:{server.port}/a")

    assert isinstance(outcome, Refused)
    assert [call.target for call in server.calls] == ["/a"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", ANYWHERE, "169.254.169.254", "[::ffff:127.0.0.1]"]
)
async def test_a_private_address_is_not_even_knocked_at(server: HookServer, host: str) -> None:
    limits = HttpLimits(plain_allowed=True, whole_ms=3_000)

    outcome = await posted(f"http://{host}:{server.port}/hook", limits)

    assert isinstance(outcome, Refused)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("address", "public", "at_home"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("10.1.2.3", False, True),
        ("192.168.0.9", False, True),
        ("100.64.0.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        (ANYWHERE, False, False),
        ("224.0.0.1", False, False),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::a00:1", False, True),
        ("2002:a00:1::", False, True),
    ],
)
def test_where_we_go(address: str, public: bool, at_home: bool) -> None:  # noqa: FBT001 a table's columns
    parsed = ipaddress.ip_address(address)

    assert is_allowed(parsed, private_allowed=False) is public
    assert is_allowed(parsed, private_allowed=True) is at_home


def test_one_private_address_among_public_ones_closes_the_whole_name() -> None:
    mixed = [ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address("10.0.0.1")]

    assert all_allowed(mixed[:1], private_allowed=False)
    assert not all_allowed(mixed, private_allowed=False)


@pytest.mark.parametrize("url", ["http://example.test/", "ftp://x/", "https://", "file:///etc/passwd", ""])
async def test_only_a_safe_web_address_will_do(url: str) -> None:
    outcome = await posted(url, HttpLimits())

    assert isinstance(outcome, Refused)


async def test_the_certificate_is_checked_against_the_name_though_we_connect_to_the_address() -> None:
    authority = trustme.CA()
    server_tls, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_tls)
    authority.configure_trust(ours)
    server = HookServer(tls=server_tls)
    await server.start()

    by_name = await posted(f"https://localhost:{server.port}/hook", HOME, ours)
    by_number = await posted(f"https://127.0.0.1:{server.port}/hook", HOME, ours)
    untrusted = await posted(f"https://localhost:{server.port}/hook", HOME)
    await server.stop()

    assert isinstance(by_name, Sent)
    assert isinstance(by_number, Unavailable)
    assert isinstance(untrusted, Unavailable)
    assert [call.headers["host"] for call in server.calls] == [f"localhost:{server.port}"]


async def test_an_endless_answer_is_read_only_so_far(server: HookServer) -> None:
    server.answer = b"x" * (4 * ANSWER_BYTES_MAX)
    client = HttpxClient(HOME)

    answer = await client.post(f"http://127.0.0.1:{server.port}/", headers={}, body=b"{}")
    await client.close()

    assert isinstance(answer, HttpAnswer)
    assert len(answer.body) == ANSWER_BYTES_MAX
