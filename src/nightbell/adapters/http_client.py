"""The one way out by HTTP for all channels, so that its limits stand once: time, size, and where it may go.

A person may give any address as their webhook. So that nobody makes us knock at doors inside our own network,
a name is resolved first, every address it has is looked at, and the connection goes to one that was looked
at: a name that changes its mind in between changes nothing. The name still stands in the Host header and is
what the certificate is checked against. Connections are not kept: one that was checked for a name must not
carry another name's message.

A provider that the operator chose is another matter: its origin stands in the settings, so it may lie in a
private network, and its connections are kept, for a new one costs more than all else. `HttpxOriginClient`
goes to that one origin and nowhere else. Each provider has a client of its own: one that hangs fills only its
own connections.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, NamedTuple

import httpx
import msgspec

from nightbell.tell.budget import RetryBudget
from nightbell.tell.http import HttpAnswer, HttpFailure
from nightbell.words.catalogue import catalogue

URL_LENGTH_MAX: Final = 2_000

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Of an answer no more than this is read: channels look at its status, and at an id in it at most."""

ADDRESSES_MAX: Final = 4
"""How many addresses of one name are tried, so that a broken IPv6 does not keep us from IPv4."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses in an IPv6 coat (RFC 6052)."""

KEPT_S: Final = 15.0
"""How long an idle connection is kept. Servers close idle ones after a minute or so (nginx: 75 s); a message
on one that is closed in that moment would have to be sent again."""

_ONE_LINE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT_S)
_ORIGIN_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "Nightbell"}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the client keeps to.

    Attributes:
        connect_ms: Longest wait for one connection, TLS included.
        whole_ms: Longest time for everything, however slowly an answer drips.
        connections: How many are open at the same time.
        private_allowed: Whether addresses inside our own network may be reached, as a family's Home
            Assistant.
        plain_allowed: Whether `http://` is allowed beside `https://`.
    """

    connect_ms: int = 3_000
    whole_ms: int = 8_000
    connections: int = 64
    private_allowed: bool = False
    plain_allowed: bool = False


def _split(url: str) -> httpx.URL:
    """A URL in its parts.

    Raises:
        _NotThereError: It is none.
    """
    if len(url) > URL_LENGTH_MAX:
        raise _NotThereError("bad_url", forbidden=True)
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        raise _NotThereError("bad_url", forbidden=True) from None


class _NotThereError(Exception):
    """We do not go there, or can not; the key of the sentence that says why."""

    def __init__(self, key: str, *, forbidden: bool) -> None:
        super().__init__(key)
        self.failure = HttpFailure(catalogue().say(f"deliver.http_{key}"), forbidden)


def inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo is not None else address)


def is_allowed(address: Address, *, private_allowed: bool) -> bool:
    """Whether we may connect there. Link-local never: clouds keep their keys behind it."""
    real = inner(address)
    if real.is_loopback:
        return private_allowed
    if real.is_multicast or real.is_unspecified or real.is_link_local or real.is_reserved:
        return False
    return real.is_global or private_allowed


def all_allowed(addresses: Iterable[Address], *, private_allowed: bool) -> bool:
    """Whether a name may be reached: all its addresses must, or it could turn to the one that may not."""
    return all(is_allowed(address, private_allowed=private_allowed) for address in addresses)


class HttpxClient:
    """A `tell.http.HttpClient` on httpx."""

    def __init__(self, limits: HttpLimits | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self._limits = limits or HttpLimits()
        self._budget = RetryBudget()
        self._client = httpx.AsyncClient(
            verify=tls if tls is not None else True,
            trust_env=False,  # a proxy would connect where we did not look
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none are kept: whose would they be?
            limits=httpx.Limits(max_connections=self._limits.connections, max_keepalive_connections=0),
            timeout=httpx.Timeout(self._limits.whole_ms / 1000, connect=self._limits.connect_ms / 1000),
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> HttpAnswer | HttpFailure:
        """Post the body once, to an address that was looked at."""
        try:
            async with asyncio.timeout(self._limits.whole_ms / 1000):
                target = self._parsed(url)
                return await self._post_to_first(target, await self._resolved(target), headers, body)
        except _NotThereError as error:
            return error.failure
        except (TimeoutError, httpx.TimeoutException):
            return HttpFailure(catalogue().say("deliver.http_too_slow"))
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return HttpFailure(catalogue().say("deliver.http_broken_off"))

    def _may_try(self, number: int) -> bool:
        """Whether one more address of a name may be tried: the first always, others within the budget."""
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        if number == 0:
            self._budget.first()
            return True
        if not self._budget.allows(now_ms):
            return False
        self._budget.spend()
        return True

    def _parsed(self, url: str) -> httpx.URL:
        target = _split(url)
        schemes = {"https", "http"} if self._limits.plain_allowed else {"https"}
        if target.scheme not in schemes or not target.host:
            raise _NotThereError("bad_url", forbidden=True)
        return target

    async def _resolved(self, target: httpx.URL) -> list[Address]:
        """The addresses of a name, if all of them may be reached."""
        port = target.port or (443 if target.scheme == "https" else 80)
        host = target.raw_host.decode("ascii").strip("[]")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise _NotThereError("no_such_host", forbidden=False) from None
        addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
        if not all_allowed(addresses, private_allowed=self._limits.private_allowed):
            raise _NotThereError("private", forbidden=True)
        return list(dict.fromkeys(addresses))[:ADDRESSES_MAX]

    async def _post_to_first(
        self, target: httpx.URL, addresses: list[Address], headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer:
        """Post to the first address that can be connected to."""
        name = target.raw_host.decode("ascii").strip("[]")
        for number, address in enumerate(addresses):
            if not self._may_try(number):
                break
            request = self._client.build_request(
                "POST",
                target.copy_with(host=str(address)),
                headers={**headers, "Host": target.netloc.decode("ascii")},
                content=body,
                extensions={"sni_hostname": name},
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            self._budget.answered()
            try:
                return await _read(response)
            finally:
                await response.aclose()
        raise _NotThereError("unreachable", forbidden=False)


class _Line(NamedTuple):
    """One connection that is kept, and since when it lies idle, in seconds of the loop's clock."""

    transport: httpx.AsyncHTTPTransport
    idle_s: float


class HttpxOriginClient:
    """A `tell.http.OriginClient` on httpx.

    Each connection has a transport of its own, and the one used last is used next: a pool of httpx looks at
    each of its connections for every message, which costs more than the message (five times, with 64).

    Args:
        origin: Scheme, host and port of the provider, as `https://api.example.org`. From the settings, never
            from a person.
        limits: What to keep to; whether private or plain is allowed says the origin itself.
        tls: Whom to trust; the system's if not given.
    """

    def __init__(
        self, origin: str, limits: HttpLimits | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._origin = _origin_of(httpx.URL(origin))
        self._limits = limits or HttpLimits()
        self._tls = tls if tls is not None else httpx.create_ssl_context(trust_env=False)
        self._connect_s = self._limits.connect_ms / 1000
        self._slots = asyncio.Semaphore(self._limits.connections)
        self._idle: deque[_Line] = deque(maxlen=self._limits.connections)
        self._closed = False

    async def close(self) -> None:
        """Close what is open; what is under way ends first."""
        self._closed = True
        while self._idle:
            await self._idle.pop().transport.aclose()

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> HttpAnswer | HttpFailure:
        """Post the body once."""
        return await self._ask("POST", url, headers, body, 0)

    async def get(
        self, url: str, *, headers: Mapping[str, str], wait_ms: int = 0
    ) -> HttpAnswer | HttpFailure:
        """Get once."""
        return await self._ask("GET", url, headers, None, wait_ms)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, wait_ms: int
    ) -> HttpAnswer | HttpFailure:
        whole_s = (self._limits.whole_ms + wait_ms) / 1000
        try:
            async with asyncio.timeout(whole_s):
                target = self._ours(url)
                async with self._slots:
                    return await self._ask_once(method, target, headers, body, whole_s)
        except _NotThereError as error:
            return error.failure
        except (TimeoutError, httpx.TimeoutException):
            return HttpFailure(catalogue().say("deliver.http_too_slow"))
        except httpx.ConnectError:
            return HttpFailure(catalogue().say("deliver.http_unreachable"))
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return HttpFailure(catalogue().say("deliver.http_broken_off"))

    async def _ask_once(
        self, method: str, target: httpx.URL, headers: Mapping[str, str], body: bytes | None, whole_s: float
    ) -> HttpAnswer:
        """Ask over the line used last, or a new one. Without redirects, cookies or packed answers."""
        patience_s = {**dict.fromkeys(("read", "write", "pool"), whole_s), "connect": self._connect_s}
        request = httpx.Request(
            method,
            target,
            headers={**_ORIGIN_HEADERS, **headers},
            content=body,
            extensions={"timeout": patience_s},
        )
        transport = self._idle.pop().transport if self._idle else self._new_line()
        try:
            response = await transport.handle_async_request(request)
            try:
                answer = await _read(response)
            finally:
                await response.aclose()
        except BaseException:  # broken off, also by whoever asked: nobody knows what still comes on it
            await transport.aclose()
            raise
        await self._keep(transport)
        return answer

    def _new_line(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=_ONE_LINE)

    async def _keep(self, transport: httpx.AsyncHTTPTransport) -> None:
        """Keep the line for the next one, and let go of one that nobody has needed for long."""
        if self._closed:
            await transport.aclose()
            return
        now_s = asyncio.get_running_loop().time()
        self._idle.append(_Line(transport, now_s))
        if self._idle[0].idle_s + KEPT_S < now_s:
            await self._idle.popleft().transport.aclose()

    def _ours(self, url: str) -> httpx.URL:
        """The URL, if it is of our origin.

        Raises:
            _NotThereError: It is not.
        """
        target = _split(url)
        if _origin_of(target) != self._origin or target.userinfo:
            raise _NotThereError("bad_url", forbidden=True)
        return target


def _origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


async def _read(response: httpx.Response) -> HttpAnswer:
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) >= ANSWER_BYTES_MAX:
            break
    return HttpAnswer(response.status_code, dict(response.headers), body[:ANSWER_BYTES_MAX])
