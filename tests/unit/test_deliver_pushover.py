"""Pushover: what is sent, what an answer means, what an acknowledgement says."""

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from nightbell.adapters.channels.pushover.channel import PushoverChannel
from nightbell.adapters.channels.pushover.settings import PushoverSettings
from nightbell.adapters.channels.pushover.wire import callback_url, fields_of, is_address, news_of, outcome_of
from nightbell.adapters.http_client import HttpxOriginClient
from nightbell.tell.callback import Callback, News, NewsKind
from nightbell.tell.http import HttpAnswer
from nightbell.tell.message import Message
from nightbell.tell.outcome import Refused, Sent, Unavailable
from nightbell.words.clock import NEVER_MS, ManualClock
from tests.contracts.providers_pushover import PUBLIC_URL
from tests.simulators.cast import ALARM, NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.proofs import PROOFS
from tests.simulators.pushover_server import TOKEN, USER, PushoverServer

SETTINGS = PushoverSettings(token=TOKEN, sound="persistent", public_url=PUBLIC_URL)
MESSAGE = Message(
    id="c" * 32,
    to="ben",
    subject="Ana is VERY LOW: 52",
    text="Check Ana now.",
    urgent=True,
    expires_ms=NOW_MS + 900_000,
    made_ms=NOW_MS - 4_000,
    fields={"alarm": ALARM, "kind": "ring"},
)


def fields(
    message: Message = MESSAGE, address: str = USER, settings: PushoverSettings = SETTINGS
) -> dict[str, str]:
    return fields_of(message, address, settings, proof="p" * 32, now_ms=NOW_MS)


def answer(http_status: int, **content: object) -> HttpAnswer:
    return HttpAnswer(http_status, {}, json.dumps(content).encode())


@pytest.fixture
async def server() -> AsyncIterator[PushoverServer]:
    server = PushoverServer()
    await server.start()
    yield server
    await server.stop()
    assert server.wrong == []


@pytest.fixture
async def channel(server: PushoverServer) -> AsyncIterator[PushoverChannel]:
    http = HttpxOriginClient(server.origin)
    settings = msgspec.structs.replace(SETTINGS, api=server.origin)
    yield PushoverChannel(http, settings, proofs=PROOFS, clock=ManualClock(NOW_MS))
    await http.close()


def test_what_is_urgent_rings_until_somebody_acknowledges_or_it_is_no_longer_worth_it() -> None:
    urgent = fields()

    assert (urgent["priority"], urgent["retry"], urgent["expire"]) == ("2", "30", "900")
    assert urgent["tags"] == f"{ALARM},{MESSAGE.id}"
    assert urgent["sound"] == "persistent"
    assert urgent["timestamp"] == str((NOW_MS - 4_000) // 1000)
    callback = urlsplit(urgent["callback"])
    assert f"{callback.scheme}://{callback.netloc}{callback.path}" == f"{PUBLIC_URL}/v1/channels/pushover"
    assert parse_qs(callback.query) == {"message": [MESSAGE.id], "proof": ["p" * 32]}


def test_what_is_not_urgent_comes_once_and_asks_for_nothing() -> None:
    calm = fields(msgspec.structs.replace(MESSAGE, urgent=False))

    assert calm["priority"] == "0"
    assert not {"retry", "expire", "callback", "tags", "sound"} & set(calm)


@pytest.mark.parametrize(
    ("expires_ms", "expire_s"),
    [
        (NEVER_MS, 10_800),
        (NOW_MS + 3 * 3_600_000 + 1, 10_800),
        (NOW_MS + 31_999, 31),
        (NOW_MS + 1, 30),
        (0, 30),
    ],
)
def test_it_stops_when_the_message_says_so_within_what_pushover_allows(
    expires_ms: int, expire_s: int
) -> None:
    assert fields(msgspec.structs.replace(MESSAGE, expires_ms=expires_ms))["expire"] == str(expire_s)


def test_without_a_public_address_nothing_is_asked_to_come_back() -> None:
    alone = fields(settings=msgspec.structs.replace(SETTINGS, public_url=""))

    assert not {"callback", "url", "url_title"} & set(alone)


def test_a_long_text_is_cut_and_says_so() -> None:
    long = fields(msgspec.structs.replace(MESSAGE, text="🛏" * 4_000))["message"]

    assert len(long) <= 1_024
    assert long.endswith("(Cut here. The rest is in Nightbell.)")


def test_one_device_can_be_named() -> None:
    named = fields(address=f"{USER}/bens-phone")

    assert (named["user"], named["device"]) == (USER, "bens-phone")
    assert "device" not in fields()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (USER, True),
        (f"{USER}/bens-phone_2", True),
        ("", False),
        (USER[:-1], False),
        (USER + "x", False),
        (f"{USER}/", False),
        (f"{USER}/{'d' * 26}", False),
        (f"{USER}/two words", False),
        (f"{USER}\n", False),
        ("ü" * 30, False),
    ],
)
def test_what_is_an_address(text: str, good: bool) -> None:  # noqa: FBT001 a table's column
    assert is_address(text) is good


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (answer(200, status=1, receipt="r" * 30), Sent("r" * 30)),
        (answer(200, status=1, request="647d"), Sent("")),
        (answer(400, status=0, user="invalid", errors=["user identifier is invalid"]), "lost"),
        (answer(400, status=0, errors="user identifier is not a valid user"), "lost"),
        (answer(400, status=0, errors=["user is valid but has no active devices"]), "lost"),
        (answer(400, status=0, message="cannot be blank", errors=["message cannot be blank"]), "refused"),
        (answer(400, status=0, token="invalid", errors=["application token is invalid"]), "pushover.token"),
        (answer(400, status=0, token="invalid"), "pushover.token"),
        (answer(400, status=0, errors=["application token is invalid"]), "pushover.token"),
        (answer(400, status=0, user="invalid"), "lost"),
        (answer(429, status=0, errors=["over its limit"]), "used up"),
        (HttpAnswer(429, {}, b"slow down"), "used up"),
        (HttpAnswer(403, {}, b"<html>a gateway</html>"), "403"),
        (HttpAnswer(200, {}, b"<html>a hotel's sign-in page</html>"), "200"),
        (answer(302, status=1), "302"),
        (answer(500, status=0, errors=["user identifier is invalid"]), "500"),
    ],
)
def test_what_an_answer_means(said: HttpAnswer, outcome: Sent | str) -> None:
    meant = outcome_of(said)

    match outcome:
        case Sent():
            assert meant == outcome
        case "lost" | "refused":
            assert isinstance(meant, Refused)
            assert meant.lost is (outcome == "lost")
        case words:
            assert isinstance(meant, Unavailable), "nothing here is about the person"
            assert words in meant.reason


@pytest.mark.parametrize(
    ("receipt", "kinds"),
    [
        ({"last_delivered_at": 0, "acknowledged": 0, "expired": 0}, []),
        ({"last_delivered_at": 5, "acknowledged": 0, "expired": 0}, [NewsKind.DELIVERED]),
        ({"last_delivered_at": 5, "acknowledged": 1, "expired": 0}, [NewsKind.DELIVERED, NewsKind.ANSWERED]),
        ({"last_delivered_at": 5, "acknowledged": 1, "expired": 1}, [NewsKind.DELIVERED, NewsKind.ANSWERED]),
        ({"last_delivered_at": 5, "acknowledged": 0, "expired": 1}, [NewsKind.DELIVERED, NewsKind.FAILED]),
        ({"last_delivered_at": 0, "acknowledged": 0, "expired": 1}, [NewsKind.FAILED]),
    ],
)
def test_what_a_receipt_says(receipt: dict[str, int], kinds: list[NewsKind]) -> None:
    news = news_of("m1", answer(200, status=1, **receipt))

    assert [one.kind for one in news] == kinds
    assert news_of("m1", answer(404, status=1, **receipt)) == ()
    assert news_of("m1", answer(200, status=0, **receipt)) == ()


@pytest.mark.network
@pytest.mark.enable_socket
async def test_the_callback_that_pushover_was_given_answers_the_message(
    server: PushoverServer, channel: PushoverChannel
) -> None:
    await channel.send(MESSAGE, USER, idempotency_key="k")
    url = server.messages[0]["callback"]
    body = b"receipt=" + b"r" * 30 + b"&acknowledged=1&acknowledged_at=1360019238"

    heard = channel.heard(Callback(url, {}, body, NOW_MS))

    assert heard.news == (News(MESSAGE.id, NewsKind.ANSWERED),)


@pytest.mark.parametrize(
    "body",
    [b"receipt=" + b"r" * 30, b"receipt=" + b"r" * 30 + b"&acknowledged=0", b"acknowledged=1", b"&=" * 99],
)
async def test_what_is_no_acknowledgement_is_no_answer_though_it_has_the_proof(body: bytes) -> None:
    http = HttpxOriginClient("http://127.0.0.1:9")
    channel = PushoverChannel(http, SETTINGS, proofs=PROOFS, clock=ManualClock(NOW_MS))
    url = callback_url(PUBLIC_URL, MESSAGE.id, PROOFS.of("pushover", MESSAGE.id))

    heard = channel.heard(Callback(url, {}, body, NOW_MS))
    await http.close()

    assert (heard.status, heard.news) == (400, ())


@pytest.mark.network
@pytest.mark.enable_socket
async def test_taking_back_also_silences_a_copy_whose_receipt_we_never_saw(
    server: PushoverServer, channel: PushoverChannel
) -> None:
    server.fault = Fault.TAKES_AND_BREAKS
    assert isinstance(await channel.send(MESSAGE, USER, idempotency_key="k"), Unavailable)
    server.fault = Fault.NONE
    sent = await channel.send(MESSAGE, USER, idempotency_key="k")
    other = await channel.send(msgspec.structs.replace(MESSAGE, id="d" * 32), USER, idempotency_key="k2")
    assert isinstance(sent, Sent)
    assert isinstance(other, Sent)
    assert [server.rings(receipt) for receipt in server.receipts] == [True, True, True]

    await channel.retract(MESSAGE.id, sent.provider_id, USER)

    assert [server.rings(receipt) for receipt in server.receipts] == [False, False, True]


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("fault", "remaining", "words"),
    [
        (Fault.NONE, 7_496, ""),
        (Fault.NONE, 0, "used up"),
        (Fault.MISTRUSTS_US, 1, "pushover.token"),
        (Fault.LATER, 1, "429"),
    ],
)
async def test_the_doctor_learns_whether_pushover_takes_from_us_without_telling_anybody(
    server: PushoverServer, channel: PushoverChannel, fault: Fault, remaining: int, words: str
) -> None:
    server.fault, server.remaining = fault, remaining

    said = await channel.prove()

    assert (words in said) if words else (said == "")
    assert server.messages == []
    assert TOKEN not in said


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(SETTINGS)
