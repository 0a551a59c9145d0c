"""What the channel and its child say to each other: frames of msgpack, each with its length before it."""

import struct
from enum import StrEnum
from typing import Final

import msgspec

FRAME_BYTES_MAX: Final = 64 * 1024
"""A message is at most a few thousand letters; what is longer is no frame of ours."""

HEAD: Final = struct.Struct(">I")


class Result(StrEnum):
    """What became of a question."""

    READY = "ready"  # the child has loaded what it needs, and waits
    MISSING = "missing"  # Apprise is not installed
    SENT = "sent"  # the service took it
    REFUSED = "refused"  # the service said no for good
    FAILED = "failed"  # it was not taken; the service did not say why, or it may be another time
    BAD_ADDRESS = "bad_address"  # the plug-in can not read the address, or it leads to nobody
    FORBIDDEN = "forbidden"  # it is no address that may be used


class Ask(msgspec.Struct, frozen=True):
    """One message.

    Attributes:
        number: Names it in the answer.
        url: The Apprise URL of whom to tell.
        title: One line.
        body: The whole.
        urgent: Whether it should wake.
    """

    number: int
    url: str
    title: str
    body: str
    urgent: bool


class Answer(msgspec.Struct, frozen=True):
    """What became of one message, or that the child is ready (number 0)."""

    number: int
    result: Result


def framed(said: Ask | Answer) -> bytes:
    """The frame."""
    content = msgspec.msgpack.encode(said)
    assert len(content) <= FRAME_BYTES_MAX, "a message is longer than it may be"
    return HEAD.pack(len(content)) + content


def length_of(head: bytes) -> int:
    """How long the frame is that begins so.

    Raises:
        ValueError: This is no frame.
    """
    (length,) = HEAD.unpack(head)
    if not 0 < length <= FRAME_BYTES_MAX:
        raise ValueError("this is no frame")
    return int(length)
