"""Telegram for the contract of channels that hear from their provider."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from nightbell.adapters.channels.telegram.button import button_data
from nightbell.adapters.channels.telegram.channel import SECRET_HEADER, TelegramChannel
from nightbell.adapters.channels.telegram.settings import TelegramSettings
from nightbell.adapters.http_client import HttpxOriginClient
from nightbell.tell.callback import Callback, NewsKind
from nightbell.tell.outcome import Sent
from tests.contracts.callback_case import Genuine
from tests.contracts.callbacks_pushover import MESSAGE
from tests.contracts.providers_pushover import LIMITS, PUBLIC_URL
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.proofs import PROOFS, HashedProofs
from tests.simulators.telegram_server import CHAT, TOKEN, TelegramServer, pressed, written


class Posted:
    """What Telegram posts: somebody pressed a button, or wrote something else."""

    message = "night-1"
    """No hex, so that it can be read in the button."""

    def __init__(self) -> None:
        settings = TelegramSettings(token=TOKEN, public_url=PUBLIC_URL)
        http = HttpxOriginClient("http://127.0.0.1:9", LIMITS)
        self.channel = TelegramChannel(http, settings, proofs=PROOFS, linked=lambda _: None)

    def _posted(self, update: dict[str, object], secret: str) -> Callback:
        return Callback(
            url=f"{PUBLIC_URL}/v1/channels/telegram",
            headers={SECRET_HEADER: secret, "content-type": "application/json"},
            body=msgspec.json.encode({"update_id": 7, **update}),
            now_ms=NOW_MS,
        )

    def _pressed(self) -> dict[str, object]:
        message = {"chat_id": int(CHAT), "message_id": 41, "text": "Ana is VERY LOW: 52"}
        data = button_data(self.message, PROOFS.of("telegram", self.message))
        return {"callback_query": pressed(message, {"callback_data": data})}

    def genuine(self) -> Sequence[Genuine]:
        secret = PROOFS.of("telegram", "webhook")
        return [Genuine(self._posted(self._pressed(), secret), (NewsKind.ANSWERED,))]

    def forged(self) -> Sequence[Callback]:
        secrets = [
            "",
            "0" * 32,
            PROOFS.of("telegram", self.message),
            HashedProofs("x").of("telegram", "webhook"),
        ]
        posted = [self._posted(self._pressed(), secret) for secret in secrets]
        return [*posted, self._posted({"message": written("/start abc")}, "")]

    def with_more(self, callback: Callback) -> Callback:
        return msgspec.structs.replace(callback, body=callback.body[:-1] + b',"guest":{"id":1}}')


class Taken:
    """Telegram, which has taken one urgent message."""

    message = MESSAGE.id
    address = CHAT

    def __init__(self, server: TelegramServer) -> None:
        self._server = server
        self.provider_id = ""
        self._http = HttpxOriginClient(server.origin, LIMITS)
        settings = TelegramSettings(token=TOKEN, api=server.origin)
        self.channel = TelegramChannel(self._http, settings, proofs=PROOFS, linked=lambda _: None)

    async def take(self) -> None:
        sent = await self.channel.send(MESSAGE, CHAT, idempotency_key="key-1")
        assert isinstance(sent, Sent)
        self.provider_id = sent.provider_id

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def is_silent(self) -> bool:
        ((button,),) = self._server.messages[int(self.provider_id)]["reply_markup"]["inline_keyboard"]
        return bool(button == {"text": "Over, or somebody has it", "callback_data": "o"})

    def wrong(self) -> Sequence[str]:
        return self._server.wrong

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._http.close()


async def taken() -> Taken:
    server = TelegramServer()
    await server.start()
    case = Taken(server)
    await case.take()
    return case


CALLBACKS: Final[dict[str, Callable[[], Posted]]] = {"telegram": Posted}
RETRACTS: Final[dict[str, Callable[[], Awaitable[Taken]]]] = {"telegram": taken}
