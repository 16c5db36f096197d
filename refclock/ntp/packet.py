"""The 48 bytes of an NTP packet, RFC 5905 section 7.3.

What may follow them is read by `extension`. A codec validates shape, not
policy: any 48 bytes are a packet, and encode to themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from refclock.timebase import SECOND, NtpShort, NtpTimestamp

_HEADER: Final = Struct(">BBbbII4sQQQQ")

HEADER_LENGTH: Final = _HEADER.size
MAX_DISPERSION: Final = 16 * SECOND
"""MAXDISP, RFC 5905 section 7.3: further from true time is not to be told."""


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
