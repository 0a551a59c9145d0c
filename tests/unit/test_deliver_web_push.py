"""Web Push: what leaves, what its answers mean, and what stays secret. Against a service that opens it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key, generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from nightbell.adapters.channels.web_push.body import TTL_S_MAX, TTL_S_MIN, body_of
from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.channels.web_push.encryption import PLAIN_BYTES_MAX, sealed
from nightbell.adapters.channels.web_push.settings import WebPushSettings, is_contact
from nightbell.adapters.channels.web_push.subscription import is_address, subscription_of, to_base64url
from nightbell.adapters.channels.web_push.vapid import LIFE_S, RENEW_BEFORE_S, SERVICES_MAX, Vapid
from nightbell.adapters.http_client import HttpLimits, HttpxClient
from nightbell.adapters.stores.files.vapid import VAPID_NAME, kept_vapid_key
from nightbell.app.backup import SECRETS
from nightbell.app.channels import Channels
from nightbell.app.settings import Settings
from nightbell.tell.message import SUBJECT_LENGTH_MAX, TEXT_LENGTH_MAX, Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import ManualClock
from tests.simulators.cast import ALARM, NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.proofs import PROOFS
from tests.simulators.push_server import Device, PushServer, opened, unb64

MESSAGE: Final = Message(
    id="b" * 32,
    to="ben",
    subject="Ana is VERY LOW: 52",
    text="Ana is VERY LOW.\n\nCheck Ana now.",
    urgent=True,
    expires_ms=NOW_MS + 15 * 60_000,
    made_ms=NOW_MS - 1_000,
    fields={"alarm": ALARM, "level_mgdl": 52},
)
SETTINGS: Final = WebPushSettings(
    contact="mailto:ana@bell.example.org", public_url="https://bell.example.org"
)
KEY: Final = generate_private_key(SECP256R1())


class Stage:
    """A push service, Ben's phone on it, and the channel."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW_MS)
        self.server = PushServer(self.clock)

    async def start(self) -> None:
        await self.server.start()
        self.http = HttpxClient(HttpLimits(private_allowed=True), tls=self.server.trust)
        self.channel = WebPushChannel(self.http, SETTINGS, key=KEY, clock=self.clock)
        self.phone = self.server.subscribe(self.channel.public_key)

    async def send(self, message: Message = MESSAGE, to: Device | None = None) -> Outcome:
        address = self.server.address(to or self.phone)
        return await self.channel.send(message, address, idempotency_key=f"{message.id}.web_push")

    async def close(self) -> None:
        await self.http.close()
        await self.server.stop()
        assert self.server.wrong == []


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.start()
    yield stage
    await stage.close()


def test_what_is_sealed_is_what_the_rfc_seals() -> None:
    # RFC 8291, appendix A.
    private = derive_private_key(
        int.from_bytes(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), SECP256R1()
    )
    device = subscription_of(
        json.dumps(
            {
                "endpoint": "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
                "keys": {
                    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
                    "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
                },
            }
        )
    )
    assert device is not None

    body = sealed(
        b"When I grow up, I want to be a watermelon",
        device,
        once=private,
        salt=unb64("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert to_base64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.mark.network
@pytest.mark.enable_socket
class TestWhatLeaves:
    async def test_the_phone_reads_what_it_shows_and_where_a_tap_leads(self, stage: Stage) -> None:
        outcome = await stage.send()

        assert outcome == Sent()
        (push,) = stage.server.pushes
        assert push.told == {
            "web_push": 8030,
            "notification": {
                "title": "Ana is VERY LOW: 52",
                "body": "Ana is VERY LOW.\n\nCheck Ana now.",
                "navigate": f"https://bell.example.org/alarms/{ALARM}",
                "lang": "en",
                "tag": ALARM,
                "renotify": True,
                "requireInteraction": True,
                "silent": False,
                "timestamp": NOW_MS - 1_000,
                "data": {
                    "id": "b" * 32,
                    "key": "b" * 32 + ".web_push",
                    "alarm": ALARM,
                    "urgent": True,
                    "sent_ms": NOW_MS,
                },
            },
        }

    async def test_it_is_urgent_or_not_and_kept_until_it_is_stale(self, stage: Stage) -> None:
        await stage.send()
        await stage.send(msgspec.structs.replace(MESSAGE, urgent=False, expires_ms=NOW_MS + 90_000))
        await stage.send(msgspec.structs.replace(MESSAGE, expires_ms=NOW_MS - 5))
        await stage.send(msgspec.structs.replace(MESSAGE, expires_ms=NOW_MS + 86_400_000))

        headers = [push.headers for push in stage.server.pushes]
        assert [one["urgency"] for one in headers] == ["high", "normal", "high", "high"]
        assert [one["ttl"] for one in headers] == ["900", "90", str(TTL_S_MIN), str(TTL_S_MAX)]

    async def test_a_newer_word_on_an_alarm_takes_the_place_of_one_that_waits_and_of_no_other(
        self, stage: Stage
    ) -> None:
        for fields in ({"alarm": ALARM}, {"alarm": ALARM, "step": 2}, {"alarm": "c" * 32}, {}):
            await stage.send(msgspec.structs.replace(MESSAGE, fields=fields))

        first, second, other, none = [push.headers.get("topic") for push in stage.server.pushes]
        assert first == second != other
        assert none is None
        assert first is not None
        assert ALARM not in first

    async def test_each_push_is_sealed_anew(self, stage: Stage) -> None:
        await stage.send()
        await stage.send()

        first, second = [call.body for call in stage.server.calls]
        assert first[:16] != second[:16]
        assert first[21:86] != second[21:86]

    async def test_no_other_device_can_open_it(self, stage: Stage) -> None:
        await stage.send()

        other = stage.server.subscribe()
        with pytest.raises(InvalidTag):
            opened(stage.server.calls[0].body, other.private, other.auth)

    async def test_the_longest_message_fits_and_what_is_cut_is_said(self, stage: Stage) -> None:
        long = msgspec.structs.replace(
            MESSAGE, subject="ü" * SUBJECT_LENGTH_MAX, text='"ü\n' * (TEXT_LENGTH_MAX // 3)
        )

        assert await stage.send(long) == Sent()

        (push,) = stage.server.pushes
        body = push.told["notification"]["body"]
        assert PLAIN_BYTES_MAX - 20 < len(push.plain) <= PLAIN_BYTES_MAX
        assert body.endswith(f"…\n\n{catalogue().say('deliver.web_push_cut')}")
        assert long.text.startswith(body.partition("…")[0])
        assert len(stage.server.calls[0].body) <= 4_096

    async def test_one_token_serves_a_service_until_shortly_before_its_end(self, stage: Stage) -> None:
        tokens = []
        for after_s in (0, LIFE_S - RENEW_BEFORE_S, 1, -3 * 86_400):
            stage.clock.advance_ms(after_s * 1000)
            await stage.send()
            tokens.append(stage.server.pushes[-1].headers["authorization"])

        first, same, renewed, set_back = tokens
        assert first == same
        assert len({first, renewed, set_back}) == 3
        claims = stage.server.pushes[0].claims
        assert claims["sub"] == "mailto:ana@bell.example.org"
        assert claims["aud"] == stage.server.origin
        assert claims["exp"] == NOW_MS // 1000 + LIFE_S

    async def test_every_push_service_gets_a_token_of_its_own(self, stage: Stage) -> None:
        other = PushServer(stage.clock)
        await other.start()
        both = HttpxClient(HttpLimits(private_allowed=True), tls=other.trust)
        channel = WebPushChannel(both, SETTINGS, key=KEY, clock=stage.clock)
        channel._vapid = stage.channel._vapid
        await stage.send()

        outcome = await channel.send(MESSAGE, other.address(other.subscribe()), idempotency_key="k")
        await stage.send()
        await both.close()
        await other.stop()

        assert outcome == Sent()
        assert other.wrong == []
        assert other.pushes[0].claims["aud"] == other.origin != stage.server.origin


@pytest.mark.network
@pytest.mark.enable_socket
class TestWhatAnswersMean:
    async def test_a_device_that_is_no_longer_subscribed_is_lost(self, stage: Stage) -> None:
        stage.server.unsubscribe(stage.phone)

        outcome = await stage.send()

        assert isinstance(outcome, Refused)
        assert outcome.lost

    @pytest.mark.parametrize(
        ("status", "kind", "lost"),
        [
            ("200 OK", Sent, False),
            ("202 Accepted", Sent, False),
            ("307 Temporary Redirect", Refused, False),
            ("400 Bad Request", Refused, False),
            ("401 Unauthorized", Refused, False),
            ("403 Forbidden", Refused, False),
            ("404 Not Found", Refused, True),
            ("408 Request Timeout", Unavailable, False),
            ("410 Gone", Refused, True),
            ("413 Content Too Large", Refused, False),
            ("418 I'm a teapot", Refused, False),
            ("429 Too Many Requests", Unavailable, False),
            ("500 Internal Server Error", Unavailable, False),
            ("503 Service Unavailable", Unavailable, False),
        ],
    )
    async def test_a_status_means_one_thing(self, stage: Stage, status: str, kind: type, lost: bool) -> None:  # noqa: FBT001 a row of the table
        stage.server.forced = status

        outcome = await stage.send()

        assert isinstance(outcome, kind)
        assert getattr(outcome, "lost", False) is lost

    async def test_one_subscribed_under_another_key_is_told_to_turn_push_on_again(self, stage: Stage) -> None:
        stranger = stage.server.subscribe(Vapid(generate_private_key(SECP256R1()), "").public_key)

        outcome = await stage.send(to=stranger)

        assert isinstance(outcome, Refused)
        assert not outcome.lost
        assert "turn push on again" in outcome.reason

    @pytest.mark.parametrize(
        ("wish", "wait_ms"), [("30", 30_000), ("999999999", 3_600_000), ("soon", 0), ("-1", 0)]
    )
    async def test_a_service_that_asks_for_patience_gets_it(
        self, stage: Stage, wish: str, wait_ms: int
    ) -> None:
        stage.server.forced, stage.server.extra = "429 Too Many Requests", f"Retry-After: {wish}\r\n"

        outcome = await stage.send()

        assert isinstance(outcome, Unavailable)
        assert outcome.retry_after_ms == wait_ms

    async def test_redirects_are_not_followed(self, stage: Stage) -> None:
        elsewhere = stage.server.subscribe()
        stage.server.forced = "307 Temporary Redirect"
        stage.server.extra = f"Location: {stage.server.origin}{elsewhere.path}\r\n"

        await stage.send()

        assert [call.target for call in stage.server.calls] == [stage.phone.path]

    async def test_what_opens_a_push_is_not_kept_but_apples_name_for_it_is(self, stage: Stage) -> None:
        stage.server.extra = "Location: https://push.test/m/secret\r\napns-id: 7C1B-99\r\n"

        assert await stage.send() == Sent("7C1B-99")

    @pytest.mark.parametrize("fault", Fault)
    async def test_the_endpoint_stands_in_no_reason_and_no_log(self, stage: Stage, fault: Fault) -> None:
        if fault in (Fault.HANGS_AT_ONCE, Fault.HANGS_AT_THE_END, Fault.DRIPS, Fault.GONE):
            stage.channel._http = HttpxClient(HttpLimits(private_allowed=True, whole_ms=300))
        stage.server.fault = fault

        with capture_logs() as lines:
            outcome = await stage.send()

        said = f"{outcome} {lines} {stage.channel!r} {subscription_of(stage.server.address(stage.phone))!r}"
        assert stage.phone.path not in said
        assert to_base64url(stage.phone.auth) not in said


def test_the_tokens_of_many_services_do_not_pile_up() -> None:
    vapid = Vapid(KEY, "mailto:ana@bell.example.org")

    for number in range(SERVICES_MAX + 10):
        vapid.authorization(f"https://push-{number}.test", now_s=NOW_MS // 1000)

    assert len(vapid._tokens) == SERVICES_MAX


async def test_what_is_no_address_is_not_repeated() -> None:
    http = HttpxClient()
    channel = WebPushChannel(http, SETTINGS, key=KEY, clock=ManualClock(NOW_MS))
    secret = subscription(endpoint="http://push.test/secret-of-ben")

    outcome = await channel.send(MESSAGE, secret, idempotency_key="k")
    await http.close()

    assert isinstance(outcome, Refused)
    assert not outcome.lost
    assert "secret-of-ben" not in outcome.reason


@given(text=st.text(max_size=TEXT_LENGTH_MAX), subject=st.text(max_size=SUBJECT_LENGTH_MAX))
def test_whatever_is_told_fits_into_a_push(text: str, subject: str) -> None:
    flat = subject.replace("\n", " ").replace("\r", " ")
    message = msgspec.structs.replace(MESSAGE, text=text, subject=flat)

    body = body_of(message, key="k" * 80, public_url="https://b", now_ms=NOW_MS, words=catalogue())

    assert len(body) <= PLAIN_BYTES_MAX
    assert msgspec.json.decode(body)["notification"]["title"] == flat


def subscription(**changes: str) -> str:
    keys = {"p256dh": Vapid(KEY, "").public_key, "auth": to_base64url(b"a" * 16)}
    keys |= {name: value for name, value in changes.items() if name in keys}
    return json.dumps({"endpoint": changes.get("endpoint", "https://push.test/x"), "keys": keys})


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (subscription(), True),
        (subscription(endpoint="https://push.test:8443/x?y=z"), True),
        (subscription(endpoint="http://push.test/x"), False),
        (subscription(endpoint="https://ben@push.test/x"), False),
        (subscription(endpoint="https://push.test:99999/x"), False),
        (subscription(endpoint="https://push.test/x y"), False),
        (subscription(endpoint="https://push.test/x\r\nHost: else"), False),
        (subscription(endpoint="https:///x"), False),
        (subscription(endpoint="https://push.test/" + "x" * 2_000), False),
        (subscription(auth=to_base64url(b"a" * 15)), False),
        (subscription(p256dh=to_base64url(b"\x04" + b"a" * 64)), False),
        (subscription(p256dh="nonsense"), False),
        (subscription(p256dh="ü"), False),
        ("{}", False),
        ("[" * 2_000, False),
        ("", False),
    ],
)
def test_an_address_is_a_subscription_that_can_be_pushed_to(text: str, good: bool) -> None:  # noqa: FBT001 a row of the table
    assert is_address(text) is good


@given(st.text() | st.text(max_size=100).map(lambda text: subscription(endpoint=text, p256dh=text)))
def test_no_text_is_an_address_by_chance(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    ("contact", "good"),
    [
        ("mailto:ana@bell.example.org", True),
        ("https://bell.example.org", True),
        ("https://bell.example.org:8443/about", True),
        ("http://bell.example.org", False),
        ("mailto:ana@localhost", False),
        ("mailto:ana", False),
        ("https://localhost", False),
        ("https://127.0.0.1:8377", False),
        ("https://[::1]", False),
        ("https://bell.local", False),
        ("https://bell.test", False),
        ("https://[", False),
        ("ana@bell.example.org", False),
        ("mailto:ana @bell.example.org", False),
        ("", False),
    ],
)
def test_a_contact_is_somebody_real(contact: str, good: bool) -> None:  # noqa: FBT001 a row of the table
    assert is_contact(contact) is good


async def test_the_channel_says_what_is_missing_and_what_to_do() -> None:
    http, clock = HttpxClient(), ManualClock(NOW_MS)
    plain = msgspec.structs.replace(SETTINGS, public_url="http://bell.example.org")
    nobody = msgspec.structs.replace(SETTINGS, contact="")

    said = [
        await WebPushChannel(http, settings, key=key, clock=clock).prove()
        for settings, key in ((SETTINGS, KEY), (SETTINGS, None), (plain, KEY), (nobody, KEY))
    ]
    keyless = WebPushChannel(http, SETTINGS, key=None, clock=clock)
    outcome = await keyless.send(MESSAGE, subscription(), idempotency_key="k")
    await http.close()

    assert said[0] == ""
    assert "vapid.key" in said[1]
    assert "public_url" in said[2]
    assert "contact" in said[3]
    assert isinstance(outcome, Unavailable)
    assert keyless.public_key == ""


def test_the_key_is_made_once_for_its_owner_only_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / VAPID_NAME

    first, second = kept_vapid_key(path), kept_vapid_key(path)

    assert first is not None
    assert second is not None
    assert first.private_numbers() == second.private_numbers()
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"keys/{VAPID_NAME}" in SECRETS


def test_a_key_that_can_not_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / VAPID_NAME
    path.write_bytes(b"damaged")
    blocked = tmp_path / "file" / "keys" / VAPID_NAME
    (tmp_path / "file").write_bytes(b"no folder")

    with capture_logs() as lines:
        assert kept_vapid_key(path) is None
        assert kept_vapid_key(blocked) is None

    assert path.read_bytes() == b"damaged"
    assert [line["event"] for line in lines] == ["push_key.unreadable"] * 2


async def test_pushes_are_offered_where_a_service_can_know_whom_to_write_to(tmp_path: Path) -> None:
    offered: dict[tuple[str, str], tuple[bool, bool, bool]] = {}
    for url, contact in (
        ("https://bell.example.org", ""),
        ("https://bell.home:8377", "mailto:ana@bell.example.org"),
        ("https://bell.home:8377", ""),
        ("http://127.0.0.1:8377", ""),
    ):
        settings = Settings.model_validate({"web_push": {"contact": contact}})
        keys = tmp_path / f"keys-{len(offered)}"
        channels = Channels(settings, ManualClock(NOW_MS), str, PROOFS, url=url, keys=keys)
        names = [channel.name for channel in channels.all]
        offered[url, contact] = ("web_push" in names, bool(channels.push_key), (keys / VAPID_NAME).exists())
        await channels.close()

    assert list(offered.values()) == [(True,) * 3, (True,) * 3, (False,) * 3, (False,) * 3]


def test_a_contact_that_is_not_real_is_refused_with_the_settings() -> None:
    with pytest.raises(ValueError, match="contact must be real"):
        Settings.model_validate({"web_push": {"contact": "mailto:root@localhost"}})
