"""Looks at somebody's readings, written down as a chain: each link vouches for all before it."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

GENESIS: Final = bytes(32)
"""What the first link of all is chained to."""


class Look(msgspec.Struct, frozen=True, array_like=True):
    """Who looked at whose readings, at what, when.

    Attributes:
        at_ms: When, epoch ms; further looks at the same within a minute are not written down again.
        viewer: Person id of who looked; empty where some could not be written down.
        sharer: Whose readings: the sharer's number, -1 where some could not be written down.
        what: What was looked at, as `screen`.
        credential: Number of the credential used.
    """

    at_ms: int
    viewer: str
    sharer: int
    what: str
    credential: int


class ChainedLook(NamedTuple):
    """A look with its place in the chain."""

    number: int
    look: Look
    hash: bytes


_encoder: Final = msgspec.json.Encoder()


def chained(looks: Sequence[Look], number: int, before: bytes) -> list[ChainedLook]:
    """The looks as links after link `number`, whose hash is `before`."""
    links = []
    for at, look in enumerate(looks, start=number + 1):
        before = _hash(at, look, before)
        links.append(ChainedLook(at, look, before))
    return links


def first_broken(links: Iterable[ChainedLook], before: bytes) -> int | None:
    """Number of the first link that does not hold; None if all do."""
    expected = None
    for link in links:
        if (expected is not None and link.number != expected) or link.hash != _hash(
            link.number, link.look, before
        ):
            return link.number
        before = link.hash
        expected = link.number + 1
    return None


def _hash(number: int, look: Look, before: bytes) -> bytes:
    return hashlib.sha256(before + _encoder.encode((number, look))).digest()
