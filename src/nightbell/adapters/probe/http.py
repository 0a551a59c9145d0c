"""The probe over HTTP. The only file of the watcher that knows httpx."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import httpx

from nightbell.adapters.probe.wire import LINE_BYTES_MAX, Said, one_accepted, upload_of
from nightbell.watch.evidence import Lost, Opened, Why
from nightbell.watch.pairing import Pairing
from nightbell.watch.ports import Done, Failed, StreamWord
from nightbell.watch.roster import ROSTER_BYTES_MAX, Roster, read_roster
from nightbell.watch.timings import Timings

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Longest answer that is read of the door: it says less than a kilobyte."""

OWN_NETWORK: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
"""What the system says when there is no way out of our own machine, whoever is at the other end."""


def why_of(error: BaseException) -> Why:
    """What a failed request says about the platform, or about ourselves."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return Why.CERTIFICATE
        if isinstance(seen, ConnectionRefusedError):
            return Why.REFUSED
        if isinstance(seen, socket.gaierror) or (isinstance(seen, OSError) and seen.errno in OWN_NETWORK):
            return Why.UNREACHABLE
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Why.LATE
    # httpx and anyio fold "all addresses refused" into one error; what it says is kept in its text only.
    return Why.REFUSED if isinstance(error, httpx.ConnectError) else Why.BROKEN


def trust_of(pairing: Pairing) -> ssl.SSLContext | bool:
    """Which certificates are believed.

    Raises:
        OSError: The file that the pairing names cannot be used.
    """
    if not pairing.base_url.startswith("https://"):
        return False
    if not pairing.tls_ca_file:
        return ssl.create_default_context()
    context = ssl.create_default_context(cafile=str(Path(pairing.tls_ca_file)))
    # A family's own certificate may be named itself, without the authority that signed it.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


class HttpProbe:
    """Reaches the platform as phones and followers do.

    Args:
        pairing: How, and as whom.
        timings: How long an answer may take.
    """

    def __init__(self, pairing: Pairing, timings: Timings) -> None:
        self._pairing = pairing
        self._within_s = timings.request_within_ms / 1000
        self._silent_s = timings.heartbeat_overdue_ms / 1000
        self._keys = {canary.person: canary.key for canary in pairing.canaries}
        self._canaries = {canary.sharer: canary.person for canary in pairing.canaries}
        # A certificate for every name under a domain is good for any one of them.
        name = pairing.tls_name.replace("*", "nightbell", 1)
        self._extensions = {"sni_hostname": name} if name else {}
        self._client = httpx.AsyncClient(
            base_url=pairing.base_url,
            verify=trust_of(pairing),
            timeout=httpx.Timeout(self._within_s),
            # Every request opens a new connection: a platform that no longer accepts any has failed, though
            # old connections may live on.
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
        )

    async def publish(self, canary: str, *, level: int, measured_ms: int) -> Done | Failed:
        """Publish one reading through the real door."""
        body = upload_of(level, measured_ms)
        answered = await self._ask("POST", "/v1/readings", self._keys[canary], body=body)
        if isinstance(answered, Failed):
            return answered
        return Done() if one_accepted(answered) else Failed(Why.BROKEN, untaken=False)

    async def answer(self, alarm: str) -> Done | Failed:
        """Answer an alarm."""
        path = f"/v1/alarms/{alarm}/answer"
        answered = await self._ask("POST", path, self._pairing.follower_key, body=b"{}")
        return answered if isinstance(answered, Failed) else Done()

    async def roster(self) -> Roster | Failed:
        """Fetch the roster."""
        key = self._pairing.roster_key
        answered = await self._ask("GET", "/v1/watch/roster", key, bytes_max=ROSTER_BYTES_MAX)
        if isinstance(answered, Failed):
            return answered
        try:
            return read_roster(answered)
        except ValueError:
            return Failed(Why.BROKEN, untaken=True)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def _ask(
        self, method: str, path: str, key: str, *, body: bytes = b"", bytes_max: int = ANSWER_BYTES_MAX
    ) -> bytes | Failed:
        """One request with one time limit for all of it; the body of a 2xx."""
        headers = {"authorization": f"Bearer {key}"}
        if body:
            headers["content-type"] = "application/json"
        try:
            async with (
                asyncio.timeout(self._within_s),
                self._client.stream(
                    method, path, headers=headers, content=body, extensions=self._extensions
                ) as response,
            ):
                if not response.is_success:
                    return Failed(Why.STATUS, untaken=False)
                return await _body_of(response, bytes_max)
        except (httpx.HTTPError, httpx.StreamError, OSError, TimeoutError, ValueError) as error:
            why = why_of(error)
            return Failed(why, untaken=why in {Why.REFUSED, Why.UNREACHABLE, Why.CERTIFICATE})

    async def listen(self) -> AsyncGenerator[StreamWord, None]:
        """The canary follower's stream, until it is lost."""
        said = Said(self._canaries)
        headers = {
            "authorization": f"Bearer {self._pairing.follower_key}",
            "accept": "text/event-stream",
        }
        timeout = httpx.Timeout(self._within_s, read=self._silent_s)
        try:
            async with self._client.stream(
                "GET", "/v1/stream", headers=headers, timeout=timeout, extensions=self._extensions
            ) as response:
                if not response.is_success:
                    yield Lost(Why.STATUS)
                    return
                yield Opened()
                async for line in _lines_of(response):
                    word = said.line(line)
                    if word is not None:
                        yield word
        except httpx.ReadTimeout:
            yield Lost(Why.SILENT)
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as error:
            yield Lost(why_of(error))
        else:
            yield Lost(Why.BROKEN)


async def _body_of(response: httpx.Response, bytes_max: int) -> bytes:
    """The whole body.

    Raises:
        ValueError: It is larger than it may be.
    """
    pieces: list[bytes] = []
    length = 0
    async for piece in response.aiter_bytes():
        length += len(piece)
        if length > bytes_max:
            raise ValueError("an answer that is too large")
        pieces.append(piece)
    return b"".join(pieces)


async def _lines_of(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The lines of a stream, without their ends.

    Raises:
        ValueError: A line is longer than it may be.
    """
    rest = b""
    async for piece in response.aiter_raw():
        rest += piece
        *lines, rest = rest.split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise ValueError("a line that is too long")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="replace")
