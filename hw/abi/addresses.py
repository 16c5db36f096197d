"""Interfaces, their kinds and the addresses of this machine, without netlink.

Numbers and layouts: <linux/sockios.h>, <linux/if.h>, <linux/if_arp.h>; netdevice(7);
/proc/net/if_inet6 as Documentation/networking of the kernel has it.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv6Interface,
)
from pathlib import Path
from typing import Final

_SIOCGIFCONF: Final = 0x8912
_SIOCGIFFLAGS: Final = 0x8913
_SIOCGIFHWADDR: Final = 0x8927
_SIOCGIFINDEX: Final = 0x8933
_IFREQ_BYTES: Final = 40 if struct.calcsize("P") == 8 else 32
_MOST_BYTES: Final = 4096 * _IFREQ_BYTES
ETHERNET, LOOPBACK = 1, 772
"""ARPHRD_: what a link's frames are."""
SLAVE: Final = 0x800
"""IFF_SLAVE: a part of a bond."""
_TENTATIVE, _DUPLICATE = 0x40, 0x08
_PROC: Final = Path("/proc/thread-self/net")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface."""

    name: str
    index: int
    kind: int
    flags: int
    mac: bytes


def interfaces() -> Iterator[str]:
    """Their names, from /proc: if_nameindex(3) would ask by netlink, which the
    service may not use."""
    for line in (_PROC / "dev").read_text().splitlines()[2:]:
        yield line.partition(":")[0].strip()


def links() -> Iterator[Link]:
    """All of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for name in interfaces():
            asked = struct.pack(f"{_IFREQ_BYTES}s", name.encode())
            try:
                index, flags, hardware = (
                    fcntl.ioctl(any_socket, request, asked)
                    for request in (_SIOCGIFINDEX, _SIOCGIFFLAGS, _SIOCGIFHWADDR)
                )
            except OSError:  # it went away
                continue
            yield Link(
                name,
                struct.unpack_from("=i", index, 16)[0],
                struct.unpack_from("=H", hardware, 16)[0],
                struct.unpack_from("=H", flags, 16)[0],
                hardware[18:24],
            )


def ipv4_addresses() -> Iterator[tuple[str, IPv4Address]]:
    """The addresses of this machine, each with its interface (or label)."""
    room = ctypes.create_string_buffer(_MOST_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("@iP", len(room), ctypes.addressof(room))
        (length,) = struct.unpack_from(
            "=i", fcntl.ioctl(any_socket, _SIOCGIFCONF, asked)
        )
    for at in range(0, length, _IFREQ_BYTES):
        name, address = struct.unpack_from("=16s4x4s", room, at)
        yield name.rstrip(b"\0").decode(), IPv4Address(address)


def ipv6_addresses() -> Iterator[tuple[int, IPv6Interface]]:
    """The addresses of this machine in use, each with its interface's index."""
    path = _PROC / "if_inet6"
    if path.exists():  # IPv6 may be off
        for line in path.read_text().splitlines():
            address, index, prefix, _, flags, _ = line.split()
            if not int(flags, 16) & (_TENTATIVE | _DUPLICATE):
                whole = bytes.fromhex(address), int(prefix, 16)
                yield int(index, 16), IPv6Interface(whole)
