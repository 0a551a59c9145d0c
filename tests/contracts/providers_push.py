"""A push service for the contract of channels."""

from collections.abc import Awaitable, Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.channels.web_push.settings import WebPushSettings
from nightbell.adapters.http_client import HttpLimits, HttpxClient
from nightbell.tell.channel import Channel
from nightbell.words.clock import ManualClock
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.push_server import PushServer

WHOLE_MS: Final = 400
"""As in the suite."""


class Pushed:
    def __init__(self, server: PushServer) -> None:
        self._server = server
        # TLS takes a moment on a busy machine.
        limits = HttpLimits(connect_ms=3 * WHOLE_MS, whole_ms=4 * WHOLE_MS, private_allowed=True)
        self._http = HttpxClient(limits, tls=server.trust)
        settings = WebPushSettings(
            contact="mailto:ana@bell.example.org", public_url="https://bell.example.org"
        )
        self._device = server.subscribe()
        self.channel: Channel = WebPushChannel(
            self._http, settings, key=generate_private_key(SECP256R1()), clock=ManualClock(NOW_MS)
        )
        self.address = server.address(self._device)

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def taken(self) -> list[str]:
        assert self._server.wrong == []
        told = [self._server.opened(call).told for call in self._server.calls]
        return [one["notification"]["data"]["key"] for one in told]

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._http.close()


async def push() -> Pushed:
    server = PushServer(ManualClock(NOW_MS))
    await server.start()
    return Pushed(server)


PROVIDERS: Final[dict[str, Callable[[], Awaitable[Pushed]]]] = {"web_push": push}
