"""The load: readings at a fixed rate, whatever the platform does. A process of its own, in plain Python.

Theory of operation. Each of some connections takes the next reading of the schedule, waits for its instant,
sends it and waits for the answer. The time counts from the schedule, so a slow platform cannot hide by
slowing the load. A reading whose every connection is busy leaves late, and that counts too. With TLS each
reading has a connection of its own, as from a phone that slept since the last one: the handshake is most of
what TLS costs. Without, connections are kept, as from a proxy. What this program
itself used of a core stands beside it: near a whole one, the figures say something about this program.
"""

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import msgspec
import uvloop

from nightbell.words.clock import SystemClock

CONNECTIONS: Final = 256
"""As many as the load client of `benchmarks/` has; a process may have 1,024 files on a usual system."""

ANSWER_S_MAX: Final = 30.0
LOW_EVERY: Final = 40
"""One reading in so many is an urgent low, so that alarms open, are told and end."""

LOW_AT: Final = 3
LOW_MGDL: Final = 48
_KEPT: Final = 200
_REFUSED: Final = frozenset({429, 503})


class Asked(msgspec.Struct, frozen=True):
    """What to send, as JSON on standard input.

    Attributes:
        port: Of 127.0.0.1.
        tls: Whether it speaks TLS; the certificate is not checked, for it is made out to another name.
        tokens: File with one key a line.
        first: Whose turn it is.
        per_s: Readings a second.
        seconds: For how long.
    """

    port: int
    tls: bool
    tokens: str
    first: int
    per_s: float
    seconds: float


class Sent(msgspec.Struct, frozen=True):
    """What came of it, as JSON on standard output.

    Attributes:
        sent: Readings sent.
        kept: Of these acknowledged.
        refused: Turned away with 429 or 503.
        failed: Without an answer, or with another.
        p50_ms: From the schedule to the acknowledgement.
        p99_ms: The same.
        max_ms: The same.
        answer_p99_ms: From when it really left to the acknowledgement.
        seconds: How long it took.
        own_share: What this program used of one core.
    """

    sent: int
    kept: int
    refused: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    answer_p99_ms: float
    seconds: float
    own_share: float


class Load:
    """One run."""

    def __init__(self, asked: Asked, tokens: list[str]) -> None:
        self._asked = asked
        self._tokens = tokens
        self._total = max(1, round(asked.per_s * asked.seconds))
        self._next = 0
        self._clock = SystemClock()
        self._statuses: list[int] = []
        self._taken_ms: list[float] = []
        self._answered_ms: list[float] = []
        self._context: ssl.SSLContext | None = None
        if asked.tls:
            self._context = ssl.create_default_context()
            self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    async def run(self) -> Sent:
        """Send all of it."""
        loop = asyncio.get_running_loop()
        before = os.times()
        self._began_s = loop.time()
        await asyncio.gather(*(self._connection() for _ in range(min(CONNECTIONS, self._total))))
        seconds = max(loop.time() - self._began_s, 0.001)
        after = os.times()
        taken = sorted(self._taken_ms)
        kept = self._statuses.count(_KEPT)
        refused = sum(status in _REFUSED for status in self._statuses)
        return Sent(
            sent=len(taken),
            kept=kept,
            refused=refused,
            failed=len(taken) - kept - refused,
            p50_ms=median(taken),
            p99_ms=_p99(taken),
            max_ms=taken[-1],
            answer_p99_ms=_p99(self._answered_ms),
            seconds=seconds,
            own_share=(after.user + after.system - before.user - before.system) / seconds,
        )

    async def _connection(self) -> None:
        """Take the next of the schedule until there is none; connect anew where a connection broke."""
        loop = asyncio.get_running_loop()
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        while self._next < self._total:
            number, self._next = self._next, self._next + 1
            at_s = self._began_s + number / self._asked.per_s
            await asyncio.sleep(at_s - loop.time())
            status, left_s = 0, loop.time()
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    if reader is None or writer is None:
                        reader, writer = await asyncio.open_connection(
                            "127.0.0.1", self._asked.port, ssl=self._context
                        )
                    writer.write(self._request(number))
                    status = await _status_of(reader)
            except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
                if writer is not None:
                    writer.close()
                reader = writer = None
            if writer is not None and self._context is not None:
                writer.close()
                reader = writer = None
            self._statuses.append(status)
            self._taken_ms.append((loop.time() - at_s) * 1_000)
            self._answered_ms.append((loop.time() - left_s) * 1_000)
        if writer is not None:
            writer.close()

    def _request(self, number: int) -> bytes:
        place = self._asked.first + number
        level = LOW_MGDL if number % LOW_EVERY == LOW_AT else 90 + place % 60
        reading = {"measured_at": self._clock.now_ms(), "glucose_mgdl": level}
        body = json.dumps({"readings": [reading]}).encode()
        return (
            b"POST /v1/readings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
            % (self._tokens[place % len(self._tokens)].encode(), len(body), body)
        )


def _p99(taken_ms: list[float]) -> float:
    return quantiles(taken_ms, n=100)[-1] if len(taken_ms) > 1 else taken_ms[0]


async def _status_of(reader: asyncio.StreamReader) -> int:
    """Read one answer whole; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])


def main() -> None:
    """`python -m nightbell.app.doctor.load`: what to send comes in, what came of it goes out."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    load = Load(asked, Path(asked.tokens).read_text().split())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sent = runner.run(load.run())
    sys.stdout.buffer.write(msgspec.json.encode(sent))


if __name__ == "__main__":
    main()
