"""More requests than anyone can answer, from any address of the loopback network.

Every address in 127/8 is ours, so a source is made up by naming it to the kernel
(IP_PKTINFO, ip(7)); nothing leaves the machine.
"""

from __future__ import annotations

import ctypes
import random
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address

from hw.abi.sockets import (
    CMSG_HEADER,
    Header,
    Iov,
    Message,
    address_of,
    cmsg_space,
    sendmmsg,
)

REQUEST = bytes([0x23]) + bytes(39) + b"flooding"
_SWEEP = 64
_IP_PKTINFO = 8  # linux/in.h
_PKTINFO = struct.Struct("@Nii i4s4s")
_SOURCE = CMSG_HEADER + 4
"""Where ipi_spec_dst lies: what the kernel writes as the sender."""


@dataclass(frozen=True)
class Flood:
    """How many requests at most, for how long at most, and from whom."""

    count: int
    limit_s: float
    source: str | None = None
    """None: each from an address of its own, made up."""

    def pour(self, port: int) -> int:
        """Send it to that port of 127.0.0.1. How many went out."""
        name = bytearray(struct.pack("=H2s4s8x", socket.AF_INET, *_place(port)))
        request = bytearray(REQUEST)
        iov = Iov(address_of(request), len(request))
        told = _PKTINFO.pack(
            CMSG_HEADER + 12,
            socket.IPPROTO_IP,
            _IP_PKTINFO,
            0,
            IPv4Address(self.source or "127.0.0.1").packed,
            bytes(4),
        )
        room = cmsg_space(12)
        control = bytearray(told.ljust(room, b"\0") * _SWEEP)
        messages = (Message * _SWEEP)()
        for at in range(_SWEEP):
            messages[at].header = Header(
                address_of(name),
                len(name),
                ctypes.addressof(iov),
                1,
                address_of(control) + at * room,
                room,
            )
        sent, until = 0, time.monotonic() + self.limit_s
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while sent < self.count and time.monotonic() < until:
                if self.source is None:
                    control[_SOURCE + 1 :: room] = _SWEEP * random.randbytes(1)
                    control[_SOURCE + 2 :: room] = random.randbytes(_SWEEP)
                    control[_SOURCE + 3 :: room] = random.choices(_HOSTS, k=_SWEEP)
                done = sendmmsg(out.fileno(), messages, _SWEEP, 0)
                if done < 0:
                    raise OSError(ctypes.get_errno(), "the flood cannot be sent")
                sent += done
        return sent


_HOSTS = range(1, 255)


def _place(port: int) -> tuple[bytes, bytes]:
    return port.to_bytes(2, "big"), IPv4Address("127.0.0.1").packed
