"""What the door and the dialects speak: one request in, one answer out, free of any server."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple


class DoorRequest(NamedTuple):
    """One request, as the server read it.

    Attributes:
        method: Upper case.
        path: Percent-decoded path.
        query: Raw query string.
        headers: Names in lower case.
        body: The whole body, already cut at the limit.
        peer: Address of the client, for limits only.
        received_ms: When we took it, epoch ms.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    peer: str
    received_ms: int


class DoorAnswer(NamedTuple):
    """One answer: status, extra headers, body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


DoorOffer = Callable[[DoorRequest, Callable[[DoorAnswer], None]], None]
"""A door that needs no task of its own for each request: it answers now or later, once, on the event loop."""

DoorHandler = Callable[[DoorRequest], Awaitable[DoorAnswer]]
"""What a door or a dialect is to the server."""
