"""ntfy for the contract of channels that hear from their provider."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from nightbell.adapters.channels.ntfy.channel import NtfyChannel
from nightbell.adapters.channels.ntfy.settings import NtfySettings
from nightbell.adapters.http_client import HttpxClient, HttpxOriginClient
from nightbell.tell.callback import Callback, NewsKind
from nightbell.tell.outcome import Sent
from tests.contracts.callback_case import Genuine
from tests.contracts.callbacks_pushover import MESSAGE
from tests.contracts.providers_pushover import LIMITS, PUBLIC_URL, TOPIC
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.ntfy_server import NtfyServer
from tests.simulators.proofs import PROOFS, HashedProofs


def channel_of(origin: str) -> tuple[NtfyChannel, list[HttpxClient | HttpxOriginClient]]:
    """A channel, and what it has to close."""
    ours, others = HttpxOriginClient(origin, LIMITS), HttpxClient(LIMITS)
    settings = NtfySettings(server=origin, public_url=PUBLIC_URL)
    return NtfyChannel(ours, others, settings, proofs=PROOFS), [ours, others]


class Posted:
    """What a phone posts when somebody presses the button."""

    message = MESSAGE.id

    def __init__(self) -> None:
        self.channel, _ = channel_of("http://127.0.0.1:9")

    def _pressed(self, proof: str) -> Callback:
        body = msgspec.json.encode({"message": self.message, "proof": proof})
        headers = {"content-type": "text/plain; charset=utf-8"}
        return Callback(f"{PUBLIC_URL}/v1/channels/ntfy", headers, body, NOW_MS)

    def genuine(self) -> Sequence[Genuine]:
        return [Genuine(self._pressed(PROOFS.of("ntfy", self.message)), (NewsKind.ANSWERED,))]

    def forged(self) -> Sequence[Callback]:
        proofs = [
            "",
            "0" * 32,
            PROOFS.of("pushover", self.message),
            HashedProofs("x").of("ntfy", self.message),
        ]
        return [self._pressed(proof) for proof in proofs]

    def with_more(self, callback: Callback) -> Callback:
        return msgspec.structs.replace(callback, body=callback.body[:-1] + b',"device":"phone"}')


class Taken:
    """An ntfy server, which has taken one urgent message."""

    message = MESSAGE.id
    address = TOPIC

    def __init__(self, server: NtfyServer) -> None:
        self._server = server
        self.channel, self._clients = channel_of(server.origin)
        self.provider_id = ""

    async def take(self) -> None:
        sent = await self.channel.send(MESSAGE, TOPIC, idempotency_key="key-1")
        assert isinstance(sent, Sent)
        self.provider_id = sent.provider_id

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def is_silent(self) -> bool:
        (shown,) = self._server.shown.values()
        return shown["priority"] == 2 and "actions" not in shown

    def wrong(self) -> Sequence[str]:
        return self._server.wrong

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


async def taken() -> Taken:
    server = NtfyServer()
    await server.start()
    case = Taken(server)
    await case.take()
    return case


CALLBACKS: Final[dict[str, Callable[[], Posted]]] = {"ntfy": Posted}
RETRACTS: Final[dict[str, Callable[[], Awaitable[Taken]]]] = {"ntfy": taken}
