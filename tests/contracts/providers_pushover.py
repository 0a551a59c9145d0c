"""Pushover, ntfy and Telegram for the contract of channels: each simulator with its channel.

None of them takes an idempotency key of its own form: what goes over is the message's id, and the key is that
id with the channel's name. So here the key stands for the id, and what a provider took tells the key.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from nightbell.adapters.channels.ntfy.channel import NtfyChannel
from nightbell.adapters.channels.ntfy.settings import NtfySettings
from nightbell.adapters.channels.pushover.channel import PushoverChannel
from nightbell.adapters.channels.pushover.settings import PushoverSettings
from nightbell.adapters.channels.telegram.button import answered
from nightbell.adapters.channels.telegram.channel import TelegramChannel
from nightbell.adapters.channels.telegram.settings import TelegramSettings
from nightbell.adapters.http_client import HttpLimits, HttpxClient, HttpxOriginClient
from nightbell.tell.channel import Channel, Checklist
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome
from nightbell.words.clock import ManualClock
from tests.simulators import pushover_server, telegram_server
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.http_server import HttpServer
from tests.simulators.ntfy_server import NtfyServer
from tests.simulators.proofs import PROOFS
from tests.simulators.pushover_server import PushoverServer
from tests.simulators.telegram_server import TelegramServer

LIMITS: Final = HttpLimits(connect_ms=200, whole_ms=400, private_allowed=True, plain_allowed=True)
PUBLIC_URL: Final = "https://bell.test"
TOPIC: Final = "nightbell-3f9a7c21d40b"


class Keyed:
    """A channel whose message's id is the key."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def checklist(self) -> Checklist:
        return self._channel.checklist

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        named = msgspec.structs.replace(message, id=idempotency_key)
        return await self._channel.send(named, address, idempotency_key=idempotency_key)


class Provided:
    """A simulator with its channel."""

    def __init__(
        self,
        server: HttpServer,
        channel: Channel,
        address: str,
        *,
        keys: Callable[[], list[str]],
        clients: tuple[HttpxClient | HttpxOriginClient, ...],
    ) -> None:
        self._server = server
        self._keys = keys
        self._clients = clients
        self.channel: Channel = Keyed(channel)
        self.address = address

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def taken(self) -> list[str]:
        assert self._server.wrong == []
        return self._keys()

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


async def pushover() -> Provided:
    server = PushoverServer()
    await server.start()
    http = HttpxOriginClient(server.origin, LIMITS)
    settings = PushoverSettings(token=pushover_server.TOKEN, public_url=PUBLIC_URL, api=server.origin)
    channel = PushoverChannel(http, settings, proofs=PROOFS, clock=ManualClock(NOW_MS))

    def keys() -> list[str]:
        return [form["tags"].rpartition(",")[2] for form in server.messages]

    return Provided(server, channel, pushover_server.USER, keys=keys, clients=(http,))


async def _ntfy(address: Callable[[NtfyServer], str], token: str = "") -> Provided:
    server = NtfyServer(token)
    await server.start()
    ours, others = HttpxOriginClient(server.origin, LIMITS), HttpxClient(LIMITS)
    settings = NtfySettings(server=server.origin, token=token, public_url=PUBLIC_URL)
    channel = NtfyChannel(ours, others, settings, proofs=PROOFS)

    def keys() -> list[str]:
        return [str(message["sequence_id"]) for message in server.messages]

    return Provided(server, channel, address(server), keys=keys, clients=(ours, others))


async def ntfy() -> Provided:
    return await _ntfy(lambda _: TOPIC, token="tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2")


async def ntfy_elsewhere() -> Provided:
    return await _ntfy(lambda server: f"{server.origin}/{TOPIC}")


async def telegram() -> Provided:
    server = TelegramServer()
    await server.start()
    http = HttpxOriginClient(server.origin, LIMITS)
    settings = TelegramSettings(token=telegram_server.TOKEN, api=server.origin)
    channel = TelegramChannel(http, settings, proofs=PROOFS, linked=lambda _: None)

    def keys() -> list[str]:
        buttons = [message["reply_markup"]["inline_keyboard"][0][0] for message in server.messages.values()]
        return [answered(button["callback_data"], PROOFS, "telegram") for button in buttons]

    return Provided(server, channel, telegram_server.CHAT, keys=keys, clients=(http,))


PROVIDERS: Final[Mapping[str, Callable[[], Awaitable[Provided]]]] = {
    "pushover": pushover,
    "ntfy": ntfy,
    "ntfy elsewhere": ntfy_elsewhere,
    "telegram": telegram,
}
