"""Apprise for the contract of channels: the real library in its real child, before a follower's machine.

What goes over carries no key, but a number made of it. So what the machine took tells the key by that number.
The machine is strict: what Apprise posts is held against what its `json://` plug-in is documented to post.
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Final

from nightbell.adapters.channels.apprise.channel import AppriseChannel, reference
from nightbell.adapters.channels.apprise.settings import AppriseSettings
from nightbell.tell.channel import Channel
from tests.simulators.faults import Fault
from tests.simulators.hook_server import Call, HookServer

KEYS: Final = ("key-1", "key-7", "after", "2", *(f"stuck-{number}" for number in range(10)))
NUMBERS: Final = {reference(key): key for key in KEYS}
FIELDS: Final = {"version", "title", "message", "attachments", "type"}


def key_of(call: Call) -> str:
    """The key of what was taken."""
    body = json.loads(call.body)
    assert set(body) == FIELDS
    assert body["type"] in {"info", "success", "warning", "failure"}
    assert call.headers["content-type"] == "application/json"
    found = re.search(r"No\. ([0-9a-f]{8})\.", body["message"])
    assert found is not None, "the number stands in the text"
    return NUMBERS[found.group(1)]


class Apprise:
    """The channel before a machine."""

    def __init__(self, server: HookServer) -> None:
        self._server = server
        self._apprise = AppriseChannel(AppriseSettings(private_allowed=True, whole_ms=3_000, start_ms=60_000))
        self.channel: Channel = self._apprise
        self.address = f"json://127.0.0.1:{server.port}/of/ben"

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def taken(self) -> list[str]:
        return [key_of(call) for call in self._server.calls]

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._apprise.close()


async def apprise() -> Apprise:
    server = HookServer()
    await server.start()
    provider = Apprise(server)
    assert await provider._apprise.prove() == ""  # the time limits of the contract are those of a message
    return provider


PROVIDERS: Final[dict[str, Callable[[], Awaitable[Apprise]]]] = {"apprise": apprise}
