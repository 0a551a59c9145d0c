"""ntfy: where topics lie, what is published, what an answer means, and that a button never answers by GET."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from nightbell.adapters.channels.ntfy.channel import NtfyChannel
from nightbell.adapters.channels.ntfy.settings import NtfySettings
from nightbell.adapters.channels.ntfy.wire import (
    Topic,
    body_of,
    is_address,
    outcome_of,
    sequence_of,
    topic_of,
)
from nightbell.adapters.http_client import HttpLimits, HttpxClient, HttpxOriginClient
from nightbell.tell.callback import Callback, News, NewsKind
from nightbell.tell.channel import Proof
from nightbell.tell.http import HttpAnswer
from nightbell.tell.message import Message
from nightbell.tell.outcome import Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from tests.contracts.providers_pushover import PUBLIC_URL, TOPIC
from tests.simulators.cast import ALARM, NOW_MS
from tests.simulators.ntfy_server import BODY_BYTES_MAX, NtfyServer
from tests.simulators.proofs import PROOFS

TOKEN = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"
HOME = HttpLimits(private_allowed=True, plain_allowed=True)
MESSAGE = Message(
    id="c" * 32,
    to="ben",
    subject="Ana is VERY LOW: 52",
    text="Check Ana now.",
    urgent=True,
    made_ms=NOW_MS,
    fields={"alarm": ALARM, "kind": "ring"},
)


@pytest.fixture
async def server() -> AsyncIterator[NtfyServer]:
    server = NtfyServer(TOKEN)
    await server.start()
    yield server
    await server.stop()
    assert server.wrong == []


def channel_of(
    origin: str, limits: HttpLimits = HOME, **changes: str
) -> tuple[NtfyChannel, HttpxOriginClient, HttpxClient]:
    settings = msgspec.structs.replace(
        NtfySettings(server=origin, token=TOKEN, public_url=PUBLIC_URL), **changes
    )
    ours, others = HttpxOriginClient(origin), HttpxClient(limits)
    return NtfyChannel(ours, others, settings, proofs=PROOFS), ours, others


@pytest.fixture
async def channel(server: NtfyServer) -> AsyncIterator[NtfyChannel]:
    channel, ours, others = channel_of(server.origin)
    yield channel
    await ours.close()
    await others.close()


def body(message: Message = MESSAGE, public_url: str = PUBLIC_URL) -> dict[str, Any]:
    topic = topic_of(TOPIC)
    assert topic is not None
    decoded: dict[str, Any] = json.loads(body_of(message, topic, public_url=public_url, proof="p" * 32))
    return decoded


@pytest.mark.parametrize(
    ("address", "topic"),
    [
        (TOPIC, Topic("", TOPIC)),
        (f"https://ntfy.example.org/{TOPIC}", Topic("https://ntfy.example.org", TOPIC)),
        (f"http://192.168.0.9:8080/{TOPIC}", Topic("http://192.168.0.9:8080", TOPIC)),
        (f"https://[fd00::1]:8080/{TOPIC}", Topic("https://[fd00::1]:8080", TOPIC)),
        ("", None),
        ("alarms", None),
        ("x" * 65, None),
        (TOPIC + "\n", None),
        (TOPIC + "ü", None),
        (f"https://ntfy.example.org/{TOPIC}?auth=secret", None),
        (f"https://ntfy.example.org/{TOPIC}?", None),
        (f"https://ntfy.example.org/{TOPIC}#x", None),
        (f"https://ben:secret@ntfy.example.org/{TOPIC}", None),
        (f"https://ntfy.example.org/a/{TOPIC}", None),
        (f"https:///{TOPIC}", None),
        (f"https://ntfy.example.org:port/{TOPIC}", None),
        (f"https://[fd00/{TOPIC}", None),
        (f"ftp://ntfy.example.org/{TOPIC}", None),
        ("https://ntfy.example.org/short", None),
    ],
)
def test_what_is_an_address(address: str, topic: Topic | None) -> None:
    assert topic_of(address) == topic
    assert is_address(address) is (topic is not None)


def test_an_urgent_alarm_comes_with_a_button_that_posts_its_proof_in_the_body() -> None:
    published = body()

    assert published["priority"] == 5
    assert published["click"] == PUBLIC_URL
    (action,) = published["actions"]
    assert action == {
        "action": "http",
        "label": "I've got it",
        "url": f"{PUBLIC_URL}/v1/channels/ntfy",
        "method": "POST",
        "body": json.dumps({"message": MESSAGE.id, "proof": "p" * 32}, separators=(",", ":")),
        "clear": True,
    }


@pytest.mark.parametrize(
    "message",
    [
        msgspec.structs.replace(MESSAGE, fields={"alarm": ALARM, "kind": "recovered"}),
        msgspec.structs.replace(MESSAGE, fields={}),
    ],
)
def test_what_asks_for_nobody_has_no_button(message: Message) -> None:
    assert "actions" not in body(message)


def test_without_a_public_address_there_is_no_button_and_no_promise_of_an_answer() -> None:
    alone, _, _ = channel_of("https://ntfy.example.org", public_url="")

    assert not {"actions", "click"} & set(body(public_url=""))
    assert alone.checklist.proof is Proof.NOTHING
    assert "no button" in catalogue().say(alone.checklist.promise)


@pytest.mark.parametrize("sign", ["x", "ü", "🛏", "\n", '"', "\x01"])
def test_a_long_text_fits_whatever_it_is_written_in_and_says_that_it_was_cut(sign: str) -> None:
    topic = topic_of(TOPIC)
    assert topic is not None
    long = msgspec.structs.replace(MESSAGE, text=sign * 4_000)

    encoded = body_of(long, topic, public_url=PUBLIC_URL, proof="p" * 32)

    text = json.loads(encoded)["message"]
    assert len(text.encode()) <= 4_096
    assert len(encoded) <= BODY_BYTES_MAX
    assert text == sign * 4_000 or text.endswith("(Cut here. The rest is in Nightbell.)")


def test_a_copy_of_the_same_message_takes_its_place() -> None:
    assert body()["sequence_id"] == MESSAGE.id
    assert sequence_of("notice.7/b") == sequence_of("notice.7/b")
    assert sequence_of("notice.7/b") != sequence_of("notice.7/c")
    assert sequence_of("notice.7/b").isalnum()


def fault(code: int, **headers: str) -> HttpAnswer:
    content = {"code": code, "http": code // 100, "error": "no"}
    return HttpAnswer(code // 100, headers, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (HttpAnswer(200, {}, b'{"id":"hwQ2YpKdmg","event":"message"}'), Sent, ""),
        (HttpAnswer(200, {}, b"<html>a hotel's sign-in page</html>"), Unavailable, "not an ntfy server"),
        (fault(42908), Unavailable, "today"),
        (fault(42901), Unavailable, "just now"),
        (fault(50701), Unavailable, "nobody listens"),
        (fault(50001), Unavailable, "500"),
        (fault(40101), Unavailable, "ntfy.token"),
        (fault(40301), Refused, "topic of your own"),
        (fault(41301), Refused, "too long"),
        (fault(40024), Refused, "400"),
        (HttpAnswer(403, {}, b"<html>a gateway</html>"), Unavailable, "403"),
        (HttpAnswer(301, {}, b""), Unavailable, "301"),
    ],
)
def test_what_an_answer_means(said: HttpAnswer, kind: type, words: str) -> None:
    meant = outcome_of(said)

    assert isinstance(meant, kind)
    if isinstance(meant, Unavailable | Refused):
        assert words in meant.reason


def test_a_server_that_asks_for_patience_is_heard() -> None:
    meant = outcome_of(fault(42901, **{"retry-after": "7"}))

    assert isinstance(meant, Unavailable)
    assert meant.retry_after_ms == 7_000


@pytest.mark.network
@pytest.mark.enable_socket
async def test_the_button_that_was_published_answers_the_message(
    server: NtfyServer, channel: NtfyChannel
) -> None:
    await channel.send(MESSAGE, TOPIC, idempotency_key="k")
    (action,) = server.messages[0]["actions"]

    heard = channel.heard(Callback(action["url"], {}, action["body"].encode(), NOW_MS))

    assert heard.news == (News(MESSAGE.id, NewsKind.ANSWERED),)


@pytest.mark.network
@pytest.mark.enable_socket
async def test_our_token_goes_to_our_server_only(channel: NtfyChannel) -> None:
    elsewhere = NtfyServer(token="")  # finds fault with any token
    await elsewhere.start()

    outcome = await channel.send(MESSAGE, f"{elsewhere.origin}/{TOPIC}", idempotency_key="k")
    await elsewhere.stop()

    assert isinstance(outcome, Sent)
    assert elsewhere.wrong == []


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_topic_inside_our_own_network_is_not_even_knocked_at(server: NtfyServer) -> None:
    channel, ours, others = channel_of(server.origin, HttpLimits(plain_allowed=True))

    outcome = await channel.send(MESSAGE, f"{server.origin}/{TOPIC}", idempotency_key="k")
    await ours.close()
    await others.close()

    assert isinstance(outcome, Refused)
    assert server.connections == 0


@pytest.mark.network
@pytest.mark.enable_socket
async def test_what_is_over_takes_the_place_of_the_alarm(server: NtfyServer, channel: NtfyChannel) -> None:
    await channel.send(MESSAGE, TOPIC, idempotency_key="k")

    await channel.retract(MESSAGE.id, "m1", TOPIC)

    assert len(server.messages) == 2
    (shown,) = server.shown.values()
    assert shown["title"] == "Over, or somebody has it"


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("healthy", "token", "words"),
    [(True, TOKEN, ""), (False, TOKEN, "can not take it"), (True, "tk_wrong", "ntfy.token"), (True, "", "")],
)
async def test_the_doctor_learns_whether_the_server_lets_us_in_without_telling_anybody(
    server: NtfyServer,
    healthy: bool,  # noqa: FBT001 a table's column
    token: str,
    words: str,
) -> None:
    server.healthy = healthy
    channel, ours, others = channel_of(server.origin, token=token)

    said = await channel.prove()
    await ours.close()
    await others.close()

    assert (words in said) if words else (said == "")
    assert server.messages == []


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(NtfySettings(server="https://ntfy.sh", token=TOKEN))
