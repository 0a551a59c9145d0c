"""A platform small enough to read at a glance: real HTTP, a door, a stream, answers, a roster; to be killed.

Run as `python -m tests.simulators.small_platform FOLDER PORT`. FOLDER holds `pairing.json`, with whose keys
it lets people in, and `roster.json`. While a file `mute` lies there its alarms do not go out. It appends a
line to `log` for each low it takes.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

from nightbell.watch.pairing import Pairing, read_pairing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BEAT_S = 0.3


class SmallPlatform:
    """The whole of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pairing: Pairing = read_pairing((folder / "pairing.json").read_bytes())
        self._sharers = {canary.key: canary.sharer for canary in self._pairing.canaries}
        self._streams: set[asyncio.Queue[bytes]] = set()
        self._open: dict[int, int] = {}
        self._alarms = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        key = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        path = scope["path"]
        if path == "/v1/readings" and key in self._sharers:
            await self._answer(send, 200, self._publish(self._sharers[key], await body_of(receive)))
        elif path == "/v1/stream" and key == self._pairing.follower_key:
            await self._stream(send)
        elif path.startswith("/v1/alarms/") and key == self._pairing.follower_key:
            await self._answer(send, 200, {})
        elif path == "/v1/watch/roster" and key == self._pairing.roster_key:
            await self._answer(send, 200, json.loads((self._folder / "roster.json").read_bytes()))
        else:
            await self._answer(send, 401, {})

    def _publish(self, sharer: int, body: bytes) -> dict[str, int]:
        level = json.loads(body)["readings"][0]["glucose_mgdl"]
        if level < 70:
            with (self._folder / "log").open("a") as log:
                log.write(f"{sharer}\n")
            if sharer not in self._open and not (self._folder / "mute").exists():
                self._alarms += 1
                told = {
                    "alarm": f"a{self._alarms}",
                    "sharer": sharer,
                    "kind": "ring",
                    "condition": "urgent_low",
                }
                self._say("notification", told)
            self._open.setdefault(sharer, 0)
        elif sharer in self._open:
            self._open[sharer] += 1
            if self._open[sharer] == 2:
                del self._open[sharer]
        return {"accepted": 1}

    def _say(self, name: str, content: dict[str, Any]) -> None:
        piece = f"event: {name}\nid: 1\ndata: {json.dumps(content)}\n\n".encode()
        for stream in self._streams:
            stream.put_nowait(piece)

    async def beat(self) -> None:
        """Heartbeats, for ever."""
        while True:
            self._say("hb", {"watching": True, "tick_age_ms": 20})
            await asyncio.sleep(BEAT_S)

    async def _stream(self, send: Send) -> None:
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._streams.add(pieces)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            while True:
                piece = await pieces.get()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            self._streams.discard(pieces)

    async def _answer(self, send: Send, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def body_of(receive: Receive) -> bytes:
    body = b""
    while True:
        piece = await receive()
        body += bytes(piece.get("body", b""))
        if not piece.get("more_body"):
            return body


async def main(folder: Path, port: int) -> None:
    platform = SmallPlatform(folder)
    config = uvicorn.Config(platform, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    beating = asyncio.create_task(platform.beat())
    await uvicorn.Server(config).serve()
    beating.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
