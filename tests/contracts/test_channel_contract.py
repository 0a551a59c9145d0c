"""What every channel promises, whatever it goes through: it ends, never raises, and does not pretend."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, Protocol

import pytest

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.adapters.channels.twilio.sms import SmsChannel
from nightbell.adapters.channels.twilio.voice import VoiceChannel
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.http_client import HttpLimits, HttpxClient, HttpxOriginClient
from nightbell.tell.channel import Channel
from nightbell.tell.message import Message
from nightbell.tell.outcome import REASON_LENGTH_MAX, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import ManualClock
from tests.contracts import callbacks_twilio, providers_apprise, providers_push, providers_pushover
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.hook_server import HookServer
from tests.simulators.mail_server import MailServer
from tests.simulators.twilio_server import TwilioServer

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

WHOLE_MS: Final = 400
"""The channels' whole time limit in these tests."""

MESSAGE: Final = Message(
    id="f" * 32,
    to="ben",
    subject="Ana is VERY LOW: 52",
    text="Ana is VERY LOW.\n\nCheck Ana now.\n.\nA line with a dot above, and ünïcödé.",
    urgent=True,
    made_ms=NOW_MS,
    fields={"alarm": "a" * 32, "level_mgdl": 52},
)


class Provider(Protocol):
    """A simulator with its channel."""

    channel: Channel
    address: str

    def fail(self, fault: Fault) -> None: ...

    def taken(self) -> list[str]:
        """Keys of what it took, once for each time."""
        ...

    async def stop(self) -> None: ...

    async def close(self) -> None: ...


class Mail:
    def __init__(self, server: MailServer) -> None:
        self._server = server
        settings = EmailSettings(
            host="127.0.0.1",
            port=server.port,
            sender="bell@nightbell.test",
            safety=Safety.NONE,
            step_ms=WHOLE_MS // 2,
            whole_ms=WHOLE_MS,
            letters_at_once=2,
        )
        self._email = EmailChannel(settings)
        self.channel: Channel = self._email
        self.address = "ben@example.test"

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def taken(self) -> list[str]:
        assert self._server.wrong == []
        return [letter.id.strip("<>").partition("@")[0] for letter in self._server.letters]

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._email.close()


class Hook:
    def __init__(self, server: HookServer) -> None:
        self._server = server
        limits = HttpLimits(
            connect_ms=WHOLE_MS // 2, whole_ms=WHOLE_MS, private_allowed=True, plain_allowed=True
        )
        self._http = HttpxClient(limits)
        self.channel: Channel = WebhookChannel(
            self._http, secret_of=lambda person: f"secret of {person}", clock=ManualClock(NOW_MS)
        )
        self.address = f"http://127.0.0.1:{server.port}/hook?to=ben%40home"

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def taken(self) -> list[str]:
        return [call.headers["idempotency-key"] for call in self._server.calls]

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._http.close()


class Twilio:
    """Texts or calls."""

    def __init__(self, server: TwilioServer, name: str) -> None:
        self._server = server
        limits = HttpLimits(connect_ms=WHOLE_MS // 2, whole_ms=WHOLE_MS)
        self._http = HttpxOriginClient(server.origin, limits)
        settings = callbacks_twilio.settings(server.origin)
        self.channel: Channel = (
            SmsChannel(self._http, settings, ManualClock(NOW_MS))
            if name == "sms"
            else VoiceChannel(self._http, settings)
        )
        self.address = callbacks_twilio.BEN

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def taken(self) -> list[str]:
        assert self._server.wrong == []
        return self._server.keys

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._http.close()


async def twilio(name: str) -> Provider:
    server = TwilioServer()
    await server.start()
    return Twilio(server, name)


async def mail() -> Provider:
    server = MailServer()
    await server.start()
    return Mail(server)


async def hook() -> Provider:
    server = HookServer()
    await server.start()
    return Hook(server)


PROVIDERS: Final[dict[str, Callable[[], Awaitable[Provider]]]] = {
    "email": mail,
    "webhook": hook,
    "sms": partial(twilio, "sms"),
    "voice": partial(twilio, "voice"),
    **providers_pushover.PROVIDERS,
    **providers_push.PROVIDERS,
    **providers_apprise.PROVIDERS,
}


@pytest.fixture(params=sorted(PROVIDERS))
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    provider = await PROVIDERS[request.param]()
    yield provider
    await provider.close()
    await provider.stop()


@pytest.mark.parametrize(
    ("fault", "kind", "taken"),
    [
        (Fault.NONE, Sent, 1),
        (Fault.SLOW, Sent, 1),
        (Fault.LATER, Unavailable, 0),
        (Fault.NO, Refused, 0),
        (Fault.NO_AT_THE_END, Refused, 0),
        (Fault.MISTRUSTS_US, Unavailable, 0),
        (Fault.HANGS_AT_ONCE, Unavailable, 0),
        (Fault.HANGS_AT_THE_END, Unavailable, 0),
        (Fault.DRIPS, Unavailable, 0),
        (Fault.BREAKS_AT_ONCE, Unavailable, 0),
        (Fault.TAKES_AND_BREAKS, Unavailable, 1),
        (Fault.GONE, Unavailable, 0),
    ],
)
async def test_whatever_the_provider_does_ends_in_the_right_word(
    provider: Provider, fault: Fault, kind: type, taken: int
) -> None:
    if fault is Fault.GONE:
        await provider.stop()
    provider.fail(fault)

    async with asyncio.timeout(20 * WHOLE_MS / 1000):
        outcome = await provider.channel.send(MESSAGE, provider.address, idempotency_key="key-1")

    assert isinstance(outcome, kind), outcome
    assert provider.taken() == ["key-1"] * taken


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.NONE, Fault.SLOW)])
async def test_a_reason_is_one_short_line_without_the_address(provider: Provider, fault: Fault) -> None:
    if fault is Fault.GONE:
        await provider.stop()
    provider.fail(fault)

    outcome = await provider.channel.send(MESSAGE, provider.address, idempotency_key="key-1")

    assert isinstance(outcome, Unavailable | Refused)
    assert 0 < len(outcome.reason) <= REASON_LENGTH_MAX
    assert outcome.reason.isprintable()
    assert provider.address not in outcome.reason
    assert "ben" not in outcome.reason


async def test_a_second_try_carries_the_same_key(provider: Provider) -> None:
    provider.fail(Fault.TAKES_AND_BREAKS)
    await provider.channel.send(MESSAGE, provider.address, idempotency_key="key-7")
    provider.fail(Fault.NONE)
    await provider.channel.send(MESSAGE, provider.address, idempotency_key="key-7")

    assert provider.taken() == ["key-7", "key-7"]


async def test_one_that_hangs_does_not_hold_up_the_loop_nor_those_after_it(provider: Provider) -> None:
    provider.fail(Fault.HANGS_AT_ONCE)
    stuck = [
        asyncio.create_task(provider.channel.send(MESSAGE, provider.address, idempotency_key=f"stuck-{n}"))
        for n in range(6)
    ]
    turns = 0
    while not all(task.done() for task in stuck):
        await asyncio.sleep(0.005)
        turns += 1

    provider.fail(Fault.NONE)
    outcome = await provider.channel.send(MESSAGE, provider.address, idempotency_key="after")

    assert all(isinstance(task.result(), Unavailable) for task in stuck)
    assert turns > 5
    assert isinstance(outcome, Sent)


async def test_a_caller_who_breaks_off_leaves_nothing_running(provider: Provider) -> None:
    provider.fail(Fault.HANGS_AT_ONCE)
    sending = asyncio.create_task(provider.channel.send(MESSAGE, provider.address, idempotency_key="key-1"))
    await asyncio.sleep(0)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    provider.fail(Fault.NONE)

    assert isinstance(await provider.channel.send(MESSAGE, provider.address, idempotency_key="2"), Sent)


@pytest.mark.parametrize(
    "address", ["", "nonsense", "ben@home\r\nBcc: dan@example.test", "x" * 3_000, "a b@c"]
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(
    provider: Provider, address: str
) -> None:
    outcome = await provider.channel.send(MESSAGE, address, idempotency_key="key-1")

    assert isinstance(outcome, Refused)
    assert provider.taken() == []


async def test_a_channel_says_what_it_can_promise(provider: Provider) -> None:
    checklist = provider.channel.checklist

    assert provider.channel.name in PROVIDERS
    assert catalogue().say(checklist.promise)
