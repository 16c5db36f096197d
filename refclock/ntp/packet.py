"""The 48 bytes of an NTP packet, and what may stand behind them.

RFC 5905 section 7.3; extension fields RFC 7822. A codec validates shape, not
policy: any 48 bytes are a packet, and encode to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from refclock.timebase import SECOND, NtpShort, NtpTimestamp

_HEADER: Final = Struct(">BBbbII4sQQQQ")
_FIELD: Final = Struct(">HH")

HEADER_LENGTH: Final = _HEADER.size
MAX_DISPERSION: Final = 16 * SECOND
"""MAXDISP, RFC 5905 section 7.3: further from true time is not to be told."""

_LEAST_FIELD: Final = 16
_LEAST_LAST_FIELD: Final = 28
_MACS: Final = frozenset({0, 4, 20, 24})
"""Nothing, a crypto-NAK, and a key identifier with 128 or 160 bits of digest."""
_OLD_MACS: Final = frozenset({0, 4, 12, 20, 24, 36, 52, 68})
"""Before version 4 there were no fields, so that a longer digest fits."""


class PacketError(ValueError):
    """Bytes that are not an NTP packet."""


class PacketMode(IntEnum):
    """Who speaks, RFC 5905 figure 10."""

    RESERVED = 0
    SYMMETRIC_ACTIVE = 1
    SYMMETRIC_PASSIVE = 2
    CLIENT = 3
    SERVER = 4
    BROADCAST = 5
    CONTROL = 6
    PRIVATE = 7


@dataclass(frozen=True, slots=True)
class Packet:
    """The header, in wire order."""

    leap: int
    version: int
    mode: PacketMode
    stratum: int
    poll: int
    """log2 s."""
    precision: int
    """log2 s."""
    root_delay: NtpShort
    root_dispersion: NtpShort
    ref_id: bytes
    reference: NtpTimestamp
    origin: NtpTimestamp
    receive: NtpTimestamp
    transmit: NtpTimestamp

    @classmethod
    def decode(cls, data: bytes) -> Packet:
        """The header of `data`. PacketError: too short for one."""
        if len(data) < HEADER_LENGTH:
            raise PacketError(f"{len(data)} bytes, a packet has {HEADER_LENGTH}")
        first, stratum, poll, precision, delay, dispersion, ref_id, *stamps = (
            _HEADER.unpack_from(data)
        )
        return cls(
            first >> 6,
            first >> 3 & 7,
            PacketMode(first & 7),
            stratum,
            poll,
            precision,
            NtpShort(delay),
            NtpShort(dispersion),
            ref_id,
            *map(NtpTimestamp, stamps),
        )

    def encode(self) -> bytes:
        """The 48 bytes."""
        return _HEADER.pack(
            self.leap << 6 | self.version << 3 | self.mode,
            self.stratum,
            self.poll,
            self.precision,
            self.root_delay.bits,
            self.root_dispersion.bits,
            self.ref_id,
            self.reference.bits,
            self.origin.bits,
            self.receive.bits,
            self.transmit.bits,
        )


def check_length(data: bytes) -> None:
    """See that the length of a packet makes sense. PacketError: it does not.

    Version 4 may carry extension fields and then a MAC, told apart by how much is
    left: 24 bytes or less can only be a MAC (RFC 7822 section 7.5.1.4). What the
    fields mean is nobody's business here.
    """
    left = len(data) - HEADER_LENGTH
    if left < 0:
        raise PacketError(f"{len(data)} bytes, a packet has {HEADER_LENGTH}")
    if data[0] >> 3 & 7 < 4:
        if left not in _OLD_MACS:
            raise PacketError(f"{left} bytes behind the header are no MAC")
        return
    while left >= _LEAST_LAST_FIELD:
        _, length = _FIELD.unpack_from(data, len(data) - left)
        if length % 4 or not _LEAST_FIELD <= length <= left:
            raise PacketError(f"an extension field of {length} bytes in {left}")
        left -= length
    if left not in _MACS:
        raise PacketError(f"{left} bytes at the end are no MAC")
