"""The way out by HTTP that channels share: two ports, and the small words of HTTP that each channel needs.

`HttpClient` goes wherever a person asked us to, with care; `OriginClient` goes to one provider that the
operator chose. Their adapters are one file, so their limits stand once.
"""

import base64
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlencode

import msgspec

RETRY_AFTER_MS_MAX: Final = 60 * 60_000
"""No provider can make us wait longer than an hour: a notification's own deadline comes sooner."""

_DIGITS_MAX: Final = 9


class HttpAnswer(msgspec.Struct, frozen=True):
    """What a server answered.

    Attributes:
        status: HTTP status.
        headers: Names in lower case; of repeated ones the last.
        body: The body, cut at the client's limit.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpFailure(msgspec.Struct, frozen=True):
    """No answer: unreachable, too slow, broken off, or an address we do not go to.

    Attributes:
        reason: One line without addresses or secrets.
        forbidden: Whether we refused to connect: a bad URL, or a private address that is not allowed.
    """

    reason: str
    forbidden: bool = False


class HttpClient(Protocol):
    """Posts once, follows no redirects, ends within its time limit, never raises for what the world does."""

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> HttpAnswer | HttpFailure:
        """Post the body once."""
        ...


class OriginClient(HttpClient, Protocol):
    """The same for one origin from the settings, with connections that are kept. Other URLs are forbidden."""

    async def get(
        self, url: str, *, headers: Mapping[str, str], wait_ms: int = 0
    ) -> HttpAnswer | HttpFailure:
        """Get once.

        Args:
            url: What to get; of the client's own origin.
            headers: What to send along.
            wait_ms: How much longer than the time limit it may take: for questions that the provider holds
                open until there is an answer.
        """
        ...


def basic_auth(user: str, password: str) -> str:
    """The value of `Authorization` for a name and a password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def form_body(fields: Mapping[str, str]) -> bytes:
    """Fields as a form's body: `application/x-www-form-urlencoded`, in UTF-8."""
    return urlencode(fields).encode("ascii")


def retry_after_ms(answer: HttpAnswer) -> int:
    """How long the server asked us to wait (RFC 9110, 10.2.3); a date is read as no wish at all."""
    value = answer.headers.get("retry-after", "")
    if not (value.isascii() and value.isdigit()):
        return 0
    return min(int(value[:_DIGITS_MAX]) * 1000, RETRY_AFTER_MS_MAX)
