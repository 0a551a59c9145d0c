"""The one way out by HTTP for all channels, so that its limits stand once: time, size, and where it may go.

A person may give any address as their webhook. So that nobody makes us knock at doors inside our own network, a
name is resolved first, every address it has is looked at, and the connection goes to one that was looked at: a
name that changes its mind in between changes nothing. The name still stands in the Host header and is what the
certificate is checked against.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import httpx
import msgspec

from nightbell.tell.http import HttpAnswer, HttpFailure

URL_LENGTH_MAX: Final = 2_000
ANSWER_BYTES_MAX: Final = 64 * 1024
"""Of an answer no more than this is read: channels look at its status, and at an id in it at most."""


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the client keeps to.

    Attributes:
        connect_ms: Longest wait for a connection, TLS included.
        whole_ms: Longest time for everything, however slowly an answer drips.
        connections: How many are open at the same time.
        private_allowed: Whether addresses inside our own network may be reached, as a family's Home Assistant.
        plain_allowed: Whether `http://` is allowed beside `https://`.
    """

    connect_ms: int = 3_000
    whole_ms: int = 8_000
    connections: int = 64
    private_allowed: bool = False
    plain_allowed: bool = False


class _Forbidden(Exception):  # noqa: N818 it never leaves this file
    """We do not go there; its text says why."""


class HttpxClient:
    """A `tell.http.HttpClient` on httpx."""

    def __init__(self, limits: HttpLimits | None = None, *, verify: bool | httpx.SSLContext = True) -> None:
        ...
