"""How a group lies on the disk: one packed record, complete in itself, with a checksum over all of it.

    header   magic, version, seq, recorded_ms, tick_ms, number of readings, length of the facts
    facts    one msgpack array, each fact tagged with its name
    readings `READING_DTYPE`, 27 bytes each
    checksum CRC-32 of everything before it

A version that writes another kind of record also brings the file to another form
(`adapters/stores/sqlite/migrations.py`), so that an older one refuses it before it reads a record.
A CRC of 32 bits finds every error burst of up to 32 bits, so any single damaged byte is found.
"""

import struct
import zlib
from typing import Final, NamedTuple

import msgspec
import numpy as np

from nightbell.journal.facts import AnyFact
from nightbell.journal.group import Group, no_readings
from nightbell.publish.reading import READING_DTYPE

MAGIC: Final = b"NBJ\x01"
VERSION: Final = 1

_HEADER: Final = struct.Struct("<4sHHqqqII")
HEADER_BYTES: Final = _HEADER.size
_CHECKSUM: Final = struct.Struct("<I")
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[AnyFact, ...])
_NO_FACTS: Final = _ENCODER.encode(())


class Damaged(NamedTuple):
    """A record that cannot be trusted, and why; `newer` if it is sound, but of a kind we do not know yet."""

    reason: str
    newer: bool = False


def encode(group: Group) -> bytes:
    """Pack a durable group."""
    assert group.seq > 0
    assert group.readings.dtype == READING_DTYPE
    facts = _ENCODER.encode(group.facts) if group.facts else _NO_FACTS
    header = _HEADER.pack(
        MAGIC, VERSION, 0, group.seq, group.recorded_ms, group.tick_ms, len(group.readings), len(facts)
    )
    body = b"".join((header, facts, group.readings.tobytes()))
    return body + _CHECKSUM.pack(zlib.crc32(body))


def decode(record: bytes, *, facts: bool = True) -> Group | Damaged:
    """Unpack a record, or say why it cannot be trusted. The readings are a read-only view of the record.

    Without `facts` they are left out: for whoever looks at readings only, of a day with millions of facts.
    """
    if len(record) < _HEADER.size + _CHECKSUM.size:
        return Damaged("it is too short")
    (checksum,) = _CHECKSUM.unpack_from(record, len(record) - _CHECKSUM.size)
    if zlib.crc32(memoryview(record)[: -_CHECKSUM.size]) != checksum:
        return Damaged("its checksum does not fit")
    magic, version, _, seq, recorded_ms, tick_ms, count, facts_length = _HEADER.unpack_from(record)
    if magic != MAGIC or version != VERSION:
        ours = magic[:-1] == MAGIC[:-1]
        return Damaged("it is of a kind this version cannot read", newer=ours)
    facts_end = _HEADER.size + facts_length
    if facts_end + count * READING_DTYPE.itemsize + _CHECKSUM.size != len(record):
        return Damaged("its lengths do not fit")
    try:
        found = _DECODER.decode(memoryview(record)[_HEADER.size : facts_end]) if facts else ()
    except msgspec.DecodeError:
        return Damaged("its facts cannot be read")
    readings = np.frombuffer(record, READING_DTYPE, count, facts_end)
    return Group(seq, recorded_ms, found, readings, tick_ms)


def facts_left_out(header: bytes, size: int) -> Group | None:
    """What the header of a record alone says, if facts are all the record holds; else None: read it whole.

    The checksum is not looked at, so nothing may be concluded but that there are no readings: that the length
    of the record says too.
    """
    magic, version, _, seq, recorded_ms, tick_ms, count, facts_length = _HEADER.unpack(header)
    if (magic, version, count) != (MAGIC, VERSION, 0) or size != len(header) + facts_length + _CHECKSUM.size:
        return None
    return Group(seq, recorded_ms, (), no_readings(), tick_ms)


def fact_size(fact: AnyFact) -> int:
    """How many bytes a fact takes when packed.

    Raises:
        TypeError: It holds something that cannot be packed: a programmer's error.
    """
    return len(_ENCODER.encode(fact))
