"""The one way out by HTTP that channels share: a port. Its adapter is one file, so its limits stand once."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


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
