"""Ethernet frames with NTP in them, made and read independently of the responder."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import ip_address

IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


def ones_sum(data: bytes) -> int:
    """The internet checksum of RFC 1071, not complemented; 0xffff: it holds."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass(frozen=True)
class Frame:
    """One UDP datagram on Ethernet, as it is written if nothing is said otherwise."""

    payload: bytes
    source: str = "127.0.0.1"
    to: str = "127.0.0.1"
    source_port: int = 40_000
    port: int = 123
    macs: bytes = bytes(12)
    ttl: int = 61
    tos: int = 0
    identity: int = 0x1234
    fragment: int = 0x4000
    options: bytes = b""
    protocol: int = 17
    checksum: bool = True
    trailer: bytes = b""

    def bytes(self) -> bytes:
        """The frame."""
        length = 8 + len(self.payload)
        source, to = ip_address(self.source).packed, ip_address(self.to).packed
        datagram = struct.pack(">HHHH", self.source_port, self.port, length, 0)
        datagram += self.payload
        if self.checksum:
            pseudo = source + to + struct.pack(">IHH", length, 0, 17)
            told = ~ones_sum(pseudo + datagram) & 0xFFFF or 0xFFFF
            datagram = datagram[:6] + told.to_bytes(2, "big") + datagram[8:]
        if len(source) == 16:
            head = struct.pack(
                ">IHBB", 6 << 28 | self.tos << 20, length, self.protocol, self.ttl
            )
            return self.macs + IPV6 + head + source + to + datagram + self.trailer
        size = 20 + len(self.options)
        head = struct.pack(
            ">BBHHHBBH",
            4 << 4 | size // 4,
            self.tos,
            size + length,
            self.identity,
            self.fragment,
            self.ttl,
            self.protocol,
            0,
        )
        head += source + to + self.options
        told = ~ones_sum(head) & 0xFFFF
        head = head[:10] + told.to_bytes(2, "big") + head[12:]
        return self.macs + IPV4 + head + datagram + self.trailer


@dataclass(frozen=True)
class Read:
    """What a plain frame holds, and whether its checksums hold."""

    frame: Frame
    header_holds: bool
    datagram_holds: bool


def read(data: bytes) -> Read:
    """A frame of 90 or 110 bytes."""
    ipv6 = data[12:14] == IPV6
    at = 54 if ipv6 else 34
    if ipv6:
        source, to = data[22:38], data[38:54]
        frame = Frame(b"", ttl=data[21], tos=data[14] << 4 & 0xF0 | data[15] >> 4)
    else:
        source, to = data[26:30], data[30:34]
        _, tos, _, identity, fragment, ttl = struct.unpack(">BBHHHB", data[14:23])
        frame = Frame(b"", ttl=ttl, tos=tos, identity=identity, fragment=fragment)
    source_port, port, length, checksum = struct.unpack(">HHHH", data[at : at + 8])
    frame = replace(
        frame,
        payload=data[at + 8 :],
        source=str(ip_address(source)),
        to=str(ip_address(to)),
        source_port=source_port,
        port=port,
        macs=data[:12],
        checksum=checksum != 0,
    )
    pseudo = source + to
    pseudo += struct.pack(">IHH", length, 0, 17)
    return Read(
        frame,
        ipv6 or ones_sum(data[14:34]) == 0xFFFF,
        checksum == 0 or ones_sum(pseudo + data[at:]) == 0xFFFF,
    )
