"""From a low's reading to its ring on a screen, while whatever happens happens.

Some followers keep a screen open. Once a second another of their sharers has a low: the time runs from the
moment it was measured, over a new connection each time, as a phone's, until a screen says that it rings.
"""

import asyncio
import contextlib
import itertools
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.storm_series import NEVER, Ring
from nightbell.app.furnish import FOLLOWS_EACH, SHARERS_TO_FOLLOWER
from nightbell.words.clock import SystemClock

SCREENS: Final = 16
LOW_EVERY_S: Final = 1.0
GIVE_UP_S: Final = 30.0
TRY_S: Final = 10.0
LOW_MGDL: Final = 45


class Notified(msgspec.Struct):
    """What matters of a notification on the stream."""

    kind: str
    condition: str


class Bell:
    """Lows and screens, in a thread of its own. It must begin while the platform runs.

    Attributes:
        rings: One for each low so far.
    """

    def __init__(self, folder: Path, port: int, sharers: int) -> None:
        self.rings: list[Ring] = []
        self._port = port
        self._tokens = (folder / "tokens").read_text().split()
        keys = (folder / "followers").read_text().split()
        self._keys = keys[: min(SCREENS, len(keys), max(1, sharers * FOLLOWS_EACH // SHARERS_TO_FOLLOWER))]
        self._heard: dict[int, asyncio.Event] = {}
        self._ends = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self) -> list[Ring]:
        """End; what was heard."""
        self._ends.set()
        self._thread.join(GIVE_UP_S + TRY_S)
        return sorted(self.rings, key=lambda ring: ring.second)

    async def _run(self) -> None:
        each = SHARERS_TO_FOLLOWER // FOLLOWS_EACH
        screens = [asyncio.create_task(self._screen(which)) for which in range(len(self._keys))]
        lows: set[asyncio.Task[None]] = set()
        for which, place in itertools.cycle(itertools.product(range(1, each), range(len(self._keys)))):
            await asyncio.sleep(LOW_EVERY_S)
            if self._ends.is_set():
                break
            sharer = -(-place * SHARERS_TO_FOLLOWER // FOLLOWS_EACH) + which - 1
            if place not in self._heard and sharer < len(self._tokens):
                lows.add(asyncio.create_task(self._low(sharer, place)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_S):
                await asyncio.gather(*lows)
        for screen in screens:
            screen.cancel()
        await asyncio.gather(*screens, return_exceptions=True)

    async def _low(self, sharer: int, screen: int) -> None:
        heard = self._heard[screen] = asyncio.Event()
        measured, measured_ms = time.monotonic(), SystemClock().now_ms()
        took_ms = NEVER
        sending = asyncio.create_task(self._publish(sharer, measured_ms))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_S):
                await heard.wait()
            took_ms = round((time.monotonic() - measured) * 1000, 1)
        sending.cancel()
        del self._heard[screen]
        self.rings.append(Ring(round(measured - self._began, 2), took_ms))

    async def _publish(self, sharer: int, measured_ms: int) -> None:
        """Send until it is acknowledged."""
        reading = f'{{"measured_at":{measured_ms},"glucose_mgdl":{LOW_MGDL},"trend":"Flat"}}'
        body = f'{{"readings":[{reading}]}}'
        head = f"POST /v1/readings HTTP/1.1\r\nHost: bell\r\nAuthorization: Bearer {self._tokens[sharer]}\r\n"
        request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(TRY_S):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    try:
                        writer.write(request.encode())
                        if b" 200 " in await reader.readline():
                            return
                    finally:
                        writer.close()
            await asyncio.sleep(0.1)

    async def _screen(self, which: int) -> None:
        """Listen for rings of urgent lows; a screen that is cut off is opened again."""
        request = (
            f"GET /v1/stream HTTP/1.1\r\nHost: bell\r\nAuthorization: Bearer {self._keys[which]}\r\n\r\n"
        )
        while not self._ends.is_set():
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
                try:
                    writer.write(request.encode())
                    await self._listen(reader, which)
                finally:
                    writer.close()
            await asyncio.sleep(0.2)

    async def _listen(self, reader: asyncio.StreamReader, which: int) -> None:
        told = False
        while line := await reader.readline():
            if told and line.startswith(b"data:"):
                notified = msgspec.json.decode(line[5:], type=Notified)
                heard = self._heard.get(which)
                if heard is not None and (notified.kind, notified.condition) == ("ring", "urgent_low"):
                    heard.set()
            told = line.strip() == b"event: notification" or (told and not line.startswith(b"data:"))
