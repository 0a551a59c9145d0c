"""Pushover for the contract of channels that hear from their provider."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from nightbell.adapters.channels.pushover.channel import PushoverChannel
from nightbell.adapters.channels.pushover.settings import PushoverSettings
from nightbell.adapters.http_client import HttpxOriginClient
from nightbell.tell.callback import Callback, NewsKind
from nightbell.tell.message import Message
from nightbell.tell.outcome import Sent
from nightbell.words.clock import ManualClock
from tests.contracts.callback_case import Genuine
from tests.contracts.providers_pushover import LIMITS, PUBLIC_URL
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.proofs import PROOFS, HashedProofs
from tests.simulators.pushover_server import TOKEN, USER, PushoverServer

MESSAGE: Final = Message(
    id="c" * 32,
    to="ben",
    subject="Ana is VERY LOW: 52",
    text="Check Ana now.",
    urgent=True,
    expires_ms=NOW_MS + 900_000,
    made_ms=NOW_MS,
    fields={"alarm": "a" * 32},
)


class Posted:
    """What Pushover posts when somebody acknowledges."""

    message = MESSAGE.id

    def __init__(self) -> None:
        settings = PushoverSettings(token=TOKEN, public_url=PUBLIC_URL)
        http = HttpxOriginClient("http://127.0.0.1:9", LIMITS)
        self.channel = PushoverChannel(http, settings, proofs=PROOFS, clock=ManualClock(NOW_MS))

    def _acknowledged(self, proof: str) -> Callback:
        query = urlencode({"message": self.message, "proof": proof})
        form = {
            "receipt": "r" * 30,
            "acknowledged": "1",
            "acknowledged_at": "1360019238",
            "acknowledged_by": USER,
            "acknowledged_by_device": "phone",
        }
        return Callback(
            url=f"{PUBLIC_URL}/v1/channels/pushover?{query}",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            now_ms=NOW_MS,
        )

    def genuine(self) -> Sequence[Genuine]:
        return [Genuine(self._acknowledged(PROOFS.of("pushover", self.message)), (NewsKind.ANSWERED,))]

    def forged(self) -> Sequence[Callback]:
        proofs = [
            "",
            "0" * 32,
            PROOFS.of("ntfy", self.message),
            PROOFS.of("pushover", "d" * 32),
            HashedProofs("another bell's").of("pushover", self.message),
        ]
        bare = msgspec.structs.replace(self._acknowledged(""), url=f"{PUBLIC_URL}/v1/channels/pushover")
        return [bare, *(self._acknowledged(proof) for proof in proofs)]

    def with_more(self, callback: Callback) -> Callback:
        return msgspec.structs.replace(callback, body=callback.body + b"&acknowledged_from=watch")


class Taken:
    """Pushover, which has taken one urgent message that reached the phone."""

    message = MESSAGE.id
    address = USER
    kinds = (NewsKind.DELIVERED, NewsKind.ANSWERED)

    def __init__(self, server: PushoverServer) -> None:
        self._server = server
        self.provider_id = ""
        self._http = HttpxOriginClient(server.origin, LIMITS)
        settings = PushoverSettings(token=TOKEN, public_url=PUBLIC_URL, api=server.origin)
        self.channel = PushoverChannel(self._http, settings, proofs=PROOFS, clock=ManualClock(NOW_MS))

    async def take(self) -> None:
        sent = await self.channel.send(MESSAGE, USER, idempotency_key="key-1")
        assert isinstance(sent, Sent)
        self.provider_id = sent.provider_id
        self._server.receipts[self.provider_id]["last_delivered_at"] = NOW_MS // 1000

    def acknowledge(self) -> None:
        self._server.acknowledge(self.provider_id)

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def is_silent(self) -> bool:
        return not self._server.rings(self.provider_id)

    def wrong(self) -> Sequence[str]:
        return self._server.wrong

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._http.close()


async def taken() -> Taken:
    server = PushoverServer()
    await server.start()
    case = Taken(server)
    await case.take()
    return case


async def acknowledged() -> Taken:
    case = await taken()
    case.acknowledge()
    return case


CALLBACKS: Final[dict[str, Callable[[], Posted]]] = {"pushover": Posted}
ASKS: Final[dict[str, Callable[[], Awaitable[Taken]]]] = {"pushover": acknowledged}
RETRACTS: Final[dict[str, Callable[[], Awaitable[Taken]]]] = {"pushover": taken}
