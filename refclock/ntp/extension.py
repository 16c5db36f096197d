"""What follows the 48 bytes of an NTP packet: extension fields, and a MAC.

RFC 7822: a field is a type and a length, two bytes each, and a body; lengths are
multiples of four. In version 4 up to 24 bytes at the end can only be a MAC; before
version 4 there are no fields, and a MAC may be longer. Any bytes are read, or refused
by `PacketError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from refclock.ntp.packet import HEADER_LENGTH, PacketError

_HEAD: Final = Struct(">HH")
LEAST_FIELD: Final = 16
_LEAST_LAST_FIELD: Final = 28
_MACS: Final = frozenset({0, 4, 20, 24})
"""Nothing, a crypto-NAK, and a key identifier with 128 or 160 bits of digest."""
_OLD_MACS: Final = frozenset({0, 4, 12, 20, 24, 36, 52, 68})
"""Before version 4: digests of up to 512 bits."""


class Field(NamedTuple):
    """One extension field."""

    kind: int
    begin: int
    """Where it begins in the packet, bytes."""
    body: bytes
    """Without type and length; with its padding."""

    @property
    def end(self) -> int:
        """Where the next one begins in the packet."""
        return self.begin + _HEAD.size + len(self.body)


@dataclass(frozen=True, slots=True)
class Tail:
    """All that follows the header."""

    fields: tuple[Field, ...]
    mac: bytes
    """Key identifier and digest; a crypto-NAK has four bytes; b"": there is none."""


def read(data: bytes) -> Tail:
    """The tail of a packet. PacketError: it has none of the shapes allowed."""
    left = len(data) - HEADER_LENGTH
    if left < 0:
        raise PacketError(f"{len(data)} bytes, a packet has {HEADER_LENGTH}")
    if data[0] >> 3 & 7 < 4:
        if left not in _OLD_MACS:
            raise PacketError(f"{left} bytes behind the header are no MAC")
        return Tail((), data[HEADER_LENGTH:])
    fields: list[Field] = []
    at = HEADER_LENGTH
    while len(data) - at >= _LEAST_LAST_FIELD:
        kind, length = _HEAD.unpack_from(data, at)
        if length % 4 or not LEAST_FIELD <= length <= len(data) - at:
            raise PacketError(f"an extension field of {length} bytes")
        fields.append(Field(kind, at, data[at + _HEAD.size : at + length]))
        at += length
    if len(data) - at not in _MACS:
        raise PacketError(f"{len(data) - at} bytes at the end are no MAC")
    return Tail(tuple(fields), data[at:])


def encode(kind: int, body: bytes) -> bytes:
    """A field as on the wire; its body is padded with zeros to a multiple of four, and
    the field to the least length."""
    length = max(_HEAD.size + len(body) + -len(body) % 4, LEAST_FIELD)
    return _HEAD.pack(kind, length) + body.ljust(length - _HEAD.size, b"\0")
