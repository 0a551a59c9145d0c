"""Publishes readings through the real door, as a phone does: for the demo and for `nightbell publish`."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import httpx
import msgspec

from nightbell.publish.native import PATH, UploadAnswer
from nightbell.words.clock import Clock
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW

UPLOAD_READINGS_MAX: Final = 512
"""Blueprint, section 9: what one native upload may hold."""

TRIES_MAX: Final = 8
TIMEOUT_S: Final = 15.0
PAUSE_S_FIRST: Final = 0.5
PAUSE_S_MAX: Final = 30.0


class Measured(NamedTuple):
    """A reading to publish: when, whole mg/dL (or the levels of LOW and HIGH), and the arrow's number."""

    measured_ms: int
    level: int
    trend: int = 0


class DoorRefusedError(Exception):
    """The door will not take this, however often it is sent. The sentence is the door's own."""


class DoorClosedError(Exception):
    """The door did not answer, or was busy for too long. What was not acknowledged is still to be sent."""


def upload_body(readings: Sequence[Measured], sent_ms: int) -> bytes:
    """The body of one upload."""
    words = {CENSORED_LOW: "LOW", CENSORED_HIGH: "HIGH"}
    return msgspec.json.encode(
        {
            "readings": [
                {
                    "measured_at": reading.measured_ms,
                    "glucose_mgdl": words.get(reading.level, reading.level),  # type: ignore[call-overload]
                    "trend": reading.trend,
                }
                for reading in readings
            ],
            "sent_at": sent_ms,
        }
    )


class Publisher:
    """One uploader with its key. Use it in an `async with` block."""

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        clock: Clock,
        trust: Path | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        context = ssl.create_default_context(cafile=str(trust) if trust is not None else None)
        self._http = httpx.AsyncClient(
            base_url=url,
            verify=context,
            timeout=TIMEOUT_S,
            headers={"authorization": f"Bearer {secret}", "content-type": "application/json"},
            trust_env=False,
        )
        self._clock = clock
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def publish(self, readings: Sequence[Measured]) -> UploadAnswer:
        """Send one upload until it is acknowledged; a repeat of what was kept is a duplicate and harmless.

        Raises:
            DoorRefusedError: The door refused the whole upload.
            DoorClosedError: It stayed closed.
        """
        assert len(readings) <= UPLOAD_READINGS_MAX
        pause_s = PAUSE_S_FIRST
        why = ""
        for _ in range(TRIES_MAX):
            try:
                answer = await self._http.post(PATH, content=upload_body(readings, self._clock.now_ms()))
            except httpx.TransportError as error:
                why = type(error).__name__
            else:
                if answer.is_success:
                    return msgspec.json.decode(answer.content, type=UploadAnswer)
                if not answer.is_server_error:
                    raise DoorRefusedError(_sentence(answer))
                why = f"{answer.status_code}"
                pause_s = max(pause_s, _retry_after_s(answer))
            await self._sleep(min(pause_s, PAUSE_S_MAX))
            pause_s *= 2
        raise DoorClosedError(why)


def _retry_after_s(answer: httpx.Response) -> float:
    """The pause that the door asks for; none if it asks for nothing that we understand."""
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else 0.0


def _sentence(answer: httpx.Response) -> str:
    """What a problem document says in words."""
    try:
        problem = msgspec.json.decode(answer.content, type=dict[str, object])
    except msgspec.DecodeError:
        problem = {}
    return str(problem.get("detail") or f"The answer was {answer.status_code}.")
